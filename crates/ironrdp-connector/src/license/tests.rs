//! The client and the server of licensing against each other, in memory.

use ironrdp_core::{decode_exact, encode_vec};
use ironrdp_pdu::license::{
    BlobKind, ClientLicenseInfo, ClientPlatformChallengeResponse, HardwareId, KEY_EXCHANGE_RSA, LicenseBlob,
    LicenseErrorAlert, LicenseErrorCode, LicenseMessage, LicensePdu, NewLicenseInfo, ProductInfo,
    StateTransition,
};
use ironrdp_pdu::security::ServerCertificate;

use super::keys::LicenseKeys;
use super::rsa::{PublicKey, test_key};
use super::*;

fn client() -> LicenseExchange {
    LicenseExchange::new(config(), random())
}

fn config() -> LicenseConfig {
    LicenseConfig {
        user_name: "rdptest".into(),
        machine_name: "localhost".into(),
        hardware_id: HardwareId {
            platform_id: 0x0401_0000,
            data: [1, 2, 3, 4],
        },
    }
}

fn random() -> LicenseRandom {
    LicenseRandom::from_slice(&[0x5a; LicenseRandom::SIZE]).unwrap()
}

fn issuing(certificate: &ServerCertificate) -> LicenseServer {
    issuing_with(certificate, &[0xa5; LicenseServerRandom::SIZE])
}

fn issuing_with(certificate: &ServerCertificate, random: &[u8]) -> LicenseServer {
    let issuer = LicenseIssuer::new(
        certificate,
        test_key::private_exponent(),
        ProductInfo {
            version: 0x0006_0000,
            company_name: "Test".into(),
            product_id: "A02".into(),
        },
        "lab.test".into(),
        b"licence".to_vec(),
    );
    let random = LicenseServerRandom::from_slice(random).unwrap();
    LicenseServer::new(LicensePolicy::Issue(Box::new(issuer.unwrap()), random))
}

/// Sends `pdu` over the wire and back.
fn wire(pdu: &LicensePdu) -> LicenseMessage {
    decode_exact::<LicensePdu>(&encode_vec(pdu).unwrap())
        .unwrap()
        .message
}

fn reply(step: Result<LicenseStep, LicenseError>) -> LicenseMessage {
    match step.unwrap() {
        LicenseStep::Reply(pdu) => wire(&pdu),
        other => panic!("{other:?}"),
    }
}

fn ask(step: LicenseServerStep) -> LicenseMessage {
    match step {
        LicenseServerStep::Reply(pdu) => wire(&pdu),
        LicenseServerStep::Last(pdu) => panic!("{pdu:?}"),
    }
}

fn last(step: LicenseServerStep) -> LicenseMessage {
    match step {
        LicenseServerStep::Last(pdu) => wire(&pdu),
        LicenseServerStep::Reply(pdu) => panic!("{pdu:?}"),
    }
}

/// Four messages: request, new licence request, challenge, response.
fn up_to_response(client: &mut LicenseExchange, server: &mut LicenseServer) -> LicenseMessage {
    let request = ask(server.start().unwrap());
    let new_license = reply(client.handle(request));
    let challenge = ask(server.handle(new_license).unwrap());
    reply(client.handle(challenge))
}

fn valid_client() -> LicenseMessage {
    LicenseMessage::ErrorAlert(LicenseErrorAlert::valid_client())
}

#[test]
fn the_full_exchange_ends_with_the_licence_that_was_issued() {
    for certificate in [test_key::proprietary(), test_key::x509()] {
        let (mut client, mut server) = (client(), issuing(&certificate));
        let response = up_to_response(&mut client, &mut server);
        let license = last(server.handle(response).unwrap());
        assert!(matches!(license, LicenseMessage::NewLicense(_)));
        let LicenseStep::Granted(info) = client.handle(license).unwrap() else {
            panic!("no licence");
        };
        assert_eq!(
            *info,
            NewLicenseInfo {
                version: 0x0006_0000,
                scope: "lab.test".into(),
                company_name: "Test".into(),
                product_id: "A02".into(),
                license: b"licence".to_vec(),
            }
        );
        assert!(server.start().is_none());
    }
}

#[test]
fn the_short_form_is_one_message() {
    let mut server = LicenseServer::new(LicensePolicy::NotNeeded);
    let alert = last(server.start().unwrap());
    assert!(server.start().is_none());
    assert!(matches!(client().handle(alert), Ok(LicenseStep::NotNeeded)));
}

#[test]
fn a_server_may_be_content_with_the_request_for_a_licence_as_xrdp_is() {
    // The first four bytes are the security header.
    let bytes = include_bytes!("../../tests/vectors/license/xrdp_license_request.bin");
    let request = decode_exact::<LicensePdu>(&bytes[4..]).unwrap().message;
    let mut client = client();
    let LicenseMessage::NewLicenseRequest(new_license) = reply(client.handle(request)) else {
        panic!("another message");
    };
    assert_eq!(new_license.encrypted_premaster.data.len(), 64 + 8);
    assert_eq!(
        (new_license.user_name, new_license.machine_name),
        ("rdptest".into(), "localhost".into())
    );
    assert!(matches!(
        client.handle(valid_client()),
        Ok(LicenseStep::NotNeeded)
    ));
    assert!(matches!(
        client.handle(valid_client()),
        Err(LicenseError::Unexpected { .. })
    ));
}

#[test]
fn a_client_that_shows_a_licence_gets_it_replaced() {
    let mut server = issuing(&test_key::proprietary());
    let LicenseMessage::LicenseRequest(request) = ask(server.start().unwrap()) else {
        panic!("another message");
    };
    let random = random();
    let keys = LicenseKeys::derive(
        random.premaster.expose(),
        &random.client_random,
        &request.server_random,
    );
    let hardware_id = encode_vec(&config().hardware_id).unwrap();
    let public = PublicKey::of(&request.certificate().unwrap().unwrap()).unwrap();
    let blob = |kind, data| LicenseBlob { kind, data };
    let info = ClientLicenseInfo {
        key_exchange_algorithm: KEY_EXCHANGE_RSA,
        platform_id: 0x0401_0000,
        client_random: random.client_random,
        encrypted_premaster: blob(BlobKind::RANDOM, public.encrypt(random.premaster.expose())),
        license: blob(BlobKind::DATA, b"old".to_vec()),
        encrypted_hardware_id: blob(BlobKind::ENCRYPTED_DATA, keys.crypt(&hardware_id)),
        mac: keys.mac(&hardware_id),
    };
    // The same with one bit of its checksum wrong is refused.
    let mut wrong = info.clone();
    wrong.mac[0] ^= 1;
    let mut other = issuing(&test_key::proprietary());
    other.start().unwrap();
    assert!(matches!(
        other.handle(LicenseMessage::LicenseInfo(wrong)),
        Err(LicenseError::WrongMac("licence info"))
    ));

    let challenge = ask(server.handle(LicenseMessage::LicenseInfo(info)).unwrap());
    // From here on a client in the exchange goes on as after a request for a new licence.
    let mut client = client();
    reply(client.handle(LicenseMessage::LicenseRequest(request)));
    let response = reply(client.handle(challenge));
    let license = last(server.handle(response).unwrap());
    assert!(matches!(license, LicenseMessage::UpgradeLicense(_)));
    assert!(matches!(client.handle(license), Ok(LicenseStep::Granted(_))));
}

#[test]
fn an_alert_ends_both_sides_with_its_code() {
    let alert = LicenseErrorAlert {
        code: LicenseErrorCode::NoLicenseServer,
        transition: StateTransition::TotalAbort,
        info: LicenseBlob::empty(BlobKind::ERROR),
    };
    let error = client()
        .handle(LicenseMessage::ErrorAlert(alert.clone()))
        .unwrap_err();
    assert_eq!(error, LicenseError::Alert(alert.clone()));
    assert_eq!(error.to_string(), "the server finds no licence server");
    assert_eq!(error.alert(), None);
    let mut server = issuing(&test_key::proprietary());
    server.start().unwrap();
    assert!(matches!(
        server.handle(LicenseMessage::ErrorAlert(alert)),
        Err(LicenseError::Alert(_))
    ));
}

#[test]
fn messages_out_of_order_are_refused_on_both_sides() {
    let mut server = issuing(&test_key::proprietary());
    let request = ask(server.start().unwrap());
    let new_license = reply(client().handle(request.clone()));

    // A client's message to a client, and a second request after the first.
    assert!(matches!(
        client().handle(new_license.clone()),
        Err(LicenseError::Unexpected {
            waiting_for: "a licence request",
            message_type: 0x13
        })
    ));
    let mut twice = client();
    reply(twice.handle(request.clone()));
    assert!(matches!(
        twice.handle(request.clone()),
        Err(LicenseError::Unexpected {
            waiting_for: "a platform challenge",
            message_type: 0x01
        })
    ));

    // A server's message to a server, and any message before it spoke.
    let error = server.handle(request).unwrap_err();
    assert!(matches!(error, LicenseError::Unexpected { .. }));
    assert!(error.alert().is_some());
    let mut silent = issuing(&test_key::proprietary());
    assert!(matches!(
        silent.handle(new_license),
        Err(LicenseError::Unexpected { .. })
    ));
}

#[test]
fn a_request_that_cannot_be_answered_says_why() {
    let mut server = issuing(&test_key::proprietary());
    let LicenseMessage::LicenseRequest(request) = ask(server.start().unwrap()) else {
        panic!("another message");
    };
    let mut without = request.clone();
    without.server_certificate.clear();
    assert!(matches!(
        client().handle(LicenseMessage::LicenseRequest(without)),
        Err(LicenseError::NoCertificate)
    ));
    let mut damaged = request.clone();
    damaged.server_certificate.truncate(20);
    let error = client()
        .handle(LicenseMessage::LicenseRequest(damaged))
        .unwrap_err();
    assert!(matches!(error, LicenseError::Malformed(_)), "{error}");
    let mut other = request;
    other.key_exchange_algorithms = vec![2];
    let error = client()
        .handle(LicenseMessage::LicenseRequest(other))
        .unwrap_err();
    assert_eq!(error, LicenseError::UnsupportedKeyExchange);
}

#[test]
fn a_wrong_checksum_or_challenge_is_noticed() {
    // A challenge whose encrypted bytes were changed.
    let (mut client_side, mut server) = (client(), issuing(&test_key::proprietary()));
    let new_license = reply(client_side.handle(ask(server.start().unwrap())));
    let LicenseMessage::PlatformChallenge(mut challenge) = ask(server.handle(new_license).unwrap()) else {
        panic!("another message");
    };
    challenge.encrypted_challenge.data[3] ^= 1;
    let error = client_side
        .handle(LicenseMessage::PlatformChallenge(challenge))
        .unwrap_err();
    assert_eq!(error, LicenseError::WrongMac("platform challenge"));
    let Some(LicenseMessage::ErrorAlert(alert)) = error.alert().map(|pdu| pdu.message) else {
        panic!("no alert");
    };
    assert_eq!(alert.code, LicenseErrorCode::InvalidMac);

    // The answer to the challenge of another exchange that had the same keys.
    let (mut client_side, mut server) = (client(), issuing(&test_key::proprietary()));
    let response = up_to_response(&mut client_side, &mut server);
    let mut random = [0xa5; LicenseServerRandom::SIZE];
    random[32..].fill(0x11);
    let mut other = issuing_with(&test_key::proprietary(), &random);
    let new_license = reply(client().handle(ask(other.start().unwrap())));
    ask(other.handle(new_license).unwrap());
    assert_eq!(other.handle(response).unwrap_err(), LicenseError::WrongChallenge);
}

#[test]
fn a_challenge_that_comes_back_bare_is_taken_as_rdesktop_sends_it() {
    let (mut client, mut server) = (client(), issuing(&test_key::proprietary()));
    let request = ask(server.start().unwrap());
    let LicenseMessage::LicenseRequest(asked) = request.clone() else {
        panic!("another message");
    };
    let LicenseMessage::PlatformChallenge(challenge) =
        ask(server.handle(reply(client.handle(request))).unwrap())
    else {
        panic!("another message");
    };
    let random = random();
    let keys = LicenseKeys::derive(
        random.premaster.expose(),
        &random.client_random,
        &asked.server_random,
    );
    let bare = keys.crypt(&challenge.encrypted_challenge.data);
    assert_eq!(bare.len(), 10, "what rdesktop has room for");
    let hardware_id = encode_vec(&config().hardware_id).unwrap();
    let blob = |data| LicenseBlob {
        kind: BlobKind::ENCRYPTED_DATA,
        data,
    };
    let response = ClientPlatformChallengeResponse {
        encrypted_response: blob(keys.crypt(&bare)),
        encrypted_hardware_id: blob(keys.crypt(&hardware_id)),
        mac: keys.mac(&[bare, hardware_id].concat()),
    };
    let license = last(
        server
            .handle(LicenseMessage::PlatformChallengeResponse(response))
            .unwrap(),
    );
    assert!(matches!(license, LicenseMessage::NewLicense(_)));
}

#[test]
fn a_premaster_secret_for_another_key_is_refused() {
    let mut server = issuing(&test_key::proprietary());
    let LicenseMessage::NewLicenseRequest(mut request) = reply(client().handle(ask(server.start().unwrap())))
    else {
        panic!("another message");
    };
    request.encrypted_premaster.data[0] ^= 1;
    let error = server
        .handle(LicenseMessage::NewLicenseRequest(request))
        .unwrap_err();
    assert_eq!(error, LicenseError::WrongMac("premaster secret"));
}

/// Feeds `message` with each byte damaged to a fresh `receive`, if it still decodes.
fn damage(message: LicenseMessage, mut receive: impl FnMut(LicenseMessage)) {
    let bytes = encode_vec(&error::message(message)).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        if let Ok(pdu) = decode_exact::<LicensePdu>(&damaged) {
            receive(pdu.message);
        }
    }
}

#[test]
fn a_damaged_message_gives_an_error_or_the_next_step_at_every_point_of_the_exchange() {
    let certificate = test_key::proprietary();
    let (mut client_side, mut server) = (client(), issuing(&certificate));
    let request = ask(server.start().unwrap());
    let new_license = reply(client_side.handle(request.clone()));
    let challenge = ask(server.handle(new_license.clone()).unwrap());
    let response = reply(client_side.handle(challenge.clone()));
    let license = last(server.handle(response.clone()).unwrap());

    damage(request.clone(), |damaged| {
        let _ = client().handle(damaged);
    });
    let mut accepted = 0;
    damage(challenge.clone(), |damaged| {
        let mut client = client();
        reply(client.handle(request.clone()));
        accepted += usize::from(client.handle(damaged).is_ok());
    });
    // ConnectFlags and the blob's type are not covered by the checksum, and neither matters.
    assert_eq!(accepted, 4 + 2 + 1 /* preamble flags */);
    damage(license, |damaged| {
        let mut client = client();
        reply(client.handle(request.clone()));
        reply(client.handle(challenge.clone()));
        let _ = client.handle(damaged);
    });
    damage(new_license.clone(), |damaged| {
        let mut server = issuing(&certificate);
        server.start().unwrap();
        let _ = server.handle(damaged);
    });
    damage(response, |damaged| {
        let mut server = issuing(&certificate);
        server.start().unwrap();
        ask(server.handle(new_license.clone()).unwrap());
        let _ = server.handle(damaged);
    });
}

#[test]
fn secrets_are_in_no_debug_output() {
    let (mut client, mut server) = (client(), issuing(&test_key::proprietary()));
    let before = format!("{client:?} {server:?}");
    reply(client.handle(ask(server.start().unwrap())));
    let after = format!("{client:?} {server:?}");
    // The premaster secret is 48 times 0x5a; the client random, 32 times the same, may show.
    let shown = |text: &str| text.matches("90, 90").count();
    assert!(shown(&before) <= 16 && shown(&after) == 0, "{after}");
    let exponent = test_key::private_exponent();
    let start = format!("{:?}", &exponent.expose()[..4]);
    assert!(!after.contains(start.trim_matches(['[', ']'])), "{after}");
}
