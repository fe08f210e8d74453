//! The value of the configuration in every shell, and with whoever works for it.

use std::sync::{Arc, Mutex};

use ironrdp_async::{ConnectConfig, Finalize, NetworkClient};
use ironrdp_connector::{
    Config, ConnectorError, ConnectorResult, Credentials, KerberosConfig, NetworkRequest, Phase,
};
use ironrdp_core::{Limit, LimitExceeded, Limits};
use ironrdp_futures::{AsyncIoTimer, Connect};
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::NoPixels;
use ironrdp_testkit::{Pair, frames};

use super::{client_with, nla, server};

/// A server's first bytes: the longest frame that can be announced, and no more of it.
const LIE: [u8; 4] = [3, 0, 0xff, 0xff];

/// Limits that are unlike the defaults in what a stream has to know.
fn small() -> Limits {
    Limits {
        frame_bytes: 1_000,
        output_bytes: 2_000,
        ..Limits::default()
    }
}

fn is_small(error: &ConnectorError, max_frame: usize) {
    let expected = LimitExceeded {
        limit: Limit::Frame,
        wanted: 0xffff,
        max: 1_000,
    };
    assert_eq!(error.limit(), Some(expected));
    assert_eq!(error.phase(), Some(Phase::Negotiate));
    assert_eq!(max_frame, 1_000);
}

#[test]
fn the_value_of_the_configuration_rules_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(4_096);
        tokio::io::AsyncWriteExt::write_all(&mut far, &LIE).await.unwrap();
        let mut framed = ironrdp_tokio::TokioFramed::new(near);
        let mut connector = client_with(small());
        let error = ironrdp_tokio::connect_begin(&mut framed, &mut connector)
            .await
            .unwrap_err();
        is_small(&error, framed.max_frame());
    });
}

#[test]
fn the_value_of_the_configuration_rules_smol() {
    smol::block_on(async {
        let (near, mut far) = smol::net::unix::UnixStream::pair().unwrap();
        smol::io::AsyncWriteExt::write_all(&mut far, &LIE).await.unwrap();
        let mut framed = ironrdp_futures::FuturesFramed::new(near);
        let mut connector = client_with(small());
        let error = ironrdp_futures::connect_begin(&mut framed, &mut connector)
            .await
            .unwrap_err();
        is_small(&error, framed.max_frame());
    });
}

#[test]
fn the_value_of_the_configuration_rules_threads_that_block() {
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    std::io::Write::write_all(&mut far, &LIE).unwrap();
    let mut framed = ironrdp_blocking::Framed::new(near);
    let mut connector = client_with(small());
    let error = ironrdp_blocking::connect_begin(&mut framed, &mut connector).unwrap_err();
    is_small(&error, framed.max_frame());
}

/// A way to the KDC that remembers what it was told.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<Limits>>>);

impl NetworkClient for Told {
    async fn send(&mut self, _: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        Err(ConnectorError::misuse("nobody asks"))
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.0.lock().unwrap().push(*limits);
    }
}

#[test]
fn the_value_goes_to_whoever_speaks_to_the_kdc() {
    let told = Told::default();
    let config = Config::new(Credentials::new("rdptest", "Lab-Pass-1")).with_limits(small());
    let kerberos = KerberosConfig::default();
    let config = ConnectConfig::new(config).with_kerberos_over(kerberos, told.clone());
    let (near, _far) = smol::net::unix::UnixStream::pair().unwrap();
    let server = "desk.example".parse().unwrap();
    drop(Connect::<_, AsyncIoTimer, Told>::over(near, server, config));
    assert_eq!(*told.0.lock().unwrap(), [small()]);

    // Who brings TLS along brings the way to the KDC along too.
    smol::block_on(async {
        let (near, mut far) = smol::net::unix::UnixStream::pair().unwrap();
        let confirm = frames::confirm(nla());
        smol::io::AsyncWriteExt::write_all(&mut far, &confirm)
            .await
            .unwrap();
        let mut framed = ironrdp_futures::FuturesFramed::new(near);
        let mut connector = client_with(small());
        let should_upgrade = ironrdp_futures::connect_begin(&mut framed, &mut connector)
            .await
            .unwrap();
        let upgraded = ironrdp_futures::mark_as_upgraded(should_upgrade, &mut connector);
        let name = "desk.example".into();
        let finalize = Finalize::new(upgraded, connector, framed, told.clone(), name, vec![1], None);
        drop(finalize.unwrap());
    });
    assert_eq!(*told.0.lock().unwrap(), [small(), small()]);
}

#[test]
fn the_value_goes_with_the_connection_to_the_session_and_its_stream() {
    let outcome = Pair::new(client_with(small()), server()).run();
    let result = outcome.client.unwrap().into_result().unwrap();
    assert_eq!(*result.limits(), small());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(100_000);
        let framed = ironrdp_tokio::TokioFramed::new(near);
        let mut session = ironrdp_async::SessionStream::new(framed, result, NoPixels).unwrap();
        assert_eq!(session.framed().max_frame(), 1_000);
        let keys = [InputEvent::key_pressed(0x1e, false); 255];
        let refused = (0..100).find_map(|_| session.session_mut().send_input(&keys).err());
        assert_eq!(refused.unwrap().limit().unwrap().max, 2_000);
        // And what the server sends is refused by its header.
        tokio::io::AsyncWriteExt::write_all(&mut far, &LIE).await.unwrap();
        let error = loop {
            match session.next_event().await {
                Ok(event) => assert!(event.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.limit().unwrap().limit, Limit::Frame);
    });
}
