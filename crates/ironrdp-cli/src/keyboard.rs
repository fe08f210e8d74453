//! `--type`: text as the keys of a US keyboard, which every server takes.

use ironrdp_pdu::input::{InputEvent, KeyFlags, ToggleFlags};

/// Set 1 scancodes of the keys with two characters each, in the order of the keyboard's rows: plain, with Shift.
const KEYS: &[(u8, char, char)] = &[
    (0x29, '`', '~'),
    (0x02, '1', '!'),
    (0x03, '2', '@'),
    (0x04, '3', '#'),
    (0x05, '4', '$'),
    (0x06, '5', '%'),
    (0x07, '6', '^'),
    (0x08, '7', '&'),
    (0x09, '8', '*'),
    (0x0a, '9', '('),
    (0x0b, '0', ')'),
    (0x0c, '-', '_'),
    (0x0d, '=', '+'),
    (0x10, 'q', 'Q'),
    (0x11, 'w', 'W'),
    (0x12, 'e', 'E'),
    (0x13, 'r', 'R'),
    (0x14, 't', 'T'),
    (0x15, 'y', 'Y'),
    (0x16, 'u', 'U'),
    (0x17, 'i', 'I'),
    (0x18, 'o', 'O'),
    (0x19, 'p', 'P'),
    (0x1a, '[', '{'),
    (0x1b, ']', '}'),
    (0x1e, 'a', 'A'),
    (0x1f, 's', 'S'),
    (0x20, 'd', 'D'),
    (0x21, 'f', 'F'),
    (0x22, 'g', 'G'),
    (0x23, 'h', 'H'),
    (0x24, 'j', 'J'),
    (0x25, 'k', 'K'),
    (0x26, 'l', 'L'),
    (0x27, ';', ':'),
    (0x28, '\'', '"'),
    (0x2b, '\\', '|'),
    (0x2c, 'z', 'Z'),
    (0x2d, 'x', 'X'),
    (0x2e, 'c', 'C'),
    (0x2f, 'v', 'V'),
    (0x30, 'b', 'B'),
    (0x31, 'n', 'N'),
    (0x32, 'm', 'M'),
    (0x33, ',', '<'),
    (0x34, '.', '>'),
    (0x35, '/', '?'),
];

const TAB: u8 = 0x0f;
const ENTER: u8 = 0x1c;
const LEFT_SHIFT: u8 = 0x2a;
const SPACE: u8 = 0x39;

/// What brings a character about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Key { code: u8, shift: bool },
    Unicode(char),
}

impl Stroke {
    fn of(character: char) -> Self {
        let plain = |code| Self::Key { code, shift: false };
        match character {
            '\n' => plain(ENTER),
            '\t' => plain(TAB),
            ' ' => plain(SPACE),
            _ => KEYS
                .iter()
                .find_map(|&(code, lower, upper)| {
                    let found = character == lower || character == upper;
                    found.then_some(Self::Key {
                        code,
                        shift: character == upper,
                    })
                })
                .unwrap_or(Self::Unicode(character)),
        }
    }

    /// Down and up again, with Shift held if needed.
    fn events(self) -> Vec<InputEvent> {
        match self {
            Self::Key { code, shift } => {
                let key = [
                    InputEvent::key_pressed(code, false),
                    InputEvent::key_released(code, false),
                ];
                if !shift {
                    return key.to_vec();
                }
                let [pressed, released] = key;
                vec![
                    InputEvent::key_pressed(LEFT_SHIFT, false),
                    pressed,
                    released,
                    InputEvent::key_released(LEFT_SHIFT, false),
                ]
            }
            Self::Unicode(character) => {
                let mut units = [0; 2];
                let event = |unit, flags| InputEvent::Unicode { flags, unit };
                // 2.2.8.1.1.3.1.1.2: the halves of a surrogate pair follow each other, pressed and then released.
                let units = character.encode_utf16(&mut units);
                let pressed = units.iter().map(|unit| event(*unit, KeyFlags::empty()));
                let released = units.iter().map(|unit| event(*unit, KeyFlags::RELEASE));
                pressed.chain(released).collect()
            }
        }
    }
}

/// The character that a key gives, the other way round: for servers.
pub(crate) fn character(code: u8, shift: bool) -> Option<char> {
    match code {
        TAB => Some('\t'),
        SPACE => Some(' '),
        _ => KEYS
            .iter()
            .find(|key| key.0 == code)
            .map(|&(_, lower, upper)| if shift { upper } else { lower }),
    }
}

/// Text that can be typed: line ends are made one, and there are no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typing(Vec<Stroke>);

impl Typing {
    /// Takes `text` apart; the error is the control character that no key stands for.
    pub(crate) fn new(text: &str) -> Result<Self, char> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        text.chars()
            .map(|character| match character {
                '\n' | '\t' => Ok(Stroke::of(character)),
                _ if character.is_control() => Err(character),
                _ => Ok(Stroke::of(character)),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first character that is on no key of the layout, and needs a server that takes characters.
    pub(crate) fn needs_unicode(&self) -> Option<char> {
        self.0.iter().find_map(|stroke| match stroke {
            Stroke::Unicode(character) => Some(*character),
            Stroke::Key { .. } => None,
        })
    }

    /// What to send before the first key: no lock is on, or letters would arrive in the wrong case.
    pub(crate) fn unlock() -> InputEvent {
        InputEvent::Synchronize {
            toggles: ToggleFlags::empty(),
        }
    }

    /// The events of each character in turn; those of one belong together.
    pub(crate) fn strokes(&self) -> impl Iterator<Item = Vec<InputEvent>> + '_ {
        self.0.iter().map(|stroke| stroke.events())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_printable_ascii_character_has_one_key() {
        for character in ' '..='~' {
            assert!(matches!(Stroke::of(character), Stroke::Key { .. }), "{character}");
        }
        let mut seen: Vec<char> = KEYS
            .iter()
            .flat_map(|&(_, lower, upper)| [lower, upper])
            .collect();
        seen.sort_unstable();
        let expected: Vec<char> = ('!'..='~').collect();
        assert_eq!(seen, expected);
        let mut codes: Vec<u8> = KEYS.iter().map(|key| key.0).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KEYS.len());
    }

    #[test]
    fn a_capital_is_its_key_with_shift_around() {
        let events: Vec<_> = Typing::new("A").unwrap().strokes().flatten().collect();
        let key = |code, flags| InputEvent::Scancode { flags, code };
        let expected = [
            key(0x2a, KeyFlags::empty()),
            key(0x1e, KeyFlags::empty()),
            key(0x1e, KeyFlags::RELEASE),
            key(0x2a, KeyFlags::RELEASE),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn every_kind_of_line_end_is_one_enter() {
        let typing = Typing::new("\r\n\n\r").unwrap();
        assert_eq!(
            typing.0,
            [Stroke::Key {
                code: ENTER,
                shift: false
            }; 3]
        );
    }

    #[test]
    fn what_is_on_no_key_is_sent_as_utf_16() {
        let typing = Typing::new("aé😀").unwrap();
        assert_eq!(typing.needs_unicode(), Some('é'));
        assert_eq!(Typing::new("plain ~text\t").unwrap().needs_unicode(), None);
        let units: Vec<_> = typing
            .strokes()
            .flatten()
            .filter_map(|event| match event {
                InputEvent::Unicode { flags, unit } => Some((unit, flags.contains(KeyFlags::RELEASE))),
                _ => None,
            })
            .collect();
        let expected = [
            (0xe9, false),
            (0xe9, true),
            (0xd83d, false),
            (0xde00, false),
            (0xd83d, true),
            (0xde00, true),
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn control_characters_have_no_key() {
        assert_eq!(Typing::new("a\u{1b}[A"), Err('\u{1b}'));
        assert_eq!(Typing::new("\0"), Err('\0'));
    }
}
