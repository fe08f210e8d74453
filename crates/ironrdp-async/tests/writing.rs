//! Writing: every byte once and in order, whatever is dropped on the way.

mod common;

use std::io::ErrorKind;
use std::task::Poll;

use common::{Full, Plain, Read, Wire, fast_path, noise, poll_once, run, run_dropping};
use fastrand::Rng;
use ironrdp_async::{Framed, Limits, QueueFull, exceeded_limit};

/// A stream that takes little, is often not ready, and holds back what it took like a TLS layer.
fn reluctant(seed: u64) -> Wire {
    let mut dice = Rng::with_seed(seed);
    Wire {
        writes: (0..4_000)
            .map(|_| if dice.bool() { 0 } else { 1 + dice.usize(..50) })
            .collect(),
        flushes: (0..2_000).map(|_| dice.usize(..3) > 0).collect(),
        ..Wire::default()
    }
}

fn message(dice: &mut Rng) -> Vec<u8> {
    let size = 1 + dice.usize(..200);
    noise(dice, size)
}

#[test]
fn a_flush_dropped_at_every_await_point_sends_every_byte_once() {
    for seed in 0..200 {
        let mut dice = Rng::with_seed(seed + 1_000);
        let mut framed = Framed::<Full>::new(reluctant(seed));
        let mut expected = Vec::new();
        let mut dropped = 0;
        for _ in 0..30 {
            for _ in 0..dice.usize(..3) {
                let bytes = message(&mut dice);
                framed.send(&bytes).unwrap();
                expected.extend(bytes);
            }
            // A flush that is given up for good; a later one has to go on.
            for _ in 0..dice.usize(..4) {
                dropped += usize::from(poll_once(framed.flush()).is_pending());
            }
        }
        let (result, more) = run_dropping(&mut framed, async |framed| framed.flush().await);
        result.unwrap();
        assert!(framed.is_flushed());
        assert!(dropped + more > 0);
        // The stream was flushed to the last byte, not only written to.
        let wire = framed.into_inner_no_leftover();
        assert_eq!((wire.wire, wire.held), (expected, Vec::new()), "seed {seed}");
    }
}

#[test]
fn an_empty_queue_does_not_count_as_flushed_while_a_lower_layer_holds_bytes() {
    let mut framed = Framed::<Full>::new(Wire {
        flushes: [true, true].into(),
        ..Wire::default()
    });
    framed.send(b"hello").unwrap();
    assert!(poll_once(framed.flush()).is_pending());
    assert_eq!((framed.queued(), framed.is_flushed()), (0, false));
    // Reading, too, pushes it out: the peer may be waiting for exactly these bytes.
    assert!(poll_once(framed.exchange()).is_pending());
    assert!(poll_once(framed.exchange()).is_pending());
    assert!(framed.is_flushed());
    assert_eq!(framed.get_inner().0.wire, b"hello");
}

#[test]
fn exchange_reads_while_the_write_waits_for_room() {
    let wire = Wire {
        writes: [0, 0, 0].into(),
        reads: [Read::Bytes(fast_path(12, 1))].into(),
        ..Wire::default()
    };
    let mut framed = Framed::<Full>::new(wire);
    framed.send(b"waiting").unwrap();
    assert!(matches!(poll_once(framed.exchange()), Poll::Ready(Ok(()))));
    assert_eq!(framed.buffered_frame().unwrap().unwrap().1, fast_path(12, 1));
    assert_eq!(framed.queued(), 7);
}

#[test]
fn what_the_peer_said_last_is_read_even_if_it_no_longer_listens() {
    let wire = Wire {
        fail_writes: true,
        reads: [Read::Bytes(fast_path(12, 1))].into(),
        ..Wire::default()
    };
    let mut framed = Framed::<Full>::new(wire);
    framed.send(b"x").unwrap();
    run(framed.exchange()).unwrap();
    assert!(framed.buffered_frame().unwrap().is_some());
    assert_eq!(
        run(framed.exchange()).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn write_all_dropped_at_every_await_point_sends_each_message_whole_or_not_at_all() {
    for seed in 0..200 {
        let mut dice = Rng::with_seed(seed + 5_000);
        let mut framed = Framed::<Full>::new(reluctant(seed));
        let mut expected = Vec::new();
        for _ in 0..30 {
            let bytes = message(&mut dice);
            let before = expected.len();
            let Poll::Ready(result) = poll_once(framed.write_all(&bytes)) else {
                // Given up. Either its first byte was written, and then the queue has the rest, or nothing was.
                let wire = framed.get_inner().0;
                if wire.wire.len() + wire.held.len() + framed.queued() > before {
                    expected.extend(bytes);
                }
                let wire = framed.get_inner().0;
                assert_eq!(
                    wire.wire.len() + wire.held.len() + framed.queued(),
                    expected.len(),
                    "seed {seed}"
                );
                continue;
            };
            result.unwrap();
            expected.extend(bytes);
            assert!(framed.is_flushed());
        }
        run(framed.flush()).unwrap();
        assert_eq!(framed.into_inner_no_leftover().wire, expected, "seed {seed}");
    }
}

#[test]
fn write_all_goes_behind_what_was_queued() {
    fn check<S>(mut framed: Framed<S>)
    where
        S: ironrdp_async::FramedWrite + ironrdp_async::StreamWrapper<InnerStream = Wire>,
    {
        framed.send(b"first ").unwrap();
        framed.send(b"second ").unwrap();
        run(framed.write_all(b"third")).unwrap();
        assert_eq!(framed.into_inner_no_leftover().wire, b"first second third");
    }
    let wire = || Wire {
        writes: [3, 0, 2, 0, 100, 1].into(),
        flushes: [true].into(),
        ..Wire::default()
    };
    check(Framed::<Full>::new(wire()));
    check(Framed::<Plain>::new(Wire::default()));
}

#[test]
fn a_plain_adapter_whose_write_was_dropped_refuses_to_send_garbage() {
    let mut framed = Framed::<Plain>::new(Wire {
        writes: [3, 0].into(),
        ..Wire::default()
    });
    assert!(poll_once(framed.write_all(b"torn apart")).is_pending());
    let error = run(framed.write_all(b"next")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(framed.get_inner().0.held, b"tor");
}

#[test]
fn nothing_is_sent_after_a_failed_write() {
    let mut framed = Framed::<Full>::new(Wire {
        fail_writes: true,
        ..Wire::default()
    });
    assert_eq!(
        run(framed.write_all(b"lost")).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    framed.get_inner_mut().0.fail_writes = false;
    assert_eq!(
        run(framed.write_all(b"garbage")).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        run(framed.flush()).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert!(framed.get_inner().0.held.is_empty());

    let mut framed = Framed::<Plain>::new(Wire {
        fail_writes: true,
        ..Wire::default()
    });
    assert_eq!(
        run(framed.write_all(b"lost")).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    framed.get_inner_mut().0.fail_writes = false;
    assert_eq!(
        run(framed.write_all(b"garbage")).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[test]
fn a_stream_that_takes_no_bytes_is_an_error_and_not_a_spin() {
    struct Stuck(());
    impl ironrdp_async::FramedFlush for Stuck {
        fn poll_write(&mut self, _: &mut std::task::Context<'_>, _: &[u8]) -> Poll<std::io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_flush(&mut self, _: &mut std::task::Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    impl ironrdp_async::StreamWrapper for Stuck {
        type InnerStream = ();
        fn from_inner((): ()) -> Self {
            Self(())
        }
        fn into_inner(self) {}
        fn get_inner(&self) -> &() {
            &()
        }
        fn get_inner_mut(&mut self) -> &mut () {
            &mut self.0
        }
    }
    let mut framed = Framed::<Stuck>::new(());
    framed.send(b"x").unwrap();
    assert_eq!(run(framed.flush()).unwrap_err().kind(), ErrorKind::WriteZero);
}

#[test]
fn a_queue_above_its_limit_takes_nothing_of_the_message() {
    let mut framed = Framed::<Full>::new(Wire::default());
    framed.set_limits(&Limits {
        output_bytes: 10,
        ..Limits::default()
    });
    framed.send(&[1; 8]).unwrap();
    let full: QueueFull = framed.send(&[2; 3]).unwrap_err();
    assert_eq!((full.queued(), full.refused(), full.limit()), (8, 3, 10));
    let error = std::io::Error::from(full);
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert_eq!(exceeded_limit(&error), Some(full.exceeded()));
    assert_eq!(full.exceeded().wanted, 11);
    framed.send(&[3; 2]).unwrap();
    run(framed.flush()).unwrap();
    framed.send(&[4; 10]).unwrap();
    run(framed.flush()).unwrap();
    assert_eq!(
        framed.into_inner_no_leftover().wire,
        [&[1; 8][..], &[3; 2], &[4; 10]].concat()
    );
}
