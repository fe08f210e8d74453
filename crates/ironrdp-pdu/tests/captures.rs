//! Connections that others captured, from the first byte on.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use std::collections::BTreeMap;

use common::{round_trip_strict, vector};
use ironrdp_core::{Decode, DecodeResult, decode, decode_exact, encode_vec};
use ironrdp_pdu::gcc::{
    ClientGccBlocks, ClientMonitorExtendedData, EncryptionLevel, EncryptionMethods, HighColorDepth,
    ServerGccBlocks, ServerNetworkData, ServerSecurityData,
};
use ironrdp_pdu::mcs::{ConnectInitial, ConnectResponse, McsPdu};
use ironrdp_pdu::x224::{
    ConnectionConfirm, ConnectionRequest, NegotiationOutcome, NegotiationToken, SecurityProtocol, X224Data,
    X224Pdu,
};
use ironrdp_pdu::{Action, find_size};

type Frames<'a> = Vec<(Action, &'a [u8])>;

/// Splits a byte stream into frames by [`find_size`]; the rest is what did not make a whole one.
fn frames(mut stream: &[u8]) -> DecodeResult<(Frames<'_>, &[u8])> {
    let mut frames = Vec::new();
    while let Some(info) = find_size(stream)? {
        let Some((frame, rest)) = stream.split_at_checked(info.length) else {
            break;
        };
        frames.push((info.action, frame));
        stream = rest;
    }
    Ok((frames, stream))
}

/// The bytes that each end of a TCP connection sent, by port: server (3389) and client.
struct Conversation {
    client: Vec<u8>,
    server: Vec<u8>,
}

/// Reads a classic pcap file (libpcap's format 2.4, little-endian, Ethernet) of one TCP connection over IPv4.
fn read_pcap(path: &str) -> Conversation {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const RDP_PORT: u16 = 3389;
    let file = vector(path);
    let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(file, 0), MAGIC);
    assert_eq!(u32_at(file, 20), 1, "Ethernet");
    let mut records = &file[24..];
    // By sender: the next sequence number expected, and what came before it.
    let mut streams: BTreeMap<u16, (u32, Vec<u8>)> = BTreeMap::new();
    while !records.is_empty() {
        let captured = u32_at(records, 8) as usize;
        let (record, rest) = records.split_at(16 + captured);
        records = rest;
        let ip = &record[16 + 14..];
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = &ip[usize::from(ip[0] & 0x0f) * 4..total];
        let port = u16::from_be_bytes([tcp[0], tcp[1]]);
        let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if payload.is_empty() {
            continue;
        }
        let (expected, stream) = streams.entry(port).or_insert_with(|| (sequence, Vec::new()));
        // Packets that were captured twice, or sent again.
        let seen = expected.wrapping_sub(sequence) as usize;
        if let Some(new) = payload.get(seen..) {
            stream.extend_from_slice(new);
            *expected = expected.wrapping_add(u32::try_from(new.len()).unwrap());
        }
    }
    let server = streams.remove(&RDP_PORT).map(|(_, bytes)| bytes);
    let client = streams.into_values().next().map(|(_, bytes)| bytes);
    Conversation {
        client: client.unwrap_or_default(),
        server: server.unwrap_or_default(),
    }
}

/// Short names of the PDUs in `stream`, in order. Every one must encode to the bytes it came from.
fn walk(stream: &'static [u8]) -> Vec<String> {
    let (frames, rest) = frames(stream).unwrap();
    assert_eq!(rest, [0; 0]);
    frames.iter().map(|(_, frame)| name(frame)).collect()
}

fn name(frame: &'static [u8]) -> String {
    let X224Pdu::Data(payload) = round_trip_strict(frame) else {
        return match decode_exact(frame).unwrap() {
            X224Pdu::ConnectionRequest(_) => "connection request".into(),
            X224Pdu::ConnectionConfirm(_) => "connection confirm".into(),
            other => format!("{other:?}"),
        };
    };
    match payload {
        [0x7f, 0x65, ..] => {
            round_trip_strict::<ConnectInitial>(payload);
            return "connect initial".into();
        }
        [0x7f, 0x66, ..] => {
            round_trip_strict::<ConnectResponse>(payload);
            return "connect response".into();
        }
        _ => {}
    }
    match round_trip_strict::<McsPdu<'_>>(payload) {
        McsPdu::ErectDomainRequest(_) => "erect domain".into(),
        McsPdu::AttachUserRequest(_) => "attach user".into(),
        McsPdu::AttachUserConfirm(confirm) => format!("user {}", confirm.initiator.unwrap()),
        McsPdu::ChannelJoinRequest(request) => format!("join {}", request.channel_id),
        McsPdu::ChannelJoinConfirm(confirm) => format!("joined {}", confirm.channel_id.unwrap()),
        McsPdu::SendDataRequest(data) => format!("data to {}: {}", data.channel_id, data.user_data.len()),
        McsPdu::SendDataIndication(data) => {
            format!("data from {}: {}", data.channel_id, data.user_data.len())
        }
        McsPdu::DisconnectProviderUltimatum(end) => end.reason.meaning().into(),
    }
}

#[test]
fn the_client_side_of_a_windows_xp_handshake() {
    assert_eq!(
        walk(vector("captures/xp_handshake_c2s.bin")),
        [
            "connection request",
            "connect initial",
            "erect domain",
            "attach user",
            "join 1007",
            "join 1003",
            "join 1004",
            "join 1005",
            "join 1006",
            "data to 1003: 80",
            "data to 1003: 342",
        ]
    );
}

#[test]
fn the_server_side_of_a_windows_xp_handshake() {
    assert_eq!(
        walk(vector("captures/xp_handshake_s2c.bin")),
        [
            "connection confirm",
            "connect response",
            "user 1007",
            "joined 1007",
            "joined 1003",
            "joined 1004",
            "joined 1005",
            "joined 1006",
        ]
    );
}

#[test]
fn the_settings_of_a_windows_xp_handshake() {
    let initial: ConnectInitial =
        decode_exact(&vector("captures/xp_07_c2s_mcs_connect_initial.bin")[7..]).unwrap();
    let client = initial.conference.blocks;
    assert_eq!(client.core.client_name, "ISD2-KM84178");
    assert_eq!(
        (client.core.desktop_width, client.core.desktop_height),
        (1152, 864)
    );
    assert_eq!(client.core.client_build, 2600);
    assert_eq!(client.core.high_color_depth, Some(HighColorDepth::Bpp15));
    assert_eq!(client.core.server_selected_protocol, None);
    assert_eq!(
        client.core.client_dig_product_id.as_deref(),
        Some("55274-OEM-0011903-00107")
    );
    assert_eq!(client.security.encryption_methods.bits(), 0xb);
    let channels = client.network.unwrap().channels;
    let names: Vec<_> = channels.iter().map(|channel| channel.name.to_string()).collect();
    assert_eq!(names, ["rdpdr", "cliprdr", "rdpsnd"]);

    let response: ConnectResponse =
        decode_exact(&vector("captures/xp_08_s2c_mcs_connect_response.bin")[7..]).unwrap();
    let server = response.into_accepted().unwrap();
    assert_eq!(server.security.encryption_method, EncryptionMethods::RC4_56_BIT);
    assert_eq!(
        server.security.encryption_level,
        EncryptionLevel::ClientCompatible
    );
    assert_eq!(server.network.io_channel_id, 1003);
    assert_eq!(server.network.channel_ids, [1004, 1005, 1006]);
    assert_eq!(server.core.client_requested_protocols, None);
}

#[test]
fn every_frame_of_a_whole_session_is_found_and_opened() {
    let session = read_pcap("captures/legacy_xp_56bit.pcap");
    for (stream, handshake) in [
        (&session.client, vector("captures/xp_handshake_c2s.bin")),
        (&session.server, vector("captures/xp_handshake_s2c.bin")),
    ] {
        assert!(stream.starts_with(handshake));
        let (frames, rest) = frames(stream).unwrap();
        assert_eq!(rest, [0; 0], "the capture ends between two frames");
        assert!(frames.len() > 50, "{}", frames.len());
        for (action, frame) in &frames[2..] {
            if *action == Action::X224 {
                let data: X224Data<&[u8]> = decode_exact(frame).unwrap();
                let pdu: McsPdu<'_> = decode_exact(data.0).unwrap();
                // This server sends its virtual channel data with low priority, 0xf0; we always write high.
                let mut expected = frame.to_vec();
                if let McsPdu::SendDataIndication(_) = pdu {
                    let priority = &mut expected[12];
                    assert!(matches!(*priority, 0x70 | 0xf0), "{priority:#x}");
                    *priority = 0x70;
                }
                assert_eq!(encode_vec(&X224Data(pdu)).unwrap(), expected);
            }
        }
        assert!(frames.iter().any(|(action, _)| *action == Action::FastPath));
    }
}

#[test]
fn the_start_of_a_connection_with_network_level_authentication() {
    let start = read_pcap("captures/rdp-no-cookie-mstshash.pcap");
    let (request, tls) = start.client.split_at(19);
    let request: ConnectionRequest = decode_exact(request).unwrap();
    assert_eq!(request.token, None);
    assert_eq!(request.offered_protocols().bits(), 0x0b);
    let (confirm, server_tls) = start.server.split_at(19);
    let confirm: ConnectionConfirm = decode_exact(confirm).unwrap();
    assert!(matches!(
        confirm.outcome,
        NegotiationOutcome::Selected {
            protocol: SecurityProtocol::HYBRID_EX,
            ..
        }
    ));
    // What follows is TLS, which must not be taken for RDP.
    assert!(find_size(tls).is_err());
    assert!(find_size(server_tls).is_err());
}

#[test]
fn a_standard_security_start_with_a_certificate_chain() {
    let start = read_pcap("captures/rdp-x509.pcap");
    let (client, rest) = frames(&start.client).unwrap();
    assert_eq!(rest, [0; 0]);
    let request: ConnectionRequest = decode_exact(client[0].1).unwrap();
    assert_eq!(
        request.token,
        Some(NegotiationToken::Cookie(b"JOHN-PC  ".to_vec()))
    );
    let X224Data(payload): X224Data<&[u8]> = decode_exact(client[1].1).unwrap();
    let initial: ConnectInitial = decode_exact(payload).unwrap();
    assert_eq!(encode_vec(&initial).unwrap(), payload);
    let core = initial.conference.blocks.core;
    assert_eq!(
        (core.client_name.as_str(), core.client_build),
        ("JOHN-PC-LAPTOP", 9600)
    );
    assert_eq!(core.keyboard_layout, 1033);

    let (server, rest) = frames(&start.server).unwrap();
    assert_eq!(rest, [0; 0]);
    let X224Data(payload): X224Data<&[u8]> = decode_exact(server[1].1).unwrap();
    let response: ConnectResponse = decode_exact(payload).unwrap();
    let server = response.into_accepted().unwrap();
    assert_eq!(server.security.encryption_method, EncryptionMethods::RC4_128_BIT);
    assert_eq!(
        server.security.encryption_level,
        EncryptionLevel::ClientCompatible
    );
    let certificate = server.security.keys.unwrap().certificate;
    assert_eq!(certificate.len(), 1252);
    assert_eq!(certificate[..4], 0x8000_0002u32.to_le_bytes());
}

#[test]
fn an_uncommon_keyboard_layout_is_accepted() {
    let start = read_pcap("captures/rdp-unknown-keyboard.pcap");
    let (client, rest) = frames(&start.client).unwrap();
    assert_eq!(rest, [0; 0]);
    let X224Data(payload): X224Data<&[u8]> = decode_exact(client[1].1).unwrap();
    let initial: ConnectInitial = decode_exact(payload).unwrap();
    assert_eq!(initial.conference.blocks.core.keyboard_layout, 0x0004_041e);
    let confirm: ConnectionConfirm = decode_exact(&start.server).unwrap();
    assert!(matches!(
        confirm.outcome,
        NegotiationOutcome::Selected { protocol, .. } if protocol.is_empty()
    ));
}

#[test]
fn a_capture_with_lengths_that_do_not_fit_gives_errors() {
    let broken = read_pcap("captures/rdp-invalid-length.pcap");
    // The client does not speak RDP at all.
    let error = find_size(&broken.client).unwrap_err();
    assert_eq!((error.field(), error.offset()), ("action", 0));
    // The server's confirm is framed well, and its negotiation structure says that it is 0 bytes long.
    let info = find_size(&broken.server).unwrap().unwrap();
    assert_eq!((info.action, info.length), (Action::X224, 19));
    let error = decode_exact::<ConnectionConfirm>(&broken.server[..19]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed ConnectionConfirm at byte 15: length says 0, but there are 8"
    );
}

/// Decodes `bytes` as a `T`, from every offset and for every length.
fn opens_or_not<T: Decode<'static>>(bytes: &'static [u8]) {
    for start in 0..bytes.len() {
        for end in start..=bytes.len() {
            if let Err(error) = decode::<T>(&bytes[start..end]) {
                assert!(!error.pdu().is_empty() && !error.field().is_empty(), "{error}");
            }
        }
    }
}

#[test]
fn inputs_that_broke_other_decoders_break_none_of_the_connection() {
    for name in [
        "3cf2ef026fc908",
        "4485719597c99b",
        "65a50aad850d86",
        "801238c3074172",
        "ce45f9ebf4ab1a",
        "f8dc2df3f2aba6",
    ] {
        let bytes = vector(&format!("malformed/pdu_decode-crash-{name}.bin"));
        opens_or_not::<X224Pdu<'_>>(bytes);
        opens_or_not::<McsPdu<'_>>(bytes);
        opens_or_not::<ConnectInitial>(bytes);
        opens_or_not::<ConnectResponse>(bytes);
        opens_or_not::<ClientGccBlocks>(bytes);
        opens_or_not::<ServerGccBlocks>(bytes);
        opens_or_not::<ServerNetworkData>(bytes);
        opens_or_not::<ServerSecurityData>(bytes);
        opens_or_not::<ClientMonitorExtendedData>(bytes);
    }
}
