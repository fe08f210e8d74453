//! TPKT and X.224: connection request and confirm, data, disconnect.

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, decode, decode_exact, encode_vec};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, CorrelationId, DisconnectRequest, FailureCode, NegotiationOutcome,
    NegotiationRequest, NegotiationToken, RequestFlags, ResponseFlags, SecurityProtocol, X224Data, X224Pdu,
};

#[test]
fn a_windows_xp_request_has_a_cookie_and_no_negotiation() {
    let request: ConnectionRequest =
        round_trip_strict(vector("captures/xp_04_c2s_x224_connection_request.bin"));
    assert_eq!(request.token, Some(NegotiationToken::Cookie(b"A70067".to_vec())));
    assert_eq!(request.negotiation, None);
    assert_eq!(request.offered_protocols(), SecurityProtocol::empty());
}

#[test]
fn a_windows_xp_era_confirm_has_no_negotiation() {
    let confirm: ConnectionConfirm =
        round_trip_strict(vector("captures/xp_06_s2c_x224_connection_confirm.bin"));
    assert_eq!(confirm, ConnectionConfirm::new(NegotiationOutcome::Legacy));
}

#[test]
fn a_request_without_cookie_offers_its_protocols() {
    let request: ConnectionRequest = round_trip_strict(hex("03000013 0ee00000000000 0100 0800 0b000000"));
    let protocols = SecurityProtocol::SSL | SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX;
    assert_eq!(request, ConnectionRequest::new(protocols));
}

#[test]
fn a_request_with_cookie_and_correlation_id_comes_back() {
    let request = ConnectionRequest {
        source_reference: 0x0102,
        token: Some(NegotiationToken::cookie("rdptest")),
        negotiation: Some(NegotiationRequest {
            flags: RequestFlags::RESTRICTED_ADMIN_MODE_REQUIRED,
            protocols: SecurityProtocol::HYBRID | SecurityProtocol::RDSAAD,
        }),
        correlation: Some(CorrelationId(*b"0123456789abcdef")),
    };
    let bytes = encode_round_trip(&request);
    assert_eq!(
        bytes,
        hex(
            "03000051 4ce00000010200 436f6f6b69653a206d737473686173683d72647074657374 0d0a \
             01 09 0800 12000000 06 00 2400 30313233343536373839616263646566 00000000000000000000000000000000"
        )
    );
}

#[test]
fn a_routing_token_is_kept_as_it_came() {
    let line = b"Cookie: msts=3640205228.15629.0000";
    let request = ConnectionRequest::new(SecurityProtocol::SSL).with_token(NegotiationToken::routing(line));
    let bytes = encode_round_trip(&request);
    assert_eq!(&bytes[11..11 + line.len()], line);
    // A redirection gives the token with its line end.
    let redirected = NegotiationToken::routing(b"tsv://MS Terminal Services Plugin.1.Farm\r\n");
    assert_eq!(
        redirected,
        NegotiationToken::Routing(b"tsv://MS Terminal Services Plugin.1.Farm".to_vec())
    );
}

#[test]
fn a_cookie_is_cut_to_nine_characters_and_cannot_carry_a_line_end() {
    assert_eq!(
        NegotiationToken::cookie("administrator\r\n"),
        NegotiationToken::Cookie(b"administr".to_vec())
    );
    assert_eq!(
        NegotiationToken::cookie("a\r\nb"),
        NegotiationToken::Cookie(b"ab".to_vec())
    );
    for text in [&b"a\r\nb"[..], b"a\r"] {
        let token = NegotiationToken::Cookie(text.to_vec());
        let request = ConnectionRequest::new(SecurityProtocol::SSL).with_token(token);
        assert_eq!(encode_vec(&request).unwrap_err().field(), "routingToken");
    }
    for line in [&b""[..], b"\x01abc"] {
        let token = NegotiationToken::Routing(line.to_vec());
        let request = ConnectionRequest::new(SecurityProtocol::SSL).with_token(token);
        assert_eq!(encode_vec(&request).unwrap_err().field(), "routingToken");
    }
}

#[test]
fn a_token_too_long_for_the_length_indicator_is_refused() {
    let request = |length| {
        ConnectionRequest::new(SecurityProtocol::SSL)
            .with_token(NegotiationToken::Routing(vec![b'x'; length]))
    };
    assert_eq!(encode_vec(&request(238)).unwrap()[4], 254);
    assert_eq!(encode_vec(&request(239)).unwrap_err().field(), "LI");
}

#[test]
fn a_correlation_id_without_negotiation_is_refused() {
    let request = ConnectionRequest {
        correlation: Some(CorrelationId([1; 16])),
        ..ConnectionRequest::default()
    };
    assert!(encode_vec(&request).is_err());
}

#[test]
fn confirms_select_a_protocol_or_say_why_not() {
    let confirm: ConnectionConfirm = round_trip_strict(hex("03000013 0ed00000123400 02 1f 0800 08000000"));
    assert_eq!(
        confirm.outcome,
        NegotiationOutcome::Selected {
            flags: ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED
                | ResponseFlags::DYNVC_GFX_PROTOCOL_SUPPORTED
                | ResponseFlags::RESERVED
                | ResponseFlags::RESTRICTED_ADMIN_MODE_SUPPORTED
                | ResponseFlags::REDIRECTED_AUTHENTICATION_MODE_SUPPORTED,
            protocol: SecurityProtocol::HYBRID_EX,
        }
    );
    let refused: ConnectionConfirm = round_trip_strict(hex("03000013 0ed00000000000 03 00 0800 05000000"));
    assert_eq!(
        refused.outcome,
        NegotiationOutcome::Failed(FailureCode::HybridRequired)
    );
}

#[test]
fn every_failure_code_comes_back_and_has_a_meaning() {
    let mut seen = Vec::new();
    for number in 0..=8 {
        let code = FailureCode::from_code(number);
        assert_eq!(code.code(), number);
        assert_eq!(
            matches!(code, FailureCode::Other(_)),
            !(1..=6).contains(&number),
            "{code:?}"
        );
        let text = code.to_string();
        assert!(!seen.contains(&text), "{text} twice");
        seen.push(text);
        encode_round_trip(&ConnectionConfirm::new(NegotiationOutcome::Failed(code)));
    }
}

#[test]
fn lengths_that_lie_are_named() {
    // LI one too small, one too large.
    assert_length_lies::<ConnectionConfirm>(
        hex("03000013 0dd00000123400 0200080008000000"),
        "ConnectionConfirm",
        "LI",
    );
    assert_length_lies::<ConnectionRequest>(
        hex("03000013 0fe00000000000 0100080003000000"),
        "ConnectionRequest",
        "LI",
    );
    assert_length_lies::<X224Data<&[u8]>>(hex("03000008 03f08000"), "X224Data", "LI");
    // TPKT longer than what is there, and shorter than itself.
    assert_length_lies::<X224Data<&[u8]>>(hex("03000009 02f08000"), "X224Data", "length");
    assert_length_lies::<X224Data<&[u8]>>(hex("03000003 02f08000"), "X224Data", "length");
    // RDP_NEG_REQ and RDP_NEG_RSP are eight bytes long.
    assert_length_lies::<ConnectionRequest>(
        hex("03000013 0ee00000000000 0100090003000000"),
        "NegotiationRequest",
        "length",
    );
    assert_length_lies::<ConnectionConfirm>(
        hex("03000013 0ed00000123400 0203000001000000"),
        "ConnectionConfirm",
        "length",
    );
    // A cookie without its end.
    assert_length_lies::<ConnectionRequest>(
        hex("0300000e 09e00000000000 436f6f"),
        "ConnectionRequest",
        "routingToken",
    );
    // A correlation id that was announced and is not there.
    let error = decode_error::<ConnectionRequest>(hex("03000013 0ee00000000000 0108080003000000"));
    assert_eq!((error.pdu(), error.offset()), ("CorrelationId", 19));
}

#[test]
fn data_is_borrowed_and_wraps_what_can_be_encoded() {
    let bytes = hex("0300000c 02f080 0401000100");
    let data: X224Data<&[u8]> = round_trip_strict(bytes);
    assert_eq!(data.0, &bytes[7..]);
    assert_eq!(encode_vec(&X224Data(&[1u8, 2, 3][..])).unwrap()[3], 10);
    let too_long = vec![0; 65_529];
    assert_eq!(
        encode_vec(&X224Data(&too_long[..])).unwrap_err().field(),
        "length"
    );
    assert_eq!(encode_vec(&X224Data(&too_long[1..])).unwrap().len(), 65_535);
}

#[test]
fn data_that_is_not_data_or_not_whole_is_refused() {
    let error = decode_error::<X224Data<&[u8]>>(hex("03000008 02f00023"));
    assert_eq!(
        (error.field(), error.kind()),
        ("EOT", DecodeErrorKind::Unsupported { got: 0 })
    );
    let error = decode_error::<X224Data<&[u8]>>(hex("03000008 02e08023"));
    assert_eq!(
        (error.field(), error.kind()),
        ("code", DecodeErrorKind::Invalid { got: 0xe0 })
    );
    let error = decode_error::<X224Data<&[u8]>>(hex("04000008 02f08023"));
    assert_eq!(
        (error.field(), error.kind()),
        ("version", DecodeErrorKind::Invalid { got: 4 })
    );
}

#[test]
fn any_transport_pdu_is_told_by_its_code() {
    let request: X224Pdu<'_> = round_trip_strict(hex("03000013 0ee00000000000 0100 0800 0b000000"));
    assert!(matches!(request, X224Pdu::ConnectionRequest(_)));
    let confirm: X224Pdu<'_> = round_trip_strict(hex("0300000b 06d00000123400"));
    assert!(matches!(confirm, X224Pdu::ConnectionConfirm(_)));
    let data: X224Pdu<'_> = round_trip_strict(hex("03000008 02f08028"));
    assert_eq!(data, X224Pdu::Data(&[0x28]));
    let end: X224Pdu<'_> = round_trip_strict(hex("0300000b 06800000123480"));
    assert_eq!(
        end,
        X224Pdu::DisconnectRequest(DisconnectRequest {
            source_reference: 0x1234,
            reason: 128
        })
    );
    round_trip::<DisconnectRequest>(hex("0300000b 06800000123480"));
    // An X.224 error TPDU and nonsense.
    for bytes in [hex("0300000b 06700000123480"), hex("03000007 021080"), hex("")] {
        assert!(decode::<X224Pdu<'_>>(bytes).is_err());
    }
}

#[test]
fn frames_after_each_other_are_read_one_by_one() {
    let bytes = hex("03000008 02f08028 03000008 02f08029");
    let mut src = ironrdp_core::ReadCursor::new(bytes);
    for expected in [0x28, 0x29] {
        let data = <X224Data<&[u8]> as ironrdp_core::Decode<'_>>::decode(&mut src).unwrap();
        assert_eq!(data.0, [expected]);
    }
    assert!(src.is_empty());
    assert!(decode_exact::<X224Data<&[u8]>>(bytes).is_err());
}

#[test]
fn inputs_that_broke_other_decoders_give_errors() {
    for (name, field) in [
        ("pdu_decode-crash-4485719597c99b.bin", "EOT"),
        ("pdu_decode-crash-65a50aad850d86.bin", "EOT"),
        ("pdu_decode-crash-ce45f9ebf4ab1a.bin", "EOT"),
        ("pdu_decode-crash-f8dc2df3f2aba6.bin", "flags"),
        ("pdu_decode-crash-801238c3074172.bin", "version"),
        ("pdu_decode-crash-3cf2ef026fc908.bin", "version"),
    ] {
        let error = decode_error::<X224Pdu<'_>>(vector(&format!("malformed/{name}")));
        assert_eq!(error.field(), field, "{name}: {error}");
    }
}
