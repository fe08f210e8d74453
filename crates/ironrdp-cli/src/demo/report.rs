//! What came out: `report.json`, and a table to end with.

use std::time::Duration;

use serde::Serialize;

use super::measure::quantile;

/// Everything that was counted and measured. Fields that the system does not tell are null.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) sessions: usize,
    pub(crate) failures: Vec<Failed>,
    /// How the sessions logged in: `nla` or `tls`.
    pub(crate) security: &'static str,
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) seconds: f64,
    pub(crate) connects_per_second: f64,
    /// CPU time of the thread of all clients, for a connect up to its first pixels, TLS and decoding included.
    pub(crate) client_cpu_ms_per_connect: Option<f64>,
    pub(crate) connect_ms: Spread,
    pub(crate) first_frame_ms: Spread,
    /// Both ends of all sessions, in one process.
    pub(crate) resident_bytes: Option<u64>,
    /// Both ends of one session: what the process grew by, divided.
    pub(crate) resident_bytes_per_session: Option<u64>,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) tiles_encoded: u64,
}

/// A session that did not come to its picture.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    /// Unknown if the session's task broke down.
    pub(crate) session: Option<usize>,
    pub(crate) reason: String,
}

/// How a time was spread over the sessions, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
}

impl Spread {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let ms = |share| quantile(&times, share).map(milliseconds);
        Self {
            p50: ms(0.5),
            p99: ms(0.99),
        }
    }
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

impl Report {
    /// The figures with their names, for the table and for the gallery.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let ms = |value: Option<f64>| value.map_or("?".to_owned(), |value| format!("{value:.1} ms"));
        let size = |value: Option<u64>| value.map_or("?".to_owned(), human_bytes);
        vec![
            ("sessions", self.sessions.to_string()),
            ("failures", self.failures.len().to_string()),
            ("login", self.security.to_uppercase()),
            ("desktop", format!("{}x{}", self.width, self.height)),
            ("connects a second", format!("{:.0}", self.connects_per_second)),
            ("client CPU a connect", ms(self.client_cpu_ms_per_connect)),
            ("first frame p50", ms(self.first_frame_ms.p50)),
            ("first frame p99", ms(self.first_frame_ms.p99)),
            (
                "memory a session, both ends",
                size(self.resident_bytes_per_session),
            ),
            ("memory in all", size(self.resident_bytes)),
            ("bytes to the clients", human_bytes(self.bytes_received)),
            ("bytes to the server", human_bytes(self.bytes_sent)),
        ]
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.rows();
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let right = rows
            .iter()
            .map(|(_, value)| value.len())
            .max()
            .unwrap_or_default();
        rows.iter()
            .map(|(name, value)| format!("{name:<width$}  {value:>right$}\n"))
            .collect()
    }
}

fn human_bytes(bytes: u64) -> String {
    let mut rest = bytes;
    let mut tenths = 0;
    for unit in ["B", "KiB", "MiB"] {
        if rest < 1024 {
            return if unit == "B" {
                format!("{rest} B")
            } else {
                format!("{rest}.{tenths} {unit}")
            };
        }
        tenths = rest % 1024 * 10 / 1024;
        rest /= 1024;
    }
    format!("{rest}.{tenths} GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        assert_eq!(human_bytes(0), "0 B");
        assert_eq!(human_bytes(1023), "1023 B");
        assert_eq!(human_bytes(1536), "1.5 KiB");
        assert_eq!(human_bytes(3 << 20), "3.0 MiB");
        assert_eq!(human_bytes(5 << 30), "5.0 GiB");
    }

    #[test]
    fn a_spread_of_nothing_is_unknown() {
        let spread = Spread::of(Vec::new());
        assert_eq!((spread.p50, spread.p99), (None, None));
        let spread = Spread::of(vec![Duration::from_millis(3), Duration::from_micros(1500)]);
        assert_eq!((spread.p50, spread.p99), (Some(1.5), Some(3.0)));
    }
}
