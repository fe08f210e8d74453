//! The simplest display: a framebuffer to draw into.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ironrdp_graphics::{Framebuffer, GraphicsResult, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;

use crate::Display;

/// A [`Display`] with pixels of its own, behind a lock. Draw, then tell the [`Screen`](crate::Screen) where.
#[derive(Debug)]
pub struct Canvas(Mutex<Pixels>);

#[derive(Debug)]
struct Pixels {
    size: DesktopSize,
    framebuffer: Framebuffer,
}

impl Canvas {
    /// A black canvas.
    pub fn new(size: DesktopSize) -> GraphicsResult<Self> {
        let framebuffer = Framebuffer::new(size.width(), size.height())?;
        Ok(Self(Mutex::new(Pixels { size, framebuffer })))
    }

    /// Draws with `draw`, and gives what it gives: the damaged rectangle, say. Clients are not served meanwhile.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut ImageMut<'_>) -> T) -> T {
        draw(&mut self.lock().framebuffer.as_image_mut())
    }

    /// Makes it black and of another size. Resize the [`Screen`](crate::Screen) after it.
    pub fn resize(&self, size: DesktopSize) -> GraphicsResult<()> {
        let mut pixels = self.lock();
        pixels.framebuffer.resize(size.width(), size.height())?;
        pixels.size = size;
        Ok(())
    }

    /// Its size.
    pub fn size(&self) -> DesktopSize {
        self.lock().size
    }

    /// A copy of what it shows.
    pub fn snapshot(&self) -> Framebuffer {
        self.lock().framebuffer.clone()
    }

    // A panic while drawing leaves a picture that is half drawn, which is still a picture.
    fn lock(&self) -> MutexGuard<'_, Pixels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Display for Canvas {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        let pixels = self.lock();
        // While a resize is under way, the part may reach beyond the picture: that stays black.
        let visible = pixels.framebuffer.as_image().part(part);
        for (y, from) in (0..).zip(visible.rows()) {
            if let Some(to) = image.row_mut(y).and_then(|row| row.get_mut(..from.len())) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_beyond_the_canvas_stays_black() {
        let canvas = Canvas::new(DesktopSize::new(4, 4).unwrap()).unwrap();
        canvas.draw(|image| image.fill(Rect::new(0, 0, 4, 4), [1, 2, 3]));
        let mut bytes = [0; 4 * 4 * 4];
        canvas.paint(
            Rect::new(2, 3, 4, 4),
            &mut ImageMut::new(&mut bytes, 16, 4, 4).unwrap(),
        );
        assert_eq!(bytes[..8], [3, 2, 1, 255, 3, 2, 1, 255]);
        assert_eq!(bytes[8..], [0; 56]);
    }
}
