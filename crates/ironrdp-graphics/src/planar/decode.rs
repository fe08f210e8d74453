//! Planes to pixels.

use ironrdp_core::{DecodeResult, ReadCursor};

use super::header;
use crate::Scratch;

const NAME: &str = "PlanarBitmap";

/// One row, channel by channel, each as long as the picture is wide.
pub(crate) struct Channels<'a> {
    pub(crate) red: &'a [u8],
    pub(crate) green: &'a [u8],
    pub(crate) blue: &'a [u8],
}

/// Decodes a picture and gives each row to `emit`, numbered in the order of the stream.
///
/// The whole stream is checked before the first row is emitted. The alpha plane is read over: framebuffers are opaque.
/// Bytes after the last plane are ignored.
pub(crate) fn decode(
    data: &[u8],
    width: u16,
    height: u16,
    scratch: &mut Scratch,
    emit: impl FnMut(usize, Channels<'_>),
) -> DecodeResult<()> {
    let planes = Planes::read(
        &mut ReadCursor::new(data),
        usize::from(width),
        usize::from(height),
    )
    .map_err(|error| error.in_pdu(NAME))?;
    planes.rows(usize::from(width), usize::from(height), scratch, emit);
    Ok(())
}

/// A stream taken apart: where each plane begins, and that its runs fill its rows exactly.
struct Planes<'a> {
    /// Red or luma.
    first: Plane<'a>,
    /// Green or orange chroma.
    second: Plane<'a>,
    /// Blue or green chroma.
    third: Plane<'a>,
    colour_loss: u8,
    subsampled: bool,
}

#[derive(Clone, Copy)]
struct Plane<'a> {
    data: &'a [u8],
    rle: bool,
}

impl<'a> Planes<'a> {
    fn read(src: &mut ReadCursor<'a>, width: usize, height: usize) -> DecodeResult<Self> {
        let format = src.u8("FormatHeader")?;
        let colour_loss = format & header::COLOUR_LOSS;
        let subsampled = format & header::CHROMA_SUBSAMPLING != 0;
        if subsampled && colour_loss == 0 {
            // 2.2.2.5.1: only chroma can be subsampled, and planes of red, green and blue have none.
            return Err(src.invalid("FormatHeader", format));
        }
        let rle = format & header::RLE != 0;
        let mut plane = |width, height| Plane::read(src, rle, width, height);
        if format & header::NO_ALPHA == 0 {
            plane(width, height)?;
        }
        let first = plane(width, height)?;
        let (width, height) = if subsampled {
            (width.div_ceil(2), height.div_ceil(2))
        } else {
            (width, height)
        };
        Ok(Self {
            first,
            second: plane(width, height)?,
            third: plane(width, height)?,
            colour_loss,
            subsampled,
        })
    }

    fn rows(
        mut self,
        width: usize,
        height: usize,
        scratch: &mut Scratch,
        mut emit: impl FnMut(usize, Channels<'_>),
    ) {
        let [first, second, third, red, green, blue, orange, green_chroma] = scratch.byte_rows(width);
        if self.colour_loss == 0 {
            for row in 0..height {
                emit(
                    row,
                    Channels {
                        red: self.first.next_row(row == 0, first),
                        green: self.second.next_row(row == 0, second),
                        blue: self.third.next_row(row == 0, third),
                    },
                );
            }
            return;
        }
        let shift = self.colour_loss - 1;
        let half = width.div_ceil(2);
        for row in 0..height {
            let luma = self.first.next_row(row == 0, first);
            let (orange, green_chroma) = if self.subsampled {
                if row.is_multiple_of(2) {
                    double(self.second.next_row(row == 0, &mut second[..half]), orange);
                    double(self.third.next_row(row == 0, &mut third[..half]), green_chroma);
                }
                (&*orange, &*green_chroma)
            } else {
                (
                    self.second.next_row(row == 0, second),
                    self.third.next_row(row == 0, third),
                )
            };
            let rgb = red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut());
            let ycocg = luma.iter().zip(orange).zip(green_chroma);
            for (((red, green), blue), ((&luma, &orange), &green_chroma)) in rgb.zip(ycocg) {
                [*red, *green, *blue] = to_rgb(luma, orange << shift, green_chroma << shift);
            }
            emit(row, Channels { red, green, blue });
        }
    }
}

/// Every value twice, as far as there is room.
fn double(half: &[u8], whole: &mut [u8]) {
    for (pair, &value) in whole.chunks_mut(2).zip(half) {
        pair.fill(value);
    }
}

impl<'a> Plane<'a> {
    fn read(src: &mut ReadCursor<'a>, rle: bool, width: usize, height: usize) -> DecodeResult<Self> {
        if !rle {
            return Ok(Self {
                data: src.bytes(width * height, "colorPlane")?,
                rle,
            });
        }
        let start = src.peek();
        for _ in 0..height {
            let mut column = 0;
            while column < width {
                let (raw, run) = segment(src.u8("controlByte")?);
                if raw + run > width - column {
                    return Err(src.lies("controlByte", raw + run, width - column));
                }
                src.skip(raw, "rawValues")?;
                column += raw + run;
            }
        }
        Ok(Self {
            data: &start[..start.len() - src.remaining()],
            rle,
        })
    }

    /// The next row. `row` holds the one below when this is called, and this one afterwards if the plane has runs.
    fn next_row<'r>(&mut self, first: bool, row: &'r mut [u8]) -> &'r [u8]
    where
        'a: 'r,
    {
        if !self.rle {
            let (these, rest) = self.data.split_at(row.len());
            self.data = rest;
            return these;
        }
        let mut left = &mut *row;
        let mut last = 0;
        // `read` has seen that segments fill the rows exactly; that the bounds hold is checked again all the same.
        while !left.is_empty()
            && let Some((&control, rest)) = self.data.split_first()
        {
            let (raw, run) = segment(control);
            let (values, rest) = rest.split_at(raw.min(rest.len()));
            self.data = rest;
            let (to_raw, rest) = left.split_at_mut(values.len().min(left.len()));
            let (to_run, rest) = rest.split_at_mut(run.min(rest.len()));
            left = rest;
            if first {
                to_raw.copy_from_slice(&values[..to_raw.len()]);
                last = values.last().copied().unwrap_or(last);
                to_run.fill(last);
            } else {
                for (to, &value) in to_raw.iter_mut().zip(values) {
                    last = difference(value);
                    *to = to.wrapping_add(last);
                }
                if last != 0 {
                    for to in to_run {
                        *to = to.wrapping_add(last);
                    }
                }
            }
        }
        row
    }
}

/// How many raw values follow a control byte, and how often the last of them is repeated after that.
#[inline]
const fn segment(control: u8) -> (usize, usize) {
    let raw = (control >> 4) as usize;
    match control & 0x0f {
        // Runs shorter than 3 do not pay, so 1 and 2 stand for long ones without raw values.
        1 => (0, raw + 16),
        2 => (0, raw + 32),
        run => (raw, run as usize),
    }
}

/// A difference to the row below: the sign is the low bit, so that small ones of both signs are small numbers.
#[inline]
const fn difference(value: u8) -> u8 {
    (value >> 1) ^ 0_u8.wrapping_sub(value & 1)
}

/// Red, green and blue of luma, orange and green chroma (MS-RDPEGDI 3.1.9.1.2).
///
/// The chroma values arrive without their lowest bit at least, which is the half that the inverse transformation takes.
/// The result has red and blue swapped against the matrix: servers compute orange chroma with the wrong sign, and the
/// specification has every client undo that.
#[inline]
fn to_rgb(luma: u8, orange: u8, green: u8) -> [u8; 3] {
    let [luma, orange, green] = [
        i16::from(luma),
        i16::from(orange.cast_signed()),
        i16::from(green.cast_signed()),
    ];
    let rest = luma - green;
    [rest - orange, luma + green, rest + orange].map(|channel| channel.clamp(0, 255).to_le_bytes()[0])
}
