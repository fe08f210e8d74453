//! The Client Info packet and the auto-reconnect cookies.

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, EncodeErrorKind, decode_exact, encode_vec};
use ironrdp_pdu::client_info::{
    AddressFamily, ClientAutoReconnect, ClientInfo, CompressionType, DynamicTimeZone, ExtendedInfo,
    InfoFlags, PerformanceFlags, Secret, ServerAutoReconnect, SystemTime, TimeZone,
};

#[test]
fn the_worked_example_of_the_specification_decodes_to_its_fields() {
    let info: ClientInfo = round_trip(vector("client_info/client_info_unicode.bin"));
    assert_eq!(info.code_page, 0x0409_0409);
    assert_eq!(info.flags.bits(), 0x43b3);
    assert_eq!(info.flags.compression(), Some(CompressionType::Mppc64K));
    assert_eq!(
        (info.domain.as_str(), info.user_name.as_str()),
        ("NTDEV", "eltons")
    );
    assert_eq!(info.password.expose(), "");
    assert_eq!(
        (info.alternate_shell.as_str(), info.working_dir.as_str()),
        ("", "")
    );
    let extended = info.extended.unwrap();
    assert_eq!(extended.address_family, AddressFamily::Inet);
    assert_eq!(extended.client_address, "157.59.242.156");
    assert_eq!(
        extended.client_dir,
        r"C:\depots\w2k3_1\termsrv\newclient\lib\win32\obj\i386\mstscax.dll"
    );
    let zone = extended.time_zone.unwrap();
    assert_eq!((zone.bias, zone.standard_bias, zone.daylight_bias), (480, 0, -60));
    assert_eq!(zone.standard_name, "Pacific Standard Time");
    assert_eq!(zone.daylight_name, "Pacific Daylight Time");
    let last_sunday_of_october = SystemTime {
        month: 10,
        day: 5,
        hour: 2,
        ..SystemTime::default()
    };
    assert_eq!(zone.standard_date, last_sunday_of_october);
    assert_eq!((zone.daylight_date.month, zone.daylight_date.day), (4, 1));
    assert_eq!(extended.client_session_id, Some(0));
    assert_eq!(
        extended.performance_flags,
        Some(PerformanceFlags::DISABLE_WALLPAPER)
    );
    assert_eq!(extended.auto_reconnect, None);
    assert_eq!(extended.dynamic_time_zone, None);
}

fn full() -> ClientInfo {
    ClientInfo {
        code_page: 0,
        flags: InfoFlags::UNICODE | InfoFlags::MOUSE | InfoFlags::AUTOLOGON,
        domain: "LAB".into(),
        user_name: "käthe \u{1f642}".into(),
        password: "Pässwort".into(),
        alternate_shell: "xterm".into(),
        working_dir: "/tmp".into(),
        extended: Some(ExtendedInfo {
            address_family: AddressFamily::Inet6,
            client_address: "::1".into(),
            client_dir: "d".into(),
            time_zone: Some(TimeZone {
                bias: -60,
                standard_name: "CET".into(),
                daylight_name: "CEST".into(),
                ..TimeZone::default()
            }),
            client_session_id: Some(3),
            performance_flags: Some(PerformanceFlags::ENABLE_FONT_SMOOTHING),
            auto_reconnect: Some(ClientAutoReconnect {
                logon_id: 7,
                security_verifier: [0x5a; 16],
            }),
            dynamic_time_zone: Some(DynamicTimeZone {
                key_name: "W. Europe Standard Time".into(),
                daylight_disabled: Some(false),
            }),
        }),
    }
}

#[test]
fn every_field_survives_the_round_trip() {
    encode_round_trip(&full());
}

#[test]
fn a_new_packet_is_unicode_with_the_least_extended_info() {
    let info = ClientInfo::new("user", "secret");
    assert!(info.flags.contains(InfoFlags::UNICODE));
    // Counts and terminators of the packet, the address family and two empty texts behind it.
    assert_eq!(encode_round_trip(&info).len(), 18 + 2 * (5 + 4 + 6) + 2 + 2 * 4);
}

#[test]
fn a_client_may_stop_after_any_optional_field() {
    let mut info = full();
    let mut sizes = vec![encode_round_trip(&info).len()];
    let steps: [fn(&mut ExtendedInfo); 6] = [
        |e| {
            if let Some(zone) = &mut e.dynamic_time_zone {
                zone.daylight_disabled = None;
            }
        },
        |e| e.dynamic_time_zone = None,
        |e| e.auto_reconnect = None,
        |e| e.performance_flags = None,
        |e| e.client_session_id = None,
        |e| e.time_zone = None,
    ];
    for step in steps {
        step(info.extended.as_mut().unwrap());
        sizes.push(encode_round_trip(&info).len());
    }
    info.extended = None;
    sizes.push(encode_round_trip(&info).len());
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn a_later_field_brings_zeros_for_the_absent_ones_before_it() {
    let mut info = full();
    let extended = info.extended.as_mut().unwrap();
    extended.time_zone = None;
    extended.auto_reconnect = None;
    let bytes = encode_vec(&info).unwrap();
    let back: ClientInfo = decode_exact(&bytes).unwrap();
    let back = back.extended.unwrap();
    assert_eq!(back.time_zone, Some(TimeZone::default()));
    assert_eq!(back.auto_reconnect, None);
    assert_eq!(back.dynamic_time_zone, info.extended.unwrap().dynamic_time_zone);
}

#[test]
fn the_old_ansi_form_is_read_and_written_byte_for_byte() {
    // No INFO_UNICODE; user name "k\xe4", one byte terminators, no extended info.
    let bytes = hex("e4040000 01000000 0000 0200 0100 0000 0000  00 6be400 7800 00 00");
    let info: ClientInfo = round_trip(bytes);
    assert_eq!(info.user_name, "kä");
    assert_eq!(info.password.expose(), "x");
    assert_eq!(info.extended, None);
    let impossible = ClientInfo {
        user_name: "漢".into(),
        ..info
    };
    let error = encode_vec(&impossible).unwrap_err();
    assert_eq!(
        (error.field(), error.kind()),
        ("cbUserName", EncodeErrorKind::Invalid)
    );
}

#[test]
fn counts_that_lie_are_refused() {
    // cbUserName says 0x1000.
    let bytes = hex("00000000 10000000 0000 0010 0000 0000 0000  0000 6100 0000 0000 0000 0000");
    assert_length_lies::<ClientInfo>(bytes, "ClientInfo", "cbUserName");
    // cbDomain is odd, which no UTF-16 text can be.
    let bytes = hex("00000000 10000000 0300 0000 0000 0000 0000  610000 0000 0000 0000 0000 0000");
    let error = decode_error::<ClientInfo>(bytes);
    assert_eq!(error.kind(), DecodeErrorKind::Invalid { got: 3 });
    let bytes = hex("0200 0800 3100");
    assert_length_lies::<ExtendedInfo>(bytes, "ExtendedInfo", "cbClientAddress");
    // A cookie of 27 bytes: cbAutoReconnectCookie is inside the packet, the cookie is not.
    let mut info = full();
    let extended = info.extended.as_mut().unwrap();
    extended.dynamic_time_zone = None;
    let mut bytes = encode_vec(&info).unwrap();
    bytes.pop();
    assert_length_lies::<ClientInfo>(&bytes, "ExtendedInfo", "cbAutoReconnectCookie");
}

#[test]
fn a_password_is_in_no_debug_output() {
    let info = full();
    let text = format!("{info:?}");
    assert!(text.contains("user_name") && !text.contains("sswort"), "{text}");
    // The verifier neither: 0x5a is 90.
    assert!(!text.contains("90, 90"), "{text}");
}

#[test]
fn auto_reconnect_packets_survive_the_round_trip() {
    let bytes = hex("1c000000 01000000 02000000 a802e725e24c82b752a553503498a1a8");
    let server: ServerAutoReconnect = round_trip_strict(bytes);
    assert_eq!(server.logon_id, 2);
    assert_eq!(server.random_bits.expose()[..2], [0xa8, 0x02]);
    assert_eq!(format!("{server:?}"), "ServerAutoReconnect { logon_id: 2, .. }");
    let client: ClientAutoReconnect = round_trip_strict(bytes);
    assert_eq!(client.security_verifier, *server.random_bits.expose());
}

#[test]
fn an_auto_reconnect_packet_of_another_length_or_version_is_refused() {
    let error = decode_error::<ServerAutoReconnect>(hex(
        "1d000000 01000000 02000000 00000000000000000000000000000000",
    ));
    assert_eq!(
        (error.field(), error.kind()),
        ("cbLen", DecodeErrorKind::Invalid { got: 29 })
    );
    let error = decode_error::<ServerAutoReconnect>(hex(
        "1c000000 02000000 02000000 00000000000000000000000000000000",
    ));
    assert_eq!(error.kind(), DecodeErrorKind::Unsupported { got: 2 });
}

#[test]
fn secrets_compare_by_value() {
    assert!(Secret::from("a") == Secret::new(String::from("a")));
    assert!(Secret::from("a") != Secret::from("b"));
}
