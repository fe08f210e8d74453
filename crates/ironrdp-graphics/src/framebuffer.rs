//! The plain pixel store.

use alloc::vec::Vec;

use ironrdp_core::DecodeErrorKind;

use crate::image::BYTES;
use crate::{GraphicsError, GraphicsResult, Image, ImageMut};

/// Most pixels a [`Framebuffer`] may have: 8192 by 8192, the largest desktop before multi-monitor, 256 MiB.
///
/// A desktop size comes from the server, so without a limit it could ask for 16 GiB.
pub const MAX_FRAMEBUFFER_PIXELS: u32 = 8192 * 8192;

/// A desktop's pixels in one block: rows from the top without gaps, each pixel blue, green, red, 0xff.
#[derive(Debug, Clone)]
pub struct Framebuffer {
    pixels: Vec<u8>,
    width: u16,
    height: u16,
}

impl Framebuffer {
    /// A black picture of that size, or an error of kind [`Limit`](crate::GraphicsErrorKind::Limit)
    /// above [`MAX_FRAMEBUFFER_PIXELS`].
    pub fn new(width: u16, height: u16) -> GraphicsResult<Self> {
        let mut framebuffer = Self {
            pixels: Vec::new(),
            width: 0,
            height: 0,
        };
        framebuffer.resize(width, height)?;
        Ok(framebuffer)
    }

    /// Becomes a black picture of another size; the same limit as for a new one. On error nothing changes.
    pub fn resize(&mut self, width: u16, height: u16) -> GraphicsResult<()> {
        let area = u32::from(width) * u32::from(height);
        if area > MAX_FRAMEBUFFER_PIXELS {
            return Err(GraphicsError::wire(
                "Framebuffer",
                "desktopWidth * desktopHeight",
                DecodeErrorKind::Limit {
                    got: area as usize,
                    max: MAX_FRAMEBUFFER_PIXELS as usize,
                },
            ));
        }
        let bytes = area as usize * BYTES;
        if bytes < self.pixels.capacity() / 2 {
            self.pixels = Vec::new();
        }
        self.pixels.clear();
        self.pixels.resize(bytes, 0);
        self.pixels.as_chunks_mut().0.fill([0, 0, 0, 0xff]);
        self.width = width;
        self.height = height;
        Ok(())
    }

    /// Columns.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Rows.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// Bytes from the start of one row to the next.
    pub const fn stride_bytes(&self) -> usize {
        self.width as usize * BYTES
    }

    /// All bytes.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Blue, green, red and 0xff of one pixel, or `None` outside.
    pub fn pixel(&self, x: u16, y: u16) -> Option<[u8; 4]> {
        let row = self.as_image().row(y)?;
        row.as_chunks().0.get(usize::from(x)).copied()
    }

    /// The picture to draw into.
    pub fn as_image_mut(&mut self) -> ImageMut<'_> {
        ImageMut::tight(&mut self.pixels, self.width, self.height)
    }

    /// The picture to read.
    pub fn as_image(&self) -> Image<'_> {
        Image::tight(&self.pixels, self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GraphicsErrorKind, Rect};

    #[test]
    fn a_new_picture_is_opaque_black() {
        let framebuffer = Framebuffer::new(3, 2).unwrap();
        assert_eq!(framebuffer.pixels(), [0, 0, 0, 255].repeat(6));
        assert_eq!(framebuffer.pixel(2, 1), Some([0, 0, 0, 255]));
        assert_eq!(framebuffer.pixel(3, 1), None);
        assert_eq!(framebuffer.pixel(0, 2), None);
    }

    #[test]
    fn a_desktop_too_large_is_refused_before_memory_is_asked_for() {
        let error = Framebuffer::new(u16::MAX, u16::MAX).unwrap_err();
        assert_eq!(error.kind(), GraphicsErrorKind::Limit);
        let mut framebuffer = Framebuffer::new(4, 4).unwrap();
        assert!(framebuffer.resize(30_000, 30_000).is_err());
        assert_eq!((framebuffer.width(), framebuffer.height()), (4, 4));
    }

    #[test]
    fn a_resize_forgets_the_old_picture_and_gives_memory_back() {
        let mut framebuffer = Framebuffer::new(64, 64).unwrap();
        framebuffer
            .as_image_mut()
            .fill(Rect::new(0, 0, 64, 64), [9, 9, 9]);
        framebuffer.resize(8, 8).unwrap();
        assert_eq!(framebuffer.pixels(), [0, 0, 0, 255].repeat(64));
        assert!(framebuffer.pixels.capacity() <= 64 * 64 * 2);
        framebuffer.resize(0, 5).unwrap();
        assert!(framebuffer.as_image().bounds().is_empty());
    }
}
