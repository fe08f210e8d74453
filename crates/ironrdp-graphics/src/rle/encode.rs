//! Pixels to orders.

use alloc::vec::Vec;

use super::code;
use crate::pixels::Narrow;
use crate::{GraphicsError, GraphicsResult, Image, Palette, PixelFormat, Scratch};

/// Longest order: the mega forms count in 16 bits.
const MAX_RUN: usize = 0xffff;

/// Longest mask image we write: what its header holds without another byte. It also bounds how far a mask image that
/// is then not taken was looked ahead for.
const MAX_FGBG_IMAGE: usize = 31 * 8;

/// As many equal bits end a mask image: three mask bytes, for which a run of one or two bytes stands.
const RUN_IN_MASK: usize = 24;

/// Appends `image` as interleaved RLE (MS-RDPBCGR 2.2.9.1.1.3.1.2.4), for [`BitmapSource`](crate::BitmapSource)s of
/// 8, 15, 16 and 24 bpp.
///
/// Colours lose what the depth cannot hold; at 8 bpp they become the nearest of `palette`. The result may be longer than
/// the pixels are, by 3 bytes and one for every 288 pixels at worst, and then [`encode_raw`](crate::encode_raw)'s form should
/// be sent. 32 bpp is [`Misuse`](crate::GraphicsErrorKind::Misuse): its codec is [`encode_planar`](crate::encode_planar).
// Plain pixels need a header of 1 byte up to 31 of them, 2 up to 287, 3 beyond. An order that ends them saves 2 bytes or is
// not taken, so only those with a header of 3 cost anything, and of those only the first as much as that.
pub fn encode_rle(
    image: &Image<'_>,
    format: PixelFormat,
    palette: &Palette,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> GraphicsResult<()> {
    if format == PixelFormat::Bgrx32 {
        return Err(GraphicsError::misuse("interleaved RLE has no 32 bpp form"));
    }
    let width = usize::from(image.width());
    if width == 0 {
        return Ok(());
    }
    let pixels = scratch.words(width * usize::from(image.height()));
    let mut narrow = Narrow::to(format, palette);
    for (from, to) in image.rows().rev().zip(pixels.chunks_exact_mut(width)) {
        narrow.row_to_words(from, to);
    }
    let mut encoder = Encoder {
        pixels,
        width,
        bytes: format.bytes_per_pixel(),
        white: match format {
            PixelFormat::Palette8 => 0xff,
            PixelFormat::Rgb555 => 0x7fff,
            PixelFormat::Rgb565 => 0xffff,
            PixelFormat::Bgr24 | PixelFormat::Bgrx32 => 0x00ff_ffff,
        },
        foreground: 0,
        out,
    };
    encoder.foreground = encoder.white;
    encoder.encode();
    Ok(())
}

/// An order that fits at a place: what it covers and what it costs.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    order: Order,
    pixels: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Background,
    Foreground(u32),
    FgBg(u32),
    Colour,
    Dithered,
    White,
    Black,
}

struct Encoder<'a> {
    /// The wire's order: bottom row first.
    pixels: &'a [u32],
    width: usize,
    bytes: usize,
    white: u32,
    foreground: u32,
    out: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    fn encode(&mut self) {
        let mut at = 0;
        // Pixels before `at` that no order has covered yet; they become a colour image.
        let mut plain = 0;
        let mut after_background = false;
        while at < self.pixels.len() {
            if at == self.width {
                // The decoder forgets at the end of the first line that the last order was a background run.
                after_background = false;
            }
            let best = self.best(at, after_background && plain == 0);
            // An order between plain pixels costs the header of a second image as well.
            let overhead = usize::from(plain > 0);
            match best {
                Some(best) if best.bytes + overhead < best.pixels * self.bytes => {
                    self.put_plain(at - plain..at);
                    plain = 0;
                    self.put(at, best);
                    after_background = matches!(best.order, Order::Background);
                    at += best.pixels;
                }
                _ => {
                    at += 1;
                    plain += 1;
                }
            }
        }
        self.put_plain(at - plain..at);
    }

    /// The pixel below, which is black for the first line.
    #[inline]
    fn below(&self, at: usize) -> u32 {
        match at.checked_sub(self.width) {
            Some(below) => self.pixels[below],
            None => 0,
        }
    }

    /// How many pixels from `from` to before `end` differ from the one below by `difference`.
    fn differing_by(&self, difference: u32, from: usize, end: usize) -> usize {
        (from..end)
            .take_while(|&at| self.pixels[at] ^ self.below(at) == difference)
            .count()
    }

    /// How many pixels from `from` to before `end` a mask image with that foreground should describe.
    fn mask_length(&self, foreground: u32, from: usize, end: usize) -> usize {
        let mut same = (0, 0);
        for at in from..end {
            let difference = self.pixels[at] ^ self.below(at);
            if difference != 0 && difference != foreground {
                return at - from;
            }
            same = if difference == same.0 {
                (difference, same.1 + 1)
            } else {
                (difference, 1)
            };
            if same.1 == RUN_IN_MASK {
                return at + 1 - from - RUN_IN_MASK;
            }
        }
        end - from
    }

    /// The order that covers most for its bytes at `at`, or `None` if only plain pixels do.
    fn best(&self, at: usize, insert_foreground: bool) -> Option<Candidate> {
        let pixels = self.pixels;
        let end = pixels.len().min(at + MAX_RUN);
        // Decoders differ in what an order sees below itself when it crosses from the first line to the second,
        // so those that look there stop at its end.
        let relative_end = if at < self.width { self.width.min(end) } else { end };
        let pixel = pixels[at];
        let difference = pixel ^ self.below(at);
        let mut best: Option<Candidate> = None;
        let mut offer = |order, pixels: usize, bytes: usize| {
            if pixels > 0 && best.is_none_or(|best| bytes * best.pixels < best.bytes * pixels) {
                best = Some(Candidate { order, pixels, bytes });
            }
        };

        if !insert_foreground {
            let count = self.differing_by(0, at, relative_end);
            offer(Order::Background, count, run_bytes(count, 32));
        } else if difference == self.foreground {
            let count = 1 + self.differing_by(0, at + 1, relative_end);
            offer(Order::Background, count, run_bytes(count, 32));
        }
        if difference != 0 {
            let count = self.differing_by(difference, at, relative_end);
            let bytes = if difference == self.foreground {
                run_bytes(count, 32)
            } else {
                run_bytes(count, 16) + self.bytes
            };
            offer(Order::Foreground(difference), count, bytes);
        }
        let chosen = if difference == 0 {
            self.foreground
        } else {
            difference
        };
        let count = self.mask_length(chosen, at, relative_end.min(at + MAX_FGBG_IMAGE));
        let set = if chosen == self.foreground { 0 } else { self.bytes };
        let lite_max = if set == 0 { 31 } else { 15 };
        offer(
            Order::FgBg(chosen),
            count,
            image_bytes(count, lite_max) + count.div_ceil(8) + set,
        );
        let count = pixels[at..end]
            .iter()
            .take_while(|&&other| other == pixel)
            .count();
        offer(Order::Colour, count, run_bytes(count, 32) + self.bytes);
        if let Some(&second) = pixels.get(at + 1)
            && second != pixel
        {
            let pairs = pixels[at..]
                .chunks_exact(2)
                .take(MAX_RUN)
                .take_while(|pair| *pair == [pixel, second])
                .count();
            offer(Order::Dithered, pairs * 2, run_bytes(pairs, 16) + 2 * self.bytes);
        }
        if pixel == self.white {
            offer(Order::White, 1, 1);
        } else if pixel == 0 {
            offer(Order::Black, 1, 1);
        }
        best
    }

    fn put(&mut self, at: usize, Candidate { order, pixels, .. }: Candidate) {
        match order {
            Order::Background => self.run(code::BACKGROUND_RUN, 32, code::MEGA_BACKGROUND_RUN, pixels),
            Order::Foreground(colour) if colour == self.foreground => {
                self.run(code::FOREGROUND_RUN, 32, code::MEGA_FOREGROUND_RUN, pixels);
            }
            Order::Foreground(colour) => {
                self.run(
                    code::LITE_SET_FOREGROUND_RUN,
                    16,
                    code::MEGA_SET_FOREGROUND_RUN,
                    pixels,
                );
                self.set_foreground(colour);
            }
            Order::FgBg(colour) => {
                if colour == self.foreground {
                    self.image(code::FGBG_IMAGE, 31, code::MEGA_FGBG_IMAGE, pixels);
                } else {
                    self.image(code::LITE_SET_FGBG_IMAGE, 15, code::MEGA_SET_FGBG_IMAGE, pixels);
                    self.set_foreground(colour);
                }
                for start in (at..at + pixels).step_by(8) {
                    let end = (start + 8).min(at + pixels);
                    let mask = (start..end).rev().fold(0, |mask, at| {
                        mask << 1 | u8::from(self.pixels[at] != self.below(at))
                    });
                    self.out.push(mask);
                }
            }
            Order::Colour => {
                self.run(code::COLOUR_RUN, 32, code::MEGA_COLOUR_RUN, pixels);
                self.pixel(self.pixels[at]);
            }
            Order::Dithered => {
                self.run(code::LITE_DITHERED_RUN, 16, code::MEGA_DITHERED_RUN, pixels / 2);
                self.pixel(self.pixels[at]);
                self.pixel(self.pixels[at + 1]);
            }
            Order::White => self.out.push(code::WHITE),
            Order::Black => self.out.push(code::BLACK),
        }
    }

    fn put_plain(&mut self, range: core::ops::Range<usize>) {
        let pixels = self.pixels;
        for part in pixels[range].chunks(MAX_RUN) {
            self.run(code::COLOUR_IMAGE, 32, code::MEGA_COLOUR_IMAGE, part.len());
            for &pixel in part {
                self.pixel(pixel);
            }
        }
    }

    fn set_foreground(&mut self, colour: u32) {
        self.pixel(colour);
        self.foreground = colour;
    }

    fn pixel(&mut self, pixel: u32) {
        self.out.extend_from_slice(&pixel.to_le_bytes()[..self.bytes]);
    }

    /// The header of a run that has room for lengths below `room` in its first byte.
    fn run(&mut self, base: u8, room: usize, mega: u8, count: usize) {
        if let Ok(low) = u8::try_from(count)
            && count < room
        {
            self.out.push(base | low);
        } else if let Ok(more) = u8::try_from(count - room) {
            self.out.extend([base, more]);
        } else {
            self.mega(mega, count);
        }
    }

    /// The header of a mask image that has room for up to `room` mask bytes in its first byte.
    fn image(&mut self, base: u8, room: usize, mega: u8, count: usize) {
        if let Ok(low) = u8::try_from(count / 8)
            && fits_in_header(count, room)
        {
            self.out.push(base | low);
        } else if let Ok(more) = u8::try_from(count - 1) {
            self.out.extend([base, more]);
        } else {
            self.mega(mega, count);
        }
    }

    fn mega(&mut self, code: u8, count: usize) {
        let [low, high, ..] = count.to_le_bytes();
        self.out.extend([code, low, high]);
    }
}

const fn run_bytes(count: usize, room: usize) -> usize {
    if count < room {
        1
    } else if count - room <= 0xff {
        2
    } else {
        3
    }
}

const fn fits_in_header(count: usize, room: usize) -> bool {
    count.is_multiple_of(8) && count / 8 <= room
}

const fn image_bytes(count: usize, room: usize) -> usize {
    if fits_in_header(count, room) {
        1
    } else if count <= 0x100 {
        2
    } else {
        3
    }
}
