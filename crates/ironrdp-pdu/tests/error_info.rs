//! Error codes: every one has a name, a meaning and somebody to blame.

mod common;

use std::collections::BTreeSet;

use common::{encode_round_trip, hex, round_trip_strict};
use ironrdp_pdu::error_info::{ErrorInfo, ErrorInfoCategory};

#[test]
fn the_code_is_all_there_is_on_the_wire() {
    assert_eq!(
        round_trip_strict::<ErrorInfo>(hex("0c000000")),
        ErrorInfo::LOGOFF_BY_USER
    );
    encode_round_trip(&ErrorInfo(0xdead_beef));
}

#[test]
fn codes_have_the_names_of_the_specification() {
    for (code, name) in [
        (0x0000, "ERRINFO_NONE"),
        (0x0005, "ERRINFO_DISCONNECTED_BY_OTHERCONNECTION"),
        (0x000c, "ERRINFO_LOGOFF_BY_USER"),
        (0x001a, "ERRINFO_SERVER_REBOOT"),
        (0x010a, "ERRINFO_LICENSE_NO_REMOTE_CONNECTIONS"),
        (0x0408, "ERRINFO_CB_DESTINATION_POOL_NOT_FREE"),
        (0x10c9, "ERRINFO_UNKNOWNPDUTYPE2"),
        (0x10ea, "ERRINFO_BADCAPABILITIES"),
        (0x1126, "ERRINFO_SECURITYDATATOOSHORT23"),
        (0x1195, "ERRINFO_DECRYPTFAILED2"),
    ] {
        assert_eq!(ErrorInfo(code).name(), Some(name));
    }
    for code in [0x0008, 0x010b, 0x0401, 0x10cc, 0x1127, 0x2000] {
        assert_eq!(ErrorInfo(code).name(), None, "{code:x}");
    }
}

#[test]
fn all_codes_are_ordered_and_say_something_of_their_own() {
    let codes: Vec<ErrorInfo> = ErrorInfo::all().collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "looked up by bisection");
    assert!(codes.len() >= 110, "{}", codes.len());
    let mut names = BTreeSet::new();
    for code in codes {
        let name = code.name().unwrap();
        assert!(name.starts_with("ERRINFO_") && names.insert(name), "{name}");
        let text = code.description();
        assert!(
            text.len() > 5 && !text.ends_with('.') && text.is_ascii(),
            "{name}: {text}"
        );
        assert!(
            text.starts_with(|first: char| !first.is_uppercase() || text.starts_with("GDI")),
            "{name}: {text}"
        );
        assert_ne!(code.category(), ErrorInfoCategory::Unknown, "{name}");
    }
}

#[test]
fn categories_say_who_is_to_blame() {
    for (code, category) in [
        (0x0003, ErrorInfoCategory::ProtocolIndependent),
        (0x0017, ErrorInfoCategory::ProtocolIndependent),
        (0x0100, ErrorInfoCategory::Licensing),
        (0x0400, ErrorInfoCategory::ConnectionBroker),
        (0x0412, ErrorInfoCategory::ConnectionBroker),
        (0x10c9, ErrorInfoCategory::RdpSpecific),
        (0x1195, ErrorInfoCategory::RdpSpecific),
        (0x10cc, ErrorInfoCategory::Unknown),
        (0xffff_ffff, ErrorInfoCategory::Unknown),
    ] {
        assert_eq!(ErrorInfo(code).category(), category, "{code:x}");
    }
    assert!(ErrorInfo::NONE.is_none() && !ErrorInfo::IDLE_TIMEOUT.is_none());
}

#[test]
fn an_error_prints_name_code_and_meaning() {
    assert_eq!(
        ErrorInfo::LOGOFF_BY_USER.to_string(),
        "ERRINFO_LOGOFF_BY_USER (0x0000000c): the user logged off"
    );
    assert_eq!(
        ErrorInfo(0x99).to_string(),
        "ERRINFO (0x00000099): the server gave a reason that is not documented"
    );
}
