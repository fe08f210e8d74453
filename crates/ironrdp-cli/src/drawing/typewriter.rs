//! Keys back to text: what a server makes of scancodes and characters.

use crate::keyboard;

/// Longest text kept; older letters go first.
const MAX_LETTERS: usize = 400;

const BACKSPACE: u8 = 0x0e;
const ENTER: u8 = 0x1c;
const LEFT_SHIFT: u8 = 0x2a;
const RIGHT_SHIFT: u8 = 0x36;

/// Collects the text that keys of a US keyboard give.
#[derive(Debug, Default)]
pub(crate) struct Typewriter {
    text: String,
    letters: usize,
    shift: bool,
    surrogate: Option<u16>,
}

impl Typewriter {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A key; true if the text changed.
    pub(crate) fn key(&mut self, code: u8, extended: bool, pressed: bool) -> bool {
        match code {
            // E0 2A and E0 36 come with Print Screen and the arrows, and shift nothing.
            LEFT_SHIFT | RIGHT_SHIFT if !extended => {
                self.shift = pressed;
                false
            }
            _ if !pressed => false,
            BACKSPACE => self.erase(),
            // The keypad has one too, extended.
            ENTER => self.put('\n'),
            _ if extended => false,
            _ => keyboard::character(code, self.shift).is_some_and(|character| self.put(character)),
        }
    }

    /// A character without a key; true if the text changed.
    pub(crate) fn unicode(&mut self, unit: u16, pressed: bool) -> bool {
        if !pressed {
            return false;
        }
        let first = self.surrogate.take();
        match char::decode_utf16(first.into_iter().chain([unit])).next() {
            Some(Ok('\r')) => self.put('\n'),
            Some(Ok('\u{8}')) => self.erase(),
            Some(Ok(character)) => self.put(character),
            Some(Err(_)) if first.is_none() => {
                self.surrogate = Some(unit);
                false
            }
            _ => false,
        }
    }

    fn put(&mut self, character: char) -> bool {
        if self.letters == MAX_LETTERS {
            self.text.remove(0);
        } else {
            self.letters += 1;
        }
        self.text.push(character);
        true
    }

    fn erase(&mut self) -> bool {
        let erased = self.text.pop().is_some();
        self.letters -= usize::from(erased);
        erased
    }
}

#[cfg(test)]
mod tests {
    use ironrdp_pdu::input::{InputEvent, KeyFlags};

    use super::*;
    use crate::keyboard::Typing;

    fn typed(text: &str) -> Typewriter {
        let mut typewriter = Typewriter::default();
        for event in Typing::new(text).unwrap().strokes().flatten() {
            match event {
                InputEvent::Scancode { flags, code } => {
                    typewriter.key(
                        code,
                        flags.contains(KeyFlags::EXTENDED),
                        !flags.contains(KeyFlags::RELEASE),
                    );
                }
                InputEvent::Unicode { flags, unit } => {
                    typewriter.unicode(unit, !flags.contains(KeyFlags::RELEASE));
                }
                _ => {}
            }
        }
        typewriter
    }

    #[test]
    fn what_is_typed_is_what_is_read() {
        let ascii: String = (' '..='~').collect();
        assert_eq!(typed(&ascii).text(), ascii);
        assert_eq!(typed("a\nB\u{1f600}!").text(), "a\nB\u{1f600}!");
    }

    #[test]
    fn backspace_takes_one_letter_and_a_long_text_keeps_its_end() {
        let mut typewriter = typed("ab");
        assert!(typewriter.key(BACKSPACE, false, true));
        assert_eq!(typewriter.text(), "a");
        let long = "0123456789".repeat(50);
        let typewriter = typed(&long);
        assert_eq!(typewriter.text(), &long[100..]);
    }
}
