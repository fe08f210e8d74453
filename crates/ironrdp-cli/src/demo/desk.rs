//! The desktop of one session of the demo: a number, a pattern of its own, and what was typed.

use std::sync::{Arc, Mutex, PoisonError};

use ironrdp_graphics::{Framebuffer, GraphicsResult, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Display, Input, Screen};

use crate::drawing::{Brush, Colour, Typewriter, font, wrap};

/// Draws on demand and keeps no pixels: a thousand desks are a thousand texts.
#[derive(Debug)]
pub(crate) struct Desk {
    number: usize,
    size: DesktopSize,
    typewriter: Mutex<Typewriter>,
}

const MARGIN: u16 = 10;
const PAPER: Colour = [0xf4, 0xf1, 0xe8];
const INK: Colour = [0x20, 0x24, 0x2e];

impl Desk {
    pub(crate) fn new(number: usize, size: DesktopSize) -> Self {
        Self {
            number,
            size,
            typewriter: Mutex::default(),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.with_typewriter(|typewriter| typewriter.text().to_owned())
    }

    /// All of what it shows now.
    pub(crate) fn picture(&self) -> GraphicsResult<Framebuffer> {
        let (width, height) = (self.size.width(), self.size.height());
        let mut picture = Framebuffer::new(width, height)?;
        self.paint(Rect::new(0, 0, width, height), &mut picture.as_image_mut());
        Ok(picture)
    }

    fn with_typewriter<T>(&self, work: impl FnOnce(&mut Typewriter) -> T) -> T {
        work(&mut self.typewriter.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the text stands.
    fn paper(&self) -> Rect {
        let top = self.size.height() / 2;
        Rect::new(
            MARGIN,
            top,
            self.size.width().saturating_sub(2 * MARGIN),
            self.size.height().saturating_sub(top + MARGIN),
        )
    }

    /// A number that looks like no other desk's.
    fn seed(&self) -> u32 {
        let number = u32::try_from(self.number).unwrap_or(u32::MAX);
        let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b1);
        mixed ^ mixed >> 15
    }

    fn accent(&self) -> Colour {
        let [a, b, c, _] = self.seed().to_le_bytes();
        // Bright enough for the dark ground whatever the number is.
        [a | 0x60, b | 0x60, c | 0x60]
    }

    /// A mirrored pattern of blocks, as a seal.
    fn seal(&self, brush: &mut Brush<'_, '_>) {
        let side = (self.size.height() / 2).saturating_sub(2 * MARGIN) / 6;
        let left = self.size.width().saturating_sub(MARGIN + 6 * side);
        for row in 0..6 {
            for column in 0..3 {
                if self.seed() >> (row * 3 + column) & 1 == 0 {
                    continue;
                }
                for column in [column, 5 - column] {
                    let block = Rect::new(left + column * side, MARGIN + row * side, side, side);
                    brush.fill(block, self.accent());
                }
            }
        }
    }
}

impl Display for Desk {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        let mut brush = Brush::new(part, image);
        let (width, height) = (u32::from(self.size.width()), u32::from(self.size.height()));
        let [red, green, blue] = self.accent().map(u32::from);
        brush.shade(|x, y| {
            // The accent in the dark, from one corner to the other.
            let light = 16 + 48 * u32::from(x) / width + 32 * u32::from(y) / height;
            [red, green, blue].map(|channel| u8::try_from(channel * light / 256).unwrap_or(u8::MAX))
        });
        self.seal(&mut brush);
        brush.text((MARGIN, MARGIN), 2, [0xc8, 0xcc, 0xd4], "session");
        brush.text(
            (MARGIN, MARGIN + 20),
            5,
            [0xff; 3],
            &format!("{:04}", self.number),
        );
        let paper = self.paper();
        brush.fill(paper, PAPER);
        self.with_typewriter(|typewriter| {
            let text = typewriter.text();
            write(&mut brush, paper, text);
        });
    }
}

/// Sets `text` on `paper`, as many lines as fit.
fn write(brush: &mut Brush<'_, '_>, paper: Rect, text: &str) {
    const SCALE: u16 = 2;
    let columns = usize::from(paper.width.saturating_sub(12) / (font::ADVANCE * SCALE)).max(1);
    let rows = usize::from(paper.height.saturating_sub(12) / (font::LINE * SCALE)).max(1);
    let lines = wrap(text, columns);
    let first = lines.len().saturating_sub(rows);
    let mut top = paper.top + 6;
    for line in lines.iter().skip(first) {
        brush.text((paper.left + 6, top), SCALE, INK, line);
        top += font::LINE * SCALE;
    }
}

/// Types on a desk.
pub(crate) struct Hands {
    pub(crate) desk: Arc<Desk>,
    pub(crate) screen: Screen,
}

impl Hands {
    fn typed(&self, changed: bool) {
        if changed {
            self.screen.damage(self.desk.paper());
        }
    }
}

impl Input for Hands {
    fn key(&mut self, code: u8, extended: bool, pressed: bool) {
        let changed = self
            .desk
            .with_typewriter(|typewriter| typewriter.key(code, extended, pressed));
        self.typed(changed);
    }

    fn unicode(&mut self, unit: u16, pressed: bool) {
        let changed = self
            .desk
            .with_typewriter(|typewriter| typewriter.unicode(unit, pressed));
        self.typed(changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desks_look_unlike_each_other_and_show_what_is_typed() {
        let size = DesktopSize::new(320, 240).unwrap();
        let first = Desk::new(1, size);
        let blank = first.picture().unwrap();
        assert_ne!(blank.pixels(), Desk::new(2, size).picture().unwrap().pixels());
        assert!(first.with_typewriter(|typewriter| typewriter.key(0x1e, false, true)));
        assert_eq!(first.text(), "a");
        let typed = first.picture().unwrap();
        assert_ne!(typed.pixels(), blank.pixels());
        // Nothing changed but the paper, which is what is told to be damaged.
        let paper = first.paper();
        for y in 0..240 {
            for x in 0..320 {
                let inside = paper.contains(&Rect::new(x, y, 1, 1));
                assert!(inside || typed.pixel(x, y) == blank.pixel(x, y), "{x},{y}");
            }
        }
    }

    #[test]
    fn lines_break_where_they_end_and_where_they_are_full() {
        assert_eq!(wrap("abcdef\ngh", 4), ["abcd", "ef", "gh"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("abcd\n", 4), ["abcd", ""]);
    }
}
