//! Drawing on the part of a desktop that a client is about to be sent.

use ironrdp_graphics::{ImageMut, Rect};

use super::font;

/// A colour: red, green, blue.
pub(crate) type Colour = [u8; 3];

/// Draws in the coordinates of the desktop; what falls outside of the part is not drawn.
pub(crate) struct Brush<'a, 'b> {
    image: &'a mut ImageMut<'b>,
    part: Rect,
}

impl<'a, 'b> Brush<'a, 'b> {
    pub(crate) fn new(part: Rect, image: &'a mut ImageMut<'b>) -> Self {
        Self { image, part }
    }

    /// What of the desktop is drawn.
    pub(crate) fn part(&self) -> Rect {
        self.part
    }

    pub(crate) fn fill(&mut self, area: Rect, colour: Colour) {
        let visible = area.intersection(&self.part);
        if !visible.is_empty() {
            let (left, top) = (visible.left - self.part.left, visible.top - self.part.top);
            self.image
                .fill(Rect::new(left, top, visible.width, visible.height), colour);
        }
    }

    /// Gives every pixel of the part the colour that `of` says for its place.
    pub(crate) fn shade(&mut self, mut of: impl FnMut(u16, u16) -> Colour) {
        for y in 0..self.part.height {
            let Some(row) = self.image.row_mut(y) else {
                return;
            };
            for (x, pixel) in (self.part.left..).zip(row.as_chunks_mut::<4>().0) {
                let [red, green, blue] = of(x, self.part.top + y);
                *pixel = [blue, green, red, 0xff];
            }
        }
    }

    /// A filled circle with a soft edge.
    pub(crate) fn disc(&mut self, (x, y): (u16, u16), radius: u16, colour: Colour) {
        let side = radius.saturating_mul(2).saturating_add(1);
        let square = Rect::new(x.saturating_sub(radius), y.saturating_sub(radius), side, side);
        let visible = square.intersection(&self.part);
        // In 16ths of a pixel: half a pixel more than the radius, since the middle of a pixel counts.
        let edge = u32::from(radius) * 16 + 8;
        for y_at in visible.top..visible.top.saturating_add(visible.height) {
            let Some(row) = self.image.row_mut(y_at - self.part.top) else {
                return;
            };
            let dy = u32::from(y_at.abs_diff(y));
            let skipped = usize::from(visible.left - self.part.left);
            let places = visible.left..visible.left.saturating_add(visible.width);
            for (x_at, pixel) in places.zip(row.as_chunks_mut::<4>().0.iter_mut().skip(skipped)) {
                let dx = u32::from(x_at.abs_diff(x));
                let distance = (256 * (dx * dx + dy * dy)).isqrt();
                let [blue, green, red, _] = *pixel;
                let cover = edge.saturating_sub(distance).min(16) * 16;
                let [red, green, blue] = mixed([red, green, blue], colour, cover);
                *pixel = [blue, green, red, 0xff];
            }
        }
    }

    /// One line of text, each dot of a letter a square of `scale` pixels.
    pub(crate) fn text(&mut self, (x, y): (u16, u16), scale: u16, colour: Colour, text: &str) {
        let mut left = x;
        for character in text.chars() {
            let height = font::ROWS + font::DESCENT;
            let cell = Rect::new(left, y, font::ADVANCE * scale, height * scale);
            if !cell.intersection(&self.part).is_empty() {
                self.letter((left, y), scale, colour, character);
            }
            left = left.saturating_add(font::ADVANCE * scale);
        }
    }

    /// One line of text, each dot of a letter a lamp of `scale` pixels.
    pub(crate) fn lamps(&mut self, (x, y): (u16, u16), scale: u16, colour: Colour, text: &str) {
        let radius = scale * 9 / 20;
        for (index, character) in (0..).zip(text.chars()) {
            let left = x + index * font::ADVANCE * scale;
            for (row, bits) in (0..).zip(font::glyph(character)) {
                for column in (0..5).filter(|column| bits & (0x10 >> column) != 0) {
                    let (x, y) = (left + column * scale, y + row * scale);
                    self.disc((x + scale / 2, y + scale / 2), radius, colour);
                }
            }
        }
    }

    fn letter(&mut self, (x, y): (u16, u16), scale: u16, colour: Colour, character: char) {
        for (row, bits) in (font::drop_of(character)..).zip(font::glyph(character)) {
            for column in (0..5).filter(|column| bits & (0x10 >> column) != 0) {
                let dot = Rect::new(x + column * scale, y + row * scale, scale, scale);
                self.fill(dot, colour);
            }
        }
    }
}

/// `share` 256ths of `over`, the rest of `under`.
pub(crate) fn mixed(under: Colour, over: Colour, share: u32) -> Colour {
    let share = share.min(256);
    let channel = |index: usize| {
        let of = |colour: &Colour| u32::from(colour.get(index).copied().unwrap_or_default());
        u8::try_from((of(&under) * (256 - share) + of(&over) * share) / 256).unwrap_or(u8::MAX)
    };
    [channel(0), channel(1), channel(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the whole shows, and what it shows when it is drawn in parts, must be the same.
    #[test]
    fn parts_fit_together() {
        let draw = |brush: &mut Brush<'_, '_>| {
            brush.shade(|x, y| [u8::try_from(x).unwrap(), u8::try_from(y).unwrap(), 7]);
            brush.disc((20, 20), 9, [255, 0, 0]);
            brush.text((3, 28), 2, [0, 255, 0], "Ag");
            brush.lamps((1, 2), 5, [0, 9, 255], "8");
        };
        let mut whole = vec![0; 40 * 48 * 4];
        let area = Rect::new(0, 0, 40, 48);
        draw(&mut Brush::new(
            area,
            &mut ImageMut::new(&mut whole, 160, 40, 48).unwrap(),
        ));
        for part in [Rect::new(0, 0, 17, 48), Rect::new(17, 11, 23, 20)] {
            let stride = usize::from(part.width) * 4;
            let mut pixels = vec![0; stride * usize::from(part.height)];
            let mut image = ImageMut::new(&mut pixels, stride, part.width, part.height).unwrap();
            draw(&mut Brush::new(part, &mut image));
            for (y, row) in pixels.chunks_exact(stride).enumerate() {
                let start = (usize::from(part.top) + y) * 160 + usize::from(part.left) * 4;
                assert_eq!(row, &whole[start..start + stride]);
            }
        }
    }
}
