//! From a server's frames to framebuffer pixels, for each form of bitmap: `cargo bench -p ironrdp-session`.
//!
//! A desktop of 1024 by 768 in tiles of 64 by 64, a frame each. The bar: raw 32 bpp within twice the time of a plain copy
//! (`copy_plain`) of as many bytes. `headers_only` is a session without pixels: what framing, MCS and share cost.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Form, bitmap_update, config, fast_path, feed, session, slow_path, surface_bits};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use ironrdp_graphics::{Framebuffer, Image, Rect};
use ironrdp_pdu::fastpath::{FastPathFragments, UpdateCode};
use ironrdp_session::{NoPixels, PixelStore, Session};

const WIDTH: u16 = 1024;
const HEIGHT: u16 = 768;
const TILE: u16 = 64;
const TILES: usize = (WIDTH / TILE) as usize * (HEIGHT / TILE) as usize;
const BYTES: usize = WIDTH as usize * HEIGHT as usize * 4;

fn main() {
    divan::main();
}

/// Windows with text on a gradient, roughly: runs, repeated rows, and places where nothing repeats.
fn desktop() -> Framebuffer {
    let mut framebuffer = Framebuffer::new(WIDTH, HEIGHT).unwrap();
    let mut image = framebuffer.as_image_mut();
    let mut noise = 0x2545_f491_u32;
    for y in 0..HEIGHT {
        let row = image.row_mut(y).unwrap().as_chunks_mut::<4>().0;
        for (x, pixel) in row.iter_mut().enumerate() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = match (x / 16 % 8, y / 16 % 8) {
                (0 | 1, _) => [(y / 2).to_le_bytes()[0], 0x6e, 0x2e, 0xff],
                (2..6, 1..5) if noise >> 29 == 0 => [0, 0, 0, 0xff],
                (6, 1) => noise.to_le_bytes(),
                _ => [0xf0, 0xf0, 0xf0, 0xff],
            };
        }
    }
    framebuffer
}

/// A frame for each tile of the desktop.
fn frames(encode: impl Fn(&Image<'_>, u16, u16) -> Vec<u8>) -> Vec<Vec<u8>> {
    let desktop = desktop();
    let mut frames = Vec::new();
    for top in (0..HEIGHT).step_by(TILE.into()) {
        for left in (0..WIDTH).step_by(TILE.into()) {
            let part = desktop.as_image().part(Rect::new(left, top, TILE, TILE));
            frames.push(encode(&part, left, top));
        }
    }
    frames
}

fn form(bits_per_pixel: u16, is_compressed: bool) -> Form {
    Form {
        bits_per_pixel,
        is_compressed,
        has_header: false,
    }
}

fn run<P: PixelStore>(bencher: Bencher<'_, '_>, mut session: Session<P>, frames: &[Vec<u8>]) {
    bencher
        .counter(BytesCount::new(BYTES))
        .counter(ItemsCount::new(TILES))
        .bench_local(|| {
            for frame in frames {
                feed(&mut session, black_box(frame)).unwrap();
            }
            while session.poll_event().is_some() {}
            session.clear_damage();
        });
}

#[divan::bench]
fn copy_plain(bencher: Bencher<'_, '_>) {
    // Tile by tile and row by row, from bytes as they lie in frames.
    let tiles: Vec<Vec<u8>> = frames(|image, _, _| image.rows().flatten().copied().collect());
    let mut screen = Framebuffer::new(WIDTH, HEIGHT).unwrap();
    bencher
        .counter(BytesCount::new(BYTES))
        .counter(ItemsCount::new(TILES))
        .bench_local(|| {
            let mut image = screen.as_image_mut();
            let mut tiles = tiles.iter();
            for top in (0..HEIGHT).step_by(TILE.into()) {
                for left in (0..WIDTH).step_by(TILE.into()) {
                    let tile = black_box(tiles.next().unwrap());
                    for (y, row) in (top..).zip(tile.chunks(usize::from(TILE) * 4)) {
                        let start = usize::from(left) * 4;
                        image.row_mut(y).unwrap()[start..start + row.len()].copy_from_slice(row);
                    }
                }
            }
        });
}

#[divan::bench(args = [8, 15, 16, 24, 32])]
fn raw(bencher: Bencher<'_, '_>, bits: u16) {
    let frames = frames(|image, left, top| {
        fast_path(
            UpdateCode::Bitmap,
            &bitmap_update(image, form(bits, false), left, top),
        )
    });
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

#[divan::bench]
fn raw_32_on_the_slow_path(bencher: Bencher<'_, '_>) {
    let frames = frames(|image, left, top| slow_path(&bitmap_update(image, form(32, false), left, top)));
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

#[divan::bench(args = [8, 15, 16, 24])]
fn rle(bencher: Bencher<'_, '_>, bits: u16) {
    let frames = frames(|image, left, top| {
        fast_path(
            UpdateCode::Bitmap,
            &bitmap_update(image, form(bits, true), left, top),
        )
    });
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

#[divan::bench]
fn planar_32(bencher: Bencher<'_, '_>) {
    let frames = frames(|image, left, top| {
        fast_path(
            UpdateCode::Bitmap,
            &bitmap_update(image, form(32, true), left, top),
        )
    });
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

#[divan::bench]
fn surface_bits_raw_32(bencher: Bencher<'_, '_>) {
    let frames =
        frames(|image, left, top| fast_path(UpdateCode::SurfaceCommands, &surface_bits(image, left, top)));
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

/// The whole desktop as one command, in as many fragments as it takes: one copy more.
#[divan::bench]
fn surface_bits_raw_32_in_fragments(bencher: Bencher<'_, '_>) {
    let command = surface_bits(&desktop().as_image(), 0, 0);
    let frames: Vec<_> = FastPathFragments::new(UpdateCode::SurfaceCommands, &command, 16_000)
        .map(common::fast_path_update)
        .collect();
    run(bencher, session(WIDTH, HEIGHT), &frames);
}

#[divan::bench]
fn headers_only(bencher: Bencher<'_, '_>) {
    let frames = frames(|image, left, top| slow_path(&bitmap_update(image, form(32, false), left, top)));
    run(
        bencher,
        Session::new(config(WIDTH, HEIGHT), NoPixels).unwrap(),
        &frames,
    );
}
