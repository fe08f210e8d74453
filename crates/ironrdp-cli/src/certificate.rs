//! What a server's certificate says, as `--json` shows it.

use std::time::SystemTime;

use ironrdp_tls::{CertificateTime, PeerCertificate};
use serde::Serialize;

/// Nothing of it is verified by being here.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
    pub(crate) not_before: Option<String>,
    pub(crate) not_after: Option<String>,
    /// Whether the time of day lies between the two; none if one of them is malformed.
    pub(crate) valid_now: Option<bool>,
    pub(crate) key_type: String,
    pub(crate) key_bits: Option<usize>,
    pub(crate) sha256: String,
    pub(crate) public_key_sha256: String,
}

impl Certificate {
    pub(crate) fn new(certificate: &PeerCertificate<'_>) -> Self {
        let (start, end) = (certificate.not_before(), certificate.not_after());
        Self {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            self_signed: certificate.is_self_signed(),
            not_before: start.map(|time| time.to_string()),
            not_after: end.map(|time| time.to_string()),
            valid_now: start
                .zip(end)
                .zip(now())
                .map(|((start, end), now)| start <= now && now <= end),
            key_type: certificate.key_type().to_string(),
            key_bits: certificate.key_bits(),
            sha256: certificate.sha256().to_string(),
            public_key_sha256: certificate.public_key_sha256().to_string(),
        }
    }
}

fn now() -> Option<CertificateTime> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_secs())
        .ok()
        .map(CertificateTime::from_unix_seconds)
}
