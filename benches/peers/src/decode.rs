//! Our decoders and encoders, and the cases for all.

use std::hint::black_box;

use bench_common::{
    Answer, BITMAPS, COMPRESSORS, Case, Cost, ENCODERS, PACKETS, POINTER_SIDE, POINTERS, UPDATES, Work, cost,
    run_cases,
};
use ironrdp_bulk::{CompressionFlags, CompressionType, Compressor, Decompressor};
use ironrdp_core::MonotonicInstant;
use ironrdp_graphics::{
    BitmapSource, Framebuffer, Image, Palette, PixelFormat, PointerSource, Rect, Scratch, decode_pointer,
    draw_bitmap, encode_planar, encode_raw, encode_rle,
};
use ironrdp_pdu::{Action, DesktopSize};
use ironrdp_session::{Limits, Liveness, ServerSupport, Session, SessionConfig, Share};
use serde_json::Value;

use crate::wire;

/// Writes what is to be decoded, and what must come out.
pub fn write_cases(directory: &str) -> Answer {
    for (name, bits) in BITMAPS {
        let desktop = wire::desktop(64, 64);
        let case = Case {
            packets: vec![wire::picture(&desktop.as_image(), bits, true)],
            wanted: wire::in_depth(&desktop, bits).pixels().to_vec(),
        };
        case.write(directory, name)?;
    }
    for (name, bits) in POINTERS {
        let (xor, and, wanted) = wire::pointer(bits);
        let packets = vec![xor, and];
        Case { packets, wanted }.write(directory, name)?;
    }
    for (name, kind) in PACKETS {
        // Small enough for either history, and at its front: it can be decompressed again and again.
        let plain = wire::picture(&wire::desktop(48, 40).as_image(), 32, false);
        let kind = CompressionType::from_code(kind).ok_or("no such compression")?;
        let mut packet = Vec::new();
        let flags = Compressor::new(kind)?
            .compress(&plain, &mut packet)
            .ok_or("it does not get shorter")?;
        let case = Case {
            packets: vec![vec![flags.bits()], packet],
            wanted: plain,
        };
        case.write(directory, name)?;
    }
    for (name, bits, form) in UPDATES {
        let desktop = wire::desktop(wire::WIDTH, wire::HEIGHT);
        let case = Case {
            packets: wire::tile_frames(bits, form),
            wanted: wire::in_depth(&desktop, bits).pixels().to_vec(),
        };
        case.write(directory, name)?;
    }
    for (name, _, _) in ENCODERS {
        let case = Case {
            packets: Vec::new(),
            wanted: wire::desktop(64, 64).pixels().to_vec(),
        };
        case.write(directory, name)?;
    }
    for (name, _) in COMPRESSORS {
        // Packets of the size that servers send, each with a part of a desktop.
        let desktop = wire::desktop(wire::WIDTH, 40);
        let case = Case {
            packets: desktop.pixels().chunks(4_000).map(<[u8]>::to_vec).collect(),
            wanted: desktop.pixels().to_vec(),
        };
        case.write(directory, name)?;
    }
    Ok(())
}

pub fn run(directory: &str) -> Answer<Value> {
    run_cases(directory, |work, case| {
        let cost = match work {
            Work::Bitmap(bits) => bitmap(case, bits)?,
            Work::Pointer(bits) => pointer(case, bits)?,
            Work::Packet(_) => packet(case)?,
            Work::Update(_) => update(case)?,
            Work::Encode(bits, compressed) => encode(case, bits, compressed)?,
            Work::Compress(kind) => compress(case, kind)?,
        };
        Ok(Some(cost))
    })
}

fn encode(case: &Case, bits: u16, compressed: bool) -> Answer<Cost> {
    let image = Image::new(&case.wanted, 64 * 4, 64, 64)?;
    let format = PixelFormat::from_bits_per_pixel(bits).ok_or("no such depth")?;
    let (palette, mut scratch, mut out) = (Palette::grey(), Scratch::new(), Vec::new());
    let cost = cost(|| {
        out.clear();
        let image = black_box(&image);
        match (compressed, format) {
            (false, _) => encode_raw(image, format, &palette, &mut out),
            (true, PixelFormat::Bgrx32) => encode_planar(image, &mut scratch, &mut out),
            (true, _) => {
                encode_rle(image, format, &palette, &mut scratch, &mut out).expect("a small picture")
            }
        }
    });
    let mut framebuffer = Framebuffer::new(64, 64)?;
    draw_bitmap(
        &BitmapSource::new(64, 64, bits, compressed, &out)?,
        &palette,
        &mut scratch,
        &mut framebuffer.as_image_mut(),
        Rect::new(0, 0, 64, 64),
    )?;
    let wanted = wire::in_depth(&wire::desktop(64, 64), bits);
    check(framebuffer.pixels() == wanted.pixels())?;
    Ok(cost)
}

fn pointer(case: &Case, bits: u16) -> Answer<Cost> {
    let [xor_mask, and_mask] = case.packets.as_slice() else {
        return Err("a pointer has two masks".into());
    };
    let source = PointerSource {
        width: POINTER_SIDE,
        height: POINTER_SIDE,
        xor_bits_per_pixel: bits,
        xor_mask,
        and_mask,
    };
    let (palette, mut rgba) = (Palette::grey(), Vec::new());
    let cost = cost(|| decode_pointer(black_box(&source), &palette, &mut rgba).expect("good data"));
    check(rgba == case.wanted)?;
    Ok(cost)
}

fn compress(case: &Case, kind: u8) -> Answer<Cost> {
    let kind = CompressionType::from_code(kind).ok_or("no such compression")?;
    let (mut compressor, mut decompressor) = (Compressor::new(kind)?, Decompressor::new());
    let mut out = Vec::new();
    for packet in &case.packets {
        out.clear();
        let flags = compressor.compress(packet, &mut out);
        let (flags, sent) = flags.map_or((CompressionFlags::NONE, packet), |flags| (flags, &out));
        check(decompressor.decompress(flags, sent)? == packet.as_slice())?;
    }
    Ok(cost(|| {
        for packet in &case.packets {
            out.clear();
            black_box(compressor.compress(black_box(packet), &mut out));
        }
    }))
}

fn bitmap(case: &Case, bits: u16) -> Answer<Cost> {
    let source = BitmapSource::new(64, 64, bits, true, &case.packets[0])?;
    let (palette, mut scratch) = (Palette::grey(), Scratch::new());
    let mut framebuffer = Framebuffer::new(64, 64)?;
    let cost = cost(|| {
        draw_bitmap(
            black_box(&source),
            &palette,
            &mut scratch,
            &mut framebuffer.as_image_mut(),
            Rect::new(0, 0, 64, 64),
        )
        .expect("good data");
    });
    check(framebuffer.pixels() == case.wanted)?;
    Ok(cost)
}

fn packet(case: &Case) -> Answer<Cost> {
    let [flags, packet] = case.packets.as_slice() else {
        return Err("a packet has flags and data".into());
    };
    let flags = CompressionFlags::from_bits(flags[0]);
    let mut decompressor = Decompressor::new();
    check(decompressor.decompress(flags, packet)? == case.wanted)?;
    Ok(cost(|| {
        black_box(
            decompressor
                .decompress(flags, black_box(packet))
                .expect("good data"),
        );
    }))
}

fn update(case: &Case) -> Answer<Cost> {
    let config = SessionConfig {
        user_channel_id: 1007,
        io_channel_id: 1003,
        message_channel_id: None,
        channels: Vec::new(),
        compression: None,
        share: Share {
            share_id: 0x0001_03ea,
            desktop_size: DesktopSize::new(wire::WIDTH, wire::HEIGHT).ok_or("no such size")?,
            bits_per_pixel: 32,
            server: ServerSupport::default(),
        },
        limits: Limits::default(),
        liveness: Liveness::default(),
    };
    let mut session = Session::new(config, Framebuffer::new(0, 0)?)?;
    let cost = cost(|| {
        for frame in &case.packets {
            session
                .handle_frame(MonotonicInstant::ORIGIN, Action::FastPath, black_box(frame))
                .expect("good data");
            while session.poll_event().is_some() {}
            session.clear_damage();
        }
    });
    check(session.pixels().pixels() == case.wanted)?;
    Ok(cost)
}

fn check(is_right: bool) -> Answer {
    if is_right {
        Ok(())
    } else {
        Err("something else came out".into())
    }
}
