//! Save Session Info: the examples, the forms without one, and what must be refused.

mod common;

use common::{assert_length_lies, decode_error, encode_round_trip, hex, round_trip, vector};
use ironrdp_core::{DecodeErrorKind, decode_exact, encode_vec};
use ironrdp_pdu::client_info::{Secret, ServerAutoReconnect};
use ironrdp_pdu::session_info::{
    LogonErrorData, LogonErrors, LogonExtended, LogonInfo, LogonNotification, SaveSessionInfo,
};

fn with_type(info_type: u8, body: &[u8]) -> &'static [u8] {
    let mut bytes = vec![info_type, 0, 0, 0];
    bytes.extend(body);
    bytes.leak()
}

fn eltons() -> LogonInfo {
    LogonInfo {
        domain: "NTDEV".into(),
        user_name: "eltons".into(),
        session_id: 2,
    }
}

#[test]
fn the_short_form_names_the_user() {
    let bytes = with_type(0, vector("session_info/save_session_info_v1_body.bin"));
    let info = common::round_trip_strict::<SaveSessionInfo>(bytes);
    assert_eq!(info, SaveSessionInfo::Logon(eltons()));
}

#[test]
fn the_extended_form_brings_cookie_and_errors() {
    let bytes = with_type(3, vector("session_info/save_session_info_extended_body.bin"));
    let SaveSessionInfo::Extended(info) = round_trip::<SaveSessionInfo>(bytes) else {
        panic!("another kind");
    };
    let cookie = info.auto_reconnect.unwrap();
    assert_eq!(cookie.logon_id, 2);
    assert_eq!(
        cookie.random_bits.expose()[..],
        *hex("a802e725e24c82b752a553503498a1a8")
    );
    assert_eq!(
        info.errors,
        Some(LogonErrors {
            notification: LogonNotification::NO_PERMISSION,
            data: LogonErrorData::OTHER
        })
    );
}

#[test]
fn the_cookie_is_not_printed() {
    let bytes = with_type(3, vector("session_info/save_session_info_extended_body.bin"));
    let info: SaveSessionInfo = decode_exact(bytes).unwrap();
    let printed = format!("{info:?}");
    assert!(!printed.contains("168, 2, 231"), "{printed}");
    assert!(!printed.to_lowercase().contains("a8, 02"), "{printed}");
}

#[test]
fn the_long_form_and_the_plain_notice_survive_everything() {
    let bytes = encode_round_trip(&SaveSessionInfo::LogonLong(eltons()));
    // Version 1, Size 18, SessionId 2, and both lengths with their terminators.
    assert_eq!(
        bytes[..22],
        *hex("01000000 0100 12000000 02000000 0c000000 0e000000")
    );
    assert_eq!(bytes.len(), 4 + 18 + 558 + 12 + 14);
    let notice = encode_round_trip(&SaveSessionInfo::PlainNotify);
    assert_eq!(notice.len(), 4 + 576);
}

#[test]
fn the_long_form_takes_texts_that_the_short_one_cannot() {
    let info = LogonInfo {
        domain: "d".repeat(26),
        user_name: "u".repeat(300),
        session_id: 1,
    };
    encode_round_trip(&SaveSessionInfo::LogonLong(info.clone()));
    assert_eq!(
        encode_vec(&SaveSessionInfo::Logon(info)).unwrap_err().field(),
        "Domain"
    );
}

#[test]
fn the_size_of_the_long_form_may_count_its_padding() {
    let mut bytes = encode_vec(&SaveSessionInfo::LogonLong(eltons())).unwrap();
    bytes[6..8].copy_from_slice(&576u16.to_le_bytes());
    assert_eq!(
        decode_exact::<SaveSessionInfo>(&bytes).unwrap(),
        SaveSessionInfo::LogonLong(eltons())
    );
}

#[test]
fn missing_padding_is_no_fault() {
    assert_eq!(
        decode_exact::<SaveSessionInfo>(hex("02000000")).unwrap(),
        SaveSessionInfo::PlainNotify
    );
    assert_eq!(
        decode_exact::<SaveSessionInfo>(hex("03000000 0600 00000000")).unwrap(),
        SaveSessionInfo::Extended(LogonExtended::default())
    );
}

#[test]
fn each_part_of_the_extended_form_may_be_absent() {
    let cookie = ServerAutoReconnect {
        logon_id: 7,
        random_bits: Secret::new([9; 16]),
    };
    let errors = LogonErrors {
        notification: LogonNotification::SESSION_CONTINUE,
        data: LogonErrorData(3),
    };
    for (auto_reconnect, errors) in [(Some(cookie), None), (None, Some(errors)), (None, None)] {
        encode_round_trip(&SaveSessionInfo::Extended(LogonExtended {
            auto_reconnect,
            errors,
        }));
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let mut bytes = with_type(0, vector("session_info/save_session_info_v1_body.bin")).to_vec();
    bytes[4] = 54; // wrong: cbDomain, the field has 52
    assert_length_lies::<SaveSessionInfo>(&bytes, "SaveSessionInfo", "cbDomain");

    let mut bytes = encode_vec(&SaveSessionInfo::LogonLong(eltons())).unwrap();
    bytes[18] = 0xff; // wrong: cbUserName
    assert_length_lies::<SaveSessionInfo>(&bytes, "SaveSessionInfo", "cbUserName");

    let mut bytes = with_type(3, vector("session_info/save_session_info_extended_body.bin")).to_vec();
    bytes[5] = 0xff; // wrong: Length
    assert_length_lies::<SaveSessionInfo>(&bytes, "LogonExtended", "Length");

    let mut bytes = with_type(3, vector("session_info/save_session_info_extended_body.bin")).to_vec();
    bytes[12] = 0xff; // wrong: cbFieldData
    assert_length_lies::<SaveSessionInfo>(&bytes[..60], "LogonExtended", "cbFieldData");
}

#[test]
fn unknown_kinds_and_versions_are_unsupported() {
    for (bytes, field) in [("04000000", "infoType"), ("01000000 0200 12000000", "Version")] {
        let error = decode_error::<SaveSessionInfo>(hex(bytes));
        assert!(
            matches!(error.kind(), DecodeErrorKind::Unsupported { .. }),
            "{error}"
        );
        assert_eq!((error.pdu(), error.field()), ("SaveSessionInfo", field));
    }
}
