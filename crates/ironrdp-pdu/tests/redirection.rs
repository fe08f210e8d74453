//! The Server Redirection packet: bytes written out from the specification.

mod common;

use common::{assert_length_lies, decode_error, encode_round_trip, hex, round_trip_strict};
use ironrdp_core::{DecodeErrorKind, decode_exact, encode_vec};
use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::redirection::{EnhancedRedirection, RedirectionAdvice, ServerRedirection};

fn full() -> ServerRedirection {
    ServerRedirection {
        session_id: 4,
        advice: RedirectionAdvice::DONT_STORE_USER_NAME | RedirectionAdvice::PASSWORD_IS_PK_ENCRYPTED,
        target_net_address: Some("192.0.2.7".into()),
        load_balance_info: Some(b"Cookie: msts=3640205228.15629.0000\r\n".to_vec()),
        user_name: Some("rdptest".into()),
        domain: Some("LAB".into()),
        password: Some(Secret::new(b"h\0u\0s\0h\0\0\0".to_vec())),
        target_fqdn: Some("host.lab.test".into()),
        target_netbios_name: Some("HOST".into()),
        tsv_url: Some(b"tsv://x".to_vec()),
        redirection_guid: Some(b"A\0Q\0".to_vec()),
        target_certificate: Some(b"B\0".to_vec()),
        target_net_addresses: Some(vec!["192.0.2.7".into(), "2001:db8::7".into()]),
    }
}

#[test]
fn fields_stand_in_the_order_of_the_specification() {
    // Flags, Length 46, SessionID 2, RedirFlags: address | load balance info | password | FQDN.
    let bytes = hex("0004 2e00 02000000 13010000
        04000000 31000000
        03000000 610d0a
        02000000 7800
        04000000 66000000
        00000000 00");
    // The last five bytes are part of the optional pad, which is not written back.
    let redirection: ServerRedirection = decode_exact(bytes).unwrap();
    assert_eq!(
        redirection,
        ServerRedirection {
            session_id: 2,
            target_net_address: Some("1".into()),
            load_balance_info: Some(b"a\r\n".to_vec()),
            password: Some(Secret::new(b"x\0".to_vec())),
            target_fqdn: Some("f".into()),
            ..ServerRedirection::default()
        }
    );
    let mut canonical = bytes[..41].to_vec();
    canonical[2] = 41;
    assert_eq!(encode_vec(&redirection).unwrap(), canonical);
    round_trip_strict::<ServerRedirection>(canonical.leak());
}

#[test]
fn every_field_survives_the_round_trip() {
    let bytes = encode_round_trip(&full());
    // Every announcing bit and the two of advice.
    assert_eq!(bytes[8..12], 0x0001_db3f_u32.to_le_bytes());
    encode_round_trip(&ServerRedirection::default());
}

#[test]
fn the_enhanced_form_has_a_pad_before_it_and_may_have_one_behind() {
    let mut bytes = encode_round_trip(&EnhancedRedirection(full()));
    assert_eq!(bytes[..2], [0, 0]);
    bytes.push(0);
    let back: EnhancedRedirection = decode_exact(&bytes).unwrap();
    assert_eq!(back.0, full());
}

#[test]
fn advice_cannot_announce_a_field_that_is_not_there() {
    let redirection = ServerRedirection {
        advice: RedirectionAdvice::from_bits_retain(u32::MAX),
        ..ServerRedirection::default()
    };
    let bytes = encode_vec(&redirection).unwrap();
    let back: ServerRedirection = decode_exact(&bytes).unwrap();
    assert_eq!(back.user_name, None);
    assert!(back.advice.contains(RedirectionAdvice::NO_REDIRECT));
}

#[test]
fn the_password_is_in_no_debug_output() {
    let text = format!("{:?}", full());
    // 104 and 117 are the first letters of the password.
    assert!(
        text.contains("user_name") && !text.contains("password") && !text.contains("104, 0, 117"),
        "{text}"
    );
}

#[test]
fn lengths_that_lie_are_refused() {
    // Length beyond the packet, below the fixed part, and a field beyond Length.
    let bytes = hex("0004 0d00 02000000 00000000");
    assert_length_lies::<ServerRedirection>(bytes, "ServerRedirection", "Length");
    let bytes = hex("0004 0b00 02000000 00000000");
    assert_length_lies::<ServerRedirection>(bytes, "ServerRedirection", "Length");
    let bytes = hex("0004 1400 02000000 04000000 08000000 61006200 63000000");
    assert_length_lies::<ServerRedirection>(bytes, "ServerRedirection", "UserNameLength");
    // UTF-16 of three bytes.
    let bytes = hex("0004 1300 02000000 04000000 03000000 610000");
    assert_length_lies::<ServerRedirection>(bytes, "ServerRedirection", "UserNameLength");
}

#[test]
fn an_address_count_that_lies_ends_with_the_input_and_not_later() {
    // TargetNetAddresses of 12 bytes: count 0xffffffff, one empty address of four bytes.
    let bytes = hex("0004 1c00 02000000 00080000 0c000000 ffffffff 04000000 31000000");
    let error = decode_error::<ServerRedirection>(bytes);
    assert_eq!(error.field(), "addressLength");
}

#[test]
fn another_identifier_is_refused() {
    let error = decode_error::<ServerRedirection>(hex("0104 0c00 02000000 00000000"));
    assert_eq!(
        (error.field(), error.kind()),
        ("Flags", DecodeErrorKind::Invalid { got: 0x0401 })
    );
}
