//! The adapter over real sockets, over TLS, and over a pipe that does everything in crumbs.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

#[allow(dead_code, reason = "each test binary uses its own part")]
mod crumbs;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crumbs::{frames, pipe};
use fastrand::Rng;
use futures_rustls::{TlsAcceptor, TlsConnector};
use ironrdp_futures::{
    EndOfStream, Framed, FramedRead, FramedWrite, FuturesFramed, FuturesRead, FuturesStream, FuturesWriteAll,
};
use ironrdp_pdu::Action;
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use smol::future::{FutureExt as _, block_on, yield_now, zip};
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{TcpListener, TcpStream};

const SEEDS: u64 = 200;

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

/// The output if it is there at once; otherwise the future is dropped.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn frames_cross_a_socket_and_an_idle_one_holds_no_buffer() {
    block_on(async {
        let (client, mut server) = pair().await.unwrap();
        let mut framed = FuturesFramed::new(client);
        framed.send(b"ping").unwrap();
        framed.write_all(b"-pong").await.unwrap();
        let mut got = [0; 9];
        server.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"ping-pong");

        server
            .write_all(&[0, 5, 1, 2, 3, 3, 0, 0, 8, 2, 0xf0, 0x80, 9])
            .await
            .unwrap();
        assert_eq!(
            framed.next_frame().await.unwrap(),
            (Action::FastPath, &[0, 5, 1, 2, 3][..])
        );
        let (action, bytes) = framed.read_pdu().await.unwrap();
        assert_eq!(
            (action, &bytes[..]),
            (Action::X224, &[3, 0, 0, 8, 2, 0xf0, 0x80, 9][..])
        );
        drop(bytes);
        let timed_out = async {
            smol::Timer::after(Duration::from_millis(20)).await;
            None
        };
        let frame = async { Some(framed.next_frame().await.map(|_| ())) };
        assert!(frame.or(timed_out).await.is_none());
        assert_eq!(framed.get_inner().1.capacity(), 0);

        drop(server);
        let end = framed.read_pdu().await.unwrap_err();
        assert!(EndOfStream::of(&end).unwrap().is_between_frames());
    });
}

#[test]
fn frames_read_in_crumbs_by_futures_that_are_dropped_at_every_await_are_exact() {
    for seed in 0..SEEDS {
        let expected = frames(20, 3_000, seed);
        let (mut near, far) = pipe(700, seed);
        near.queue(&expected.concat());
        near.close();
        let mut framed = FuturesFramed::new(far);
        let mut dropped = 0;
        for frame in &expected {
            let got = loop {
                match poll_once(framed.read_pdu()) {
                    Some(got) => break got.unwrap().1,
                    None => dropped += 1,
                }
            };
            assert_eq!(&got[..], &frame[..], "seed {seed}");
        }
        let end = loop {
            if let Some(end) = poll_once(framed.read_pdu()) {
                break end.unwrap_err();
            }
        };
        assert!(EndOfStream::of(&end).unwrap().is_between_frames(), "seed {seed}");
        assert!(dropped > 0, "seed {seed}");
    }
}

#[test]
fn writes_and_flushes_that_are_dropped_at_every_await_tear_nothing() {
    for seed in 0..SEEDS {
        let mut dice = Rng::with_seed(seed);
        let (mut near, far) = pipe(300, seed);
        let mut framed = FuturesFramed::new(far);
        let mut expected = Vec::new();
        let mut arrived = Vec::new();
        let mut dropped = 0;
        for message in frames(30, 900, seed) {
            if dice.bool() {
                framed.send(&message).unwrap();
                expected.extend_from_slice(&message);
            } else {
                let mut accepted = 0;
                loop {
                    // Dropped, a write has either sent nothing or leaves the rest in the queue.
                    let before = (framed.queued(), near.taken());
                    match poll_once(framed.write_all(&message)) {
                        Some(result) => {
                            result.unwrap();
                            accepted += 1;
                        }
                        None => {
                            dropped += 1;
                            let grown = framed.queued() + near.taken() - before.0 - before.1;
                            assert!([0, message.len()].contains(&grown), "seed {seed}: {grown}");
                            accepted += usize::from(grown > 0);
                        }
                    }
                    near.drain_into(&mut arrived);
                    if accepted > 0 {
                        break;
                    }
                }
                expected.extend_from_slice(&message);
            }
            if poll_once(framed.flush()).is_none() {
                dropped += 1;
            }
            near.drain_into(&mut arrived);
        }
        while poll_once(framed.flush()).map(Result::unwrap).is_none() {
            dropped += 1;
            near.drain_into(&mut arrived);
        }
        near.drain_into(&mut arrived);
        assert!(arrived == expected, "seed {seed}");
        assert!(dropped > 10, "seed {seed}: {dropped}");
    }
}

#[test]
fn both_directions_survive_lost_races_over_tls() {
    const MESSAGES: u64 = 60;
    let server = TlsServer::from_pem(
        include_bytes!("../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let client = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    let config = client.for_host("localhost", 3389).unwrap();
    let name = TlsClient::server_name("localhost").unwrap();
    for seed in 0..20 {
        // Each side sends its frames and takes the other's, and drops every future that does not resolve at once.
        async fn side<S>(stream: S, outgoing: Vec<Vec<u8>>, incoming: Vec<Vec<u8>>, seed: u64)
        where
            S: smol::io::AsyncRead + smol::io::AsyncWrite + Unpin,
        {
            let mut framed = FuturesFramed::new(stream);
            let mut outgoing = outgoing.iter();
            let mut incoming = incoming.iter();
            let mut left = incoming.len();
            loop {
                let more = outgoing.next();
                if let Some(bytes) = more {
                    framed.send(bytes).unwrap();
                }
                if let Some(flushed) = poll_once(framed.flush()) {
                    flushed.unwrap();
                }
                if left > 0
                    && let Some(exchanged) = poll_once(framed.exchange())
                {
                    exchanged.unwrap();
                }
                while let Some((_, frame)) = framed.buffered_frame().unwrap() {
                    assert_eq!(Some(frame), incoming.next().map(Vec::as_slice), "seed {seed}");
                    left -= 1;
                }
                if left == 0 && more.is_none() && framed.is_flushed() {
                    return;
                }
                yield_now().await;
            }
        }
        let (near, far) = pipe(5_000, seed);
        let accepting = TlsAcceptor::from(server.server_config()).accept(near.with_prompt_flush());
        let connecting = TlsConnector::from(config.clone()).connect(name.clone(), far.with_prompt_flush());
        let (accepted, connected) = block_on(zip(accepting, connecting));
        let up: Vec<_> = (0..MESSAGES)
            .flat_map(|n| frames(1, 4_000, seed * 1_000 + n))
            .collect();
        let down: Vec<_> = (0..MESSAGES)
            .flat_map(|n| frames(1, 9_000, seed * 2_000 + n))
            .collect();
        block_on(zip(
            side(accepted.unwrap(), down.clone(), up.clone(), seed),
            side(connected.unwrap(), up, down, seed),
        ));
    }
}

#[test]
fn two_peers_that_both_write_more_than_the_pipe_holds_do_not_wait_for_each_other() {
    async fn side(stream: crumbs::End) -> usize {
        let mut framed = FuturesFramed::new(stream);
        let frame = [&[0, 0x80 | 3, 0xe8][..], &[5; 997]].concat();
        for _ in 0..20 {
            framed.send(&frame).unwrap();
        }
        let mut count = 0;
        while count < 20 {
            framed.exchange().await.unwrap();
            while framed.buffered_frame().unwrap().is_some() {
                count += 1;
            }
        }
        framed.flush().await.unwrap();
        count
    }
    let (left, right) = pipe(100, 1);
    assert_eq!(block_on(zip(side(left), side(right))), (20, 20));
}

#[test]
fn the_halves_of_a_socket_work_alone() {
    block_on(async {
        let (client, server) = pair().await.unwrap();
        let (read, write) = smol::io::split(client);
        let mut reader = FuturesFramed::new(read);
        let mut writer = FuturesFramed::new(write);
        let mut peer = FuturesFramed::new(server);
        writer.write_all(&[0, 3, 1]).await.unwrap();
        peer.send(&[0, 4, 2, 2]).unwrap();
        peer.flush().await.unwrap();
        assert_eq!(peer.next_frame().await.unwrap().1, [0, 3, 1]);
        assert_eq!(reader.next_frame().await.unwrap().1, [0, 4, 2, 2]);
    });
}

#[test]
fn a_stream_that_takes_no_bytes_is_an_error_and_not_a_busy_loop() {
    let mut full = [0_u8; 3];
    let mut framed = FuturesFramed::new(smol::io::Cursor::new(&mut full[..]));
    let error = block_on(framed.write_all(&[1, 2, 3, 4])).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

#[test]
fn futures_are_send_when_the_stream_is_even_in_generic_code() {
    fn spawnable<T: Send + 'static>(_: T) {}
    fn generic<S>(mut framed: Framed<S>)
    where
        S: FramedRead + FramedWrite + Send + 'static,
        for<'a> S::ReadFut<'a>: Send,
        for<'a> S::WriteAllFut<'a>: Send,
    {
        spawnable(async move {
            let frame = framed.read_pdu().await;
            let _ = framed.write_all(&[1]).await;
            drop(frame);
        });
    }
    let _ = generic::<FuturesStream<TcpStream>>;
}

/// Two candidates for `exists` if `T` is `Send`, so that naming it compiles only if `T` is not.
trait NotSend<Candidate> {
    fn exists() {}
}
impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<u8> for T {}

#[test]
fn futures_are_not_send_when_the_stream_is_not() {
    type Local = Rc<smol::io::Cursor<Vec<u8>>>;
    <FuturesStream<Local> as NotSend<_>>::exists();
    <FuturesRead<'static, Local> as NotSend<_>>::exists();
    <FuturesWriteAll<'static, Local> as NotSend<_>>::exists();
}

#[test]
fn a_stream_that_is_not_send_works_on_its_own_thread() {
    struct Local(TcpStream, Rc<()>);
    impl smol::io::AsyncRead for Local {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            assert_eq!(Rc::strong_count(&self.1), 1);
            std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }
    block_on(async {
        let (client, mut server) = pair().await.unwrap();
        server.write_all(&[0, 3, 1]).await.unwrap();
        let mut framed = FuturesFramed::new(Local(client, Rc::new(())));
        assert_eq!(framed.next_frame().await.unwrap().1, [0, 3, 1]);
    });
}
