//! Behind everything: an evening sky with stars, a sun that has almost set, and two ranges of hills.

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;

use crate::drawing::{Brush, Colour, mixed};

/// Colours of the sky with their heights, in 256ths from the top.
const SKY: [(u32, Colour); 4] = [
    (0, [0x0e, 0x15, 0x34]),
    (96, [0x2f, 0x35, 0x6b]),
    (150, [0x9a, 0x5b, 0x7e]),
    (190, [0xf6, 0x9d, 0x6b]),
];

const SUN: Colour = [0xff, 0xe2, 0xae];
const FAR: Colour = [0x54, 0x3c, 0x66];
const NEAR: Colour = [0x23, 0x20, 0x3f];

/// Pixels a side of the squares with a star in some of them.
const CELL: u16 = 40;

/// Draws the part of it that `brush` is for, on a desktop of `size`.
pub(super) fn draw(brush: &mut Brush<'_, '_>, size: DesktopSize) {
    let part = brush.part();
    let (width, height) = (u32::from(size.width()), u32::from(size.height()));
    // Hills depend on the column only, and the sky on the row.
    let hills: Vec<(u32, u32)> = (part.left..part.left.saturating_add(part.width))
        .map(|x| {
            let x = u32::from(x) * 1024 / width;
            (hill(x, 61, 9, 290), hill(x + 300, 66, 7, 410))
        })
        .map(|(far, near)| (far * height / 1024, near * height / 1024))
        .collect();
    let mut row = (u16::MAX, SKY[0].1);
    let (sun_x, sun_y) = (width * 3 / 4, height * 58 / 100);
    let sun_radius = (width.min(height) / 9).max(1);
    brush.shade(|x, y| {
        if row.0 != y {
            row = (y, sky(u32::from(y) * 256 / height));
        }
        let (column, y) = (usize::from(x - part.left), u32::from(y));
        match hills.get(column) {
            Some(&(_, near)) if y >= near => NEAR,
            Some(&(far, _)) if y >= far => FAR,
            _ => {
                let light = sunlight(u32::from(x).abs_diff(sun_x), y.abs_diff(sun_y), sun_radius);
                mixed(row.1, SUN, light)
            }
        }
    });
    stars(brush, size);
}

fn sky(y: u32) -> Colour {
    SKY.windows(2)
        .find_map(|pair| match *pair {
            [(top, above), (bottom, below)] if (top..bottom).contains(&y) => {
                Some(mixed(above, below, (y - top) * 256 / (bottom - top)))
            }
            _ => None,
        })
        .unwrap_or(SKY[SKY.len() - 1].1)
}

/// How much of a pixel is the sun, in 256ths: all inside, and softly less for one pixel at the edge.
fn sunlight(dx: u32, dy: u32, radius: u32) -> u32 {
    if dx > radius || dy > radius {
        // Nearly everywhere, and a root is dear.
        return 0;
    }
    let distance = (256 * 256 * (u64::from(dx).pow(2) + u64::from(dy).pow(2))).isqrt();
    let inside = (u64::from(radius) * 256 + 128).saturating_sub(distance);
    u32::try_from(inside.min(256)).unwrap_or(256)
}

/// The top of a range at `x`, both in 1024ths of their sides: waves of three lengths around a height in hundredths.
fn hill(x: u32, height: u32, swing: u32, length: u32) -> u32 {
    let waves = 4 * wave(x, length) + 2 * wave(x + 77, length * 2 / 5) + wave(x + 11, length / 6);
    (height * 1024 / 100).saturating_sub(waves * swing * 1024 / 100 / (7 * 256))
}

/// A smooth wave of a `length`, from 0 to 256: two parabolas, which meet without a bend.
fn wave(x: u32, length: u32) -> u32 {
    let place = x % length * 512 / length;
    let (half, up) = if place < 256 { (place, 1) } else { (place - 256, 0) };
    let bow = half * (256 - half) / 128;
    if up == 1 { 128 + bow } else { 128 - bow.min(128) }
}

fn stars(brush: &mut Brush<'_, '_>, size: DesktopSize) {
    let part = brush.part();
    let bottom = (size.height() * 2 / 5).min(part.top.saturating_add(part.height));
    for row in part.top / CELL..=bottom / CELL {
        for column in part.left / CELL..=part.left.saturating_add(part.width) / CELL {
            let mixed = (u32::from(row) * 977 + u32::from(column) + 1).wrapping_mul(0x9e37_79b1);
            let [kind, x, y, shade] = (mixed ^ mixed >> 15).to_le_bytes();
            if kind % 3 != 0 {
                continue;
            }
            let place = |cell: u16, offset: u8| cell.saturating_mul(CELL) + u16::from(offset) % CELL;
            let (x, y) = (place(column, x), place(row, y));
            if y < size.height() * 2 / 5 {
                let side = 1 + u16::from(kind > 200);
                let light = 0x80 + shade / 3;
                brush.fill(
                    Rect::new(x, y, side, side),
                    [light, light, light.saturating_add(0x20)],
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_stay_in_their_range_and_never_jump() {
        for length in [28, 68, 100, 170, 250] {
            let mut before = wave(0, length);
            for x in 1..2048 {
                let now = wave(x, length);
                assert!(now <= 256, "{now} at {x}");
                assert!(
                    now.abs_diff(before) <= 4 * 512 / length + 4,
                    "{before} to {now} at {x}"
                );
                before = now;
            }
        }
    }

    #[test]
    fn the_sky_goes_from_its_first_colour_to_its_last() {
        assert_eq!(sky(0), SKY[0].1);
        assert_eq!(sky(96), SKY[1].1);
        assert_eq!(sky(255), SKY[3].1);
    }

    #[test]
    fn the_sun_ends_where_its_radius_does() {
        assert_eq!(sunlight(0, 0, 10), 256);
        assert_eq!(sunlight(10, 0, 10), 128);
        assert_eq!(sunlight(11, 0, 10), 0);
    }
}
