//! Pixels to planes.

use alloc::vec::Vec;

use super::header;
use crate::{Image, Scratch};

/// Shortest run worth its own place in a control byte, and the shortest one that it can hold.
const MIN_RUN: usize = 3;

/// Appends `image` as an RDP 6.0 planar bitmap (MS-RDPEGDI 2.2.2.5.1) without alpha and without loss, for
/// [`BitmapSource`](crate::BitmapSource)s of 32 bpp.
///
/// Planes are run-length encoded, or plain where that is shorter, so the result is at most 2 bytes longer than 3 a pixel.
pub fn encode_planar(image: &Image<'_>, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let width = usize::from(image.width());
    let start = out.len();
    let plain = 1 /* FormatHeader */ + 3 * width * usize::from(image.height()) + 1 /* Pad */;
    out.push(header::NO_ALPHA | header::RLE);
    let [mut current, mut below, differences] = scratch.byte_rows(width);
    // Red, green, blue is the order of the planes.
    for channel in [2, 1, 0] {
        for (number, row) in image.rows().rev().enumerate() {
            for (to, pixel) in current.iter_mut().zip(row.as_chunks::<4>().0) {
                *to = pixel[channel];
            }
            if number == 0 {
                encode_row(current, out);
            } else {
                for ((to, &value), &below) in differences.iter_mut().zip(&*current).zip(&*below) {
                    *to = fold(value.wrapping_sub(below));
                }
                encode_row(differences, out);
            }
            core::mem::swap(&mut current, &mut below);
        }
        if out.len() - start > plain {
            break;
        }
    }
    if out.len() - start > plain {
        out.truncate(start);
        out.push(header::NO_ALPHA);
        for channel in [2, 1, 0] {
            for row in image.rows().rev() {
                out.extend(row.as_chunks::<4>().0.iter().map(|pixel| pixel[channel]));
            }
        }
        out.push(0);
    }
}

/// The wire's form of a difference: the sign becomes the low bit.
#[inline]
const fn fold(difference: u8) -> u8 {
    (difference << 1) ^ 0_u8.wrapping_sub(difference >> 7)
}

/// The segments of one row: up to 15 raw values and a run of the last of them.
fn encode_row(values: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < values.len() {
        let run_start = next_run(values, at);
        let value = previous(values, run_start);
        let mut run = values[run_start..]
            .iter()
            .take_while(|&&other| other == value)
            .count();
        let mut raw = &values[at..run_start];
        at = run_start + run;
        while let Some((part, rest)) = raw.split_at_checked(15)
            && !rest.is_empty()
        {
            segment(out, part, 0);
            raw = rest;
        }
        if !raw.is_empty() {
            let short = if run < MIN_RUN { 0 } else { run.min(15) };
            segment(out, raw, short);
            run -= short;
        }
        while run >= MIN_RUN {
            // 1 and 2 in the low bits mean 16 and 32 more than the high bits say.
            let (control, long) = match run {
                32.. => ((run.min(47) - 32) << 4 | 2, run.min(47)),
                16.. => ((run - 16) << 4 | 1, run),
                _ => (run, run),
            };
            out.push(control.to_le_bytes()[0]);
            run -= long;
        }
        // One or two left over are raw values of the next segment.
        at -= run;
    }
}

/// What a run at `at` repeats: the value before it, or 0 at the start of a row.
fn previous(values: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |before| values[before])
}

/// The first place from `from` on where a run pays, or the end of the row.
fn next_run(values: &[u8], from: usize) -> usize {
    // A run cut short by the limits above leaves `from` on values equal to the one before: not a run then, if short.
    (from..values.len())
        .find(|&at| {
            let value = previous(values, at);
            values
                .get(at..at + MIN_RUN)
                .is_some_and(|run| run.iter().all(|&other| other == value))
        })
        .unwrap_or(values.len())
}

fn segment(out: &mut Vec<u8>, raw: &[u8], run: usize) {
    out.push((raw.len() << 4 | run).to_le_bytes()[0]);
    out.extend_from_slice(raw);
}
