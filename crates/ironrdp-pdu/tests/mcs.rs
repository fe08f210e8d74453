//! MCS: the connect PDUs and the domain PDUs.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::{
    assert_length_lies, damage_every_byte, decode_error, encode_round_trip, hex, round_trip_strict, vector,
};
use ironrdp_core::{DecodeErrorKind, Encode, decode, encode_vec};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::gcc::{
    ClientCoreData, ClientGccBlocks, ConferenceResult, ServerCoreData, ServerGccBlocks, ServerNetworkData,
};
use ironrdp_pdu::mcs::{
    AttachUserConfirm, AttachUserRequest, ChannelJoinConfirm, ChannelJoinRequest, ConnectInitial,
    ConnectRefusal, ConnectResponse, DisconnectProviderUltimatum, DisconnectReason, DomainParameters,
    ErectDomainRequest, IO_CHANNEL_ID, McsPdu, McsResult, SendDataIndication, SendDataRequest,
};
use ironrdp_pdu::x224::SecurityProtocol;

fn client_blocks() -> ClientGccBlocks {
    ClientGccBlocks::new(ClientCoreData::new(DesktopSize::new(1024, 768).unwrap()))
}

fn server_blocks() -> ServerGccBlocks {
    let network = ServerNetworkData {
        io_channel_id: IO_CHANNEL_ID,
        channel_ids: vec![1004],
    };
    ServerGccBlocks::new(ServerCoreData::new(SecurityProtocol::SSL), network)
}

/// The MCS PDU in one TPKT packet.
fn payload(path: &str) -> &'static [u8] {
    &vector(path)[7..]
}

#[test]
fn the_examples_of_the_specification_come_back() {
    let erect: McsPdu<'_> = round_trip_strict(vector("mcs/mcs_erect_domain.bin"));
    assert_eq!(erect, McsPdu::ErectDomainRequest(ErectDomainRequest::default()));
    let confirm: McsPdu<'_> = round_trip_strict(vector("mcs/mcs_attach_user_confirm.bin"));
    assert_eq!(
        confirm,
        McsPdu::AttachUserConfirm(AttachUserConfirm {
            result: McsResult::Successful,
            initiator: Some(1007)
        })
    );
    let request: McsPdu<'_> = round_trip_strict(vector("mcs/mcs_channel_join_request.bin"));
    assert_eq!(
        request,
        McsPdu::ChannelJoinRequest(ChannelJoinRequest {
            initiator: 1007,
            channel_id: 1007
        })
    );
    let confirm: McsPdu<'_> = round_trip_strict(vector("mcs/mcs_channel_join_confirm.bin"));
    assert_eq!(
        confirm,
        McsPdu::ChannelJoinConfirm(ChannelJoinConfirm {
            result: McsResult::Successful,
            initiator: 1007,
            requested: 1007,
            channel_id: Some(1007)
        })
    );
    let attach: McsPdu<'_> = round_trip_strict(hex("28"));
    assert_eq!(attach, McsPdu::AttachUserRequest(AttachUserRequest));
}

#[test]
fn an_erect_domain_request_is_taken_in_the_strict_and_in_the_loose_form() {
    assert_eq!(
        encode_vec(&ErectDomainRequest::default()).unwrap(),
        hex("0401000100")
    );
    // As rdesktop writes it.
    let loose: ErectDomainRequest = ironrdp_core::decode_exact(hex("0400010001")).unwrap();
    assert_eq!((loose.sub_height, loose.sub_interval), (1, 1));
    let empty_integers: ErectDomainRequest = ironrdp_core::decode_exact(hex("040000")).unwrap();
    assert_eq!(empty_integers, ErectDomainRequest::default());
    encode_round_trip(&ErectDomainRequest {
        sub_height: 300,
        sub_interval: 70_000,
    });
    assert_length_lies::<ErectDomainRequest>(hex("04010002 00"), "ErectDomainRequest", "subInterval");
}

#[test]
fn refusals_come_back_with_every_result() {
    for code in 0..16 {
        let result = McsResult::from_code(code).unwrap();
        assert_eq!(result.code(), code);
        assert_eq!(result.is_success(), code == 0);
        assert!(!result.to_string().is_empty());
        encode_round_trip(&AttachUserConfirm {
            result,
            initiator: None,
        });
        encode_round_trip(&ChannelJoinConfirm {
            result,
            initiator: 1007,
            requested: 1004,
            channel_id: None,
        });
    }
    assert_eq!(McsResult::from_code(16), None);
    // Result 14 takes the last bit of the first byte and three of the second.
    let refused = AttachUserConfirm {
        result: McsResult::UnspecifiedFailure,
        initiator: None,
    };
    assert_eq!(encode_vec(&refused).unwrap(), hex("2dc0"));
}

#[test]
fn a_result_written_into_the_padding_is_not_taken_for_a_success() {
    let error = decode_error::<AttachUserConfirm>(hex("2e 0e 0006"));
    assert_eq!(
        (error.field(), error.kind()),
        ("result", DecodeErrorKind::Invalid { got: 14 })
    );
}

#[test]
fn a_user_id_outside_its_range_is_refused_both_ways() {
    assert!(decode::<ChannelJoinRequest>(hex("38 ffff 03ef")).is_err());
    let request = ChannelJoinRequest {
        initiator: 1000,
        channel_id: 1003,
    };
    assert_eq!(encode_vec(&request).unwrap_err().field(), "initiator");
}

#[test]
fn every_disconnect_reason_comes_back() {
    for code in 0..5 {
        let reason = DisconnectReason::from_code(code).unwrap();
        assert_eq!(reason.code(), code);
        assert!(!reason.meaning().is_empty());
        encode_round_trip(&DisconnectProviderUltimatum { reason });
    }
    // As Windows ends a session (MS-RDPBCGR 4.2.1).
    let end: McsPdu<'_> = round_trip_strict(hex("2180"));
    assert_eq!(
        end,
        McsPdu::DisconnectProviderUltimatum(DisconnectProviderUltimatum {
            reason: DisconnectReason::UserRequested
        })
    );
    assert_eq!(
        decode_error::<DisconnectProviderUltimatum>(hex("2280 80")).field(),
        "reason"
    );
}

#[test]
fn data_is_borrowed_with_lengths_of_one_and_two_bytes() {
    let bytes = payload("captures/xp_23_c2s_security_exchange.bin");
    let request: SendDataRequest<&[u8]> = round_trip_strict(bytes);
    assert_eq!((request.initiator, request.channel_id), (1007, 1003));
    assert_eq!(request.user_data, &bytes[7..]);
    for length in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x7fff] {
        let user_data = vec![0x5a; length];
        let indication = SendDataIndication {
            initiator: 1002,
            channel_id: 1003,
            user_data: &user_data[..],
        };
        let bytes = encode_vec(&indication).unwrap();
        assert_eq!(bytes.len(), length + 6 + if length < 0x80 { 1 } else { 2 });
        assert_eq!(
            decode::<SendDataIndication<&[u8]>>(&bytes),
            Ok(indication),
            "{length}"
        );
        assert_eq!(
            decode::<McsPdu<'_>>(&bytes),
            Ok(McsPdu::SendDataIndication(indication))
        );
    }
    let too_long = SendDataRequest {
        initiator: 1007,
        channel_id: 1003,
        user_data: &[0u8; 0x8000][..],
    };
    assert_eq!(encode_vec(&too_long).unwrap_err().field(), "userData");
}

#[test]
fn data_of_any_priority_and_with_long_length_forms_is_taken() {
    for priority in [0x00, 0x30, 0x70, 0xb0, 0xf0] {
        let bytes = [0x68, 0, 1, 3, 0xeb, priority, 0x80, 2, 0xaa, 0xbb];
        let data: SendDataIndication<&[u8]> = decode(&bytes).unwrap();
        assert_eq!(data.user_data, [0xaa, 0xbb]);
    }
}

#[test]
fn data_whose_length_lies_is_refused() {
    assert_length_lies::<SendDataRequest<&[u8]>>(
        hex("64 0006 03eb 70 03 aabb"),
        "SendDataRequest",
        "userData",
    );
    assert_length_lies::<SendDataIndication<&[u8]>>(
        hex("68 0001 03eb 70 ffff aabb"),
        "SendDataIndication",
        "userData",
    );
}

#[test]
fn nested_payloads_are_encoded_in_place() {
    struct Broken;
    impl Encode for Broken {
        fn name(&self) -> &'static str {
            "Broken"
        }
        fn size(&self) -> usize {
            1
        }
        fn encode(&self, dst: &mut ironrdp_core::WriteCursor<'_>) -> ironrdp_core::EncodeResult<()> {
            dst.u16_le(0)
        }
    }
    let wrap = |user_data| SendDataRequest {
        initiator: 1007,
        channel_id: 1003,
        user_data,
    };
    let pdu = ironrdp_pdu::x224::X224Data(wrap(AttachUserRequest));
    assert_eq!(
        encode_vec(&pdu).unwrap(),
        hex("0300000f 02f080 64 0006 03eb 70 01 28")
    );
    let broken = ironrdp_pdu::x224::X224Data(SendDataRequest {
        initiator: 1007,
        channel_id: 1003,
        user_data: Broken,
    });
    assert_eq!(encode_vec(&broken).unwrap_err().pdu(), "Broken");
}

#[test]
fn choices_that_rdp_does_not_use_are_named() {
    let error = decode_error::<McsPdu<'_>>(hex("7f65"));
    assert_eq!(
        (error.pdu(), error.kind()),
        ("McsPdu", DecodeErrorKind::Unsupported { got: 31 })
    );
    assert_eq!(decode_error::<McsPdu<'_>>(&[]).field(), "choice");
    assert_eq!(decode_error::<AttachUserRequest>(hex("2c")).field(), "choice");
}

#[test]
fn a_windows_xp_connect_initial_comes_back() {
    let initial: ConnectInitial = round_trip_strict(payload("captures/xp_07_c2s_mcs_connect_initial.bin"));
    assert_eq!(initial.target_parameters, DomainParameters::CLIENT_TARGET);
    assert_eq!(initial.minimum_parameters, DomainParameters::CLIENT_MINIMUM);
    assert_eq!(initial.maximum_parameters, DomainParameters::CLIENT_MAXIMUM);
    assert_eq!(
        ConnectInitial::new(initial.conference.blocks.clone()),
        initial,
        "our own defaults are those of Windows"
    );
}

#[test]
fn a_windows_connect_response_comes_back() {
    let response: ConnectResponse = round_trip_strict(payload("captures/xp_08_s2c_mcs_connect_response.bin"));
    assert_eq!(response.domain_parameters, DomainParameters::SERVER);
    let blocks = response.clone().into_accepted().unwrap();
    let mut ours = ConnectResponse::new(blocks);
    let node_id = response.conference.as_ref().map(|conference| conference.node_id);
    assert_eq!(node_id, Some(31_219));
    ours.domain_parameters = response.domain_parameters;
    assert_eq!(ours, response, "our own defaults are those of Windows");
}

#[test]
fn a_refused_connect_is_told_from_a_malformed_one() {
    let refused = ConnectResponse {
        result: McsResult::UserRejected,
        conference: None,
        ..ConnectResponse::new(server_blocks())
    };
    let bytes = encode_round_trip(&refused);
    assert_eq!(
        decode::<ConnectResponse>(&bytes).unwrap().into_accepted(),
        Err(ConnectRefusal::Domain(McsResult::UserRejected))
    );
    // The same without settings but with success.
    let nothing = ConnectResponse {
        result: McsResult::Successful,
        ..refused
    };
    assert!(decode::<ConnectResponse>(&encode_vec(&nothing).unwrap()).is_err());

    let mut response = ConnectResponse::new(server_blocks());
    let conference = response.conference.as_mut().unwrap();
    conference.result = ConferenceResult(0x20);
    encode_round_trip(&response);
    let refusal = response.into_accepted().unwrap_err();
    assert_eq!(refusal, ConnectRefusal::Conference(ConferenceResult(0x20)));
    assert_eq!(
        refusal.to_string(),
        "the server made no conference: resources are not available"
    );
}

#[test]
fn connect_pdus_survive_damage_everywhere() {
    damage_every_byte::<ConnectInitial>(&encode_round_trip(&ConnectInitial::new(client_blocks())));
    damage_every_byte::<ConnectResponse>(&encode_round_trip(&ConnectResponse::new(server_blocks())));
}

#[test]
fn lengths_inside_the_connect_pdus_do_not_lie() {
    let good = payload("captures/xp_07_c2s_mcs_connect_initial.bin");
    for (at, value, pdu, field) in [
        (4, 0x91, "ConnectInitial", "Connect-Initial"),
        // The two bytes after it become the length.
        (15, 0x82, "ConnectInitial", "targetParameters"),
        (101, 0x30, "ConnectInitial", "userData"),
        (110, 0x27, "ConferenceCreateRequest", "connectPDU"),
        (124, 0x19, "ConferenceCreateRequest", "userData"),
        (128, 0x7f, "ClientGccBlocks", "length"),
    ] {
        let mut bytes = good.to_vec();
        bytes[at] = value;
        assert_length_lies::<ConnectInitial>(&bytes, pdu, field);
    }
    // Tags and keys that are others than they should be.
    for (at, field) in [
        (1, "Connect-Initial"),
        (5, "callingDomainSelector"),
        (11, "upwardFlag"),
        (14, "targetParameters"),
        (98, "userData"),
        (102, "t124Identifier"),
        (112, "connectGCCPDU"),
        (117, "userData"),
        (119, "h221NonStandard"),
    ] {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x40;
        let error = decode_error::<ConnectInitial>(&bytes);
        assert_eq!(error.field(), field, "{at}: {error}");
    }
}
