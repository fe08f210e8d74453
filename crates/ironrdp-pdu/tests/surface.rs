//! Surface commands.

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, DecodeResult};
use ironrdp_pdu::surface::{
    BitmapHeaderEx, FrameAction, FrameMarker, SurfaceBits, SurfaceCommand, SurfaceCommands,
};

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn commands(bytes: &[u8]) -> Vec<SurfaceCommand<'_>> {
    SurfaceCommands::new(bytes)
        .iter()
        .collect::<DecodeResult<_>>()
        .unwrap()
}

#[test]
fn a_captured_frame_marker_survives() {
    // Cut before frameId it would be a shorter legal form, see below.
    let command: SurfaceCommand<'_> = round_trip(vector("surface/surface_frame_marker.bin"));
    let marker = FrameMarker {
        action: FrameAction::Begin,
        frame_id: Some(5),
    };
    assert_eq!(command, SurfaceCommand::FrameMarker(marker));
}

#[test]
fn captured_stream_bits_survive() {
    let bytes = vector("surface/surface_stream_bits_rfx.bin");
    let command: SurfaceCommand<'_> = round_trip_strict(bytes);
    let expected = SurfaceBits {
        left: 0,
        top: 0,
        right: 1_920,
        bottom: 1_080,
        bits_per_pixel: 32,
        codec_id: 3,
        width: 1_920,
        height: 1_080,
        header: None,
        data: &bytes[22..],
    };
    assert_eq!(command, SurfaceCommand::StreamBits(expected));
    assert_eq!(expected.data.len(), 1_195);
}

#[test]
fn a_header_with_identity_and_time_is_read_and_written() {
    let bits = SurfaceBits {
        left: 1,
        top: 2,
        right: 5,
        bottom: 3,
        bits_per_pixel: 32,
        codec_id: 0,
        width: 4,
        height: 1,
        header: Some(BitmapHeaderEx {
            high_unique_id: 1,
            low_unique_id: 2,
            milliseconds: 3,
            seconds: u64::MAX,
        }),
        data: &[9; 16],
    };
    let bytes = encode_round_trip(&SurfaceCommand::SetBits(bits));
    assert_eq!(
        bytes[..22],
        *hex("0100 0100 0200 0500 0300 20 01 00 00 0400 0100 10000000")
    );
    assert_eq!(
        bytes[22..46],
        *hex("01000000 02000000 0300000000000000 ffffffffffffffff")
    );
    let command: SurfaceCommand<'_> = round_trip_strict(&bytes);
    assert_eq!(command, SurfaceCommand::SetBits(bits));
}

#[test]
fn commands_follow_each_other_to_the_end() {
    let bits = "0600 0000 0000 0100 0100 20 00 00 03 0100 0100 02000000 aabb";
    let bytes = [
        hex("0400 0000 07000000"),
        hex(bits),
        hex(bits),
        hex("0400 0100 07000000"),
    ]
    .concat();
    let commands = commands(&bytes);
    let marker = |action| {
        SurfaceCommand::FrameMarker(FrameMarker {
            action,
            frame_id: Some(7),
        })
    };
    assert_eq!(commands.len(), 4);
    assert_eq!(commands[0], marker(FrameAction::Begin));
    assert!(matches!(commands[1], SurfaceCommand::StreamBits(bits) if bits.data == [0xaa, 0xbb]));
    assert_eq!(commands[1], commands[2]);
    assert_eq!(commands[3], marker(FrameAction::End));
    assert_eq!(SurfaceCommands::new(&bytes).into_iter().count(), 4);
    assert_eq!(SurfaceCommands::new(&[]).iter().count(), 0);
}

#[test]
fn a_frame_marker_may_end_the_update_without_its_id() {
    let command: SurfaceCommand<'_> = round_trip_strict(hex("0400 0100"));
    let marker = FrameMarker {
        action: FrameAction::End,
        frame_id: None,
    };
    assert_eq!(command, SurfaceCommand::FrameMarker(marker));
    // Half an id is none.
    assert_eq!(
        decode_error::<SurfaceCommand<'_>>(hex("0400 0100 0700")).field(),
        "frameId"
    );
}

#[test]
fn a_data_length_that_lies_is_one_error_and_the_end() {
    let bits = hex("0600 0000 0000 0100 0100 20 00 00 03 0100 0100 03000000 aabb");
    assert_length_lies::<SurfaceCommand<'_>>(bits, "SurfaceBits", "bitmapDataLength");
    let huge = hex("0100 0000 0000 0100 0100 20 00 00 03 0100 0100 ffffffff aabb");
    assert_length_lies::<SurfaceCommand<'_>>(huge, "SurfaceBits", "bitmapDataLength");
    let bytes = [hex("0400 0000 07000000"), bits].concat();
    let results: Vec<_> = SurfaceCommands::new(&bytes).iter().collect();
    assert_eq!(results.len(), 2);
    assert_eq!(results[1].unwrap_err().offset(), 8 + 22);
}

#[test]
fn commands_and_actions_that_are_not_known_are_refused() {
    let error = decode_error::<SurfaceCommand<'_>>(hex("0900 0000"));
    assert_eq!(error.kind(), DecodeErrorKind::Unsupported { got: 9 });
    let error = decode_error::<SurfaceCommand<'_>>(hex("0400 0200 00000000"));
    assert_eq!(
        (error.pdu(), error.kind()),
        ("FrameMarker", DecodeErrorKind::Invalid { got: 2 })
    );
    assert_eq!(SurfaceCommands::new(hex("0900 0400 0000")).iter().count(), 1);
}
