//! Orders to pixels.

use ironrdp_core::{DecodeError, DecodeResult, ReadCursor};

use super::code;
use crate::pixels::{self, OPAQUE};
use crate::{Palette, Scratch};

const NAME: &str = "InterleavedRle";

/// A colour depth of the codec. Pixels are widened as they are read, since widening distributes over the XOR of the
/// foreground orders; only palette indices wait until they are drawn.
pub(crate) trait Depth {
    const BYTES: usize;
    /// What the foreground colour is before an order sets it, without the opaque byte.
    const WHITE: u32 = 0x00ff_ffff;

    fn pixel(src: &mut ReadCursor<'_>) -> DecodeResult<u32>;
    fn pixels(src: &[u8], dst: &mut [u32]);

    fn draw(src: &[u32], _: &Palette, dst: &mut [[u8; 4]]) {
        for (to, &from) in dst.iter_mut().zip(src) {
            *to = from.to_le_bytes();
        }
    }
}

pub(crate) struct Palette8;
pub(crate) struct Rgb555;
pub(crate) struct Rgb565;
pub(crate) struct Bgr24;

impl Depth for Palette8 {
    const BYTES: usize = 1;
    const WHITE: u32 = 0xff;

    fn pixel(src: &mut ReadCursor<'_>) -> DecodeResult<u32> {
        Ok(OPAQUE | u32::from(src.u8("pixel")?))
    }

    fn pixels(src: &[u8], dst: &mut [u32]) {
        for (to, &from) in dst.iter_mut().zip(src) {
            *to = OPAQUE | u32::from(from);
        }
    }

    fn draw(src: &[u32], palette: &Palette, dst: &mut [[u8; 4]]) {
        for (to, &from) in dst.iter_mut().zip(src) {
            *to = palette.word(from.to_le_bytes()[0]).to_le_bytes();
        }
    }
}

impl Depth for Rgb555 {
    const BYTES: usize = 2;

    fn pixel(src: &mut ReadCursor<'_>) -> DecodeResult<u32> {
        src.u16_le("pixel").map(pixels::rgb555)
    }

    fn pixels(src: &[u8], dst: &mut [u32]) {
        pixels::rgb555_row(src, dst);
    }
}

impl Depth for Rgb565 {
    const BYTES: usize = 2;

    fn pixel(src: &mut ReadCursor<'_>) -> DecodeResult<u32> {
        src.u16_le("pixel").map(pixels::rgb565)
    }

    fn pixels(src: &[u8], dst: &mut [u32]) {
        pixels::rgb565_row(src, dst);
    }
}

impl Depth for Bgr24 {
    const BYTES: usize = 3;

    fn pixel(src: &mut ReadCursor<'_>) -> DecodeResult<u32> {
        let [blue, green, red] = src.array("pixel")?;
        Ok(u32::from_le_bytes([blue, green, red, 0xff]))
    }

    fn pixels(src: &[u8], dst: &mut [u32]) {
        pixels::bgr24_row(src, dst);
    }
}

/// Decodes a picture and gives each row to `emit` with its number counted from the bottom, in that order.
///
/// Bytes after the last pixel are ignored. On error the rows before the bad order have been emitted.
pub(crate) fn decode<D: Depth>(
    data: &[u8],
    width: u16,
    height: u16,
    scratch: &mut Scratch,
    emit: impl FnMut(usize, &[u32]),
) -> DecodeResult<()> {
    let width = usize::from(width);
    let (black, rows) = scratch.words(width * 3).split_at_mut(width);
    black.fill(OPAQUE);
    let (current, below) = rows.split_at_mut(width);
    let output = Output {
        black,
        current,
        below,
        column: 0,
        row: 0,
        left: width * usize::from(height),
        first_line: true,
        emit,
    };
    orders::<D, _>(&mut ReadCursor::new(data), output).map_err(|error| error.in_pdu(NAME))
}

fn orders<D: Depth, F: FnMut(usize, &[u32])>(
    src: &mut ReadCursor<'_>,
    mut output: Output<'_, F>,
) -> DecodeResult<()> {
    let mut foreground = D::WHITE;
    // A background run right after another stands for one foreground pixel between the two.
    let mut insert_foreground = false;
    while output.left > 0 {
        if output.first_line && output.row > 0 {
            output.first_line = false;
            insert_foreground = false;
        }
        let order = Order::read(src)?;
        let after_background = core::mem::replace(&mut insert_foreground, false);
        match order {
            Order::BackgroundRun(mut count) => {
                insert_foreground = true;
                if after_background && count > 0 {
                    output.write(src, 1, |row, below| xor(row, below, foreground))?;
                    count -= 1;
                }
                output.write(src, count, |row, below| row.copy_from_slice(below))?;
            }
            Order::ForegroundRun { count, set } => {
                if set {
                    foreground = D::pixel(src)? & !OPAQUE;
                }
                output.write(src, count, |row, below| xor(row, below, foreground))?;
            }
            Order::FgBgImage { count, set } => {
                if set {
                    foreground = D::pixel(src)? & !OPAQUE;
                }
                output.check(src, count)?;
                let masks = src.bytes(count.div_ceil(8), "bitmask")?;
                for (index, &mask) in masks.iter().enumerate() {
                    output.mask(src, mask, (count - index * 8).min(8), foreground)?;
                }
            }
            Order::SpecialFgBg(mask) => output.mask(src, mask, 8, foreground)?,
            Order::ColourRun(count) => {
                let colour = D::pixel(src)?;
                output.write(src, count, |row, _| row.fill(colour))?;
            }
            Order::ColourImage(count) => {
                output.check(src, count)?;
                let mut rest = src.bytes(count * D::BYTES, "pixels")?;
                output.write(src, count, |row, _| {
                    let (these, others) = rest.split_at(row.len() * D::BYTES);
                    D::pixels(these, row);
                    rest = others;
                })?;
            }
            Order::DitheredRun(pairs) => {
                let mut next = D::pixel(src)?;
                let mut after = D::pixel(src)?;
                output.write(src, pairs * 2, |row, _| {
                    for pixel in row {
                        *pixel = next;
                        core::mem::swap(&mut next, &mut after);
                    }
                })?;
            }
            Order::White => output.write(src, 1, |row, _| row.fill(OPAQUE | D::WHITE))?,
            Order::Black => output.write(src, 1, |row, _| row.fill(OPAQUE))?,
        }
    }
    Ok(())
}

fn xor(row: &mut [u32], below: &[u32], foreground: u32) {
    for (to, &from) in row.iter_mut().zip(below) {
        *to = from ^ foreground;
    }
}

/// The row being written and the one below it, which is all that orders refer to.
struct Output<'a, F> {
    black: &'a [u32],
    current: &'a mut [u32],
    below: &'a mut [u32],
    column: usize,
    row: usize,
    /// Pixels not written yet.
    left: usize,
    /// Whether the order began in the first line. All of such an order sees black below it, also where it goes on in
    /// the second line: the reference decoder looks where an order begins.
    first_line: bool,
    emit: F,
}

impl<F: FnMut(usize, &[u32])> Output<'_, F> {
    fn check(&self, src: &ReadCursor<'_>, count: usize) -> DecodeResult<()> {
        if count > self.left {
            return Err(self.too_long(src, count));
        }
        Ok(())
    }

    #[cold]
    fn too_long(&self, src: &ReadCursor<'_>, count: usize) -> DecodeError {
        src.lies("runLength", count, self.left)
    }

    /// Writes `count` pixels through `paint`, which gets a part of the row and of the one below, as long as each other.
    #[inline]
    fn write(
        &mut self,
        src: &ReadCursor<'_>,
        mut count: usize,
        mut paint: impl FnMut(&mut [u32], &[u32]),
    ) -> DecodeResult<()> {
        self.check(src, count)?;
        self.left -= count;
        while count > 0 {
            let end = self.current.len().min(self.column + count);
            let below = if self.first_line { self.black } else { &*self.below };
            paint(&mut self.current[self.column..end], &below[self.column..end]);
            count -= end - self.column;
            self.column = end;
            if end == self.current.len() {
                (self.emit)(self.row, self.current);
                core::mem::swap(&mut self.current, &mut self.below);
                self.row += 1;
                self.column = 0;
            }
        }
        Ok(())
    }

    /// Writes `count` pixels, at most 8: the one below where a bit of `mask` is 0, that XOR the foreground where it is 1.
    #[inline]
    fn mask(&mut self, src: &ReadCursor<'_>, mask: u8, count: usize, foreground: u32) -> DecodeResult<()> {
        let mut mask = u32::from(mask);
        self.write(src, count, |row, below| {
            for (to, &from) in row.iter_mut().zip(below) {
                *to = from ^ foreground & 0_u32.wrapping_sub(mask & 1);
                mask >>= 1;
            }
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Order {
    BackgroundRun(usize),
    ForegroundRun { count: usize, set: bool },
    FgBgImage { count: usize, set: bool },
    SpecialFgBg(u8),
    ColourRun(usize),
    ColourImage(usize),
    DitheredRun(usize),
    White,
    Black,
}

impl Order {
    #[inline]
    fn read(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let header = src.u8("codeHeader")?;
        Ok(match header {
            0x00..=0x1f => Self::BackgroundRun(run(src, header & 0x1f, 32)?),
            0x20..=0x3f => Self::ForegroundRun {
                count: run(src, header & 0x1f, 32)?,
                set: false,
            },
            0x40..=0x5f => Self::FgBgImage {
                count: image(src, header & 0x1f)?,
                set: false,
            },
            0x60..=0x7f => Self::ColourRun(run(src, header & 0x1f, 32)?),
            0x80..=0x9f => Self::ColourImage(run(src, header & 0x1f, 32)?),
            0xc0..=0xcf => Self::ForegroundRun {
                count: run(src, header & 0x0f, 16)?,
                set: true,
            },
            0xd0..=0xdf => Self::FgBgImage {
                count: image(src, header & 0x0f)?,
                set: true,
            },
            0xe0..=0xef => Self::DitheredRun(run(src, header & 0x0f, 16)?),
            code::MEGA_BACKGROUND_RUN => Self::BackgroundRun(mega(src)?),
            code::MEGA_FOREGROUND_RUN => Self::ForegroundRun {
                count: mega(src)?,
                set: false,
            },
            code::MEGA_FGBG_IMAGE => Self::FgBgImage {
                count: mega(src)?,
                set: false,
            },
            code::MEGA_COLOUR_RUN => Self::ColourRun(mega(src)?),
            code::MEGA_COLOUR_IMAGE => Self::ColourImage(mega(src)?),
            code::MEGA_SET_FOREGROUND_RUN => Self::ForegroundRun {
                count: mega(src)?,
                set: true,
            },
            code::MEGA_SET_FGBG_IMAGE => Self::FgBgImage {
                count: mega(src)?,
                set: true,
            },
            code::MEGA_DITHERED_RUN => Self::DitheredRun(mega(src)?),
            code::SPECIAL_FGBG_1 => Self::SpecialFgBg(0x03),
            code::SPECIAL_FGBG_2 => Self::SpecialFgBg(0x05),
            code::WHITE => Self::White,
            code::BLACK => Self::Black,
            _ => return Err(src.invalid("codeHeader", header)),
        })
    }
}

/// A run length: in the header, or one more byte for those too long for it.
#[inline]
fn run(src: &mut ReadCursor<'_>, low: u8, too_long: usize) -> DecodeResult<usize> {
    match low {
        0 => Ok(usize::from(src.u8("runLength")?) + too_long),
        _ => Ok(usize::from(low)),
    }
}

/// The length of a mask image: whole mask bytes in the header, or any length in one more byte.
#[inline]
fn image(src: &mut ReadCursor<'_>, low: u8) -> DecodeResult<usize> {
    match low {
        0 => Ok(usize::from(src.u8("runLength")?) + 1),
        _ => Ok(usize::from(low) * 8),
    }
}

#[inline]
fn mega(src: &mut ReadCursor<'_>) -> DecodeResult<usize> {
    src.u16_le("runLength").map(usize::from)
}
