//! Who a server says it is before anybody has logged in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironrdp_connector::{Driver, NtlmChallenge, NtlmProbe};
use ironrdp_tokio::{NoAnswers, TlsStream, TokioFramed, drive};
use serde::Serialize;
use tokio::net::TcpStream;

use crate::exit::chain;

/// What an NTLM challenge tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Identity {
    pub(super) netbios_computer: Option<String>,
    pub(super) netbios_domain: Option<String>,
    pub(super) dns_computer: Option<String>,
    pub(super) dns_domain: Option<String>,
    pub(super) dns_forest: Option<String>,
    /// Major, minor and build number, as `10.0.20348`; servers that are not Windows send what they like.
    pub(super) version: Option<String>,
    /// By how many seconds the server's clock is ahead of ours; half a round trip wrong at most.
    pub(super) clock_skew: Option<f64>,
}

impl Identity {
    fn new(challenge: NtlmChallenge, now: SystemTime) -> Self {
        let skew = challenge.unix_time().map(|time| {
            let server = UNIX_EPOCH + time;
            let seconds = match server.duration_since(now) {
                Ok(ahead) => ahead.as_secs_f64(),
                Err(behind) => -behind.duration().as_secs_f64(),
            };
            (seconds * 1000.0).round() / 1000.0
        });
        Self {
            netbios_computer: challenge.netbios_computer,
            netbios_domain: challenge.netbios_domain,
            dns_computer: challenge.dns_computer,
            dns_domain: challenge.dns_domain,
            dns_forest: challenge.dns_forest,
            version: challenge
                .version
                .map(|(major, minor, build)| format!("{major}.{minor}.{build}")),
            clock_skew: skew,
        }
    }
}

/// Asks over a connection that has agreed on network level authentication.
pub(super) async fn ask(stream: TlsStream<TcpStream>) -> Result<Identity, String> {
    let mut framed = TokioFramed::new(stream);
    let mut driver = Driver::new(NtlmProbe::new());
    // A probe that is not at its end says so itself.
    let _ = drive(&mut framed, &mut driver, &mut NoAnswers)
        .await
        .map_err(|error| chain(&error))?;
    let now = SystemTime::now();
    let challenge = driver
        .into_sequence()
        .into_result()
        .map_err(|error| chain(&error))?;
    Ok(Identity::new(challenge, now))
}

/// The skew for people.
pub(super) fn skew(seconds: f64) -> String {
    let direction = if seconds < 0.0 { "behind" } else { "ahead of" };
    let amount = Duration::try_from_secs_f64(seconds.abs()).unwrap_or_default();
    if amount < Duration::from_secs(1) {
        "within a second of this machine's".to_owned()
    } else {
        format!("{} s {direction} this machine's", amount.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clocks_difference_has_a_direction() {
        let challenge = NtlmChallenge {
            // 1970 and a hundred seconds.
            time: Some(Duration::from_secs(11_644_473_700)),
            version: Some((10, 0, 20348)),
            ..NtlmChallenge::default()
        };
        let at = |seconds| Identity::new(challenge.clone(), UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(40).clock_skew, Some(60.0));
        assert_eq!(at(200).clock_skew, Some(-100.0));
        assert_eq!(at(40).version.as_deref(), Some("10.0.20348"));
        assert_eq!(skew(60.0), "60 s ahead of this machine's");
        assert_eq!(skew(-100.0), "100 s behind this machine's");
        assert_eq!(skew(-0.2), "within a second of this machine's");
    }
}
