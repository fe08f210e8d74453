//! Counters for the `metrics` crate, and through it for Prometheus and others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ironrdp_connector::Phase;
use ironrdp_session::{PduKind, SessionStats};
use metrics::{Counter, Gauge, Histogram, Label, Unit};

use crate::{Observer, PhaseEnd, Work};

const PHASES: [Phase; 5] = [
    Phase::Dial,
    Phase::Negotiate,
    Phase::Tls,
    Phase::Authenticate,
    Phase::Activate,
];

/// The counters of all sessions that share them; make one, and an [`observer`](Self::observer) of it for each connection.
///
/// Names, after Prometheus' conventions:
///
/// | name | kind | labels |
/// |---|---|---|
/// | `rdp_connect_phase_duration_seconds` | histogram | `phase`: `dial`, `negotiate`, `tls`, `authenticate`, `activate` |
/// | `rdp_connect_failures_total` | counter | `phase`; `reason`: `timeout`, `error` |
/// | `rdp_sessions` | gauge: observers that have seen their session work | |
/// | `rdp_session_bytes_in_total`, `rdp_session_bytes_out_total` | counters; without TLS, the connection sequence and reactivations | |
/// | `rdp_session_frames_total` | counter | `framing`: `fast_path`, `slow_path` |
/// | `rdp_session_pdus_total` | counter | `kind`: [`PduKind::name`] |
/// | `rdp_session_pdus_ignored_total`, `rdp_session_pdus_unsupported_total` | counters | |
/// | `rdp_session_channel_messages_lost_total` | counter | |
/// | `rdp_session_decode_duration_seconds` | histogram: what was there at once, handled | |
/// | `rdp_session_queue_bytes` | gauge: output that waits, of all sessions | |
///
/// ```
/// use ironrdp_async::Metrics;
///
/// // After the recorder was installed; the labels go to every counter.
/// let metrics = Metrics::new([("gateway", "eu-1")]);
/// let observer = metrics.observer();
/// # drop(observer);
/// ```
#[derive(Clone)]
pub struct Metrics {
    handles: Arc<Handles>,
}

struct Handles {
    phases: [Histogram; PHASES.len()],
    timeouts: [Counter; PHASES.len()],
    failures: [Counter; PHASES.len()],
    sessions: Gauge,
    bytes_in: Counter,
    bytes_out: Counter,
    fast_path: Counter,
    slow_path: Counter,
    pdus: [Counter; PduKind::ALL.len()],
    ignored: Counter,
    unsupported: Counter,
    lost: Counter,
    decoding: Histogram,
    queue: Gauge,
}

impl Metrics {
    /// Registers the counters with the recorder that is installed, with `labels` on each of them.
    pub fn new<K, V>(labels: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let labels: Vec<Label> = labels
            .into_iter()
            .map(|(key, value)| Label::new(key.into(), value.into()))
            .collect();
        describe();
        let with = |more: &[(&'static str, &'static str)]| -> Vec<Label> {
            let more = more.iter().map(|(key, value)| Label::new(*key, *value));
            labels.iter().cloned().chain(more).collect()
        };
        let counter = |name, more: &[_]| metrics::counter!(name, with(more));
        let failures = |reason| {
            PHASES.map(|phase| {
                counter(
                    "rdp_connect_failures_total",
                    &[("phase", phase.name()), ("reason", reason)],
                )
            })
        };
        Self {
            handles: Arc::new(Handles {
                phases: PHASES.map(|phase| {
                    let labels = with(&[("phase", phase.name())]);
                    metrics::histogram!("rdp_connect_phase_duration_seconds", labels)
                }),
                timeouts: failures("timeout"),
                failures: failures("error"),
                sessions: metrics::gauge!("rdp_sessions", with(&[])),
                bytes_in: counter("rdp_session_bytes_in_total", &[]),
                bytes_out: counter("rdp_session_bytes_out_total", &[]),
                fast_path: counter("rdp_session_frames_total", &[("framing", "fast_path")]),
                slow_path: counter("rdp_session_frames_total", &[("framing", "slow_path")]),
                pdus: PduKind::ALL.map(|kind| counter("rdp_session_pdus_total", &[("kind", kind.name())])),
                ignored: counter("rdp_session_pdus_ignored_total", &[]),
                unsupported: counter("rdp_session_pdus_unsupported_total", &[]),
                lost: counter("rdp_session_channel_messages_lost_total", &[]),
                decoding: metrics::histogram!("rdp_session_decode_duration_seconds", with(&[])),
                queue: metrics::gauge!("rdp_session_queue_bytes", with(&[])),
            }),
        }
    }

    /// An observer for one connection and its session.
    pub fn observer(&self) -> MetricsObserver {
        MetricsObserver {
            handles: Arc::clone(&self.handles),
            told: None,
        }
    }
}

fn describe() {
    use Unit::{Bytes, Count, Seconds};
    metrics::describe_histogram!(
        "rdp_connect_phase_duration_seconds",
        Seconds,
        "Phases of connections"
    );
    metrics::describe_counter!("rdp_connect_failures_total", Count, "Connections that failed");
    metrics::describe_gauge!("rdp_sessions", Count, "Sessions there are");
    metrics::describe_counter!("rdp_session_bytes_in_total", Bytes, "Bytes of frames received");
    metrics::describe_counter!("rdp_session_bytes_out_total", Bytes, "Bytes of frames sent");
    metrics::describe_counter!("rdp_session_frames_total", Count, "Frames received");
    metrics::describe_counter!("rdp_session_pdus_total", Count, "PDUs received");
    metrics::describe_counter!("rdp_session_pdus_ignored_total", Count, "PDUs that meant nothing");
    metrics::describe_counter!("rdp_session_pdus_unsupported_total", Count, "PDUs not supported");
    metrics::describe_counter!(
        "rdp_session_channel_messages_lost_total",
        Count,
        "Channel messages dropped"
    );
    metrics::describe_histogram!(
        "rdp_session_decode_duration_seconds",
        Seconds,
        "Handling of frames"
    );
    metrics::describe_gauge!("rdp_session_queue_bytes", Bytes, "Output that waits");
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Tells [`Metrics`] what one connection does. When it is dropped, with its session, the gauges forget it.
pub struct MetricsObserver {
    handles: Arc<Handles>,
    /// What was told last; none before the session has worked.
    told: Option<Box<Told>>,
}

#[derive(Default)]
struct Told {
    stats: SessionStats,
    queued_bytes: usize,
}

impl Observer for MetricsObserver {
    fn phase_ended(&mut self, phase: Phase, took: Duration, end: PhaseEnd) {
        let Some(index) = PHASES.iter().position(|other| *other == phase) else {
            return;
        };
        let failures = match end {
            PhaseEnd::Passed => {
                if let Some(durations) = self.handles.phases.get(index) {
                    durations.record(took);
                }
                return;
            }
            PhaseEnd::TimedOut => &self.handles.timeouts,
            PhaseEnd::Failed => &self.handles.failures,
        };
        if let Some(count) = failures.get(index) {
            count.increment(1);
        }
    }

    fn worked(&mut self, work: &Work<'_>) {
        let handles = &*self.handles;
        let told = self.told.get_or_insert_with(|| {
            handles.sessions.increment(1.0);
            Box::default()
        });
        let (old, new) = (&told.stats, work.stats);
        let rows = [
            (&handles.bytes_in, old.bytes_in, new.bytes_in),
            (&handles.bytes_out, old.bytes_out, new.bytes_out),
            (&handles.fast_path, old.fast_path_frames, new.fast_path_frames),
            (&handles.slow_path, old.slow_path_frames, new.slow_path_frames),
            (&handles.ignored, old.ignored, new.ignored),
            (&handles.unsupported, old.unsupported, new.unsupported),
            (
                &handles.lost,
                old.channel_messages_lost,
                new.channel_messages_lost,
            ),
        ];
        let pdus = handles.pdus.iter().zip(PduKind::ALL);
        let pdus = pdus.map(|(counter, kind)| (counter, old.pdus(kind), new.pdus(kind)));
        for (counter, old, new) in rows.into_iter().chain(pdus) {
            if new > old {
                counter.increment(new - old);
            }
        }
        if let Some(decoding) = work.decoding {
            handles.decoding.record(decoding);
        }
        move_gauge(&handles.queue, told.queued_bytes, work.queued_bytes);
        told.stats = *new;
        told.queued_bytes = work.queued_bytes;
    }
}

/// Moves a gauge that several sessions share by what has changed in one of them.
fn move_gauge(gauge: &Gauge, old: usize, new: usize) {
    if new > old {
        gauge.increment((new - old) as f64);
    } else if new < old {
        gauge.decrement((old - new) as f64);
    }
}

impl Drop for MetricsObserver {
    fn drop(&mut self) {
        if let Some(told) = &self.told {
            self.handles.sessions.decrement(1.0);
            move_gauge(&self.handles.queue, told.queued_bytes, 0);
        }
    }
}

impl fmt::Debug for MetricsObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsObserver")
            .field("has_worked", &self.told.is_some())
            .finish_non_exhaustive()
    }
}
