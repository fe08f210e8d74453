//! The whole sequence with the wire cut, stalled or one byte changed, at every byte in both directions: the right kind of
//! error or success, no panic, no wait without end, no memory without bound.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectorError, ConnectorErrorKind, Credentials, ServerAcceptor,
};
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_testkit::{Chunks, Direction, Fault, Pair, PairOutcome, license};

type Outcome = PairOutcome<ClientConnector, ServerAcceptor>;

/// What the two ends are told to do; each way through the sequence is swept.
#[derive(Debug, Clone, Copy)]
enum Scenario {
    /// TLS, three channels joined one by one, the short licence.
    Tls,
    /// TLS, joins skipped, no message channel.
    Short,
    /// No TLS, the full licence exchange.
    PlainLicense,
    /// The network is measured.
    Measured,
}

impl Scenario {
    fn pair(self) -> Pair<ClientConnector, ServerAcceptor> {
        let client = Config::new(Credentials::new("rdptest", "Lab-Pass-1"));
        let server = AcceptorConfig::new();
        let (client, server) = match self {
            Self::Tls => (
                client.with_channels(channels()),
                server.with_skip_channel_join(false),
            ),
            Self::Short => (client, server.with_message_channel(false)),
            Self::PlainLicense => (
                client.dangerously_require_plain(),
                server
                    .dangerously_require_plain()
                    .with_licenses_of(license::authority()),
            ),
            Self::Measured => (client, server.with_auto_detect(true)),
        };
        Pair::new(ClientConnector::new(client), ServerAcceptor::new(server)).with_chunks(Chunks::Random(700))
    }

    /// Bytes that cross the wire when nothing goes wrong.
    fn length(self, direction: Direction) -> u64 {
        let clean = self.pair().run();
        assert!(clean.client.is_ok() && clean.server.is_ok(), "{self:?}");
        match direction {
            Direction::ToServer => clean.bytes_to_server,
            Direction::ToClient => clean.bytes_to_client,
        }
    }
}

fn channels() -> Vec<ChannelDefinition> {
    ["rdpdr", "rdpsnd", "cliprdr"]
        .map(|name| ChannelDefinition {
            name: ChannelName::new(name).unwrap(),
            options: ChannelOptions::INITIALIZED,
        })
        .to_vec()
}

/// What a peer's bytes may bring about. `Misuse` would be our own mistake.
fn is_of_the_right_kind(error: &ConnectorError) -> bool {
    match error.kind() {
        ConnectorErrorKind::Malformed
        | ConnectorErrorKind::Unexpected
        | ConnectorErrorKind::Refused(_)
        | ConnectorErrorKind::Unsupported
        | ConnectorErrorKind::Redirected(_)
        | ConnectorErrorKind::Limit
        | ConnectorErrorKind::Timeout(_)
        | ConnectorErrorKind::Io(_) => {
            error.phase().is_some() || matches!(error.kind(), ConnectorErrorKind::Unexpected)
        }
        _ => false,
    }
}

/// More than any PDU of the sequence, and less than what a lying length could ask for.
const MAX_BUFFERED: usize = 64 * 1024 + 16 * 1024;

fn check(outcome: Outcome, what: &str) -> (Option<ConnectorError>, Option<ConnectorError>) {
    assert!(
        outcome.peak_buffered <= MAX_BUFFERED,
        "{what}: {} bytes buffered",
        outcome.peak_buffered
    );
    let (client, server) = (outcome.client.err(), outcome.server.err());
    for error in client.iter().chain(&server) {
        assert!(is_of_the_right_kind(error), "{what}: {error:?}");
        assert!(!error.to_string().is_empty());
    }
    (client, server)
}

fn sweep(scenario: Scenario, step: usize, fault: impl Fn(Direction, u64) -> Vec<Fault>) {
    let (mut runs, mut noticed) = (0, 0);
    for direction in [Direction::ToServer, Direction::ToClient] {
        for at in (0..scenario.length(direction)).step_by(step) {
            for fault in fault(direction, at) {
                let outcome = scenario.pair().with_fault(fault).run();
                let (client, server) = check(outcome, &format!("{scenario:?} {fault:?}"));
                runs += 1;
                noticed += u32::from(client.is_some() || server.is_some());
            }
        }
    }
    // Names, keyboards and the bytes of a measurement may be anything; lengths, types and ids may not.
    assert!(
        noticed > runs / 100 && noticed < runs,
        "{noticed} of {runs} noticed"
    );
}

#[test]
fn cut_at_every_byte_each_end_reports_the_end_of_the_stream() {
    for scenario in [Scenario::Tls, Scenario::PlainLicense] {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for at in 0..scenario.length(direction) {
                let fault = Fault::Cut(direction, at);
                let what = format!("{scenario:?} {fault:?}");
                let (client, server) = check(scenario.pair().with_fault(fault).run(), &what);
                let reader = match direction {
                    Direction::ToServer => server,
                    Direction::ToClient => client,
                };
                let error = reader.unwrap_or_else(|| panic!("{what}: success without all bytes"));
                let end = ConnectorErrorKind::Io(std::io::ErrorKind::UnexpectedEof);
                assert_eq!(*error.kind(), end, "{what}");
            }
        }
    }
}

#[test]
fn stalled_at_every_byte_the_reader_times_out() {
    for scenario in [Scenario::Tls, Scenario::PlainLicense] {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for at in 0..scenario.length(direction) {
                let fault = Fault::Stall(direction, at);
                let what = format!("{scenario:?} {fault:?}");
                let (client, server) = check(scenario.pair().with_fault(fault).run(), &what);
                let timeout = |error: &ConnectorError| matches!(error.kind(), ConnectorErrorKind::Timeout(_));
                assert!(
                    client.iter().chain(&server).any(timeout),
                    "{what}: {client:?} {server:?}"
                );
            }
        }
    }
}

#[test]
fn every_byte_changed_a_little_or_much_over_tls() {
    sweep(Scenario::Tls, 1, |direction, at| {
        [0x01, 0x80, 0xff]
            .map(|mask| Fault::Corrupt(direction, at, mask))
            .to_vec()
    });
}

#[test]
fn every_bit_changed_in_the_shortest_sequence() {
    sweep(Scenario::Short, 1, |direction, at| {
        (0..8)
            .map(|bit| Fault::Corrupt(direction, at, 1 << bit))
            .collect()
    });
}

#[test]
fn every_byte_changed_while_a_licence_is_issued() {
    sweep(Scenario::PlainLicense, 1, |direction, at| {
        vec![Fault::Corrupt(
            direction,
            at,
            if at % 2 == 0 { 0xff } else { 0x10 },
        )]
    });
}

#[test]
fn bytes_changed_while_the_network_is_measured() {
    // Most of these bytes are the payload that is measured, which nobody reads: a prime step visits enough of them.
    sweep(Scenario::Measured, 29, |direction, at| {
        [0x02, 0x81]
            .map(|mask| Fault::Corrupt(direction, at, mask))
            .to_vec()
    });
}

#[test]
fn random_chunks_and_random_faults_repeat_from_their_seed() {
    for seed in 0..500_u64 {
        let mut rng = ironrdp_testkit::Rng::new(seed);
        let scenario = [Scenario::Tls, Scenario::Short, Scenario::Measured][rng.below(3)];
        let direction = [Direction::ToServer, Direction::ToClient][rng.below(2)];
        let at = rng.next_u64() % 3_000;
        let fault = match rng.below(3) {
            0 => Fault::Cut(direction, at),
            1 => Fault::Stall(direction, at),
            _ => Fault::Corrupt(direction, at, rng.bytes(1)[0]),
        };
        let run = || {
            scenario
                .pair()
                .with_seed(seed)
                .with_chunks(Chunks::Random(97))
                .with_fault(fault)
                .run()
        };
        let (first, second) = (run(), run());
        assert_eq!(first.transcript, second.transcript, "seed {seed}: {fault:?}");
        check(first, &format!("seed {seed}: {scenario:?} {fault:?}"));
    }
}
