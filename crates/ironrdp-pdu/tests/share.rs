//! Share PDUs and the finalisation: the worked examples, short and packed forms, and what must be refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, Encode, encode_vec};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::CompressionFlags;
use ironrdp_pdu::finalization::{
    Control, ControlAction, FontList, FontMap, PersistentKeyList, PersistentKeyListFlags, SequenceFlags,
    Synchronize,
};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::share::{
    AutoReconnectStatus, ControlPduType, DataPdu, DataPduType, DeactivateAll, FrameAcknowledge, KeyboardLeds,
    MonitorLayout, PlaySound, RawShareData, RefreshRect, SetKeyboardImeStatus, SetKeyboardIndicators,
    ShareControl, ShareControlHeader, ShareData, ShareDataPdu, SharePdu, SharePdus, StatusCode, StatusInfo,
    StreamId, SuppressOutput,
};
use ironrdp_pdu::{DesktopSize, InclusiveRect, MonitorDef, MonitorFlags};

const SHARE_ID: u32 = 66_538;

fn data(bytes: &'static [u8]) -> RawShareData<'static> {
    match round_trip_strict::<SharePdu<'_>>(bytes) {
        SharePdu::Data(data) => data,
        other => panic!("{other:?}"),
    }
}

/// The vector decodes to this PDU, and sending the PDU gives the vector but for the way to count.
fn check_example(file: &str, source: u16, stream_id: StreamId, wanted: ShareDataPdu<'static>) {
    let bytes = vector(&format!("share/{file}"));
    let raw = data(bytes);
    assert_eq!(
        (raw.source, raw.share_id, raw.stream_id),
        (source, SHARE_ID, stream_id)
    );
    assert_eq!(raw.compression, CompressionFlags::empty());
    assert_eq!(raw.pdu_type, wanted.data_pdu_type());
    assert_eq!(raw.decode_uncompressed().unwrap(), wanted);
    assert_eq!(ShareDataPdu::decode(raw.pdu_type, raw.payload).unwrap(), wanted);

    let sent = ShareData {
        source,
        share_id: SHARE_ID,
        stream_id,
        pdu: wanted,
    };
    assert_eq!(sent.size(), bytes.len());
    let mut sent = encode_vec(&sent).unwrap();
    assert_eq!(
        usize::from(sent[12]),
        bytes.len() - 14,
        "uncompressedLength from pduType2 on"
    );
    sent[12] -= 4; // the vectors count the payload alone
    assert_eq!(sent, bytes);
}

#[test]
fn the_finalisation_examples_decode_and_encode() {
    let client = 1007;
    let server = 1002;
    check_example(
        "share_client_synchronize.bin",
        client,
        StreamId::LOW,
        ShareDataPdu::Synchronize(Synchronize { target_user: 1002 }),
    );
    check_example(
        "share_control_cooperate.bin",
        client,
        StreamId::LOW,
        ShareDataPdu::Control(Control::new(ControlAction::Cooperate)),
    );
    check_example(
        "share_control_request.bin",
        client,
        StreamId::LOW,
        ShareDataPdu::Control(Control::new(ControlAction::RequestControl)),
    );
    check_example(
        "share_control_granted.bin",
        server,
        StreamId::MEDIUM,
        ShareDataPdu::Control(Control {
            action: ControlAction::GrantedControl,
            grant_id: 1007,
            control_id: 1002,
        }),
    );
    check_example(
        "share_font_list.bin",
        client,
        StreamId::LOW,
        ShareDataPdu::FontList(FontList::default()),
    );
    check_example(
        "share_font_map.bin",
        server,
        StreamId::MEDIUM,
        ShareDataPdu::FontMap(FontMap::default()),
    );
}

/// Sends `pdu`, receives it again and gives its payload.
fn sent(pdu: ShareDataPdu<'_>) -> Vec<u8> {
    let bytes = encode_vec(&ShareData::new(1007, SHARE_ID, &pdu)).unwrap();
    let raw = data(bytes.clone().leak());
    assert_eq!(raw.pdu_type, pdu.data_pdu_type());
    assert_eq!(usize::from(raw.uncompressed_length), bytes.len() - 14);
    assert_eq!(raw.decode_uncompressed().unwrap(), pdu, "{}", Encode::name(&pdu));
    raw.payload.to_vec()
}

#[test]
fn every_data_pdu_is_received_as_it_was_sent() {
    let rect = InclusiveRect {
        left: 0,
        top: 1,
        right: 1023,
        bottom: 767,
    };
    assert_eq!(
        sent(ShareDataPdu::SuppressOutput(SuppressOutput::Suppress)),
        hex("00000000")
    );
    assert_eq!(
        sent(ShareDataPdu::SuppressOutput(SuppressOutput::Allow(rect))),
        hex("01000000 0000 0100 ff03 ff02")
    );
    assert_eq!(
        sent(ShareDataPdu::RefreshRect(RefreshRect { areas: vec![rect; 2] })),
        hex("02000000 0000 0100 ff03 ff02 0000 0100 ff03 ff02")
    );
    assert_eq!(
        sent(ShareDataPdu::PlaySound(PlaySound {
            duration_ms: 200,
            frequency_hz: 440
        })),
        hex("c8000000 b8010000")
    );
    assert_eq!(
        sent(ShareDataPdu::SetKeyboardIndicators(SetKeyboardIndicators {
            unit_id: 0,
            leds: KeyboardLeds::NUM_LOCK | KeyboardLeds::CAPS_LOCK
        })),
        hex("0000 0600")
    );
    assert_eq!(
        sent(ShareDataPdu::SetKeyboardImeStatus(SetKeyboardImeStatus {
            unit_id: 0,
            state: 1,
            conversion_mode: 0x19
        })),
        hex("0000 01000000 19000000")
    );
    assert_eq!(
        sent(ShareDataPdu::SetErrorInfo(ErrorInfo::LOGOFF_BY_USER)),
        hex("0c000000")
    );
    assert_eq!(
        sent(ShareDataPdu::StatusInfo(StatusInfo {
            code: StatusCode::VM_STARTING
        })),
        hex("03050000")
    );
    assert_eq!(
        sent(ShareDataPdu::AutoReconnectStatus(AutoReconnectStatus {
            status: 0
        })),
        hex("00000000")
    );
    assert_eq!(
        sent(ShareDataPdu::FrameAcknowledge(FrameAcknowledge { frame_id: 7 })),
        hex("07000000")
    );
    let layout = MonitorLayout {
        monitors: vec![
            MonitorDef::only(DesktopSize::new(1920, 1080).unwrap()),
            MonitorDef {
                left: -1280,
                top: 0,
                right: -1,
                bottom: 1023,
                flags: MonitorFlags::empty(),
            },
        ],
    };
    assert_eq!(
        sent(ShareDataPdu::MonitorLayout(layout)),
        hex("02000000 00000000 00000000 7f070000 37040000 01000000
             00fbffff 00000000 ffffffff ff030000 00000000")
    );
    assert_eq!(sent(ShareDataPdu::ShutdownRequest), []);
    assert_eq!(sent(ShareDataPdu::ShutdownDenied), []);
    for raw in [
        ShareDataPdu::Update(&[1, 2, 3]),
        ShareDataPdu::Pointer(&[1, 2, 3]),
        ShareDataPdu::Input(&[1, 2, 3]),
        ShareDataPdu::BitmapCacheError(&[1, 2, 3]),
        ShareDataPdu::OffscreenCacheError(&[1, 2, 3]),
        ShareDataPdu::DrawNineGridError(&[1, 2, 3]),
        ShareDataPdu::DrawGdiPlusError(&[1, 2, 3]),
        ShareDataPdu::Unknown {
            pdu_type: DataPduType(99),
            body: &[1, 2, 3],
        },
    ] {
        assert_eq!(sent(raw), [1, 2, 3]);
    }
}

#[test]
fn bodies_survive_cuts_and_damage() {
    encode_round_trip(&SuppressOutput::Suppress);
    encode_round_trip(&Synchronize { target_user: 3 });
    encode_round_trip(&Control::new(ControlAction::Detach));
    encode_round_trip(&FontMap {
        count: 1,
        total: 2,
        flags: SequenceFlags::FIRST,
        entry_size: 9,
    });
    encode_round_trip(&PersistentKeyList {
        entries: [1, 0, 2, 0, 0],
        totals: [1, 0, 4, 0, 0],
        flags: PersistentKeyListFlags::FIRST,
        keys: vec![1, u64::MAX, 0x0102_0304_0506_0708],
    });
    encode_round_trip(&RefreshRect::default());
    encode_round_trip(&MonitorLayout {
        monitors: vec![MonitorDef::only(DesktopSize::new(800, 600).unwrap())],
    });
    encode_round_trip(&ShareControlHeader {
        total_length: 6,
        pdu_type: ControlPduType::DEACTIVATE_ALL,
        source: 1002,
    });
}

#[test]
fn keys_are_two_halves_with_the_low_one_first() {
    let list = PersistentKeyList {
        entries: [0, 1, 0, 0, 0],
        keys: vec![0x1111_1111_2222_2222],
        ..Default::default()
    };
    let bytes = encode_round_trip(&list);
    assert_eq!(bytes[24..], *hex("22222222 11111111"));
    let wrong = PersistentKeyList {
        entries: [2, 0, 0, 0, 0],
        ..list
    };
    assert_eq!(encode_vec(&wrong).unwrap_err().field(), "numEntriesCache");
}

#[test]
fn a_short_or_empty_font_map_has_the_values_it_must_have() {
    for body in ["", "0000", "0000 0000 0300"] {
        let pdu = ShareDataPdu::decode(DataPduType::FONT_MAP, hex(body)).unwrap();
        assert_eq!(pdu, ShareDataPdu::FontMap(FontMap::default()), "{body:?}");
    }
    let error = ShareDataPdu::decode(DataPduType::FONT_MAP, hex("00")).unwrap_err();
    assert_eq!((error.pdu(), error.field()), ("FontMap", "numberEntries"));
}

#[test]
fn codes_that_steer_the_connection_are_checked() {
    for (pdu_type, body, pdu, field) in [
        (
            DataPduType::SYNCHRONIZE,
            "0200 ea03",
            "Synchronize",
            "messageType",
        ),
        (DataPduType::CONTROL, "0500 0000 00000000", "Control", "action"),
        (DataPduType::CONTROL, "0000 0000 00000000", "Control", "action"),
        (
            DataPduType::SUPPRESS_OUTPUT,
            "02000000",
            "SuppressOutput",
            "allowDisplayUpdates",
        ),
    ] {
        let error = ShareDataPdu::decode(pdu_type, hex(body)).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::Invalid { .. }), "{error}");
        assert_eq!((error.pdu(), error.field()), (pdu, field));
    }
}

#[test]
fn bytes_after_the_fields_are_skipped() {
    let pdu = ShareDataPdu::decode(DataPduType::SYNCHRONIZE, hex("0100 ea03 ffff")).unwrap();
    assert_eq!(pdu, ShareDataPdu::Synchronize(Synchronize { target_user: 1002 }));
    let pdu = ShareDataPdu::decode(DataPduType::SUPPRESS_OUTPUT, hex("00000000 0000000000000000")).unwrap();
    assert_eq!(pdu, ShareDataPdu::SuppressOutput(SuppressOutput::Suppress));
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_allocated() {
    assert_length_lies::<MonitorLayout>(hex("ffffffff 00000000"), "MonitorLayout", "monitorCount");
    assert_length_lies::<RefreshRect>(hex("02000000 0000000000000000"), "RefreshRect", "numberOfAreas");
    let mut keys = encode_vec(&PersistentKeyList::default()).unwrap();
    keys[..2].fill(0xff); // wrong: 65535 keys
    assert_length_lies::<PersistentKeyList>(&keys, "PersistentKeyList", "numEntriesCache");
}

#[test]
fn compressed_payloads_are_kept_and_not_decoded_by_mistake() {
    let bytes = hex("1600 1700 ea03 ea030100 00 02 2000 02 61 1600 aabbccdd");
    let raw = data(bytes);
    assert!(
        raw.compression
            .contains(CompressionFlags::COMPRESSED | CompressionFlags::AT_FRONT)
    );
    assert_eq!((raw.uncompressed_length, raw.compressed_length), (32, 22));
    assert_eq!(raw.payload, hex("aabbccdd"));
    let error = raw.decode_uncompressed().unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Unsupported { got: 0x61 });
    assert_eq!((error.field(), error.offset()), ("compressedType", 15));
}

#[test]
fn errors_in_a_payload_point_into_what_arrived() {
    let mut bytes = vector("share/share_control_request.bin").to_vec();
    bytes[18] = 9; // wrong: action
    let raw = data(bytes.leak());
    assert_eq!(
        raw.decode_uncompressed().unwrap_err().to_string(),
        "malformed Control at byte 20: action is 9"
    );
}

fn collect(bytes: &[u8]) -> Vec<SharePdu<'_>> {
    SharePdus::new(bytes).map(Result::unwrap).collect()
}

#[test]
fn several_pdus_in_one_payload_come_out_in_order() {
    let files = [
        "share_client_synchronize",
        "share_control_cooperate",
        "share_font_list",
    ];
    let mut bytes: Vec<u8> = files
        .iter()
        .flat_map(|file| vector(&format!("share/{file}.bin")).to_vec())
        .collect();
    let types = |bytes: &[u8]| -> Vec<DataPduType> {
        collect(bytes)
            .iter()
            .map(|pdu| match pdu {
                SharePdu::Data(data) => data.pdu_type,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let wanted = [
        DataPduType::SYNCHRONIZE,
        DataPduType::CONTROL,
        DataPduType::FONT_LIST,
    ];
    assert_eq!(types(&bytes), wanted);
    bytes.extend([0, 0, 0]);
    assert_eq!(types(&bytes), wanted, "padding behind the last PDU");
    assert!(collect(&[]).is_empty());
}

#[test]
fn the_row_of_pdus_ends_with_its_first_error() {
    let mut bytes = vector("share/share_font_map.bin").to_vec();
    bytes.extend(hex("3000 1700 ea03 0000")); // wrong: 48 bytes announced
    bytes.extend(vector("share/share_font_map.bin"));
    let results: Vec<_> = SharePdus::new(&bytes).collect();
    assert_eq!(results.len(), 2);
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(
        (error.pdu(), error.field(), error.offset()),
        ("SharePdu", "totalLength", 26)
    );
    assert_eq!(
        error.kind(),
        DecodeErrorKind::LengthLies {
            declared: 48,
            available: 34
        }
    );
}

#[test]
fn a_total_length_without_the_header_is_understood_where_it_is_clear() {
    let mut bytes = vector("share/share_control_cooperate.bin").to_vec();
    bytes[0] -= 6;
    let [SharePdu::Data(raw)] = collect(&bytes)[..] else {
        panic!("{:?}", collect(&bytes));
    };
    assert_eq!(
        raw.decode_uncompressed().unwrap(),
        ShareDataPdu::Control(Control::new(ControlAction::Cooperate))
    );

    // Here the six bytes are a PDU of their own, so the rule of the specification holds.
    let mut bytes = vector("share/share_control_cooperate.bin").to_vec();
    bytes.extend(hex("0600 1600 ea03"));
    let pdus = collect(&bytes);
    assert!(
        matches!(pdus[..], [SharePdu::Data(_), SharePdu::DeactivateAll(_)]),
        "{pdus:?}"
    );
}

#[test]
fn total_lengths_that_lie_are_refused() {
    for bytes in [
        "0300 1700 ea03",
        "0000 1700 ea03",
        "0700 1700 ea03",
        "ffff 1700 ea03",
    ] {
        assert_length_lies::<SharePdu<'_>>(hex(bytes), "SharePdu", "totalLength");
    }
    let error = decode_error::<SharePdu<'_>>(hex("0600 1700 ea03"));
    assert_eq!((error.pdu(), error.field()), ("ShareDataHeader", "shareID"));
    let error = decode_error::<SharePdu<'_>>(hex("0500 1600 ea"));
    assert_eq!((error.pdu(), error.field()), ("SharePdu", "pduSource"));
}

#[test]
fn deactivate_all_may_stop_anywhere_between_its_fields() {
    let full = DeactivateAll::new(SHARE_ID);
    let bytes = encode_vec(&ShareControl {
        source: 1002,
        pdu: full.clone(),
    })
    .unwrap();
    assert_eq!(bytes, hex("0d00 1600 ea03 ea030100 0100 00"));
    let forms = [
        (hex("0d00 1600 ea03 ea030100 0100 00"), full),
        (
            hex("0a00 1600 ea03 ea030100"),
            DeactivateAll {
                share_id: Some(SHARE_ID),
                source_descriptor: None,
            },
        ),
        (hex("0600 1600 ea03"), DeactivateAll::default()),
    ];
    for (bytes, wanted) in forms {
        let SharePdu::DeactivateAll(pdu) = round_trip::<SharePdu<'_>>(bytes) else {
            panic!("another PDU");
        };
        assert_eq!((pdu.source, pdu.pdu), (1002, wanted));
    }
    let shortest = collect(hex("0400 1600"));
    assert!(matches!(&shortest[..], [SharePdu::DeactivateAll(pdu)] if pdu.source == 0));
    assert_length_lies::<SharePdu<'_>>(
        hex("0d00 1600 ea03 ea030100 0200 00"),
        "DeactivateAll",
        "lengthSourceDescriptor",
    );
}

#[test]
fn flow_pdus_are_kept_and_stepped_over() {
    let mut bytes = hex("0080 43 00 01 00 ea03").to_vec();
    assert!(
        matches!(round_trip::<SharePdu<'_>>(bytes.clone().leak()), SharePdu::Flow(flow) if flow.len() == 8)
    );
    bytes.extend(vector("share/share_font_map.bin"));
    let pdus = collect(&bytes);
    assert!(
        matches!(pdus[..], [SharePdu::Flow(_), SharePdu::Data(_)]),
        "{pdus:?}"
    );
    // A PDU of just this length would be taken for one.
    let unlucky = ShareData::new(1, 1, ShareDataPdu::Update(&[0; 0x8000 - 18]));
    assert_eq!(encode_vec(&unlucky).unwrap_err().field(), "totalLength");
    let too_long = ShareData::new(1, 1, ShareDataPdu::Update(&[0; 0x1_0000 - 18]));
    assert_eq!(encode_vec(&too_long).unwrap_err().field(), "totalLength");
}

#[test]
fn unknown_control_pdus_keep_type_and_body() {
    let pdu = round_trip_strict::<SharePdu<'_>>(hex("0900 1f00 ea03 010203"));
    assert_eq!(
        pdu,
        SharePdu::Unknown {
            pdu_type: 0x1f,
            source: 1002,
            body: &[1, 2, 3]
        }
    );
}

#[test]
fn a_redirection_is_surfaced_with_its_body() {
    let redirection = EnhancedRedirection(ServerRedirection {
        session_id: 5,
        ..Default::default()
    });
    let bytes = encode_vec(&ShareControl {
        source: 1002,
        pdu: redirection.clone(),
    })
    .unwrap();
    let SharePdu::ServerRedirect { source, body } = round_trip_strict::<SharePdu<'_>>(bytes.leak()) else {
        panic!("another PDU");
    };
    assert_eq!(source, 1002);
    assert_eq!(
        ironrdp_core::decode::<EnhancedRedirection>(body).unwrap(),
        redirection
    );
}

#[test]
fn inputs_that_broke_other_decoders_do_no_harm() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/malformed");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "bin") {
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        for start in 0..bytes.len() {
            let pdus = SharePdus::new(&bytes[start..]);
            assert!(pdus.take(bytes.len() + 1).count() <= bytes.len(), "does not end");
        }
        tried += 1;
    }
    assert!(tried > 0);
}

#[test]
fn every_byte_pattern_of_a_header_is_survived() {
    // Every PDU type with bodies of every short length: the two-step decoding never panics.
    let body: Vec<u8> = (0..64).map(|byte| byte ^ 0x5a).collect();
    for pdu_type in 0..=u8::MAX {
        for length in 0..body.len() {
            if let Ok(pdu) = ShareDataPdu::decode(DataPduType(pdu_type), &body[..length]) {
                assert_eq!(pdu.data_pdu_type(), DataPduType(pdu_type));
                assert_eq!(encode_vec(&pdu).unwrap().len(), pdu.size());
            }
        }
    }
}
