//! Views of 32-bit pixels that live somewhere else.

use alloc::vec::Vec;

use crate::{GraphicsError, GraphicsResult, Rect};

/// Bytes of one pixel in a framebuffer: blue, green, red, 0xff.
pub(crate) const BYTES: usize = 4;

/// Pixels to draw into: rows from the top, `stride` bytes apart, each pixel blue, green, red, 0xff.
///
/// The fourth byte is written as 0xff by everything that draws, so that a consumer may hand the rows on as opaque BGRA.
#[derive(Debug)]
pub struct ImageMut<'a> {
    pixels: &'a mut [u8],
    stride_bytes: usize,
    width: u16,
    height: u16,
}

/// Pixels to read: rows from the top, `stride` bytes apart, each pixel blue, green, red and a byte that is ignored.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    pixels: &'a [u8],
    stride_bytes: usize,
    width: u16,
    height: u16,
}

const fn fits(length: usize, stride_bytes: usize, width: u16, height: u16) -> bool {
    let row = width as usize * BYTES;
    if stride_bytes < row {
        return false;
    }
    // The last row need not be followed by its padding.
    match (height as usize).checked_sub(1) {
        None => true,
        Some(above) => match above.checked_mul(stride_bytes) {
            Some(start) => match start.checked_add(row) {
                Some(end) => length >= end,
                None => false,
            },
            None => false,
        },
    }
}

impl<'a> ImageMut<'a> {
    /// A view of rows without gaps, for an owner that keeps `pixels` as long as the sides say.
    pub(crate) const fn tight(pixels: &'a mut [u8], width: u16, height: u16) -> Self {
        Self {
            pixels,
            stride_bytes: width as usize * BYTES,
            width,
            height,
        }
    }

    /// A view of `height` rows of `width` pixels whose starts are `stride_bytes` apart.
    ///
    /// The kind of the error is [`Misuse`](crate::GraphicsErrorKind::Misuse): rows that overlap, or too few bytes.
    pub fn new(pixels: &'a mut [u8], stride_bytes: usize, width: u16, height: u16) -> GraphicsResult<Self> {
        if !fits(pixels.len(), stride_bytes, width, height) {
            return Err(GraphicsError::misuse(
                "an image does not fit the bytes and stride given for it",
            ));
        }
        Ok(Self {
            pixels,
            stride_bytes,
            width,
            height,
        })
    }

    /// Columns.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Rows.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// The whole of it, from (0, 0).
    pub const fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// The same pixels, borrowed for a shorter time.
    pub const fn reborrow(&mut self) -> ImageMut<'_> {
        ImageMut {
            pixels: self.pixels,
            stride_bytes: self.stride_bytes,
            width: self.width,
            height: self.height,
        }
    }

    /// The same pixels to read.
    pub const fn as_image(&self) -> Image<'_> {
        Image {
            pixels: self.pixels,
            stride_bytes: self.stride_bytes,
            width: self.width,
            height: self.height,
        }
    }

    /// Row `y` from the top, or `None` below the last.
    pub fn row_mut(&mut self, y: u16) -> Option<&mut [u8]> {
        if y >= self.height {
            return None;
        }
        let start = usize::from(y) * self.stride_bytes;
        self.pixels
            .get_mut(start..start + usize::from(self.width) * BYTES)
    }

    /// The part of row `top + y` that lies in `part`, which must be inside the image.
    #[inline]
    pub(crate) fn part_mut(&mut self, part: Rect, y: usize) -> &mut [[u8; BYTES]] {
        let start = (usize::from(part.top) + y) * self.stride_bytes + usize::from(part.left) * BYTES;
        let row = self
            .pixels
            .get_mut(start..start + usize::from(part.width) * BYTES)
            .unwrap_or_default();
        row.as_chunks_mut().0
    }

    /// Paints `part`, as far as it lies inside, in one colour given as red, green, blue.
    pub fn fill(&mut self, part: Rect, [red, green, blue]: [u8; 3]) {
        let part = part.intersection(&self.bounds());
        for y in 0..usize::from(part.height) {
            self.part_mut(part, y).fill([blue, green, red, 0xff]);
        }
    }

    /// Copies what `from` shows in `part` to the same place, as far as both have it.
    pub fn copy(&mut self, from: &Image<'_>, part: Rect) {
        let part = part.intersection(&self.bounds()).intersection(&from.bounds());
        for (y, row) in from.part(part).rows().enumerate() {
            for (to, [blue, green, red, _]) in
                self.part_mut(part, y).iter_mut().zip(row.as_chunks::<BYTES>().0)
            {
                *to = [*blue, *green, *red, 0xff];
            }
        }
    }
}

impl<'a> Image<'a> {
    /// A view of rows without gaps, for an owner that keeps `pixels` as long as the sides say.
    pub(crate) const fn tight(pixels: &'a [u8], width: u16, height: u16) -> Self {
        Self {
            pixels,
            stride_bytes: width as usize * BYTES,
            width,
            height,
        }
    }

    /// A view of `height` rows of `width` pixels whose starts are `stride_bytes` apart.
    ///
    /// The kind of the error is [`Misuse`](crate::GraphicsErrorKind::Misuse): rows that overlap, or too few bytes.
    pub fn new(pixels: &'a [u8], stride_bytes: usize, width: u16, height: u16) -> GraphicsResult<Self> {
        if !fits(pixels.len(), stride_bytes, width, height) {
            return Err(GraphicsError::misuse(
                "an image does not fit the bytes and stride given for it",
            ));
        }
        Ok(Self {
            pixels,
            stride_bytes,
            width,
            height,
        })
    }

    /// Columns.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Rows.
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// The whole of it, from (0, 0).
    pub const fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// Row `y` from the top, or `None` below the last.
    pub fn row(&self, y: u16) -> Option<&'a [u8]> {
        if y >= self.height {
            return None;
        }
        let start = usize::from(y) * self.stride_bytes;
        self.pixels.get(start..start + usize::from(self.width) * BYTES)
    }

    /// All rows from the top; walk it backwards for the order of the wire.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
        let image = *self;
        (0..self.height).map(move |y| image.row(y).unwrap_or_default())
    }

    /// What lies in `part`, as far as it lies inside.
    #[must_use]
    pub fn part(&self, part: Rect) -> Self {
        let part = part.intersection(&self.bounds());
        let start = usize::from(part.top) * self.stride_bytes + usize::from(part.left) * BYTES;
        Self {
            pixels: if part.is_empty() {
                &[]
            } else {
                self.pixels.get(start..).unwrap_or_default()
            },
            stride_bytes: self.stride_bytes,
            width: if part.is_empty() { 0 } else { part.width },
            height: if part.is_empty() { 0 } else { part.height },
        }
    }

    /// Appends every pixel as red, green, blue, rows from the top: what a PNG of 8-bit RGB holds.
    pub fn append_rgb(&self, out: &mut Vec<u8>) {
        out.reserve(usize::from(self.width) * usize::from(self.height) * 3);
        for row in self.rows() {
            out.extend(
                row.as_chunks::<BYTES>()
                    .0
                    .iter()
                    .flat_map(|&[blue, green, red, _]| [red, green, blue]),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GraphicsErrorKind;

    #[test]
    fn a_view_needs_no_padding_after_its_last_row() {
        let mut bytes = [0; 20 + 8];
        assert!(ImageMut::new(&mut bytes, 20, 2, 2).is_ok());
        let error = ImageMut::new(&mut bytes[..27], 20, 2, 2).unwrap_err();
        assert_eq!(error.kind(), GraphicsErrorKind::Misuse);
        assert!(ImageMut::new(&mut bytes, 7, 2, 2).is_err());
        assert!(Image::new(&bytes, usize::MAX, 1, 3).is_err());
        assert!(Image::new(&[], 0, 0, 0).is_ok());
    }

    #[test]
    fn fill_stays_inside_the_image_and_its_stride() {
        let mut bytes = [0; 3 * 16];
        let mut image = ImageMut::new(&mut bytes, 16, 3, 3).unwrap();
        image.fill(Rect::new(1, 2, 50, 50), [1, 2, 3]);
        assert_eq!(
            image.row_mut(2).unwrap(),
            [0, 0, 0, 0, 3, 2, 1, 255, 3, 2, 1, 255]
        );
        assert!(image.row_mut(3).is_none());
        assert_eq!(bytes[..36], [0; 36]);
        assert_eq!(bytes[44..], [0; 4]);
    }

    #[test]
    fn a_copy_stays_at_its_place_and_inside_of_both() {
        let from: Vec<u8> = (0..3 * 4 * 2).collect();
        let from = Image::new(&from, 12, 3, 2).unwrap();
        let mut bytes = [0; 2 * 12];
        let mut image = ImageMut::new(&mut bytes, 12, 2, 2).unwrap();
        image.copy(&from, Rect::new(1, 1, 50, 50));
        image.copy(&from, Rect::new(9, 9, 1, 1));
        assert_eq!(bytes[..16], [0; 16]);
        assert_eq!(bytes[16..], [16, 17, 18, 255, 0, 0, 0, 0]);
    }

    #[test]
    fn a_part_is_read_with_the_stride_of_the_whole() {
        let bytes: Vec<u8> = (0..4 * 4 * 2).collect();
        let image = Image::new(&bytes, 16, 4, 2).unwrap();
        let part = image.part(Rect::new(3, 1, 9, 9));
        assert_eq!(part.bounds(), Rect::new(0, 0, 1, 1));
        assert_eq!(part.row(0), Some(&[28, 29, 30, 31][..]));
        assert!(image.part(Rect::new(9, 9, 1, 1)).bounds().is_empty());
        let mut rgb = Vec::new();
        part.append_rgb(&mut rgb);
        assert_eq!(rgb, [30, 29, 28]);
    }
}
