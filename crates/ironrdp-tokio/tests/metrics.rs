//! What a connection and its session tell the `metrics` crate, by its own debugging recorder and in paused time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use common::{Host, client};
use ironrdp_async::{Metrics, MetricsObserver};
use ironrdp_core::{MonotonicInstant, encode_vec};
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{Event, NoPixels, PduKind};
use ironrdp_tokio::{Connect, Observer, ServerAddr, Session, SessionStream, TokioStream};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

/// Everything that was recorded, by name and labels: counts and gauges as they are, histograms by their values.
struct Recorded(BTreeMap<String, DebugValue>);

impl Recorded {
    fn new(snapshotter: &Snapshotter) -> Self {
        let rows = snapshotter.snapshot().into_vec();
        Self(
            rows.into_iter()
                .map(|(key, _, _, value)| {
                    let key = key.key();
                    let labels: Vec<_> = key
                        .labels()
                        .map(|label| format!("{}={}", label.key(), label.value()))
                        .collect();
                    (format!("{}{{{}}}", key.name(), labels.join(",")), value)
                })
                .collect(),
        )
    }

    fn count(&self, name: &str) -> u64 {
        match self.0.get(name) {
            Some(DebugValue::Counter(count)) => *count,
            other => panic!("{name}: {other:?} in {:?}", self.0.keys()),
        }
    }

    fn gauge(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(DebugValue::Gauge(value)) => value.into_inner(),
            other => panic!("{name}: {other:?} in {:?}", self.0.keys()),
        }
    }

    fn durations(&self, name: &str) -> Vec<f64> {
        match self.0.get(name) {
            Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.into_inner()).collect(),
            other => panic!("{name}: {other:?} in {:?}", self.0.keys()),
        }
    }
}

/// Counters of a recorder of this test alone.
fn recorder() -> (Metrics, Snapshotter) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let metrics = metrics::with_local_recorder(&recorder, || Metrics::new([("host", "a")]));
    (metrics, snapshotter)
}

fn over(stream: DuplexStream) -> Connect<DuplexStream> {
    Connect::over(
        stream,
        ServerAddr::new("localhost", 3389),
        client().dangerously_require_plain(),
    )
}

async fn session(
    metrics: &Metrics,
) -> (
    Session<NoPixels, DuplexStream, MetricsObserver>,
    Host<DuplexStream>,
) {
    let (left, right) = tokio::io::duplex(4_096);
    let server = tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Host::accept_plain(right).await
    });
    let mut observer = metrics.observer();
    let connected = over(left).run_observed(&mut observer).await.unwrap();
    let session = connected.into_session(NoPixels).unwrap();
    (session.with_observer(observer), server.await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn phases_bytes_and_pdus_are_told_as_they_are_counted() {
    let (metrics, snapshotter) = recorder();
    let (mut session, mut host) = session(&metrics).await;
    host.paint(7).await;
    let pointer = FastPathUpdate::single(UpdateCode::PointerHidden, &[]);
    let unknown = FastPathUpdate::single(UpdateCode::Unknown(14), &[1]);
    for update in [pointer, unknown] {
        let frame = encode_vec(&FastPathOutput { update }).unwrap();
        host.framed.write_all(&frame).await.unwrap();
    }
    session.send_input(&[InputEvent::moved_to(1, 2)]).await.unwrap();
    host.goodbye().await;
    while session.next_event().await.unwrap().is_some() {}

    let recorded = Recorded::new(&snapshotter);
    let phase = |name: &str| {
        recorded.durations(&format!(
            "rdp_connect_phase_duration_seconds{{host=a,phase={name}}}"
        ))
    };
    assert_eq!(phase("negotiate"), [3.0]);
    assert_eq!(phase("activate"), [0.0]);
    assert_eq!(phase("dial"), [0.0; 0]);
    let stats = *session.session().stats();
    assert!(stats.bytes_in > 0 && stats.bytes_out > 0);
    assert_eq!(
        recorded.count("rdp_session_bytes_in_total{host=a}"),
        stats.bytes_in
    );
    assert_eq!(
        recorded.count("rdp_session_bytes_out_total{host=a}"),
        stats.bytes_out
    );
    assert_eq!(
        recorded.count("rdp_session_frames_total{host=a,framing=fast_path}"),
        stats.fast_path_frames
    );
    for (kind, count) in stats.pdus_by_kind() {
        let name = format!("rdp_session_pdus_total{{host=a,kind={}}}", kind.name());
        assert_eq!(recorded.count(&name), count, "{kind:?}");
    }
    assert_eq!(stats.pdus(PduKind::Bitmap), 1);
    assert_eq!(recorded.count("rdp_session_pdus_unsupported_total{host=a}"), 1);
    assert_eq!(recorded.gauge("rdp_sessions{host=a}"), 1.0);
    assert!(
        !recorded
            .durations("rdp_session_decode_duration_seconds{host=a}")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn gauges_are_those_of_all_sessions_and_forget_each_with_its_end() {
    let (metrics, snapshotter) = recorder();
    let (mut first, _silent) = session(&metrics).await;
    let (mut second, _also_silent) = session(&metrics).await;
    let keys = vec![InputEvent::key_pressed(0x1e, false); 10_000];
    first.send_input(&keys).await.unwrap();
    second.send_input(&keys).await.unwrap();
    let queued = |recorded: &Recorded| recorded.gauge("rdp_session_queue_bytes{host=a}");

    let recorded = Recorded::new(&snapshotter);
    let waiting = [first.framed().queued(), second.framed().queued()];
    assert!(waiting.iter().all(|bytes| *bytes > 10_000), "{waiting:?}");
    assert_eq!(
        queued(&recorded),
        f64::from(u32::try_from(waiting.iter().sum::<usize>()).unwrap())
    );
    assert_eq!(recorded.gauge("rdp_sessions{host=a}"), 2.0);

    // This recorder starts at zero again after each look.
    for (session, bytes) in [first, second].into_iter().zip(waiting) {
        drop(session);
        let recorded = Recorded::new(&snapshotter);
        assert_eq!(queued(&recorded), -f64::from(u32::try_from(bytes).unwrap()));
        assert_eq!(recorded.gauge("rdp_sessions{host=a}"), -1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_fail_are_counted_by_phase_and_reason() {
    let (metrics, snapshotter) = recorder();
    let (left, _silent) = tokio::io::duplex(4_096);
    let mut connect = over(left);
    let mut observer = metrics.observer();
    connect.run_observed(&mut observer).await.unwrap_err();
    // The same error again is not another failure.
    connect.run_observed(&mut observer).await.unwrap_err();

    let (left, mut right) = tokio::io::duplex(4_096);
    right.write_all(b"SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
    over(left).run_observed(&mut observer).await.unwrap_err();

    let recorded = Recorded::new(&snapshotter);
    let failures = |phase: &str, reason: &str| {
        recorded.count(&format!(
            "rdp_connect_failures_total{{host=a,phase={phase},reason={reason}}}"
        ))
    };
    assert_eq!(failures("negotiate", "timeout"), 1);
    assert_eq!(failures("negotiate", "error"), 1);
    assert_eq!(failures("activate", "error"), 0);
    assert_eq!(
        recorded.gauge("rdp_sessions{host=a}"),
        0.0,
        "none of them became a session"
    );
}

thread_local! {
    static LOOKS: Cell<u64> = const { Cell::new(0) };
}

/// A clock that stands still and counts who looks at it.
fn watched_clock() -> MonotonicInstant {
    LOOKS.set(LOOKS.get() + 1);
    MonotonicInstant::ORIGIN
}

/// How often the clock is looked at while ten frames come one by one.
async fn looks<O: Observer>(observer: O) -> u64 {
    let (left, right) = tokio::io::duplex(4_096);
    let server = tokio::spawn(Host::accept_plain(right));
    let mut connected = over(left).run().await.unwrap();
    let mut host = server.await.unwrap();
    connected.framed.set_clock(watched_clock);
    let session = SessionStream::new(connected.framed, connected.result, NoPixels).unwrap();
    let mut session = session.with_observer(observer);
    let before = LOOKS.get();
    for _ in 0..10 {
        host.paint(1).await;
        assert_eq!(session.next_event().await.unwrap(), Some(Event::Painted));
    }
    LOOKS.get() - before
}

#[tokio::test]
async fn a_session_that_nobody_observes_measures_nothing() {
    const { assert!(!<() as Observer>::ENABLED && MetricsObserver::ENABLED) };
    // The time of arrival of each, which the protocol needs.
    assert_eq!(looks(()).await, 10);
    let (metrics, _) = recorder();
    // Beside it, before each look for frames and after they were handled.
    assert_eq!(looks(metrics.observer()).await, 10 + 3 * 10);
    type Stream<O> = SessionStream<TokioStream<DuplexStream>, NoPixels, O>;
    assert_eq!(
        size_of::<Stream<()>>() + size_of::<u64>(),
        size_of::<Stream<Counts>>()
    );
    assert!(
        size_of::<MetricsObserver>() <= 16,
        "the rest is made when the session works"
    );
}

/// An observer of eight bytes.
struct Counts(#[expect(dead_code, reason = "only its size matters")] u64);

impl Observer for Counts {}
