//! What was found out about a server; the shape of `--json`.

use std::time::Duration;

use ironrdp_pdu::x224::{FailureCode, NegotiationOutcome, ResponseFlags, SecurityProtocol};
use serde::Serialize;

#[cfg(feature = "nla")]
use super::identity::Identity;
use crate::certificate::Certificate;
use crate::exit::Failure;

/// A security protocol that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Rdp,
    Tls,
    Nla,
    NlaExtended,
}

impl Protocol {
    const fn is(self, selected: SecurityProtocol) -> bool {
        match self {
            Self::Rdp => selected.is_empty(),
            Self::Tls => selected.contains(SecurityProtocol::SSL),
            Self::Nla => selected.contains(SecurityProtocol::HYBRID),
            Self::NlaExtended => selected.contains(SecurityProtocol::HYBRID_EX),
        }
    }
}

/// What a server said to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    /// It takes the protocol.
    Accepted,
    /// It takes another one of those offered.
    Other { selected: String },
    /// It refuses.
    Refused { code: u32, meaning: String },
    /// It hangs up, stays silent, or says something that is no RDP.
    None { error: String },
}

impl Answer {
    pub(super) fn new(protocol: Protocol, outcome: NegotiationOutcome) -> Self {
        match outcome {
            // 2.2.1.2: no answer to the offer is how a server says that it knows nothing but Standard RDP Security.
            NegotiationOutcome::Legacy if protocol == Protocol::Rdp => Self::Accepted,
            NegotiationOutcome::Legacy => Self::Other {
                selected: "rdp".to_owned(),
            },
            NegotiationOutcome::Selected {
                protocol: selected, ..
            } if protocol.is(selected) => Self::Accepted,
            NegotiationOutcome::Selected {
                protocol: selected, ..
            } => Self::Other {
                selected: name(selected),
            },
            NegotiationOutcome::Failed(code) => Self::Refused {
                code: code.code(),
                meaning: code.meaning().to_owned(),
            },
        }
    }

    pub(super) fn none(error: &str) -> Self {
        Self::None {
            error: error.to_owned(),
        }
    }
}

/// The word for what a server has picked.
fn name(selected: SecurityProtocol) -> String {
    let known = [
        (SecurityProtocol::HYBRID_EX, "nla-extended"),
        (SecurityProtocol::HYBRID, "nla"),
        (SecurityProtocol::SSL, "tls"),
        (SecurityProtocol::RDSTLS, "rdstls"),
        (SecurityProtocol::RDSAAD, "rdsaad"),
    ];
    match known.iter().find(|(protocol, _)| selected.contains(*protocol)) {
        Some((_, name)) => (*name).to_owned(),
        None if selected.is_empty() => "rdp".to_owned(),
        None => format!("0x{:08x}", selected.bits()),
    }
}

/// The four answers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Protocols {
    pub(super) rdp: Option<Answer>,
    pub(super) tls: Option<Answer>,
    pub(super) nla: Option<Answer>,
    pub(super) nla_extended: Option<Answer>,
}

/// What came of a handshake with one TLS version.
#[derive(Debug, Serialize)]
pub(super) struct TlsVersion {
    pub(super) version: &'static str,
    pub(super) accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cipher_suite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl TlsVersion {
    pub(super) fn accepted(version: &'static str, cipher_suite: Option<String>) -> Self {
        Self {
            version,
            accepted: true,
            cipher_suite,
            error: None,
        }
    }

    pub(super) fn refused(version: &'static str, error: String) -> Self {
        Self {
            version,
            accepted: false,
            cipher_suite: None,
            error: Some(error),
        }
    }
}

/// The shortest times seen, in milliseconds.
#[derive(Debug, Default, Serialize)]
pub(super) struct RoundTrips {
    /// To open a TCP connection.
    pub(super) tcp: Option<f64>,
    /// From the first RDP message to its answer.
    pub(super) x224: Option<f64>,
}

/// Why a server could not be probed.
#[derive(Debug, Serialize)]
struct Problem {
    exit_code: u8,
    message: String,
    hints: Vec<String>,
    #[serde(skip)]
    failure: Failure,
}

/// Everything about one server.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) address: Option<String>,
    error: Option<Problem>,
    pub(super) protocols: Protocols,
    pub(super) nla_required: Option<bool>,
    pub(super) features: Vec<&'static str>,
    pub(super) tls_versions: Vec<TlsVersion>,
    pub(super) certificate: Option<Certificate>,
    /// What the server says about itself before a login, if it has network level authentication.
    #[cfg(feature = "nla")]
    pub(super) identity: Option<Identity>,
    pub(super) round_trip_ms: RoundTrips,
}

impl Report {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            address: None,
            error: None,
            protocols: Protocols::default(),
            nla_required: None,
            features: Vec::new(),
            tls_versions: Vec::new(),
            certificate: None,
            #[cfg(feature = "nla")]
            identity: None,
            round_trip_ms: RoundTrips::default(),
        }
    }

    fn answers(&self) -> [Option<&Answer>; 4] {
        let Protocols {
            rdp,
            tls,
            nla,
            nla_extended,
        } = &self.protocols;
        [rdp.as_ref(), tls.as_ref(), nla.as_ref(), nla_extended.as_ref()]
    }

    /// Whether the server has said anything in RDP.
    pub(super) fn has_answers(&self) -> bool {
        self.answers()
            .into_iter()
            .flatten()
            .any(|answer| !matches!(answer, Answer::None { .. }))
    }

    pub(super) fn accepts(&self, protocol: Protocol) -> bool {
        let Protocols {
            rdp,
            tls,
            nla,
            nla_extended,
        } = &self.protocols;
        let answer = match protocol {
            Protocol::Rdp => rdp,
            Protocol::Tls => tls,
            Protocol::Nla => nla,
            Protocol::NlaExtended => nla_extended,
        };
        *answer == Some(Answer::Accepted)
    }

    pub(super) fn set_answer(&mut self, protocol: Protocol, answer: Answer) {
        let slot = match protocol {
            Protocol::Rdp => &mut self.protocols.rdp,
            Protocol::Tls => &mut self.protocols.tls,
            Protocol::Nla => &mut self.protocols.nla,
            Protocol::NlaExtended => &mut self.protocols.nla_extended,
        };
        *slot = Some(answer);
        if let Some(answer) = &self.protocols.tls {
            let required = FailureCode::HybridRequired.code();
            self.nla_required = match answer {
                Answer::Refused { code, .. } => Some(*code == required),
                Answer::Accepted | Answer::Other { .. } => Some(false),
                Answer::None { .. } => None,
            };
        }
    }

    /// Notes what the flags of an accepted offer say.
    pub(super) fn set_features(&mut self, flags: ResponseFlags) {
        let known = [
            (
                ResponseFlags::EXTENDED_CLIENT_DATA_SUPPORTED,
                "extended-client-data",
            ),
            (ResponseFlags::DYNVC_GFX_PROTOCOL_SUPPORTED, "graphics-pipeline"),
            (ResponseFlags::RESTRICTED_ADMIN_MODE_SUPPORTED, "restricted-admin"),
            (
                ResponseFlags::REDIRECTED_AUTHENTICATION_MODE_SUPPORTED,
                "remote-credential-guard",
            ),
        ];
        for (flag, name) in known {
            if flags.contains(flag) && !self.features.contains(&name) {
                self.features.push(name);
            }
        }
    }

    pub(super) fn add_tls(&mut self, version: TlsVersion, certificate: Option<Certificate>) {
        self.tls_versions.push(version);
        self.certificate = self.certificate.take().or(certificate);
    }

    pub(super) fn set_round_trips(&mut self, tcp: Option<Duration>, x224: Option<Duration>) {
        // Microseconds are as fine as a clock on a busy machine is honest.
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        self.round_trip_ms = RoundTrips {
            tcp: tcp.map(ms),
            x224: x224.map(ms),
        };
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.error = Some(Problem {
            exit_code: failure.exit().code(),
            message: failure.message().to_owned(),
            hints: failure.hints().to_vec(),
            failure,
        });
    }

    /// Why the server could not be probed, if so.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.error.as_ref().map(|problem| &problem.failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(protocol: SecurityProtocol) -> NegotiationOutcome {
        NegotiationOutcome::Selected {
            flags: ResponseFlags::empty(),
            protocol,
        }
    }

    #[test]
    fn a_server_that_picks_another_protocol_has_not_accepted_this_one() {
        assert_eq!(
            Answer::new(Protocol::Tls, selected(SecurityProtocol::SSL)),
            Answer::Accepted
        );
        assert_eq!(
            Answer::new(Protocol::Nla, selected(SecurityProtocol::SSL)),
            Answer::Other {
                selected: "tls".to_owned()
            }
        );
        assert_eq!(
            Answer::new(Protocol::NlaExtended, selected(SecurityProtocol::HYBRID)),
            Answer::Other {
                selected: "nla".to_owned()
            }
        );
        assert_eq!(
            Answer::new(Protocol::Nla, selected(SecurityProtocol::from_bits_retain(0x100))),
            Answer::Other {
                selected: "0x00000100".to_owned()
            }
        );
    }

    #[test]
    fn a_server_without_negotiation_speaks_standard_rdp_security() {
        assert_eq!(
            Answer::new(Protocol::Rdp, NegotiationOutcome::Legacy),
            Answer::Accepted
        );
        assert_eq!(
            Answer::new(Protocol::Tls, NegotiationOutcome::Legacy),
            Answer::Other {
                selected: "rdp".to_owned()
            }
        );
    }

    #[test]
    fn nla_is_required_when_tls_alone_is_refused_for_it() {
        let ask = |outcome| {
            let mut report = Report::new("rdp.example", 3389);
            report.set_answer(Protocol::Tls, Answer::new(Protocol::Tls, outcome));
            report.nla_required
        };
        assert_eq!(
            ask(NegotiationOutcome::Failed(FailureCode::HybridRequired)),
            Some(true)
        );
        assert_eq!(
            ask(NegotiationOutcome::Failed(FailureCode::SslNotAllowed)),
            Some(false)
        );
        assert_eq!(ask(selected(SecurityProtocol::SSL)), Some(false));
    }
}
