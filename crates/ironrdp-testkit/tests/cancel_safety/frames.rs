//! Frames, and TLS below them.

use futures_rustls::TlsAcceptor;
use ironrdp_async::EndOfStream;
use ironrdp_futures::{FuturesFramed, TlsStream};
use ironrdp_pdu::{Action, FAST_PATH_HINT};
use ironrdp_testkit::poll_once;
use ironrdp_tls::{CertificatePolicy, TlsClient, TlsServer};
use smol::future::zip;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::crumbs::{frames, pipe};
use crate::{block_on, dropping};

const SEEDS: u64 = 10;

pub(crate) fn what_arrived_stays_buffered() {
    for seed in 0..SEEDS {
        let sent = frames(40, 3_000, seed);
        let (near, mut far) = pipe(1, seed);
        far.queue(&sent.concat());
        far.close();
        let mut framed = FuturesFramed::new(near);
        let mut all = [0; 4];
        block_on(async {
            for (index, frame) in sent.iter().enumerate() {
                let (got, drops) = match index % 4 {
                    0 => {
                        dropping(|| {
                            poll_once(framed.read_exact(frame.len())).map(|read| read.unwrap().to_vec())
                        })
                        .await
                    }
                    1 => dropping(|| poll_once(framed.read_pdu()).map(|read| read.unwrap().1.to_vec())).await,
                    2 => {
                        dropping(|| {
                            poll_once(framed.read_by_hint(&FAST_PATH_HINT)).map(|read| read.unwrap().to_vec())
                        })
                        .await
                    }
                    _ => {
                        dropping(|| {
                            let (action, frame) = poll_once(framed.next_frame())?.unwrap();
                            assert_eq!(action, Action::FastPath);
                            Some(frame.to_vec())
                        })
                        .await
                    }
                };
                assert!(got == *frame, "seed {seed}: frame {index}");
                all[index % 4] += drops;
            }
            let (end, _) = dropping(|| poll_once(framed.read_pdu())).await;
            assert!(
                EndOfStream::of(&end.unwrap_err()).unwrap().is_between_frames(),
                "seed {seed}"
            );
        });
        assert!(all.iter().all(|drops| *drops > 3), "seed {seed}: {all:?}");
    }
}

pub(crate) fn a_flush_goes_on_at_the_byte_where_it_stopped() {
    for seed in 0..SEEDS {
        let messages = frames(20, 2_000, seed);
        let (near, mut far) = pipe(300, seed);
        let mut framed = FuturesFramed::new(near);
        let (mut got, mut all) = (Vec::new(), 0);
        for message in &messages {
            framed.send(message).unwrap();
            let (flushed, drops) = block_on(dropping(|| {
                far.drain_into(&mut got);
                poll_once(framed.flush())
            }));
            flushed.unwrap();
            assert!(framed.is_flushed());
            all += drops;
        }
        far.drain_into(&mut got);
        assert!(got == messages.concat() && all > 50, "seed {seed}: {all} drops");
    }
}

pub(crate) fn an_exchange_goes_on_in_both_directions() {
    for seed in 0..SEEDS {
        let messages = frames(20, 2_000, seed);
        let answers = frames(20, 2_000, seed + 1_000);
        let (near, mut far) = pipe(300, seed);
        far.queue(&answers.concat());
        far.close();
        let mut framed = FuturesFramed::new(near);
        for message in &messages {
            framed.send(message).unwrap();
        }
        let (mut got, mut heard, mut all) = (Vec::new(), Vec::new(), 0);
        while heard.len() < answers.len() || got.len() < messages.concat().len() {
            let (exchanged, drops) = block_on(dropping(|| {
                far.drain_into(&mut got);
                poll_once(framed.exchange())
            }));
            all += drops;
            while let Some((_, frame)) = framed.buffered_frame().unwrap() {
                heard.push(frame.to_vec());
            }
            if exchanged.is_err() {
                // All is read; the rest of what is to be sent goes with a flush.
                assert_eq!(heard.len(), answers.len(), "seed {seed}");
                block_on(dropping(|| {
                    far.drain_into(&mut got);
                    poll_once(framed.flush())
                }))
                .0
                .unwrap();
                far.drain_into(&mut got);
            }
        }
        assert!(
            heard == answers && got == messages.concat() && all > 3,
            "seed {seed}: {all} drops"
        );
    }
}

pub(crate) fn a_write_leaves_all_or_nothing_in_the_queue() {
    let (mut sent, mut unsent) = (0, 0);
    for seed in 0..100 {
        let messages = frames(2, 900, seed);
        let (near, mut far) = pipe(10_000, seed);
        let mut framed = FuturesFramed::new(near);
        framed.send(&messages[0]).unwrap();
        if poll_once(framed.write_all(&messages[1])).is_some() {
            continue;
        }
        block_on(dropping(|| poll_once(framed.flush()))).0.unwrap();
        let mut got = Vec::new();
        far.drain_into(&mut got);
        if got == messages.concat() {
            sent += 1;
        } else {
            assert!(got == messages[0], "seed {seed}: half a message");
            unsent += 1;
        }
    }
    // That is why it is in the other table: either may be.
    assert!(sent > 0 && unsent > 0, "{sent} sent, {unsent} not");
}

pub(crate) fn a_handshake_goes_on_where_it_stopped() {
    let server = TlsServer::from_pem(
        include_bytes!("../../../ironrdp-tls/tests/data/self-signed.pem"),
        include_bytes!("../../../ironrdp-tls/tests/data/ec.key.pem"),
    )
    .unwrap();
    let client = TlsClient::new(CertificatePolicy::dangerously_accept_any()).unwrap();
    for seed in 0..SEEDS {
        let (near, far) = pipe(700, seed);
        let config = client.for_host("localhost", 3389).unwrap();
        let mut handshake = TlsStream::connect(near, config, TlsClient::server_name("localhost").unwrap());
        let accept = async {
            let acceptor = TlsAcceptor::from(server.server_config());
            let mut stream = acceptor.accept(far.with_prompt_flush()).await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            stream.flush().await.unwrap();
            stream
        };
        let connect = async {
            let (stream, drops) = dropping(|| poll_once(&mut handshake)).await;
            let mut stream = stream.unwrap();
            stream.write_all(b"echo").await.unwrap();
            stream.flush().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"echo", "seed {seed}");
            drops
        };
        let (drops, _open) = block_on(zip(connect, accept));
        assert!(drops > 5, "seed {seed}: {drops}");
    }
}
