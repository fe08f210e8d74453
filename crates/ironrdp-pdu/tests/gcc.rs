//! GCC: every settings block of client and server.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::{
    assert_length_lies, decode_error, encode_round_trip, hex, round_trip, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, decode, decode_exact, encode_vec};
use ironrdp_pdu::gcc::{
    ChannelDefinition, ChannelName, ChannelOptions, ClientClusterData, ClientCoreData,
    ClientEarlyCapabilityFlags, ClientGccBlocks, ClientMessageChannelData, ClientMonitorData,
    ClientMonitorExtendedData, ClientMultitransportChannelData, ClientNetworkData, ClientSecurityData,
    ClusterFlags, ColorDepth, ConferenceCreateRequest, ConnectionType, DesktopOrientation, EncryptionLevel,
    EncryptionMethods, ExtendedMonitor, HighColorDepth, KeyboardType, MAX_CHANNELS, MAX_MONITORS,
    MultitransportFlags, RawBlock, RdpVersion, ServerCoreData, ServerEarlyCapabilityFlags, ServerGccBlocks,
    ServerKeys, ServerMessageChannelData, ServerMultitransportChannelData, ServerNetworkData,
    ServerSecurityData, SupportedColorDepths,
};
use ironrdp_pdu::x224::SecurityProtocol;
use ironrdp_pdu::{DesktopSize, MonitorDef, MonitorFlags};

fn size() -> DesktopSize {
    DesktopSize::new(1280, 1024).unwrap()
}

#[test]
fn client_core_data_with_mandatory_fields_only() {
    let core: ClientCoreData = round_trip_strict(vector("gcc/gcc_client_core_mandatory.bin"));
    assert_eq!(core.version, RdpVersion::V5_PLUS);
    assert_eq!(core.desktop_size(), Some(size()));
    assert_eq!(core.color_depth, ColorDepth::Bpp4);
    assert_eq!((core.sas_sequence, core.keyboard_layout), (0xaa03, 1033));
    assert_eq!(
        (core.client_build, core.client_name.as_str()),
        (3790, "ELTONS-DEV2")
    );
    assert_eq!(core.keyboard_type, KeyboardType::IbmEnhanced);
    assert_eq!((core.keyboard_sub_type, core.keyboard_function_key), (0, 12));
    assert_eq!(core.ime_file_name, "");
    assert_eq!(core.post_beta2_color_depth, None);
    assert_eq!(core.wanted_bits_per_pixel(), 4);
}

#[test]
fn client_core_data_up_to_the_selected_protocol() {
    let core: ClientCoreData = round_trip(vector("gcc/gcc_client_core_to_selected_protocol.bin"));
    assert_eq!(core.post_beta2_color_depth, Some(ColorDepth::Bpp8));
    assert_eq!((core.client_product_id, core.serial_number), (Some(1), Some(0)));
    assert_eq!(core.high_color_depth, Some(HighColorDepth::Bpp24));
    assert_eq!(
        core.supported_color_depths,
        Some(SupportedColorDepths::BPP_24 | SupportedColorDepths::BPP_16 | SupportedColorDepths::BPP_15)
    );
    assert_eq!(
        core.early_capability_flags,
        Some(ClientEarlyCapabilityFlags::SUPPORT_ERRINFO_PDU)
    );
    assert_eq!(
        core.client_dig_product_id.as_deref(),
        Some("69712-783-0357974-42714")
    );
    assert_eq!(core.connection_type, Some(ConnectionType::Unspecified));
    assert_eq!(core.server_selected_protocol, Some(SecurityProtocol::empty()));
    assert_eq!(core.desktop_physical_width, None);
    assert_eq!(core.wanted_bits_per_pixel(), 24);
}

#[test]
fn client_core_data_with_every_field() {
    let bytes = vector("gcc/gcc_client_core_all_optional.bin");
    let core: ClientCoreData = round_trip(bytes);
    assert_eq!(core.desktop_physical_width, Some(5000));
    assert_eq!(core.desktop_physical_height, Some(3000));
    assert_eq!(core.desktop_orientation, Some(DesktopOrientation::Portrait));
    assert_eq!(core.desktop_scale_factor, Some(200));
    assert_eq!(core.device_scale_factor, Some(140));
}

#[test]
fn client_core_data_may_end_after_any_field_but_not_inside_one() {
    let bytes = vector("gcc/gcc_client_core_all_optional.bin");
    // Where each optional field begins; 207 is between connectionType and its pad.
    let ends = [
        128, 130, 132, 136, 138, 140, 142, 206, 207, 208, 212, 216, 220, 222, 226, 230,
    ];
    for cut in 0..=bytes.len() {
        let core = decode_exact::<ClientCoreData>(&bytes[..cut]);
        assert_eq!(core.is_ok(), ends.contains(&cut), "cut at {cut}: {core:?}");
        if let Ok(core) = core {
            let whole = if cut == 207 { 208 } else { cut };
            assert_eq!(encode_vec(&core).unwrap(), &bytes[..whole]);
        }
    }
}

#[test]
fn a_gap_in_the_optional_fields_cannot_be_encoded() {
    let mut core = ClientCoreData::new(size());
    core.serial_number = None;
    assert_eq!(encode_vec(&core).unwrap_err().field(), "optional fields");
}

#[test]
fn the_default_client_asks_for_32_bits_and_can_be_named() {
    let mut core = ClientCoreData::new(size());
    assert_eq!(core.wanted_bits_per_pixel(), 32);
    core.set_client_name("a-very-long-host-name.example");
    assert_eq!(core.client_name, "a-very-long-hos");
    // A surrogate pair is not cut in half.
    core.set_client_name("fourteen-units😀");
    assert_eq!(core.client_name, "fourteen-units");
    core.set_client_name("nul\0l");
    assert_eq!(core.client_name, "nul");
    encode_round_trip(&core);
    core.client_name = "sixteen-units-ab".into();
    assert_eq!(encode_vec(&core).unwrap_err().field(), "clientName");
    core.high_color_depth = Some(HighColorDepth::Bpp16);
    assert_eq!(core.wanted_bits_per_pixel(), 16);
}

#[test]
fn values_outside_the_specification_are_kept() {
    for code in [0u16, 4, 8, 24, 90, 0xca00, 0xca04, 0xffff] {
        assert_eq!(ColorDepth::from_code(code).code(), code);
        assert_eq!(HighColorDepth::from_code(code).code(), code);
        assert_eq!(DesktopOrientation::from_code(code).code(), code);
        assert_eq!(KeyboardType::from_code(u32::from(code)).code(), u32::from(code));
    }
    for code in 0..=u8::MAX {
        assert_eq!(ConnectionType::from_code(code).code(), code);
    }
}

#[test]
fn versions_print_as_people_know_them() {
    for (version, text) in [
        (RdpVersion::V4, "RDP 4.0"),
        (RdpVersion::V5_PLUS, "RDP 5.0 to 8.1"),
        (RdpVersion::V10, "RDP 10.0"),
        (RdpVersion::V10_7, "RDP 10.7"),
        (RdpVersion::V10_12, "RDP 10.12"),
        (RdpVersion(0x0008_0012), "RDP version 0x00080012"),
    ] {
        assert_eq!(version.to_string(), text);
    }
}

#[test]
fn client_network_data_names_its_channels() {
    let network: ClientNetworkData = round_trip_strict(vector("gcc/gcc_client_network.bin"));
    let channels: Vec<_> = network
        .channels
        .iter()
        .map(|channel| (channel.name.as_str().unwrap(), channel.options.bits()))
        .collect();
    assert_eq!(
        channels,
        [
            ("rdpdr", 0x8080_0000),
            ("cliprdr", 0xc0a0_0000),
            ("rdpsnd", 0xc000_0000)
        ]
    );
    assert_eq!(ClientNetworkData::default(), round_trip_strict(hex("00000000")));
}

#[test]
fn a_channel_count_that_lies_or_is_above_the_limit_is_refused() {
    assert_length_lies::<ClientNetworkData>(
        hex("02000000 7264706472000000 00008080"),
        "ClientNetworkData",
        "channelCount",
    );
    for count in [32u32, u32::MAX] {
        let kind = decode_error::<ClientNetworkData>(&count.to_le_bytes()).kind();
        assert!(matches!(
            kind,
            DecodeErrorKind::Limit {
                max: MAX_CHANNELS,
                ..
            }
        ));
    }
    let channel = ChannelDefinition {
        name: ChannelName::new("drdynvc").unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    let channels = |count| ClientNetworkData {
        channels: vec![channel; count],
    };
    encode_round_trip(&channels(MAX_CHANNELS));
    assert_eq!(
        encode_vec(&channels(MAX_CHANNELS + 1)).unwrap_err().field(),
        "channelCount"
    );
}

#[test]
fn channel_names_hold_seven_printable_characters() {
    assert_eq!(ChannelName::new("cliprdr").unwrap().to_string(), "cliprdr");
    for text in ["", "eightchr", "a b", "naïve", "a\0"] {
        assert_eq!(ChannelName::new(text), None, "{text:?}");
    }
    // All eight bytes used, and bytes that are no text.
    assert_eq!(ChannelName::from_wire(*b"eightchr").as_str(), Some("eightchr"));
    let odd = ChannelName::from_wire(*b"\xff\n\0junk!");
    assert_eq!((odd.as_str(), format!("{odd:?}")), (None, r#""\xff\n""#.into()));
}

#[test]
fn cluster_data_holds_flags_and_a_version() {
    // As Windows XP sends it: redirection of version 3 (counted from 0: 2).
    let cluster: ClientClusterData = round_trip_strict(hex("09000000 00000000"));
    assert!(cluster.flags.contains(ClusterFlags::REDIRECTION_SUPPORTED));
    assert!(!cluster.flags.contains(ClusterFlags::REDIRECTED_SESSION_ID_VALID));
    assert_eq!(cluster.flags.redirection_version(), 2);
    let ours = ClientClusterData::default();
    assert_eq!(encode_round_trip(&ours), hex("0d000000 00000000"));
    let flags = ours.flags.with_redirection_version(5);
    assert_eq!((flags.redirection_version(), flags.bits()), (5, 0x15));
    assert_eq!(flags.with_redirection_version(u32::MAX).bits(), 0x3d);
}

#[test]
fn monitors_come_back_and_their_count_is_bounded() {
    let monitor = MonitorDef {
        left: -1920,
        top: 0,
        right: -1,
        bottom: 1079,
        flags: MonitorFlags::PRIMARY,
    };
    let bytes = encode_round_trip(&ClientMonitorData {
        flags: 0,
        monitors: vec![monitor; 2],
    });
    assert_eq!(bytes[..12], *hex("00000000 02000000 80f8ffff"));
    let one = ExtendedMonitor {
        physical_width: 600,
        physical_height: 340,
        orientation: 90,
        desktop_scale_factor: 150,
        device_scale_factor: 140,
    };
    let extended = encode_round_trip(&ClientMonitorExtendedData {
        flags: 0,
        monitors: vec![one; MAX_MONITORS],
    });
    assert_length_lies::<ClientMonitorData>(
        hex("00000000 01000000 00000000"),
        "ClientMonitorData",
        "monitorCount",
    );
    let kind = decode_error::<ClientMonitorData>(hex("00000000 11000000")).kind();
    assert_eq!(kind, DecodeErrorKind::Limit { got: 17, max: 16 });
    let mut wrong_stride = extended;
    wrong_stride[4] = 24;
    assert_eq!(
        decode_error::<ClientMonitorExtendedData>(&wrong_stride).field(),
        "monitorAttributeSize"
    );
}

#[test]
fn small_blocks_come_back() {
    round_trip_strict::<ClientMessageChannelData>(hex("00000000"));
    round_trip_strict::<ServerMessageChannelData>(hex("ef03"));
    let client: ClientMultitransportChannelData = round_trip_strict(hex("05030000"));
    assert_eq!(
        client.flags,
        MultitransportFlags::UDP_FEC_RELIABLE
            | MultitransportFlags::UDP_FEC_LOSSY
            | MultitransportFlags::UDP_PREFERRED
            | MultitransportFlags::SOFT_SYNC_TCP_TO_UDP
    );
    round_trip_strict::<ServerMultitransportChannelData>(hex("05030000"));
    let french: ClientSecurityData = round_trip_strict(hex("00000000 1b000000"));
    assert_eq!(french.offered().bits(), 0x1b);
}

#[test]
fn server_core_data_ends_after_any_field() {
    let core: ServerCoreData = round_trip(hex("04000800"));
    assert_eq!(core.client_requested_protocols, None);
    let core: ServerCoreData = round_trip(hex("0c000800 0b000000"));
    assert_eq!(core.version, RdpVersion::V10_7);
    let core: ServerCoreData = round_trip(hex("0c000800 0b000000 08000000"));
    assert_eq!(
        core.early_capability_flags,
        Some(ServerEarlyCapabilityFlags::SKIP_CHANNELJOIN_SUPPORTED)
    );
    assert!(decode::<ServerCoreData>(hex("0c000800 0b0000")).is_err());
    let flags_only = ServerCoreData {
        client_requested_protocols: None,
        ..core
    };
    assert_eq!(
        encode_vec(&flags_only).unwrap(),
        hex("0c000800 00000000 08000000")
    );
}

#[test]
fn server_network_data_pads_an_odd_count() {
    let network: ServerNetworkData = round_trip(vector("gcc/gcc_server_network.bin"));
    assert_eq!(
        network,
        ServerNetworkData {
            io_channel_id: 1003,
            channel_ids: vec![1004, 1005, 1006]
        }
    );
    round_trip_strict::<ServerNetworkData>(hex("eb03 0200 ec03 ed03"));
    let unpadded: ServerNetworkData = decode_exact(hex("eb03 0100 ec03")).unwrap();
    assert_eq!(unpadded.channel_ids, [1004]);
    assert_length_lies::<ServerNetworkData>(hex("eb03 ffff ec03"), "ServerNetworkData", "channelCount");
}

#[test]
fn server_security_data_holds_random_and_certificate() {
    let security: ServerSecurityData = round_trip(vector("gcc/gcc_server_security.bin"));
    assert_eq!(security.encryption_method, EncryptionMethods::RC4_128_BIT);
    assert_eq!(security.encryption_level, EncryptionLevel::ClientCompatible);
    let keys = security.keys.unwrap();
    assert_eq!((keys.random.len(), keys.certificate.len()), (32, 184));
    // Under TLS: without, as Windows; or with empty ones.
    let none: ServerSecurityData = round_trip(hex("00000000 00000000"));
    assert_eq!(none, ServerSecurityData::default());
    let empty: ServerSecurityData = round_trip(hex("00000000 00000000 00000000 00000000"));
    assert_eq!(empty.keys, Some(ServerKeys::default()));
}

#[test]
fn server_security_data_with_lengths_that_lie_is_refused() {
    let good = vector("gcc/gcc_server_security.bin");
    for (at, field) in [(8, "serverRandomLen"), (12, "serverCertLen")] {
        for lie in [0xffu8, 0x7f] {
            let mut bytes = good.to_vec();
            bytes[at + 3] = lie;
            assert_length_lies::<ServerSecurityData>(&bytes, "ServerSecurityData", field);
        }
    }
    assert_eq!(
        decode_error::<ServerSecurityData>(hex("00000000 05000000")).field(),
        "encryptionLevel"
    );
    for code in 0..5 {
        assert_eq!(EncryptionLevel::from_code(code).unwrap().code(), code);
    }
}

fn all_client_blocks() -> ClientGccBlocks {
    ClientGccBlocks {
        cluster: Some(ClientClusterData::default()),
        security: ClientSecurityData {
            encryption_methods: EncryptionMethods::RC4_128_BIT | EncryptionMethods::FIPS,
            ext_encryption_methods: EncryptionMethods::empty(),
        },
        network: Some(ClientNetworkData::default()),
        monitor: Some(ClientMonitorData::default()),
        monitor_extended: Some(ClientMonitorExtendedData::default()),
        message_channel: Some(ClientMessageChannelData::default()),
        multitransport_channel: Some(ClientMultitransportChannelData::default()),
        unknown: vec![RawBlock {
            kind: 0xc0ff,
            body: vec![1, 2, 3],
        }],
        ..ClientGccBlocks::new(ClientCoreData::new(size()))
    }
}

fn all_server_blocks() -> ServerGccBlocks {
    let network = ServerNetworkData {
        io_channel_id: 1003,
        channel_ids: vec![],
    };
    ServerGccBlocks {
        message_channel: Some(ServerMessageChannelData { channel_id: 1007 }),
        multitransport_channel: Some(ServerMultitransportChannelData::default()),
        unknown: vec![RawBlock {
            kind: 0x0cff,
            body: vec![],
        }],
        ..ServerGccBlocks::new(ServerCoreData::new(SecurityProtocol::SSL), network)
    }
}

#[test]
fn all_blocks_together_come_back() {
    let client = encode_round_trip(&all_client_blocks());
    let server = encode_round_trip(&all_server_blocks());
    assert_eq!(
        kinds(&client),
        [
            0xc001, 0xc004, 0xc002, 0xc003, 0xc005, 0xc008, 0xc006, 0xc00a, 0xc0ff
        ]
    );
    assert_eq!(kinds(&server), [0x0c01, 0x0c03, 0x0c02, 0x0c04, 0x0c08, 0x0cff]);
}

fn kinds(blocks: &[u8]) -> Vec<u16> {
    split(blocks)
        .iter()
        .map(|block| u16::from_le_bytes([block[0], block[1]]))
        .collect()
}

fn split(mut blocks: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while !blocks.is_empty() {
        let length = usize::from(u16::from_le_bytes([blocks[2], blocks[3]]));
        let (block, rest) = blocks.split_at(length);
        all.push(block);
        blocks = rest;
    }
    all
}

#[test]
fn blocks_in_any_order_mean_the_same() {
    let blocks = all_client_blocks();
    let bytes = encode_vec(&blocks).unwrap();
    let mut reversed = split(&bytes);
    reversed.reverse();
    assert_eq!(decode_exact::<ClientGccBlocks>(&reversed.concat()), Ok(blocks));
}

#[test]
fn the_first_block_of_a_type_counts_and_later_ones_are_kept() {
    let blocks = all_server_blocks();
    let mut bytes = encode_vec(&blocks).unwrap();
    bytes.extend_from_slice(hex("040c 0600 0102"));
    let doubled: ServerGccBlocks = decode_exact(&bytes).unwrap();
    assert_eq!(doubled.message_channel, blocks.message_channel);
    assert_eq!(
        doubled.unknown.last(),
        Some(&RawBlock {
            kind: 0x0c04,
            body: vec![1, 2]
        })
    );
    assert_eq!(encode_vec(&doubled).unwrap(), bytes);
}

#[test]
fn more_unknown_blocks_than_any_peer_sends_are_refused() {
    let mut blocks = all_server_blocks();
    blocks.unknown = vec![blocks.unknown[0].clone(); 65];
    let error = decode_error::<ServerGccBlocks>(encode_vec(&blocks).unwrap().leak());
    assert_eq!(error.kind(), DecodeErrorKind::Limit { got: 65, max: 64 });
    blocks.unknown.pop();
    encode_round_trip(&blocks);
}

#[test]
fn fields_newer_than_this_crate_are_skipped() {
    let bytes =
        hex("010c 1400 0c000800 01000000 08000000 deadbeef 030c 0800 eb03 0000 020c 0c00 00000000 00000000");
    let blocks: ServerGccBlocks = decode_exact(bytes).unwrap();
    assert_eq!(blocks.core.version, RdpVersion::V10_7);
    assert_eq!(blocks.network.io_channel_id, 1003);
}

#[test]
fn a_block_that_must_be_there_is_named_when_it_is_not() {
    let bytes = encode_vec(&all_client_blocks()).unwrap();
    let parts = split(&bytes);
    for (index, field) in [(0, "clientCoreData"), (2, "clientSecurityData")] {
        let mut rest = parts.clone();
        rest.remove(index);
        let error = decode_error::<ClientGccBlocks>(rest.concat().leak());
        assert_eq!((error.pdu(), error.field()), ("ClientGccBlocks", field));
    }
    let bytes = encode_vec(&all_server_blocks()).unwrap();
    let parts = split(&bytes);
    for (index, field) in [
        (0, "serverCoreData"),
        (1, "serverNetworkData"),
        (2, "serverSecurityData"),
    ] {
        let mut rest = parts.clone();
        rest.remove(index);
        let error = decode_error::<ServerGccBlocks>(rest.concat().leak());
        assert_eq!((error.pdu(), error.field()), ("ServerGccBlocks", field));
    }
}

#[test]
fn a_block_length_that_lies_is_refused() {
    for bytes in ["01c0 0300", "01c0 0000", "ffc0 0600 00", "030c ffff eb03"] {
        assert_length_lies::<ClientGccBlocks>(hex(bytes), "ClientGccBlocks", "length");
        assert_length_lies::<ServerGccBlocks>(hex(bytes), "ServerGccBlocks", "length");
    }
}

#[test]
fn errors_point_at_the_byte_in_the_whole_buffer() {
    // A level of 9 in the third block.
    let bytes = hex("010c 0800 0c000800 030c 0800 eb03 0000 020c 0c00 00000000 09000000");
    let error = decode_error::<ServerGccBlocks>(bytes);
    assert_eq!(
        error.to_string(),
        "malformed ServerSecurityData at byte 28: encryptionLevel is 9"
    );
}

#[test]
fn a_conference_that_is_longer_than_it_says_is_read_to_its_end() {
    let bytes = vector("gcc/conference_create_request_devolutions.bin");
    assert_eq!(bytes[7..9], [0x81, 0x0a], "two less than what follows");
    let request: ConferenceCreateRequest = decode_exact(bytes).unwrap();
    assert_eq!(request.blocks.core.client_name.as_str(), "published");
    assert_eq!(request.blocks.core.desktop_size(), DesktopSize::new(1024, 768));
    // Ours says what it is, and is the same else.
    let mut ours = bytes.to_vec();
    ours[8] = 0x0c;
    assert_eq!(decode_exact(&ours), Ok(request.clone()));
    assert_eq!(encode_vec(&request).unwrap(), ours);
    // More than there is stays a lie.
    ours[8] = 0x0d;
    assert_length_lies::<ConferenceCreateRequest>(&ours, "ConferenceCreateRequest", "connectPDU");
    for cut in 0..bytes.len() {
        assert!(decode::<ConferenceCreateRequest>(&bytes[..cut]).is_err(), "{cut}");
    }
}
