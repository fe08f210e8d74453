//! MPPC both ways: `cargo bench -p ironrdp-bulk`. Bytes are those of the uncompressed side.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use ironrdp_bulk::{CompressionFlags, CompressionType, Compressor, Decompressor};

const TYPES: [CompressionType; 2] = [CompressionType::K8, CompressionType::K64];

fn main() {
    divan::main();
}

/// Drawing orders of a server, 6,496 bytes.
fn orders() -> &'static [u8] {
    include_bytes!("../tests/vectors/mppc/orders.bin")
}

/// 6,000 bytes that repeat in short pieces: what a 32 bpp picture of text looks like.
fn text_pixels() -> Vec<u8> {
    let mut noise = 1_u32;
    (0..1500)
        .flat_map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if noise >> 30 == 0 {
                [0, 0, 0, 0xff]
            } else {
                [0xff; 4]
            }
        })
        .collect()
}

fn noise() -> Vec<u8> {
    let mut noise = 1_u32;
    (0..6000)
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .collect()
}

fn compress(bencher: Bencher<'_, '_>, compression_type: CompressionType, data: &[u8]) {
    let (mut compressor, mut out) = (Compressor::new(compression_type).unwrap(), Vec::new());
    bencher.counter(BytesCount::new(data.len())).bench_local(|| {
        out.clear();
        compressor.flush();
        compressor.compress(black_box(data), &mut out)
    });
}

fn decompress(bencher: Bencher<'_, '_>, compression_type: CompressionType, data: &[u8]) {
    let mut packet = Vec::new();
    let flags = Compressor::new(compression_type)
        .unwrap()
        .compress(data, &mut packet)
        .unwrap();
    assert!(flags.contains(CompressionFlags::AT_FRONT));
    let mut decompressor = Decompressor::new();
    bencher
        .counter(BytesCount::new(data.len()))
        .bench_local(|| decompressor.decompress(flags, black_box(&packet)).unwrap().len());
}

#[divan::bench(args = TYPES)]
fn decompress_orders(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    decompress(bencher, compression_type, orders());
}

#[divan::bench(args = TYPES)]
fn decompress_text_pixels(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    decompress(bencher, compression_type, &text_pixels());
}

#[divan::bench(args = TYPES)]
fn decompress_flat(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    decompress(bencher, compression_type, &[0x2e; 6000]);
}

#[divan::bench(args = TYPES)]
fn compress_orders(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    compress(bencher, compression_type, orders());
}

#[divan::bench(args = TYPES)]
fn compress_text_pixels(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    compress(bencher, compression_type, &text_pixels());
}

#[divan::bench(args = TYPES)]
fn compress_noise(bencher: Bencher<'_, '_>, compression_type: CompressionType) {
    compress(bencher, compression_type, &noise());
}
