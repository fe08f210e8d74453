//! Network level authentication from one end to the other, over TLS and real sockets.
#![cfg(feature = "nla")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

#[cfg(test)]
mod common;

use std::sync::{Arc, Mutex};

use common::{ClientSession, PASSWORD, TestServer, USER, exactly, size};
use ironrdp_connector::{
    AuthFailure, Config, ConnectorErrorKind, Logon, LogonMethod, LogonName, SecurityPolicy,
};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::x224::SecurityProtocol;
use ironrdp_server::{
    Account, Client, Credentials, Login, Lookup, Seat, Server, ServerConfig, Verdict, self_signed,
};
use ironrdp_tls::{CertificatePolicy, Fingerprint, Pin};
use ironrdp_tokio::{Connect, ConnectConfig, ConnectError, ConnectErrorKind, ServerAddr};

async fn log_in(
    server: &TestServer,
    client: Config,
) -> Result<(SecurityProtocol, ClientSession), ConnectError> {
    let connected = Connect::new(server.address.clone(), server.config(client))
        .run()
        .await?;
    let protocol = connected.result.protocol;
    let session = connected.into_session(Framebuffer::new(1, 1).unwrap()).unwrap();
    Ok((protocol, session))
}

fn as_user(user: &str, password: &str) -> Config {
    Config::new(ironrdp_connector::Credentials::new(user, password)).with_desktop_size(size(128, 128))
}

fn failure(error: &ConnectError) -> AuthFailure {
    let ConnectErrorKind::Sequence(error) = error.kind() else {
        panic!("{error:?}");
    };
    match error.kind() {
        ConnectorErrorKind::Auth(failure) => *failure,
        _ => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_user_who_proves_the_password_gets_a_session_in_its_own_name() {
    let server = TestServer::start_with(size(128, 128), |config| config.require_nla()).await;
    let clients = [
        as_user(USER, PASSWORD),
        as_user("LAB\\ada", PASSWORD).with_ntlm_in_spnego(),
        as_user("ADA", PASSWORD).with_restricted_admin(),
    ];
    for client in clients {
        let (protocol, mut session) = log_in(&server, client).await.unwrap();
        assert_eq!(protocol, SecurityProtocol::HYBRID_EX);
        server.wait_for_picture(&mut session, exactly).await;
    }
    let seen: Vec<(String, String)> = server
        .clients
        .lock()
        .unwrap()
        .iter()
        .map(|client| (client.domain.clone(), client.user_name.clone()))
        .collect();
    let names = [("", "ada"), ("LAB", "ada"), ("", "ADA")];
    assert_eq!(
        seen,
        names.map(|(domain, user)| (domain.to_owned(), user.to_owned()))
    );
}

#[tokio::test]
async fn nobody_else_does_and_is_told_why() {
    let server = TestServer::start_with(size(128, 128), |config| config.require_nla()).await;
    for (user, password) in [(USER, "babbage"), ("charles", PASSWORD), (USER, "")] {
        let error = log_in(&server, as_user(user, password))
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(failure(&error), AuthFailure::BadCredentials);
    }
    let tls = as_user(USER, PASSWORD).with_security(SecurityPolicy::Tls);
    assert!(log_in(&server, tls).await.is_err());
    assert!(server.clients.lock().unwrap().is_empty());
}

/// Knows the user's password, and lets no user in whose name is as it says.
struct Closed {
    account: Account,
    asked: Arc<Mutex<Vec<(String, LogonMethod)>>>,
}

impl Credentials for Closed {
    fn check<'a>(&'a self, _: Login<'a>) -> Verdict<'a> {
        panic!("who has logged in is not checked again");
    }

    fn secret<'a>(&'a self, name: &'a LogonName) -> Lookup<'a> {
        self.account.secret(name)
    }

    fn admit<'a>(&'a self, logon: &'a Logon) -> Verdict<'a> {
        let asked = (logon.name.user.clone(), logon.method);
        self.asked.lock().unwrap().push(asked);
        Box::pin(async { false })
    }
}

#[tokio::test]
async fn a_user_who_proves_the_password_and_may_not_come_in_is_told_so_at_once() {
    let asked = Arc::default();
    let credentials = Closed {
        account: Account::new(USER, PASSWORD),
        asked: Arc::clone(&asked),
    };
    let tls = self_signed(["localhost"]).unwrap();
    let pin = Pin::Certificate(Fingerprint::of(tls.certificate()));
    let config = ServerConfig::new(tls, credentials).require_nla();
    let nobody = |_: &Client| -> Option<Seat> { panic!("somebody came in") };
    let server = Server::bind(([127, 0, 0, 1], 0).into(), config, nobody)
        .await
        .unwrap();
    let address: ServerAddr = server.local_addr().unwrap().to_string().parse().unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    for (password, expected) in [
        (PASSWORD, AuthFailure::AccessDenied),
        ("babbage", AuthFailure::BadCredentials),
    ] {
        let config = ConnectConfig::new(as_user(USER, password))
            .with_certificate_policy(CertificatePolicy::pins([pin]))
            .unwrap();
        let error = Connect::new(address.clone(), config)
            .run()
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(failure(&error), expected);
    }
    assert_eq!(*asked.lock().unwrap(), [(USER.to_owned(), LogonMethod::Ntlm)]);
    handle.shutdown();
    running.await.unwrap();
}

#[tokio::test]
async fn a_server_that_offers_both_takes_what_the_client_has() {
    let server = TestServer::start_with(size(128, 128), |config| config.with_nla()).await;
    for (policy, expected) in [
        (SecurityPolicy::Auto, SecurityProtocol::HYBRID_EX),
        (SecurityPolicy::Nla, SecurityProtocol::HYBRID_EX),
        (SecurityPolicy::Tls, SecurityProtocol::SSL),
    ] {
        let client = as_user(USER, PASSWORD).with_security(policy);
        assert_eq!(log_in(&server, client).await.unwrap().0, expected);
    }
    let without = TestServer::start(size(128, 128)).await;
    let insists = as_user(USER, PASSWORD).with_security(SecurityPolicy::Nla);
    let error = log_in(&without, insists).await.map(drop).unwrap_err();
    assert_eq!(failure(&error), AuthFailure::NlaUnavailable);
}
