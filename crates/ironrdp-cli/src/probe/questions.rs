//! One connection per question; those that get as far as TLS answer two.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ironrdp_connector::Phase;
use ironrdp_core::{decode_exact, encode_vec};
use ironrdp_pdu::X224_HINT;
use ironrdp_pdu::x224::{ConnectionConfirm, ConnectionRequest, NegotiationOutcome, SecurityProtocol};
use ironrdp_tls::{CertificatePolicy, PeerCertificate, TlsClient, TlsError, TlsErrorKind};
use ironrdp_tokio::{ServerAddr, TlsStream, TokioFramed};
use rustls::{SupportedProtocolVersion, version};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::report::{Answer, Protocol, Report, TlsVersion};
use crate::certificate::Certificate;
use crate::exit::{Exit, Failure, Where, chain};

/// What is offered in each question, and the word for it.
const OFFERS: [(Protocol, SecurityProtocol); 4] = [
    (Protocol::Tls, SecurityProtocol::SSL),
    (Protocol::Rdp, SecurityProtocol::empty()),
    // 2.2.1.1.1: a client that offers CredSSP should offer TLS too; which of them the server takes is the answer.
    (
        Protocol::Nla,
        SecurityProtocol::SSL.union(SecurityProtocol::HYBRID),
    ),
    (
        Protocol::NlaExtended,
        SecurityProtocol::SSL
            .union(SecurityProtocol::HYBRID)
            .union(SecurityProtocol::HYBRID_EX),
    ),
];

type Versions = &'static [&'static SupportedProtocolVersion];

/// In which a handshake is tried, the last one first.
const VERSIONS: [(&str, Versions); 2] = [("1.2", &[&version::TLS12]), ("1.3", &[&version::TLS13])];

const ALL_VERSIONS: Versions = &[&version::TLS13, &version::TLS12];

/// Asks one server everything, within `timeout` for all of it.
pub(super) async fn probe(server: ServerAddr, timeout: Duration) -> Report {
    let mut report = Report::new(server.host(), server.port());
    let mut questioner = Questioner {
        server: &server,
        address: None,
        timeout,
        end: Instant::now() + timeout,
        asked: false,
        versions: VERSIONS.to_vec(),
        tcp: None,
        x224: None,
    };
    if let Err(failure) = questioner.ask_all(&mut report).await {
        report.fail(failure);
    }
    report.address = questioner.address.map(|address| address.ip().to_string());
    report.set_round_trips(questioner.tcp, questioner.x224);
    report
}

struct Questioner<'a> {
    server: &'a ServerAddr,
    /// The address that answered first; all questions go to the same machine.
    address: Option<SocketAddr>,
    timeout: Duration,
    end: Instant,
    asked: bool,
    /// Of TLS, and not tried yet.
    versions: Vec<(&'static str, Versions)>,
    /// The shortest times seen.
    tcp: Option<Duration>,
    x224: Option<Duration>,
}

impl Questioner<'_> {
    async fn ask_all(&mut self, report: &mut Report) -> Result<(), Failure> {
        let mut first_failure = None;
        for (protocol, offer) in OFFERS {
            match self.negotiate(offer).await {
                Ok((framed, outcome)) => {
                    report.set_answer(protocol, Answer::new(protocol, outcome));
                    if let NegotiationOutcome::Selected { protocol, flags } = outcome {
                        report.set_features(flags);
                        self.look_at_tls(framed, protocol, report).await;
                    }
                }
                // Some servers hang up on what they do not like. Who says nothing at all, or no RDP, is asked no more.
                Err(failure) if failure.exit() == Exit::Network && self.address.is_some() => {
                    report.set_answer(protocol, Answer::none(failure.message()));
                    first_failure.get_or_insert(failure);
                }
                Err(failure) if report.has_answers() => {
                    report.set_answer(protocol, Answer::none(failure.message()));
                }
                Err(failure) => return Err(failure),
            }
        }
        match first_failure {
            Some(failure) if !report.has_answers() => return Err(failure),
            _ => {}
        }
        // Behind CredSSP there is TLS as well, and the certificate comes before the login.
        let offer = if report.accepts(Protocol::Tls) {
            SecurityProtocol::SSL
        } else if report.accepts(Protocol::Nla) {
            SecurityProtocol::SSL | SecurityProtocol::HYBRID
        } else {
            return Ok(());
        };
        while let Some((name, _)) = self.versions.last().copied() {
            let refused = match self.negotiate(offer).await {
                Ok((framed, NegotiationOutcome::Selected { protocol, .. })) if !protocol.is_empty() => {
                    self.look_at_tls(framed, protocol, report).await;
                    continue;
                }
                Ok(_) => "the server changed its mind about TLS".to_owned(),
                Err(failure) => failure.message().to_owned(),
            };
            report.add_tls(TlsVersion::refused(name, refused), None);
            self.versions.pop();
        }
        report.tls_versions.sort_by_key(|version| version.version);
        Ok(())
    }

    /// Goes on with a connection as a client would, if the server has chosen TLS for it or what is behind TLS: to break it off would
    /// leave the server in the middle of a handshake, which gnome-remote-desktop does not get over.
    async fn look_at_tls(
        &mut self,
        framed: TokioFramed<TcpStream>,
        selected: SecurityProtocol,
        report: &mut Report,
    ) {
        if selected.is_empty() {
            return;
        }
        let asked = self.versions.pop();
        let (name, versions) = asked.unwrap_or(("", ALL_VERSIONS));
        let (version, handshake) = self.handshake(framed, name, versions).await;
        if asked.is_some() {
            let certificate = handshake.as_ref().and_then(certificate);
            report.add_tls(version, certificate);
        }
        #[cfg(feature = "nla")]
        if selected.intersects(SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX)
            && report.identity.is_none()
            && let Some(stream) = handshake
        {
            report.identity = self.identity(stream).await;
        }
    }

    /// Begins a login, for what the server says about itself.
    #[cfg(feature = "nla")]
    async fn identity(&mut self, stream: TlsStream<TcpStream>) -> Option<super::identity::Identity> {
        let limit = self.limit();
        let asked = timeout_at(limit, super::identity::ask(stream)).await;
        match asked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(identity) => Some(identity),
            // Everything else is known, and not every server has NTLM.
            Err(error) => {
                tracing::debug!(server = %self.server, error, "no NTLM challenge");
                None
            }
        }
    }

    /// When the question that starts now must have its answer.
    fn limit(&mut self) -> Instant {
        let now = Instant::now();
        if !std::mem::replace(&mut self.asked, true) {
            return self.end;
        }
        // A server that ignores one question must not take the time of all others.
        self.end.min(now + self.end.saturating_duration_since(now) / 2)
    }

    fn at(&self, phase: Phase) -> Where<'_> {
        Where {
            server: self.server,
            phase,
        }
    }

    /// Opens a connection, offers `protocols`, and gives the stream with the answer.
    async fn negotiate(
        &mut self,
        protocols: SecurityProtocol,
    ) -> Result<(TokioFramed<TcpStream>, NegotiationOutcome), Failure> {
        let limit = self.limit();
        let stream = match timeout_at(limit, self.dial()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.at(Phase::Dial).network(&error)),
            Err(_) => return Err(self.at(Phase::Dial).timeout(self.timeout)),
        };
        let mut framed = TokioFramed::new(stream);
        let request = encode_vec(&ConnectionRequest::new(protocols))
            .map_err(|error| Failure::new(Exit::Local, error.to_string()))?;
        let asked = Instant::now();
        let answer = async {
            framed.write_all(&request).await?;
            framed.read_by_hint(&X224_HINT).await
        };
        let frame = match timeout_at(limit, answer).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(error)) => return Err(self.broken(&error)),
            Err(_) => return Err(self.at(Phase::Negotiate).timeout(self.timeout)),
        };
        shortest(&mut self.x224, asked.elapsed());
        let confirm: ConnectionConfirm = decode_exact(&frame).map_err(|error| self.malformed(&error))?;
        Ok((framed, confirm.outcome))
    }

    async fn dial(&mut self) -> io::Result<TcpStream> {
        let addresses = match self.address {
            Some(address) => vec![address],
            None => lookup_host((self.server.host(), self.server.port()))
                .await?
                .collect(),
        };
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            let started = Instant::now();
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    shortest(&mut self.tcp, started.elapsed());
                    self.address = Some(address);
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The stream ended, or did not hold RDP.
    fn broken(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::InvalidData => self.malformed(error),
            _ => self.at(Phase::Negotiate).network(error),
        }
    }

    fn malformed(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        let message = format!(
            "{}: {}: malformed data from the server: {}",
            self.server,
            Phase::Negotiate,
            chain(error)
        );
        Failure::new(Exit::Malformed, message).hint(format!(
            "what listens on port {} may be no RDP server",
            self.server.port()
        ))
    }

    /// Does a TLS handshake that offers `versions`. Any certificate will do: it is looked at, not trusted.
    async fn handshake(
        &mut self,
        framed: TokioFramed<TcpStream>,
        name: &'static str,
        versions: Versions,
    ) -> (TlsVersion, Option<TlsStream<TcpStream>>) {
        let refused = |error: String| (TlsVersion::refused(name, error), None);
        let Ok(stream) = framed.try_into_inner_no_leftover() else {
            return refused("the server sent data before the TLS handshake".to_owned());
        };
        let limit = self.limit();
        let handshake = async {
            let tls = TlsClient::builder(CertificatePolicy::dangerously_accept_any())
                .protocol_versions(versions)
                .build()?;
            let config = tls.for_host(self.server.host(), self.server.port())?;
            let name = TlsClient::server_name(self.server.host())?;
            TlsStream::connect(stream, config, name)
                .await
                .map_err(TlsError::from_io)
        };
        match timeout_at(limit, handshake).await {
            Ok(Ok(stream)) => {
                let suite = stream
                    .connection()
                    .negotiated_cipher_suite()
                    .map(|suite| format!("{:?}", suite.suite()));
                (TlsVersion::accepted(name, suite), Some(stream))
            }
            Ok(Err(error)) => refused(tls_refusal(&error)),
            Err(_) => refused("the server did not finish the handshake in time".to_owned()),
        }
    }
}

fn certificate(stream: &TlsStream<TcpStream>) -> Option<Certificate> {
    let certificate = PeerCertificate::from_connection(stream.connection()).ok()?;
    Some(Certificate::new(&certificate))
}

/// A refused version usually ends in an alert, which is worth a plain word.
fn tls_refusal(error: &TlsError) -> String {
    match error.kind() {
        TlsErrorKind::Alert(alert) => format!("alert {alert:?}"),
        _ => chain(error),
    }
}

fn shortest(so_far: &mut Option<Duration>, seen: Duration) {
    *so_far = Some(so_far.map_or(seen, |time| time.min(seen)));
}
