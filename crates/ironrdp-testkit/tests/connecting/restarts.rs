//! Connections whose futures are dropped whenever they wait.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_rustls::TlsAcceptor;
use ironrdp_async::{
    Answers, Driven, Finalize, NetworkClient, NoNetwork, connect_begin, drive, mark_as_upgraded,
};
use ironrdp_connector::{
    AcceptResult, AcceptorConfig, AuthFailure, ClientConnector, Config, ConnectionResult, ConnectorError,
    ConnectorErrorKind, ConnectorResult, Credentials, Driver, KerberosConfig, NetworkRequest, Phase, Reply,
    Request, SecurityPolicy, ServerAcceptor, ServerIdentity, UserSecret,
};
use ironrdp_futures::{AsyncIoTimer, Connect, ConnectConfig, FuturesFramed};
use ironrdp_testkit::poll_once;
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient, TlsServer};

use crate::crumbs::{End, pipe};
use crate::krb_error::{PREAUTH_FAILED, PREAUTH_REQUIRED, refusal};

const PASSWORD: &str = "Lab-Pass-1";
const SEEDS: u64 = 40;

/// Knows one user, and lets everybody in who got so far.
struct Lab {
    public_key: Vec<u8>,
}

impl Answers for Lab {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        Ok(match request {
            Request::AuthorizeLogon(_) | Request::Authorize(_) => Reply::Authorized(true),
            Request::UserSecret(_) => Reply::UserSecret(Some(UserSecret::Password(PASSWORD.into()))),
            Request::ServerIdentity => Reply::ServerIdentity(ServerIdentity {
                name: "localhost".into(),
                public_key: self.public_key.clone(),
                kerberos: None,
            }),
            _ => return Err(ConnectorError::misuse("a question that the lab cannot answer")),
        })
    }
}

fn config(security: SecurityPolicy) -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD)).with_security(security)
}

fn acceptor(security: SecurityPolicy) -> ServerAcceptor {
    ServerAcceptor::new(match security {
        SecurityPolicy::Nla => AcceptorConfig::new().require_nla(),
        _ => AcceptorConfig::new(),
    })
}

/// What the client may know of the connection, and what the server may: the same whatever is dropped.
fn known(client: &ConnectionResult, server: &AcceptResult) -> (String, String) {
    (format!("{client:?}"), format!("{server:?}"))
}

/// One run over a pipe in crumbs in which TLS is only pretended; says how often the client's future was dropped.
fn finalize(security: SecurityPolicy, seed: u64, drops_futures: bool) -> ((String, String), usize) {
    let key = b"the server's public key".to_vec();
    let (near, far) = pipe(700, seed);
    let mut client_framed = FuturesFramed::new(near.with_prompt_flush());
    let mut connector = ClientConnector::new(config(security));
    let mut server_framed = FuturesFramed::new(far.with_prompt_flush());
    let mut server = Driver::new(acceptor(security));
    let mut lab = Lab {
        public_key: key.clone(),
    };
    let mut drops = 0;
    let begin = async {
        if !drops_futures {
            return connect_begin(&mut client_framed, &mut connector).await.unwrap();
        }
        loop {
            match poll_once(connect_begin(&mut client_framed, &mut connector)) {
                Some(result) => return result.unwrap(),
                None => drops += 1,
            }
            smol::future::yield_now().await;
        }
    };
    let both = smol::future::zip(begin, drive(&mut server_framed, &mut server, &mut lab));
    let (should_upgrade, driven) = smol::future::block_on(both);
    assert_eq!(driven.unwrap(), Driven::UpgradeToTls);
    assert!(should_upgrade.is_needed() && (drops > 0 || !drops_futures));
    server.answer(Reply::Upgraded).unwrap();
    let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
    let name = "localhost".into();
    let mut finalize = Finalize::new(upgraded, connector, client_framed, NoNetwork, name, key, None).unwrap();
    let client = async {
        if !drops_futures {
            return finalize.run().await.unwrap();
        }
        loop {
            // With deadlines and without, in turns: neither keeps anything in its future.
            let mut timer = AsyncIoTimer::default();
            let polled = if drops % 2 == 0 {
                poll_once(finalize.run())
            } else {
                poll_once(finalize.run_within(&mut timer))
            };
            match polled {
                Some(result) => return result.unwrap(),
                None => drops += 1,
            }
            smol::future::yield_now().await;
        }
    };
    let both = smol::future::zip(client, drive(&mut server_framed, &mut server, &mut lab));
    let (client, driven) = smol::future::block_on(both);
    assert_eq!(driven.unwrap(), Driven::Done);
    let again = poll_once(finalize.run()).unwrap().unwrap_err();
    assert_eq!(*again.kind(), ConnectorErrorKind::Misuse);
    assert!(finalize.into_framed().is_flushed());
    let server = server.into_sequence().into_result().unwrap();
    (known(&client, &server), drops)
}

#[test]
fn finalize_dropped_at_every_await_point_ends_as_if_it_had_not_been() {
    for security in [SecurityPolicy::Tls, SecurityPolicy::Nla] {
        let (undisturbed, _) = finalize(security, 0, false);
        let mut dropped = 0;
        for seed in 0..SEEDS {
            let (disturbed, drops) = finalize(security, seed, true);
            assert_eq!(disturbed, undisturbed, "{security:?}, seed {seed}");
            dropped += drops;
        }
        assert!(dropped > 500, "{security:?}: {dropped}");
    }
}

/// The whole connection with real TLS over a pipe in crumbs.
fn connect(security: SecurityPolicy, seed: u64, drops_futures: bool) -> ((String, String), usize) {
    let tls = TlsServer::from_pem(
        include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let key = PeerCertificate::from_der(tls.certificate()).unwrap();
    let mut lab = Lab {
        public_key: key.subject_public_key().to_vec(),
    };
    let (near, far) = pipe(3_000, seed);
    let server = async {
        let mut driver = Driver::new(acceptor(security));
        let mut framed = FuturesFramed::new(far.with_prompt_flush());
        let driven = drive(&mut framed, &mut driver, &mut lab).await.unwrap();
        assert_eq!(driven, Driven::UpgradeToTls);
        let acceptor = TlsAcceptor::from(tls.server_config());
        let stream = acceptor.accept(framed.into_inner_no_leftover()).await.unwrap();
        driver.answer(Reply::Upgraded).unwrap();
        let mut framed = FuturesFramed::new(stream);
        let driven = drive(&mut framed, &mut driver, &mut lab).await.unwrap();
        assert_eq!(driven, Driven::Done);
        // The stream stays open for as long as the client needs it.
        (driver.into_sequence().into_result().unwrap(), framed)
    };
    let any = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    let config: ConnectConfig = ConnectConfig::new(config(security)).with_tls(any);
    let address = "localhost".parse().unwrap();
    let mut connect = Connect::<End, AsyncIoTimer>::over(near.with_prompt_flush(), address, config);
    let mut drops = 0;
    let client = async {
        if !drops_futures {
            return connect.run().await.unwrap();
        }
        loop {
            match poll_once(connect.run()) {
                Some(result) => return result.unwrap(),
                None => drops += 1,
            }
            smol::future::yield_now().await;
        }
    };
    let (client, (server, _open)) = smol::future::block_on(smol::future::zip(client, server));
    assert!(client.framed.get_inner().0.is_tls());
    (known(&client.result, &server), drops)
}

#[test]
fn a_connection_on_smol_dropped_at_every_await_point_ends_as_if_it_had_not_been() {
    for security in [SecurityPolicy::Tls, SecurityPolicy::Nla] {
        let (undisturbed, _) = connect(security, 0, false);
        let mut dropped = 0;
        for seed in 0..SEEDS / 4 {
            let (disturbed, drops) = connect(security, seed, true);
            assert_eq!(disturbed, undisturbed, "{security:?}, seed {seed}");
            dropped += drops;
        }
        assert!(dropped > 100, "{security:?}: {dropped}");
    }
}

/// Asked this often for nothing before each answer comes.
const PATIENCE: usize = 5;

/// A KDC that is slower than whoever asks it waits.
struct SlowKdc {
    answers: VecDeque<Vec<u8>>,
    asked: Arc<Mutex<Vec<NetworkRequest>>>,
}

impl NetworkClient for SlowKdc {
    async fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        let asked = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(network_request.clone());
            asked.len()
        };
        if asked % (PATIENCE + 1) != 0 {
            return pending().await;
        }
        Ok(self.answers.pop_front().unwrap())
    }
}

#[test]
fn a_login_suspended_at_its_kdc_asks_the_same_again_from_whichever_thread_it_wakes_up_on() {
    let (near, far) = pipe(700, 1);
    let mut client_framed = FuturesFramed::new(near.with_prompt_flush());
    let mut connector = ClientConnector::new(config(SecurityPolicy::Nla));
    let mut server_framed = FuturesFramed::new(far.with_prompt_flush());
    let mut server = Driver::new(acceptor(SecurityPolicy::Nla));
    let mut lab = Lab {
        public_key: Vec::new(),
    };
    let begin = connect_begin(&mut client_framed, &mut connector);
    let both = smol::future::zip(begin, drive(&mut server_framed, &mut server, &mut lab));
    let (should_upgrade, driven) = smol::future::block_on(both);
    assert_eq!(driven.unwrap(), Driven::UpgradeToTls);
    let asked = Arc::<Mutex<Vec<NetworkRequest>>>::default();
    let kdc = SlowKdc {
        answers: [PREAUTH_REQUIRED, PREAUTH_FAILED].map(refusal).into(),
        asked: Arc::clone(&asked),
    };
    let mut finalize = Finalize::new(
        mark_as_upgraded(should_upgrade.unwrap(), &mut connector),
        connector,
        client_framed,
        kdc,
        "localhost".into(),
        b"the server's public key".to_vec(),
        Some(KerberosConfig::new("tcp://kdc.lab.example:88").with_realm("LAB.TEST")),
    )
    .unwrap();
    let mut drops = 0;
    let error = loop {
        let polled;
        (polled, finalize) = thread::spawn(move || (poll_once(finalize.run()), finalize))
            .join()
            .unwrap();
        match polled {
            Some(result) => break result.unwrap_err(),
            None => drops += 1,
        }
        assert_eq!(finalize.phase(), Phase::Authenticate);
        assert!(drops <= 2 * PATIENCE, "it waits for something else");
    };
    assert_eq!(
        *error.kind(),
        ConnectorErrorKind::Auth(AuthFailure::BadCredentials)
    );
    assert_eq!(drops, 2 * PATIENCE);
    let again = poll_once(finalize.run()).unwrap().unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    let asked = asked.lock().unwrap();
    let (without_proof, with_proof) = asked.split_at(PATIENCE + 1);
    assert_eq!(with_proof.len(), PATIENCE + 1);
    for requests in [without_proof, with_proof] {
        assert!(requests.iter().all(|request| *request == requests[0]));
        assert_eq!(requests[0].host_and_port(), Some(("kdc.lab.example", 88)));
    }
    assert_ne!(without_proof[0].data, with_proof[0].data);
    // The server has heard nothing of all this.
    assert!(poll_once(server_framed.read_exact(1)).is_none());
}
