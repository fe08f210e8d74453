//! Connections that do not come to be: each ends in an error that says who refused what, on both ends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptorConfig, AuthFailure, ClientConnector, Config, ConnectorError, ConnectorErrorKind, Credentials,
    Phase, Refusal, Sequence, ServerAcceptor,
};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::license::{
    BlobKind, LicenseBlob, LicenseErrorAlert, LicenseErrorCode, LicenseMessage, LicensePdu, PreambleFlags,
    StateTransition,
};
use ironrdp_pdu::mcs::{
    AttachUserConfirm, ChannelJoinConfirm, ConnectRefusal, ConnectResponse, DisconnectReason,
    DomainParameters, McsResult, SERVER_USER_ID,
};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::ShareControl;
use ironrdp_pdu::x224::{FailureCode, NegotiationOutcome, ResponseFlags, SecurityProtocol};
use ironrdp_testkit::{Direction, Fault, Interject, Pair, Script, frames, license};

const IO: u16 = 1003;

fn config() -> Config {
    Config::new(Credentials::new("rdptest", "Lab-Pass-1"))
}

fn client() -> ClientConnector {
    ClientConnector::new(config())
}

fn server() -> ServerAcceptor {
    ServerAcceptor::new(AcceptorConfig::new())
}

/// The client's error against a server that sends `bytes` when it comes to the state `at`, and hangs up.
fn client_error(config: AcceptorConfig, at: &'static str, bytes: Vec<u8>) -> ConnectorError {
    let server = Interject::new(ServerAcceptor::new(config), at, bytes).and_hang_up();
    Pair::new(client(), server).run().client.unwrap_err()
}

fn refusal(error: &ConnectorError) -> Refusal {
    match error.kind() {
        ConnectorErrorKind::Refused(refusal) => *refusal,
        _ => panic!("{error:?}"),
    }
}

#[test]
fn each_negotiation_failure_is_told_apart() {
    for code in [
        FailureCode::SslRequired,
        FailureCode::SslNotAllowed,
        FailureCode::SslCertificateMissing,
        FailureCode::InconsistentFlags,
        FailureCode::HybridRequired,
        FailureCode::SslWithUserAuthRequired,
        FailureCode::Other(0x77),
    ] {
        let server = Script::new()
            .expect()
            .send(frames::confirm(NegotiationOutcome::Failed(code)))
            .hang_up();
        let error = Pair::new(client(), server).run().client.unwrap_err();
        assert_eq!(refusal(&error), Refusal::Negotiation(code));
        assert_eq!(error.phase(), Some(Phase::Negotiate));
    }
}

#[test]
fn a_protocol_that_was_not_offered_is_not_taken() {
    let selected = NegotiationOutcome::Selected {
        flags: ResponseFlags::empty(),
        protocol: SecurityProtocol::RDSAAD,
    };
    let server = Script::new().expect().send(frames::confirm(selected));
    let error = Pair::new(client(), server).run().client.unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
}

#[test]
fn a_server_cannot_talk_the_client_out_of_tls() {
    for outcome in [
        NegotiationOutcome::Legacy,
        NegotiationOutcome::Selected {
            flags: ResponseFlags::empty(),
            protocol: SecurityProtocol::empty(),
        },
    ] {
        let server = Script::new().expect().send(frames::confirm(outcome));
        let error = Pair::new(client(), server).run().client.unwrap_err();
        assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported, "{error}");
    }
}

#[test]
fn server_and_client_that_disagree_about_tls_both_say_so() {
    let plain = ClientConnector::new(config().dangerously_require_plain());
    let outcome = Pair::new(plain, server()).run();
    let error = outcome.client.unwrap_err();
    assert_eq!(refusal(&error), Refusal::Negotiation(FailureCode::SslRequired));
    let error = outcome.server.unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unsupported);
    assert_eq!(error.phase(), Some(Phase::Negotiate));

    let plain = ServerAcceptor::new(AcceptorConfig::new().dangerously_require_plain());
    let outcome = Pair::new(client(), plain).run();
    let error = outcome.client.unwrap_err();
    assert_eq!(refusal(&error), Refusal::Negotiation(FailureCode::SslNotAllowed));
    assert_eq!(
        *outcome.server.unwrap_err().kind(),
        ConnectorErrorKind::Unsupported
    );
}

#[test]
fn bytes_smuggled_in_before_tls_are_refused() {
    let selected = NegotiationOutcome::Selected {
        flags: ResponseFlags::empty(),
        protocol: SecurityProtocol::SSL,
    };
    let mut bytes = frames::confirm(selected);
    bytes.extend(frames::ultimatum(DisconnectReason::UserRequested));
    let error = Pair::new(client(), Script::new().expect().send(bytes))
        .run()
        .client
        .unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
}

#[test]
fn a_server_that_goes_on_without_tls_is_noticed() {
    let selected = NegotiationOutcome::Selected {
        flags: ResponseFlags::empty(),
        protocol: SecurityProtocol::SSL,
    };
    // The TLS hello is the second thing that the client says.
    let server = Script::new()
        .expect()
        .send(frames::confirm(selected))
        .expect()
        .send(frames::ultimatum(DisconnectReason::UserRequested))
        .hang_up();
    let error = Pair::new(client(), server).run().client.unwrap_err();
    assert!(matches!(error.kind(), ConnectorErrorKind::Io(_)), "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
}

#[test]
fn each_refusal_of_the_conference_is_told_apart() {
    let refused = ConnectResponse {
        result: McsResult::ParametersUnacceptable,
        called_connect_id: 0,
        domain_parameters: DomainParameters::SERVER,
        conference: None,
    };
    let error = client_error(AcceptorConfig::new(), "WaitConnectInitial", frames::x224(refused));
    let domain = ConnectRefusal::Domain(McsResult::ParametersUnacceptable);
    assert_eq!(refusal(&error), Refusal::Conference(domain));

    let refused = AttachUserConfirm {
        result: McsResult::TooManyUsers,
        initiator: None,
    };
    let error = client_error(AcceptorConfig::new(), "WaitErectDomain", frames::x224(refused));
    assert_eq!(refusal(&error), Refusal::AttachUser(McsResult::TooManyUsers));

    let refused = ChannelJoinConfirm {
        result: McsResult::NotAdmitted,
        initiator: 1005,
        requested: IO,
        channel_id: None,
    };
    let joining = AcceptorConfig::new().with_skip_channel_join(false);
    let error = client_error(joining, "WaitClientInfo", frames::x224(refused));
    let refused = Refusal::ChannelJoin {
        channel_id: IO,
        result: McsResult::NotAdmitted,
    };
    assert_eq!(refusal(&error), refused);
}

#[test]
fn a_server_that_goes_on_before_it_has_confirmed_the_channels_is_not_waited_for() {
    let valid = BasicSecurity {
        flags: SecurityFlags::LICENSE_PACKET,
        body: LicensePdu {
            flags: PreambleFlags::VERSION_3,
            message: LicenseMessage::ErrorAlert(LicenseErrorAlert {
                code: LicenseErrorCode::ValidClient,
                transition: StateTransition::NoTransition,
                info: LicenseBlob::empty(BlobKind::ERROR),
            }),
        },
    };
    let joining = AcceptorConfig::new().with_skip_channel_join(false);
    let error = client_error(joining, "WaitClientInfo", frames::from_server(IO, valid));
    assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
    assert!(error.to_string().contains("confirmed joins"), "{error}");
}

#[test]
fn a_refused_licence_names_the_code() {
    let alert = BasicSecurity {
        flags: SecurityFlags::LICENSE_PACKET,
        body: LicensePdu {
            flags: PreambleFlags::VERSION_3,
            message: LicenseMessage::ErrorAlert(LicenseErrorAlert {
                code: LicenseErrorCode::NoLicenseServer,
                transition: StateTransition::TotalAbort,
                info: LicenseBlob::empty(BlobKind::ERROR),
            }),
        },
    };
    let error = client_error(
        AcceptorConfig::new(),
        "SendLicense",
        frames::from_server(IO, alert),
    );
    assert_eq!(
        refusal(&error),
        Refusal::License(LicenseErrorCode::NoLicenseServer)
    );
}

#[test]
fn a_client_that_gives_up_licensing_is_told_apart_from_one_that_breaks_off() {
    let alert = BasicSecurity {
        flags: SecurityFlags::LICENSE_PACKET,
        body: LicensePdu {
            flags: PreambleFlags::VERSION_3,
            message: LicenseMessage::ErrorAlert(LicenseErrorAlert {
                code: LicenseErrorCode::InvalidServerCertificate,
                transition: StateTransition::TotalAbort,
                info: LicenseBlob::empty(BlobKind::ERROR),
            }),
        },
    };
    let full = AcceptorConfig::new().with_licenses_of(license::authority());
    let client = Interject::new(client(), "WaitLicense", frames::from_client(1005, IO, alert)).and_hang_up();
    let error = Pair::new(client, ServerAcceptor::new(full))
        .run()
        .server
        .unwrap_err();
    assert_eq!(
        refusal(&error),
        Refusal::License(LicenseErrorCode::InvalidServerCertificate)
    );
}

#[test]
fn a_redirection_is_a_typed_outcome_before_and_after_the_licence() {
    let redirection = ServerRedirection {
        session_id: 7,
        load_balance_info: Some(b"Cookie: msts=1".to_vec()),
        target_net_address: Some("192.0.2.7".to_owned()),
        ..ServerRedirection::default()
    };
    let share = || {
        frames::from_server(
            IO,
            ShareControl {
                source: SERVER_USER_ID,
                pdu: EnhancedRedirection(redirection.clone()),
            },
        )
    };
    let secured = frames::from_server(
        IO,
        BasicSecurity {
            flags: SecurityFlags::REDIRECTION_PACKET,
            body: redirection.clone(),
        },
    );
    for (at, bytes) in [
        ("SendLicense", share()),
        ("SendLicense", secured),
        ("SendDemandActive", share()),
        ("WaitConfirmActive", share()),
    ] {
        let error = client_error(AcceptorConfig::new(), at, bytes);
        let ConnectorErrorKind::Redirected(target) = error.kind() else {
            panic!("{at}: {error:?}");
        };
        assert_eq!(**target, redirection);
    }
}

#[test]
fn what_the_server_said_last_is_why_it_disconnected() {
    for at in [
        "SendLicense",
        "SendDemandActive",
        "WaitConfirmActive",
        "WaitFontList",
    ] {
        let mut bytes = frames::share_data(IO, 0, ErrorInfo::LOGOFF_BY_USER);
        bytes.extend(frames::ultimatum(DisconnectReason::ProviderInitiated));
        let error = client_error(AcceptorConfig::new(), at, bytes);
        assert_eq!(
            refusal(&error),
            Refusal::ErrorInfo(ErrorInfo::LOGOFF_BY_USER),
            "{at}"
        );

        let bytes = frames::ultimatum(DisconnectReason::UserRequested);
        let error = client_error(AcceptorConfig::new(), at, bytes);
        assert_eq!(
            refusal(&error),
            Refusal::Disconnected(DisconnectReason::UserRequested),
            "{at}"
        );
    }
}

#[test]
fn a_client_that_disconnects_is_no_error_of_the_protocol() {
    for at in [
        "WaitConnectResponse",
        "WaitAttachUserConfirm",
        "WaitLicense",
        "WaitDemandActive",
    ] {
        let bytes = frames::ultimatum(DisconnectReason::UserRequested);
        let client = Interject::new(client(), at, bytes).and_hang_up();
        let error = Pair::new(client, server()).run().server.unwrap_err();
        assert_eq!(
            refusal(&error),
            Refusal::Disconnected(DisconnectReason::UserRequested),
            "{at}"
        );
    }
}

#[test]
fn a_denied_client_learns_why_and_the_server_reports_it() {
    let outcome = Pair::new(client(), server()).with_decision(|_| false).run();
    let error = outcome.client.unwrap_err();
    assert_eq!(
        refusal(&error),
        Refusal::ErrorInfo(ErrorInfo::SERVER_DENIED_CONNECTION)
    );
    let error = outcome.server.unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Auth(AuthFailure::AccessDenied));
}

#[test]
fn a_silent_peer_times_out_in_the_phase_it_is_silent_in() {
    let timed_out = |error: &ConnectorError| match error.kind() {
        ConnectorErrorKind::Timeout(phase) => *phase,
        _ => panic!("{error:?}"),
    };
    let outcome = Pair::new(client(), Script::new()).run();
    assert_eq!(timed_out(&outcome.client.unwrap_err()), Phase::Negotiate);
    assert_eq!(outcome.elapsed, config().deadlines().negotiate);

    let outcome = Pair::new(Script::new(), server()).run();
    assert_eq!(timed_out(&outcome.server.unwrap_err()), Phase::Negotiate);

    let clean = Pair::new(client(), server()).run();
    let last = Fault::Stall(Direction::ToClient, clean.bytes_to_client - 1);
    let outcome = Pair::new(client(), server()).with_fault(last).run();
    assert_eq!(timed_out(&outcome.client.unwrap_err()), Phase::Activate);
    assert!(outcome.server.is_ok(), "it had nothing more to wait for");
}

#[test]
fn too_much_for_the_session_before_it_is_active_is_a_limit() {
    let mut flood = Vec::new();
    for _ in 0..400 {
        flood.extend([0x04, 0x84, 0x00]);
        flood.resize(flood.len() + 1021, 0);
    }
    let client = Interject::new(client(), "WaitDemandActive", flood.clone());
    let error = Pair::new(client, server()).run().server.unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Limit);
    let server = Interject::new(server(), "WaitConfirmActive", flood);
    let error = Pair::new(self::client(), server).run().client.unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Limit);
}

#[test]
fn a_failed_machine_keeps_its_error() {
    let mut out = WriteBuf::new();
    let mut server = server();
    let first = server.step(&[3, 0, 0, 7, 2, 0xf0, 0x80], &mut out).unwrap_err();
    assert_eq!(*first.kind(), ConnectorErrorKind::Malformed);
    let again = server.step(&[], &mut out).unwrap_err();
    assert_eq!(again.location(), first.location());
    assert!(!server.state().is_terminal() && server.next_pdu_hint().is_none());
    assert_eq!(server.into_result().unwrap_err().location(), first.location());
    assert!(out.is_empty());
}
