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

    /// A filled circle.
    pub(crate) fn disc(&mut self, (x, y): (u16, u16), radius: u16, colour: Colour) {
        let square = i64::from(radius).pow(2);
        for row in y.saturating_sub(radius)..=y.saturating_add(radius) {
            let dy = i64::from(row.abs_diff(y));
            let half = (square - dy * dy).max(0).isqrt();
            let half = u16::try_from(half).unwrap_or(radius);
            let left = x.saturating_sub(half);
            self.fill(Rect::new(left, row, x + half - left + 1, 1), colour);
        }
    }

    /// One line of text, each dot of a letter a square of `scale` pixels.
    pub(crate) fn text(&mut self, (x, y): (u16, u16), scale: u16, colour: Colour, text: &str) {
        let mut left = x;
        for character in text.chars() {
            let cell = Rect::new(left, y, font::ADVANCE * scale, font::ROWS * scale);
            if !cell.intersection(&self.part).is_empty() {
                self.letter((left, y), scale, colour, character);
            }
            left = left.saturating_add(font::ADVANCE * scale);
        }
    }

    fn letter(&mut self, (x, y): (u16, u16), scale: u16, colour: Colour, character: char) {
        for (row, bits) in (0..).zip(font::glyph(character)) {
            for column in (0..5).filter(|column| bits & (0x10 >> column) != 0) {
                let dot = Rect::new(x + column * scale, y + row * scale, scale, scale);
                self.fill(dot, colour);
            }
        }
    }
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
