//! Their decoders and encoders.

use std::hint::black_box;

use bench_common::{Answer, Case, Cost, POINTER_SIDE, Work, cost, run_cases};
use ironrdp_bulk::{BulkCompressor, CompressionType};
use ironrdp_graphics::pointer::{DecodedPointer, PointerBitmapTarget};
use ironrdp_graphics::rdp6::{BgrAChannels, BitmapStreamDecoder, BitmapStreamEncoder};
use ironrdp_pdu::Action;
use ironrdp_pdu::pointer::{ColorPointerAttribute, Point16, PointerAttribute};
use ironrdp_session::ActiveStageBuilder;
use ironrdp_svc::StaticChannelSet;
use serde_json::Value;

use crate::stack::image;

pub fn run(directory: &str) -> Answer<Value> {
    run_cases(directory, |work, case| {
        let cost = match work {
            Work::Bitmap(bits) => bitmap(case, bits)?,
            Work::Pointer(bits) => pointer(case, bits)?,
            Work::Packet(kind) => packet(case, kind)?,
            Work::Update(bits) => update(case, bits)?,
            Work::Encode(32, true) => encode(case)?,
            // It has no encoder for interleaved RLE, and plain pixels are its server's, not its graphics crate's.
            Work::Encode(..) => return Ok(None),
            Work::Compress(kind) => compress(case, kind)?,
        };
        Ok(Some(cost))
    })
}

fn pointer(case: &Case, bits: u16) -> Answer<Cost> {
    let [xor_mask, and_mask] = case.packets.as_slice() else {
        return Err("a pointer has two masks".into());
    };
    let source = PointerAttribute {
        xor_bpp: bits,
        color_pointer: ColorPointerAttribute {
            cache_index: 0,
            hot_spot: Point16 { x: 0, y: 0 },
            width: POINTER_SIDE,
            height: POINTER_SIDE,
            xor_mask,
            and_mask,
        },
    };
    let decode = || {
        DecodedPointer::decode_pointer_attribute(black_box(&source), PointerBitmapTarget::Accelerated)
            .expect("good data")
    };
    let cost = cost(|| drop(black_box(decode())));
    check(decode().bitmap_data == case.wanted)?;
    Ok(cost)
}

fn encode(case: &Case) -> Answer<Cost> {
    let mut encoder = BitmapStreamEncoder::new(64, 64);
    let (mut out, mut length) = (vec![0; 2 * case.wanted.len()], 0);
    let cost = cost(|| {
        length = encoder
            .encode_bitmap::<BgrAChannels>(black_box(&case.wanted), &mut out, true)
            .expect("room enough");
    });
    let mut decoded = Vec::new();
    BitmapStreamDecoder::default()
        .decode_bitmap_stream_to_rgb24(&out[..length], &mut decoded, 64, 64)
        .map_err(|error| format!("{error:?}"))?;
    let wanted = case
        .wanted
        .chunks(4)
        .flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]);
    check(wanted.eq(decoded))?;
    Ok(cost)
}

fn compress(case: &Case, kind: u8) -> Answer<Cost> {
    let new = || {
        BulkCompressor::new(match kind {
            0 => CompressionType::Rdp4,
            _ => CompressionType::Rdp5,
        })
    };
    let (mut compressor, mut decompressor) = (new(), new());
    for packet in &case.packets {
        let (size, flags) = compressor
            .compress(packet)
            .map_err(|error| format!("{error:?}"))?;
        let sent = match flags & 0x20 {
            0 => packet.as_slice(),
            _ => compressor.compressed_data(size),
        };
        let out = decompressor
            .decompress(sent, flags)
            .map_err(|error| format!("{error:?}"))?;
        check(out == packet.as_slice())?;
    }
    Ok(cost(|| {
        for packet in &case.packets {
            black_box(compressor.compress(black_box(packet)).expect("good data"));
        }
    }))
}

/// To packed pixels in the depth of the wire, the bottom row first.
fn bitmap(case: &Case, bits: u16) -> Answer<Cost> {
    let (mut decoder, mut out) = (BitmapStreamDecoder::default(), Vec::new());
    let data = &case.packets[0];
    let cost = cost(|| {
        out.clear();
        if bits == 32 {
            decoder
                .decode_bitmap_stream_to_rgb24(black_box(data), &mut out, 64, 64)
                .expect("good data");
        } else {
            ironrdp_graphics::rle::decompress(black_box(data), &mut out, 64, 64, usize::from(bits))
                .expect("good data");
        }
    });
    let wanted = case
        .wanted
        .chunks(64 * 4)
        .rev()
        .flat_map(|row| row.chunks(4))
        .flat_map(|pixel| {
            let [blue, green, red] = [pixel[0], pixel[1], pixel[2]];
            let rgb565 = u16::from(red >> 3) << 11 | u16::from(green >> 2) << 5 | u16::from(blue >> 3);
            let rgb555 = u16::from(red >> 3) << 10 | u16::from(green >> 3) << 5 | u16::from(blue >> 3);
            match bits {
                // The palette's number is the shade of grey.
                8 => vec![blue],
                15 => rgb555.to_le_bytes().to_vec(),
                16 => rgb565.to_le_bytes().to_vec(),
                24 => vec![blue, green, red],
                _ => vec![red, green, blue],
            }
        });
    check(wanted.eq(out))?;
    Ok(cost)
}

fn packet(case: &Case, kind: u8) -> Answer<Cost> {
    let [flags, packet] = case.packets.as_slice() else {
        return Err("a packet has flags and data".into());
    };
    let flags = u32::from(flags[0]);
    let mut decompressor = BulkCompressor::new(match kind {
        0 => CompressionType::Rdp4,
        _ => CompressionType::Rdp5,
    });
    let out = decompressor
        .decompress(packet, flags)
        .map_err(|error| format!("{error:?}"))?;
    check(out == case.wanted)?;
    Ok(cost(|| {
        black_box(
            decompressor
                .decompress(black_box(packet), flags)
                .expect("good data"),
        );
    }))
}

fn update(case: &Case, bits: u16) -> Answer<Cost> {
    let mut stage = ActiveStageBuilder {
        static_channels: StaticChannelSet::new(),
        user_channel_id: 1007,
        io_channel_id: 1003,
        message_channel_id: None,
        share_id: 0x0001_03ea,
        compression_type: None,
        enable_server_pointer: false,
        pointer_software_rendering: false,
    }
    .build();
    let mut image = image();
    let cost = cost(|| {
        for frame in &case.packets {
            let out = stage
                .process(&mut image, Action::FastPath, black_box(frame), None)
                .expect("good data");
            black_box(out);
        }
    });
    // Nobody sees the fourth byte. At 15 and 16 bpp there is more than one way to widen a channel.
    let most = if bits < 24 { 7 } else { 0 };
    let mut pixels = image.data().chunks(4).zip(case.wanted.chunks(4));
    let is_near = |(got, wanted): (&u8, &u8)| got.abs_diff(*wanted) <= most;
    check(pixels.all(|(got, wanted)| got.iter().zip(wanted).take(3).all(is_near)))?;
    Ok(cost)
}

fn check(is_right: bool) -> Answer {
    if is_right {
        Ok(())
    } else {
        Err("something else came out".into())
    }
}
