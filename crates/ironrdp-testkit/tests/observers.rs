//! An observer hears the same of a session in every shell: what the session itself has counted.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use ironrdp_async::{Observer, Work};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectionResult, Credentials, ServerAcceptor,
};
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::mcs::DisconnectReason;
use ironrdp_session::{Event, NoPixels, PduKind, SessionStats};
use ironrdp_testkit::{Pair, frames};
use tokio::io::AsyncWriteExt as _;

/// Remembers what it heard last, and how much of it was new each time.
#[derive(Debug, Default)]
struct Ear {
    stats: SessionStats,
    frames: u64,
    decoded: u64,
}

impl Observer for Ear {
    fn worked(&mut self, work: &Work<'_>) {
        let new = work.stats.frames_in() - self.stats.frames_in();
        assert_eq!(
            work.decoding.is_some(),
            new > 0,
            "decoding is timed when there is some"
        );
        self.frames += new;
        self.decoded += u64::from(work.decoding.is_some());
        self.stats = *work.stats;
    }
}

fn connected() -> ConnectionResult {
    let client = ClientConnector::new(Config::new(Credentials::new("rdptest", "Lab-Pass-1")));
    let outcome = Pair::new(client, ServerAcceptor::new(AcceptorConfig::new())).run();
    outcome.client.unwrap().into_result().unwrap()
}

/// Pointers that come and go, a kind that nobody knows, and the end.
fn server_says() -> Vec<u8> {
    let update = |code, data: &[u8]| {
        frames::encode(&FastPathOutput {
            update: FastPathUpdate::single(code, data),
        })
    };
    let mut said = Vec::new();
    for number in 0..50 {
        said.extend(update(UpdateCode::PointerPosition, &[number, 0, 0, 0]));
        said.extend(update(UpdateCode::Unknown(14), &[]));
    }
    said.extend(frames::ultimatum(DisconnectReason::UserRequested));
    said
}

fn check(ear: &Ear, stats: &SessionStats) {
    assert_eq!(ear.stats, *stats);
    assert_eq!(ear.frames, 101);
    assert!(ear.decoded > 0);
    assert_eq!(stats.bytes_in, server_says().len() as u64);
    let kinds = [PduKind::Pointer, PduKind::Unknown, PduKind::Disconnect];
    assert_eq!(kinds.map(|kind| stats.pdus(kind)), [50, 50, 1]);
}

#[test]
fn tokio_tells() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // In crumbs, so that most reads bring no frame.
        let (near, mut far) = tokio::io::duplex(7);
        let framed = ironrdp_tokio::TokioFramed::new(near);
        let session = ironrdp_async::SessionStream::new(framed, connected(), NoPixels).unwrap();
        let mut session = session.with_observer(Ear::default());
        let writing = tokio::spawn(async move {
            far.write_all(&server_says()).await.unwrap();
            far
        });
        while session.next_event().await.unwrap().is_some() {}
        check(session.observer(), session.session().stats());
        drop(writing.await.unwrap());
    });
}

#[test]
fn smol_tells() {
    smol::block_on(async {
        let (near, mut far) = smol::net::unix::UnixStream::pair().unwrap();
        smol::io::AsyncWriteExt::write_all(&mut far, &server_says())
            .await
            .unwrap();
        let framed = ironrdp_futures::FuturesFramed::new(near);
        let session = ironrdp_futures::SessionStream::new(framed, connected(), NoPixels).unwrap();
        let mut session = session.with_observer(Ear::default());
        while session.next_event().await.unwrap().is_some() {}
        check(session.observer(), session.session().stats());
    });
}

#[test]
fn threads_that_block_tell() {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(&server_says()).unwrap();
    let framed = ironrdp_blocking::Framed::new(near);
    let session = ironrdp_blocking::SessionStream::new(framed, connected(), NoPixels).unwrap();
    let mut ear = Ear::default();
    let mut session = session.with_observer(&mut ear);
    let mut told = 0;
    while let Some(event) = session.next_event().unwrap() {
        told += u64::from(!matches!(event, Event::Disconnected { .. }));
    }
    assert!(told > 0);
    let stats = *session.session().stats();
    drop(session);
    check(&ear, &stats);
}
