//! Licensing messages against the worked examples of MS-RDPELE.

mod common;

use common::{
    assert_length_lies, damage_every_byte, decode_error, encode_round_trip, hex, round_trip,
    round_trip_strict, vector,
};
use ironrdp_core::{Decode, DecodeErrorKind, ReadCursor, decode_exact, encode_vec};
use ironrdp_pdu::autodetect::{AutoDetectRequest, AutoDetectResponse};
use ironrdp_pdu::channel::ChannelChunk;
use ironrdp_pdu::client_info::ClientInfo;
use ironrdp_pdu::license::{
    BlobKind, ClientLicenseInfo, ClientNewLicenseRequest, ClientPlatformChallengeResponse, HardwareId,
    KEY_EXCHANGE_RSA, LicenseBlob, LicenseDetailLevel, LicenseErrorAlert, LicenseErrorCode, LicenseMessage,
    LicensePdu, NewLicenseInfo, PlatformChallengeResponseData, PreambleFlags, ProductInfo, ServerLicense,
    ServerLicenseRequest, StateTransition,
};
use ironrdp_pdu::redirection::ServerRedirection;
use ironrdp_pdu::security::{
    BasicSecurity, CertificateBody, SecurityExchange, SecurityFlags, SecurityHeader, ServerCertificate,
};

/// The licensing PDU behind the security header of `bytes`.
fn behind_header(bytes: &'static [u8]) -> &'static [u8] {
    let mut src = ReadCursor::new(bytes);
    let flags = SecurityHeader::decode(&mut src).map(|header| header.flags);
    assert_eq!(flags, Ok(SecurityFlags::LICENSE_PACKET));
    src.rest()
}

#[test]
fn the_valid_client_message_decodes_although_its_size_counts_the_security_header() {
    let bytes = vector("license/license_error_valid_client.bin");
    let pdu: LicensePdu = decode_exact(behind_header(bytes)).unwrap();
    assert_eq!(pdu.flags.version(), 3);
    assert!(!pdu.flags.extended_errors());
    assert_eq!(
        pdu.message,
        LicenseMessage::ErrorAlert(LicenseErrorAlert::valid_client())
    );
    let packet = BasicSecurity {
        flags: SecurityFlags::LICENSE_PACKET,
        body: pdu,
    };
    let mut canonical = bytes.to_vec();
    // wMsgSize: 20 as captured, 16 by the specification.
    assert_eq!(canonical[6], 20);
    canonical[6] = 16;
    assert_eq!(encode_vec(&packet).unwrap(), canonical);
    round_trip_strict::<LicensePdu>(canonical[4..].to_vec().leak());
}

#[test]
fn an_empty_blob_of_a_senseless_type_is_accepted_and_kept() {
    let pdu: LicensePdu = round_trip_strict(behind_header(vector("license/xrdp_valid_client.bin")));
    assert_eq!(pdu.flags, PreambleFlags::VERSION_2);
    let LicenseMessage::ErrorAlert(alert) = pdu.message else {
        panic!("another message");
    };
    assert!(alert.is_valid_client());
    assert_eq!(alert.transition, StateTransition::NoTransition);
    assert_eq!(alert.info, LicenseBlob::empty(BlobKind(0x1428)));
}

#[test]
fn the_licence_request_of_xrdp_decodes_to_its_fields() {
    let pdu: LicensePdu = round_trip_strict(behind_header(vector("license/xrdp_license_request.bin")));
    let LicenseMessage::LicenseRequest(request) = pdu.message else {
        panic!("another message");
    };
    assert_eq!(request.product.version, 0x0004_0000);
    assert_eq!(request.product.product_id, "236");
    assert_eq!(request.key_exchange_algorithms, [KEY_EXCHANGE_RSA]);
    let CertificateBody::Proprietary(certificate) = request.certificate().unwrap().unwrap().body else {
        panic!("a chain");
    };
    assert_eq!(certificate.public_key.modulus.len(), 64);
}

#[test]
fn a_windows_licence_request_decodes_to_its_fields() {
    let pdu: LicensePdu = round_trip_strict(vector("license/server_license_request.bin"));
    assert_eq!(pdu.flags, PreambleFlags::VERSION_3);
    let LicenseMessage::LicenseRequest(request) = pdu.message else {
        panic!("another message");
    };
    assert_eq!(request.server_random[..4], [0x84, 0xef, 0xae, 0x20]);
    assert_eq!(
        request.product,
        ProductInfo {
            version: 0x0006_0000,
            company_name: "Microsoft Corporation".into(),
            product_id: "A02".into(),
        }
    );
    assert_eq!(request.key_exchange_algorithms, [KEY_EXCHANGE_RSA]);
    assert_eq!(request.scopes, ["microsoft.com"]);
    let certificate = request.certificate().unwrap().unwrap();
    assert!(certificate.temporary);
    let CertificateBody::X509(chain) = certificate.body else {
        panic!("not a chain");
    };
    assert_eq!(chain.certificates.len(), 2);
}

#[test]
fn a_platform_challenge_decodes_to_its_fields() {
    let pdu: LicensePdu = round_trip_strict(behind_header(vector("license/platform_challenge.bin")));
    let LicenseMessage::PlatformChallenge(challenge) = pdu.message else {
        panic!("another message");
    };
    assert_eq!(challenge.connect_flags, 0);
    assert_eq!(challenge.encrypted_challenge.kind, BlobKind::ANY);
    assert_eq!(challenge.encrypted_challenge.data, hex("463785548ec59134975d"));
    assert_eq!(challenge.mac, hex("3823625d108b93c3f1e4671f4ab6000a"));
}

fn blob(kind: BlobKind, data: &[u8]) -> LicenseBlob {
    LicenseBlob {
        kind,
        data: data.to_vec(),
    }
}

fn every_message() -> Vec<LicenseMessage> {
    let license = ServerLicense {
        encrypted_license_info: blob(BlobKind::ENCRYPTED_DATA, &[1, 2, 3]),
        mac: [9; 16],
    };
    vec![
        LicenseMessage::LicenseRequest(ServerLicenseRequest {
            server_random: [1; 32],
            product: ProductInfo {
                version: 0x0006_0001,
                company_name: "Nobody".into(),
                product_id: "A02".into(),
            },
            key_exchange_algorithms: vec![KEY_EXCHANGE_RSA, 2],
            server_certificate: vec![],
            scopes: vec!["a".into(), String::new()],
        }),
        LicenseMessage::NewLicense(license.clone()),
        LicenseMessage::UpgradeLicense(license),
        LicenseMessage::NewLicenseRequest(ClientNewLicenseRequest {
            key_exchange_algorithm: KEY_EXCHANGE_RSA,
            platform_id: 0x0401_0000,
            client_random: [2; 32],
            encrypted_premaster: blob(BlobKind::RANDOM, &[7; 72]),
            user_name: "rdptest".into(),
            machine_name: "localhost".into(),
        }),
        LicenseMessage::LicenseInfo(ClientLicenseInfo {
            key_exchange_algorithm: KEY_EXCHANGE_RSA,
            platform_id: 0x0401_0000,
            client_random: [2; 32],
            encrypted_premaster: blob(BlobKind::RANDOM, &[7; 72]),
            license: blob(BlobKind::DATA, &[5; 9]),
            encrypted_hardware_id: blob(BlobKind::ENCRYPTED_DATA, &[6; 20]),
            mac: [3; 16],
        }),
        LicenseMessage::PlatformChallengeResponse(ClientPlatformChallengeResponse {
            encrypted_response: blob(BlobKind::ENCRYPTED_DATA, &[1; 18]),
            encrypted_hardware_id: blob(BlobKind::ENCRYPTED_DATA, &[2; 20]),
            mac: [4; 16],
        }),
        LicenseMessage::ErrorAlert(LicenseErrorAlert {
            code: LicenseErrorCode::InvalidMac,
            transition: StateTransition::TotalAbort,
            info: blob(BlobKind::ERROR, b"why"),
        }),
    ]
}

#[test]
fn every_message_survives_the_round_trip() {
    for message in every_message() {
        let bytes = encode_round_trip(&LicensePdu {
            flags: PreambleFlags(0x83),
            message: message.clone(),
        });
        assert_eq!(bytes[0], message.message_type());
        round_trip_strict::<LicensePdu>(bytes.leak());
    }
}

#[test]
fn what_is_inside_the_encrypted_blobs_survives_the_round_trip() {
    encode_round_trip(&NewLicenseInfo {
        version: 0x0006_0000,
        scope: "microsoft.com".into(),
        company_name: "Microsoft Corporation".into(),
        product_id: "A02".into(),
        license: vec![0x30, 0x82],
    });
    encode_round_trip(&PlatformChallengeResponseData {
        client_type: PlatformChallengeResponseData::OTHER,
        detail_level: LicenseDetailLevel::Detail,
        challenge: b"T\0E\0S\0T\0\0\0".to_vec(),
    });
    let id: HardwareId = round_trip_strict(hex("00000104 01000000 02000000 03000000 04000000"));
    assert_eq!((id.platform_id, id.data), (0x0401_0000, [1, 2, 3, 4]));
}

#[test]
fn lengths_that_lie_are_refused() {
    // wMsgSize 0x0100, wMsgSize below the preamble's own size, a blob beyond the message.
    let alert = hex("ff030001 07000000 02000000 04000000");
    assert_length_lies::<LicensePdu>(alert, "LicensePdu", "wMsgSize");
    assert_length_lies::<LicensePdu>(hex("ff030300 07000000"), "LicensePdu", "wMsgSize");
    let alert = hex("ff031000 07000000 02000000 0400ffff");
    assert_length_lies::<LicensePdu>(alert, "LicenseErrorAlert", "bbErrorInfo");
    let info = hex("00000600 ffffffff 6100");
    assert_length_lies::<NewLicenseInfo>(info, "NewLicenseInfo", "cbScope");
    let product = hex("00000600 fefffffe 6100");
    assert_length_lies::<ProductInfo>(product, "ProductInfo", "cbCompanyName");
    let data = hex("0001 00ff 0300 0b00 01");
    assert_length_lies::<PlatformChallengeResponseData>(data, "PlatformChallengeResponseData", "cbChallenge");
}

#[test]
fn a_scope_count_that_lies_ends_with_the_input_and_not_later() {
    let message = every_message().swap_remove(0);
    let mut bytes = encode_vec(&LicensePdu {
        flags: PreambleFlags::VERSION_3,
        message,
    })
    .unwrap();
    // Two scopes of 6 and 5 bytes stand behind the count.
    let count = bytes.len() - 11 - 4;
    bytes[count..count + 4].copy_from_slice(&[0xff; 4]);
    let error = decode_error::<LicensePdu>(&bytes);
    assert_eq!(
        (error.pdu(), error.field()),
        ("ServerLicenseRequest", "ScopeArray")
    );
}

#[test]
fn an_unknown_message_is_refused() {
    let error = decode_error::<LicensePdu>(hex("7e030400"));
    assert_eq!(
        (error.field(), error.kind()),
        ("bMsgType", DecodeErrorKind::Invalid { got: 0x7e })
    );
}

#[test]
fn bytes_behind_the_message_belong_to_the_envelope_and_those_inside_it_are_skipped() {
    // One byte too many inside wMsgSize.
    let pdu: LicensePdu = decode_exact(hex("ff031100 07000000 02000000 04000000 aa")).unwrap();
    assert_eq!(
        pdu.message,
        LicenseMessage::ErrorAlert(LicenseErrorAlert::valid_client())
    );
    assert!(decode_exact::<LicensePdu>(hex("ff031000 07000000 02000000 04000000 aa")).is_err());
}

#[test]
fn names_that_do_not_fit_eight_bits_get_question_marks() {
    let request = ClientNewLicenseRequest {
        key_exchange_algorithm: KEY_EXCHANGE_RSA,
        platform_id: 0,
        client_random: [0; 32],
        encrypted_premaster: LicenseBlob::empty(BlobKind::RANDOM),
        user_name: "käthe漢".into(),
        machine_name: String::new(),
    };
    let bytes = encode_vec(&request).unwrap();
    let back: ClientNewLicenseRequest = round_trip(bytes.leak());
    assert_eq!(back.user_name, "käthe?");
}

#[test]
fn error_codes_and_transitions_map_both_ways_and_say_what_they_mean() {
    for code in 0..32 {
        assert_eq!(u32::from(LicenseErrorCode::from(code)), code);
        assert_eq!(u32::from(StateTransition::from(code)), code);
    }
    assert_eq!(
        LicenseErrorCode::from(6).to_string(),
        "the server finds no licence server"
    );
    assert_eq!(LicenseErrorCode::from(0x63).to_string(), "licensing error 0x63");
}

#[test]
fn damaged_structures_never_panic() {
    for message in every_message() {
        damage_every_byte::<LicensePdu>(
            &encode_vec(&LicensePdu {
                flags: PreambleFlags::VERSION_3,
                message,
            })
            .unwrap(),
        );
    }
}

#[test]
fn bytes_that_another_decoder_once_fell_over_give_an_error_or_a_value() {
    let cases = [
        "3cf2ef026fc908",
        "4485719597c99b",
        "65a50aad850d86",
        "801238c3074172",
        "ce45f9ebf4ab1a",
        "f8dc2df3f2aba6",
    ];
    for case in cases {
        let bytes = vector(&format!("malformed/pdu_decode-crash-{case}.bin"));
        damage_every_byte::<LicensePdu>(bytes);
        damage_every_byte::<ClientInfo>(bytes);
        damage_every_byte::<SecurityExchange>(bytes);
        damage_every_byte::<ServerCertificate>(bytes);
        damage_every_byte::<ServerRedirection>(bytes);
        damage_every_byte::<AutoDetectRequest<'_>>(bytes);
        damage_every_byte::<AutoDetectResponse>(bytes);
        damage_every_byte::<ChannelChunk<'_>>(bytes);
    }
}
