//! What the X peers show: a still picture that a wrong decoder cannot get right by accident, and a terminal.

use std::path::Path;

use crate::picture::Picture;

/// Width of every desktop in the tests.
pub(crate) const WIDTH: u16 = 1024;
/// Height of every desktop in the tests.
pub(crate) const HEIGHT: u16 = 768;

/// Background of the plain areas; not grey, and no two channels alike, so that swapped ones show.
pub(crate) const BACKGROUND: [u8; 3] = [0x2e, 0x6e, 0x8e];

/// The still picture behind the terminal.
///
/// Bands: plain colour (long runs), two gradients (few runs; every value of every channel), pure colours and greys,
/// one-pixel checkerboard and stripes (mixed runs of the interleaved codec), noise (literal pixels).
pub(crate) fn picture() -> Picture {
    // The same picture in every run.
    let mut noise = fastrand::Rng::with_seed(1);
    let mut rgb = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            rgb.extend_from_slice(&pixel(x, y, noise.u32(..)));
        }
    }
    Picture::new(u32::from(WIDTH), u32::from(HEIGHT), rgb)
}

fn pixel(x: u16, y: u16, noise: u32) -> [u8; 3] {
    let [x_low, _] = x.to_le_bytes();
    let [y_low, _] = y.to_le_bytes();
    let [n0, n1, n2, _] = noise.to_le_bytes();
    match y {
        // Red rises four times along the row, green with the rows, blue falls.
        60..140 => [x_low, y_low.wrapping_mul(3), 255 - x_low],
        140..220 => {
            let [grey, _] = (x / 4).to_le_bytes();
            [grey, grey, grey]
        }
        560..620 => match x / 128 {
            0 => [255, 0, 0],
            1 => [0, 255, 0],
            2 => [0, 0, 255],
            3 => [255, 255, 0],
            4 => [0, 255, 255],
            5 => [255, 0, 255],
            6 => [255, 255, 255],
            _ => [0, 0, 0],
        },
        620..660 if (x + y).is_multiple_of(2) => [255, 255, 255],
        620..660 => [0, 0, 0],
        660..690 if x.is_multiple_of(3) => [200, 40, 20],
        660..690 => [20, 60, 160],
        // Not all of a row: what does not shrink at all xrdp 0.9 refuses to send ("compressed size too big").
        690..740 if x % 64 < 40 => [n0, n1, n2],
        _ => BACKGROUND,
    }
}

/// Shell script that draws the scene on `$DISPLAY` and runs until its terminal ends.
///
/// The terminal covers the centre, where X puts the pointer, and there is no window manager: X then gives the keyboard
/// to the window under the pointer. Nothing in it moves, no clock and no blinking cursor.
pub(crate) fn script(lab: &Path) -> String {
    let lab = lab.display();
    format!(
        r#"#!/bin/sh
# The scene of the interop tests.
xsetroot -solid '#2e6e8e'
display -window root '{lab}/scene.png'
name=$(echo "${{DISPLAY%.*}}" | tr -c '0-9\n' _)
export PS1='lab$ ' HISTFILE=
exec xterm -geometry 80x24+270+226 -bg black -fg white -cr white +sb -b 2 -xrm 'XTerm*cursorBlink: false' \
  -e sh -c 'echo "RDP LAB 0123456789 the quick brown fox jumps over the lazy dog"; \
    printf "\033[31mred \033[32mgreen \033[34mblue \033[35mmagenta \033[7mreverse\033[0m\n"; \
    echo "$1" > "{lab}/ready/$0"; cd /; exec sh' "$name" "$DISPLAY"
"#
    )
}

/// Name of the file in the lab's `ready` directory that the scene makes on a display.
pub(crate) fn ready_name(display: &str) -> String {
    // xrdp gives its sessions ":40.0", the server itself is called ":40".
    let server = display
        .split_once('.')
        .map_or(display, |(server, _screen)| server);
    server
        .chars()
        .map(|c| if c.is_ascii_digit() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scene_holds_every_value_of_every_channel() {
        let picture = picture();
        for channel in 0..3 {
            let mut seen = [false; 256];
            for pixel in picture.rgb().chunks_exact(3) {
                seen[usize::from(pixel[channel])] = true;
            }
            assert!(seen.iter().all(|&seen| seen), "channel {channel}");
        }
    }

    #[test]
    fn two_runs_draw_the_same_scene() {
        assert_eq!(picture().rgb(), picture().rgb());
    }

    #[test]
    fn the_ready_name_matches_the_script() {
        assert_eq!(ready_name(":12"), "_12");
        assert_eq!(ready_name(":12.0"), "_12");
    }
}
