//! Auto-detect, heartbeat and multitransport: no captures exist, so bytes are written out from the specification.

mod common;

use common::{assert_length_lies, decode_error, hex, round_trip, round_trip_strict};
use ironrdp_core::{Decode, DecodeErrorKind, Encode, decode, decode_exact};
use ironrdp_pdu::autodetect::{
    AutoDetectRequest, AutoDetectResponse, DetectPhase, DetectRequestKind, DetectResponseKind, Heartbeat,
    NetworkCharacteristics,
};
use ironrdp_pdu::multitransport::{MultitransportRequest, MultitransportResponse, TransportProtocol};

#[test]
fn each_request_has_its_own_code() {
    let both = NetworkCharacteristics::Both {
        base_rtt_ms: 1,
        bandwidth_kbps: 2,
        average_rtt_ms: 3,
    };
    let cases = [
        (
            "06 00 0700 0100",
            DetectRequestKind::RoundTrip(DetectPhase::Continuous),
        ),
        (
            "06 00 0700 0110",
            DetectRequestKind::RoundTrip(DetectPhase::Connect),
        ),
        (
            "06 00 0700 1400",
            DetectRequestKind::BandwidthStart(DetectPhase::Continuous),
        ),
        (
            "06 00 0700 1401",
            DetectRequestKind::BandwidthStart(DetectPhase::ContinuousLossy),
        ),
        (
            "06 00 0700 1410",
            DetectRequestKind::BandwidthStart(DetectPhase::Connect),
        ),
        (
            "08 00 0700 0200 0300 aabbcc",
            DetectRequestKind::BandwidthPayload(&[0xaa, 0xbb, 0xcc]),
        ),
        (
            "08 00 0700 2b00 0100 aa",
            DetectRequestKind::BandwidthStopConnect(&[0xaa]),
        ),
        (
            "06 00 0700 2904",
            DetectRequestKind::BandwidthStop { lossy: false },
        ),
        (
            "06 00 0700 2906",
            DetectRequestKind::BandwidthStop { lossy: true },
        ),
        (
            "0e 00 0700 4008 01000000 03000000",
            DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::RoundTrip {
                base_rtt_ms: 1,
                average_rtt_ms: 3,
            }),
        ),
        (
            "0e 00 0700 8008 02000000 03000000",
            DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::Bandwidth {
                bandwidth_kbps: 2,
                average_rtt_ms: 3,
            }),
        ),
        (
            "12 00 0700 c008 01000000 02000000 03000000",
            DetectRequestKind::NetworkCharacteristics(both),
        ),
    ];
    for (bytes, kind) in cases {
        let request: AutoDetectRequest<'_> = round_trip_strict(hex(bytes));
        assert_eq!(
            request,
            AutoDetectRequest {
                sequence_number: 7,
                kind
            },
            "{bytes}"
        );
    }
}

#[test]
fn a_request_of_an_unknown_kind_is_kept_whole() {
    let request: AutoDetectRequest<'_> = round_trip(hex("08 00 0700 3412 aabb ccdd"));
    assert_eq!(
        request.kind,
        DetectRequestKind::Other {
            code: 0x1234,
            header: &[0xaa, 0xbb],
            payload: &[0xcc, 0xdd],
        }
    );
}

#[test]
fn a_header_that_grew_is_read_past() {
    // headerLength 8 on a round-trip request: two bytes of a later version.
    let request: AutoDetectRequest<'_> = decode_exact(hex("08 00 0700 0100 aabb")).unwrap();
    assert_eq!(
        request.kind,
        DetectRequestKind::RoundTrip(DetectPhase::Continuous)
    );
}

#[test]
fn requests_whose_lengths_lie_are_refused() {
    let bytes = hex("08 00 0700 0200 0400 aabbcc");
    assert_length_lies::<AutoDetectRequest<'_>>(bytes, "AutoDetectRequest", "payloadLength");
    // A header shorter than every header, and one longer than the packet.
    assert_length_lies::<AutoDetectRequest<'_>>(hex("05 00 0700 0100"), "AutoDetectRequest", "headerLength");
    assert_length_lies::<AutoDetectRequest<'_>>(hex("00 00 0700 0100"), "AutoDetectRequest", "headerLength");
    assert_length_lies::<AutoDetectRequest<'_>>(hex("0e 00 0700 0100"), "AutoDetectRequest", "headerLength");
    // Fields that the header is too short for.
    let error = decode_error::<AutoDetectRequest<'_>>(hex("06 00 0700 4008 01000000 03000000"));
    assert_eq!(error.field(), "baseRTT");
}

#[test]
fn each_response_has_its_own_code() {
    let results = |connect| DetectResponseKind::BandwidthResults {
        connect,
        time_delta_ms: 1,
        byte_count: 2,
    };
    let sync = DetectResponseKind::NetworkSync {
        bandwidth_kbps: 1,
        rtt_ms: 2,
    };
    let cases = [
        ("06 01 0900 0000", DetectResponseKind::RoundTrip),
        ("0e 01 0900 0300 01000000 02000000", results(true)),
        ("0e 01 0900 0b00 01000000 02000000", results(false)),
        ("0e 01 0900 1800 01000000 02000000", sync),
    ];
    for (bytes, kind) in cases {
        let response: AutoDetectResponse = round_trip_strict(hex(bytes));
        assert_eq!(
            response,
            AutoDetectResponse {
                sequence_number: 9,
                kind
            },
            "{bytes}"
        );
    }
}

#[test]
fn a_request_is_no_response_and_the_other_way_round() {
    let error = decode_error::<AutoDetectResponse>(hex("06 00 0700 0000"));
    assert_eq!(error.field(), "headerTypeId");
    let error = decode_error::<AutoDetectRequest<'_>>(hex("06 01 0700 0100"));
    assert_eq!(error.kind(), DecodeErrorKind::Invalid { got: 1 });
    let error = decode_error::<AutoDetectResponse>(hex("06 01 0700 3412"));
    assert_eq!(error.field(), "responseType");
}

#[test]
fn a_heartbeat_survives_the_round_trip() {
    let heartbeat: Heartbeat = round_trip_strict(hex("00 1e 02 05"));
    assert_eq!(
        heartbeat,
        Heartbeat {
            period_seconds: 30,
            warn_after: 2,
            reconnect_after: 5
        }
    );
}

#[test]
fn a_multitransport_request_hides_its_cookie_and_survives_the_round_trip() {
    let request: MultitransportRequest =
        round_trip_strict(hex("05000000 0200 0000 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"));
    assert_eq!(request.request_id, 5);
    assert_eq!(request.protocol, TransportProtocol::UdpLossy);
    assert!(!format!("{request:?}").contains("90, 90"));
    for protocol in 0..4 {
        assert_eq!(u16::from(TransportProtocol::from(protocol)), protocol);
    }
}

#[test]
fn a_multitransport_response_declines_with_e_abort() {
    let response: MultitransportResponse = round_trip_strict(hex("05000000 04400080"));
    assert_eq!(response.result, MultitransportResponse::E_ABORT);
}

#[test]
fn short_noise_never_panics() {
    fn survives<'a, T: Decode<'a> + Encode>(bytes: &'a [u8]) {
        if let Ok(value) = decode::<T>(bytes) {
            let _ = ironrdp_core::encode_vec(&value);
        }
    }
    for length in 0..24u8 {
        for fill in [0x00, 0x01, 0x06, 0x08, 0x7f, 0xff] {
            let bytes = vec![fill; length.into()];
            survives::<AutoDetectRequest<'_>>(&bytes);
            survives::<AutoDetectResponse>(&bytes);
            survives::<Heartbeat>(&bytes);
            survives::<MultitransportRequest>(&bytes);
            survives::<MultitransportResponse>(&bytes);
        }
    }
}
