//! The simulated network itself, and each kind of stream over it.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use ironrdp_blocking::{Driven, Framed, NoAnswers, drive};
use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectorErrorKind, ConnectorResult, Credentials, Driver, Reply,
    Request, ServerAcceptor,
};
use ironrdp_core::MonotonicInstant;
use ironrdp_testkit::net::{
    Clock, End, Path, Peer, Sim, SimClock, Stuck, TokioClock, Trouble, Weather, Wire, pipe,
};
use ironrdp_testkit::{Direction, Rng};

fn at(millis: u64) -> MonotonicInstant {
    MonotonicInstant::from_origin(Duration::from_millis(millis))
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn troubled(trouble: Trouble) -> Path {
    Path {
        troubles: vec![trouble],
        ..Path::default()
    }
}

/// What the server can read of a client's `bytes` at a time, the end being an empty read.
fn arrived(wire: &mut Wire, now: MonotonicInstant) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buf = [0; 7];
    while let Some(count) = wire.read(Peer::Server, now, &mut buf)? {
        if count == 0 {
            all.push(b'.');
            break;
        }
        all.extend(&buf[..count]);
    }
    Ok(all)
}

fn wire(to_server: Path) -> Wire {
    Wire::new(1, to_server, Path::default())
}

async fn send<C: Clock>(mut end: End<C>, bytes: Vec<u8>) {
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let count = poll_fn(|cx| end.poll_write(cx, rest)).await.unwrap();
        rest = &rest[count..];
    }
}

async fn receive<C: Clock>(mut end: End<C>) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 333]);
    loop {
        match poll_fn(|cx| end.poll_read(cx, &mut buf)).await.unwrap() {
            0 => return all,
            count => all.extend(&buf[..count]),
        }
    }
}

#[test]
fn bytes_take_the_latency_and_the_time_that_the_rate_allows() {
    let mut wire = wire(Path {
        latency: millis(100),
        rate: Some(1_000),
        segment: 10,
        ..Path::default()
    });
    assert_eq!(wire.write(Peer::Client, at(0), &[7; 25]).unwrap(), Some(25));
    assert_eq!(wire.next_change(Peer::Server), Some(at(110)));
    assert_eq!(arrived(&mut wire, at(109)).unwrap().len(), 0);
    assert_eq!(arrived(&mut wire, at(110)).unwrap().len(), 10);
    assert_eq!(arrived(&mut wire, at(124)).unwrap().len(), 10);
    assert_eq!(arrived(&mut wire, at(125)).unwrap().len(), 5);
    assert_eq!(wire.next_change(Peer::Server), None);
}

#[test]
fn a_full_path_takes_no_more_until_something_was_read() {
    let mut wire = wire(Path {
        buffer: 10,
        ..Path::default()
    });
    assert_eq!(wire.write(Peer::Client, at(0), &[1; 25]).unwrap(), Some(10));
    assert_eq!(wire.write(Peer::Client, at(0), &[2; 15]).unwrap(), None);
    let mut buf = [0; 4];
    assert_eq!(wire.read(Peer::Server, at(0), &mut buf).unwrap(), Some(4));
    assert_eq!(wire.write(Peer::Client, at(0), &[2; 15]).unwrap(), Some(4));
}

#[test]
fn a_stall_delays_what_follows_and_a_lasting_one_loses_it() {
    let mut passing = wire(troubled(Trouble::Stall {
        at: 3,
        lasts: Some(millis(500)),
    }));
    assert_eq!(passing.write(Peer::Client, at(0), b"hello").unwrap(), Some(5));
    assert_eq!(arrived(&mut passing, at(499)).unwrap(), b"hel");
    assert_eq!(arrived(&mut passing, at(500)).unwrap(), b"lo");

    let mut lasting = wire(troubled(Trouble::Stall { at: 3, lasts: None }));
    assert_eq!(lasting.write(Peer::Client, at(0), b"hello").unwrap(), Some(5));
    lasting.close(Peer::Client, at(0));
    assert_eq!(arrived(&mut lasting, at(1_000_000)).unwrap(), b"hel");
    assert_eq!(lasting.next_change(Peer::Server), None);
}

#[test]
fn a_half_closed_direction_ends_and_the_other_goes_on() {
    let mut wire = wire(troubled(Trouble::HalfClose { at: 3 }));
    assert_eq!(wire.write(Peer::Client, at(0), b"hello").unwrap(), Some(5));
    assert_eq!(arrived(&mut wire, at(0)).unwrap(), b"hel.");
    assert_eq!(wire.write(Peer::Server, at(0), b"hello").unwrap(), Some(5));
    let mut buf = [0; 9];
    assert_eq!(wire.read(Peer::Client, at(0), &mut buf).unwrap(), Some(5));
    assert_eq!(
        wire.report(Direction::ToServer).struck,
        [Trouble::HalfClose { at: 3 }]
    );
}

#[test]
fn a_reset_breaks_both_directions_when_the_news_has_travelled() {
    let mut wire = wire(Path {
        latency: millis(40),
        ..troubled(Trouble::Reset { at: 3 })
    });
    assert_eq!(wire.write(Peer::Client, at(0), b"hello").unwrap(), Some(3));
    assert_eq!(wire.write(Peer::Server, at(39), b"x").unwrap(), Some(1));
    for peer in [Peer::Client, Peer::Server] {
        assert_eq!(
            wire.next_change(peer),
            Some(at(if peer == Peer::Client { 39 } else { 40 }))
        );
        let error = wire.read(peer, at(40), &mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let error = wire.write(peer, at(40), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn corruption_changes_its_bytes_and_no_others_and_counts_once_it_was_read() {
    let trouble = Trouble::Corrupt {
        at: 3,
        length: 2,
        mask: 0x20,
    };
    let mut wire = wire(troubled(trouble));
    for byte in b"abcdefg" {
        assert_eq!(wire.write(Peer::Client, at(0), &[*byte]).unwrap(), Some(1));
    }
    assert_eq!(wire.report(Direction::ToServer).struck, []);
    assert_eq!(arrived(&mut wire, at(0)).unwrap(), b"abcDEfg");
    assert_eq!(wire.report(Direction::ToServer).struck, [trouble]);
}

#[test]
fn whoever_has_gone_is_heard_to_the_end_and_then_is_a_broken_pipe() {
    let mut wire = wire(Path::default());
    assert_eq!(wire.write(Peer::Client, at(0), b"bye").unwrap(), Some(3));
    wire.abandon(Peer::Client, at(0));
    assert_eq!(arrived(&mut wire, at(0)).unwrap(), b"bye.");
    let error = wire.write(Peer::Server, at(0), b"wait").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// When each byte of a message arrives in the weather of `seed`.
fn arrivals(seed: u64) -> Vec<(Duration, usize)> {
    let weather = Weather::fair(&mut Rng::new(seed));
    let mut wire = Wire::new(seed, weather.to_server, weather.to_client);
    let (mut now, mut rest, mut seen) = (at(0), 20_000, Vec::new());
    loop {
        while rest > 0
            && let Some(count) = wire.write(Peer::Client, now, &vec![1; rest]).unwrap()
        {
            rest -= count;
        }
        seen.push((now.since_origin(), arrived(&mut wire, now).unwrap().len()));
        match wire.next_change(Peer::Server) {
            Some(next) => now = next.max(now),
            None if rest == 0 => return seen,
            None => {}
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_network() {
    for seed in 0..20 {
        let seen = arrivals(seed);
        assert_eq!(
            seen.iter().map(|(_, count)| count).sum::<usize>(),
            20_000,
            "seed {seed}"
        );
        assert_eq!(arrivals(seed), seen, "seed {seed}");
        assert_ne!(arrivals(seed + 1), seen, "seed {seed}");
    }
}

#[test]
fn bytes_arrive_whole_and_in_order_in_every_weather_and_by_every_clock() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let weather = Weather::fair(&mut rng);
        let bytes = rng.bytes(10_000);

        let mut sim = Sim::new(seed);
        let (near, far) = pipe(
            sim.clock(),
            seed,
            weather.to_server.clone(),
            weather.to_client.clone(),
        );
        sim.spawn(send(near, bytes.clone()));
        let heard = sim.spawn(receive(far));
        sim.run().unwrap();
        assert!(heard.take().unwrap() == bytes, "seed {seed}");

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (heard, took) = runtime.block_on(async {
            let clock = TokioClock::new();
            let (near, far) = pipe(clock, seed, weather.to_server, weather.to_client);
            let (mut near, mut far) = (near, far);
            let sending = async {
                near.write_all(&bytes).await.unwrap();
                near.shutdown().await.unwrap();
            };
            let mut heard = Vec::new();
            let (_, read) = tokio::join!(sending, far.read_to_end(&mut heard));
            read.unwrap();
            (heard, clock.now().since_origin())
        });
        assert!(heard == bytes, "seed {seed}");
        // By tokio's clock every wait is rounded up to a millisecond; but it is the same network.
        let exact = sim.clock().now().since_origin();
        assert!(
            took >= exact && took < exact * 2 + millis(50),
            "seed {seed}: {took:?}, {exact:?}"
        );
    }
}

#[test]
fn a_simulation_in_which_everybody_waits_for_everybody_says_so() {
    let mut sim = Sim::new(1);
    let (near, far) = pipe(sim.clock(), 1, Path::default(), Path::default());
    sim.spawn(async {});
    sim.spawn(receive(near));
    sim.spawn(receive(far));
    assert_eq!(sim.run(), Err(Stuck::Waiting(vec![1, 2])));
}

#[test]
fn a_simulation_in_which_time_stands_still_says_so() {
    let mut sim = Sim::new(1);
    sim.spawn(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    assert_eq!(sim.run(), Err(Stuck::Spinning));
}

#[test]
fn sleepers_wake_at_their_time_and_a_dropped_one_holds_nobody_up() {
    let mut sim = Sim::new(1);
    let clock = sim.clock();
    let long = sim.spawn({
        let clock = clock.clone();
        async move {
            let mut forgotten = clock.sleep(Duration::from_secs(3_600));
            poll_fn(|cx| {
                assert!(std::pin::Pin::new(&mut forgotten).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            drop(forgotten);
            clock.sleep(millis(20)).await;
            clock.sleep(millis(22)).await;
            clock.now()
        }
    });
    sim.run().unwrap();
    assert_eq!(long.take(), Some(at(42)));
    assert!(!clock.advance());
}

#[test]
fn a_stream_of_the_standard_library_says_when_it_would_block() {
    use std::io::{Read as _, Write as _};

    let clock = SimClock::new();
    let slow = Path {
        latency: millis(5),
        buffer: 3,
        ..Path::default()
    };
    let (mut near, mut far) = pipe(clock.clone(), 1, slow.clone(), slow);
    assert_eq!(near.write(b"hello").unwrap(), 3);
    assert_eq!(near.write(b"lo").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let mut buf = [0; 9];
    assert_eq!(far.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(clock.advance());
    assert_eq!(clock.now(), at(5));
    assert_eq!(far.read(&mut buf).unwrap(), 3);
    assert_eq!(near.write(b"lo").unwrap(), 2);
}

/// Drives one end as far as it gets without waiting.
fn go_on<Q: ironrdp_connector::Sequence>(
    framed: &mut Framed<End<SimClock>>,
    driver: &mut Driver<Q>,
) -> ConnectorResult<bool> {
    match drive(framed, driver, &mut Welcome) {
        Ok(driven) => {
            assert_eq!(driven, Driven::Done);
            Ok(true)
        }
        Err(error) if *error.kind() == ConnectorErrorKind::Io(io::ErrorKind::WouldBlock) => Ok(false),
        Err(error) => Err(error),
    }
}

struct Welcome;

impl ironrdp_blocking::Answers for Welcome {
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        match request {
            Request::Authorize(_) => Ok(Reply::Authorized(true)),
            request => NoAnswers.answer(request),
        }
    }
}

#[test]
fn the_blocking_shell_connects_through_every_weather_on_one_thread() {
    for seed in 0..20 {
        let clock = SimClock::new();
        let weather = Weather::fair(&mut Rng::new(seed));
        let (near, far) = pipe(clock.clone(), seed, weather.to_server, weather.to_client);
        let config = Config::new(Credentials::new("user", "password")).dangerously_require_plain();
        let mut client = Driver::new(ClientConnector::new(config));
        let acceptor = AcceptorConfig::new().dangerously_allow_plain();
        let mut server = Driver::new(ServerAcceptor::new(acceptor));
        let (mut near, mut far) = (Framed::new(near), Framed::new(far));
        let mut rounds_in_vain = 0;
        while !(go_on(&mut near, &mut client).unwrap() & go_on(&mut far, &mut server).unwrap()) {
            // What the server has just written is news to the client, who waits for nothing yet.
            rounds_in_vain = if clock.advance() { 0 } else { rounds_in_vain + 1 };
            assert!(rounds_in_vain < 2, "seed {seed}: nobody gets on");
        }
        let client = client.into_sequence().into_result().unwrap();
        let server = server.into_sequence().into_result().unwrap();
        assert_eq!(
            client.activated.share_id, server.activated.share_id,
            "seed {seed}"
        );
    }
}
