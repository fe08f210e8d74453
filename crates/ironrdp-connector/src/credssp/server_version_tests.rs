//! The server and clients of every version of CredSSP, in the form with a nonce and in the one without.

use ironrdp_core::{decode_exact, encode_vec};
use sspi::credssp::ClientMode;

use super::TsRequest;
use super::authenticate::Authenticate;
use super::authenticate_client::AuthenticateClient;
use super::client_tests::{KEY, PASSWORD};
use super::server_tests::{
    Server, client, config, identity, in_spnego, password, raw, run_ours, run_theirs, their_client_of_version,
};
use crate::{AuthFailure, ConnectorErrorKind, NtStatus, Reply, ServerIdentity};

/// Our server as one that speaks `version`: clients take its version, not the lower of both.
fn with_version(version: u32, server: &mut Server, message: &[u8]) -> Vec<u8> {
    let request: TsRequest<'_> = decode_exact(message).unwrap();
    // The old forms have no nonce, and a client that thinks it speaks one sends none that counts.
    let answer = server.handle(&encode_vec(&TsRequest { version, ..request }).unwrap());
    if answer.is_empty() {
        return answer;
    }
    let answer: TsRequest<'_> = decode_exact(&answer).unwrap();
    encode_vec(&TsRequest { version, ..answer }).unwrap()
}

#[test]
fn another_client_of_any_version_with_a_nonce_logs_in() {
    for version in [5, 6, 7] {
        for mode in [raw, in_spnego] {
            let mut server = Server::new(false);
            let client = their_client_of_version("rdptest", PASSWORD, mode(), version);
            run_theirs(client, |message| server.handle(message)).unwrap();
            assert_eq!(server.logon().delegated.password.expose(), PASSWORD);
        }
    }
}

#[test]
fn old_clients_log_in_only_if_that_was_allowed() {
    for version in 2..=4 {
        for (mode, in_spnego) in [(raw as fn() -> ClientMode, false), (in_spnego, true)] {
            let theirs = || their_client_of_version("rdptest", PASSWORD, mode(), version);
            let mut server = Server::new(false);
            let _ = run_theirs(theirs(), |message| with_version(version, &mut server, message));
            assert_eq!(*server.error().kind(), ConnectorErrorKind::Unsupported);

            let mut server = old_server(KEY);
            run_theirs(theirs(), |message| with_version(version, &mut server, message)).unwrap();
            assert_eq!(server.logon().delegated.password.expose(), PASSWORD);

            let mut server = old_server(KEY);
            let mut ours = config("rdptest", PASSWORD).dangerously_allow_old_credssp();
            if in_spnego {
                ours = ours.with_ntlm_in_spnego();
            }
            run_ours(client(&ours, false), |message| {
                with_version(version, &mut server, message)
            })
            .unwrap();
            assert_eq!(server.logon().delegated.password.expose(), PASSWORD);
        }
    }
}

/// A server with `key` in its certificate that takes old clients.
fn old_server(key: &[u8]) -> Server {
    let machine = AuthenticateClient::new(false, None, true);
    let (machine, result) = machine.answer(Reply::ServerIdentity(identity(key)));
    result.unwrap();
    Server {
        machine: Some(Box::new(machine)),
        lookup: password,
        admits: true,
        end: None,
    }
}

#[test]
fn an_old_client_that_sees_another_certificate_is_refused() {
    // One of another server, the one that a server's own proof would be of, a longer one, and none.
    let one_more = [&[KEY[0] + 1], &KEY[1..]].concat();
    let longer = [KEY, &[0]].concat();
    for seen in [b"another key".as_slice(), &one_more, &longer, b""] {
        for version in 2..=4 {
            let attacked = ServerIdentity {
                public_key: seen.to_vec(),
                ..identity(KEY)
            };
            let mut ours = Authenticate::new(false);
            let config = config("rdptest", PASSWORD).dangerously_allow_old_credssp();
            ours.answer(&config, Reply::ServerIdentity(attacked)).unwrap();
            ours.answer(&config, Reply::Random(vec![7; 32])).unwrap();
            let mut server = old_server(KEY);
            let error = run_ours(ours, |message| with_version(version, &mut server, message)).unwrap_err();
            // Version 2 has no error codes, so the server can only end it.
            let told = if version == 2 {
                AuthFailure::Unexplained
            } else {
                AuthFailure::PublicKeyMismatch
            };
            assert_eq!(*error.kind(), ConnectorErrorKind::Auth(told));
            assert_eq!(
                *server.error().kind(),
                ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch)
            );

            let mut server = old_server(seen);
            let theirs = their_client_of_version("rdptest", PASSWORD, raw(), version);
            let _ = run_theirs(theirs, |message| with_version(version, &mut server, message));
            assert_eq!(
                *server.error().kind(),
                ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch)
            );
        }
    }
}

#[test]
fn a_client_that_must_send_a_nonce_and_sends_none_is_refused() {
    for version in [5, 6, 7] {
        // Not even where the form without one would do.
        let mut server = old_server(KEY);
        let error = run_ours(client(&config("rdptest", PASSWORD), false), |message| {
            let request: TsRequest<'_> = decode_exact(message).unwrap();
            let request = TsRequest {
                version,
                client_nonce: None,
                ..request
            };
            server.handle(&encode_vec(&request).unwrap())
        })
        .unwrap_err();
        assert_eq!(
            error.nt_status(),
            Some(NtStatus::SEC_E_INVALID_TOKEN),
            "{error:?}"
        );
        let error = server.error();
        assert_eq!(*error.kind(), ConnectorErrorKind::Unexpected);
        assert!(error.to_string().contains("without a nonce"), "{error}");
    }
}

#[test]
fn a_client_that_changes_its_version_or_has_none_we_know_is_refused() {
    for (versions, kind) in [
        ([6, 4], ConnectorErrorKind::Unexpected),
        ([4, 6], ConnectorErrorKind::Unexpected),
        ([1, 1], ConnectorErrorKind::Unsupported),
        ([0, 0], ConnectorErrorKind::Unsupported),
    ] {
        let mut server = old_server(KEY);
        let mut next = versions.into_iter();
        let result = run_ours(client(&config("rdptest", PASSWORD), false), |message| {
            let request: TsRequest<'_> = decode_exact(message).unwrap();
            let version = next.next().unwrap();
            server.handle(&encode_vec(&TsRequest { version, ..request }).unwrap())
        });
        assert!(result.is_err());
        assert_eq!(*server.error().kind(), kind, "{versions:?}");
    }
}
