//! What every shell is put through.

use std::sync::{Arc, Mutex};

use ironrdp_connector::{
    AcceptorConfig, ClientConnector, Config, ConnectorError, ConnectorErrorKind, ConnectorResult,
    Credentials, KerberosConfig, Limit, Limits, LogonName, Phase, Reply, Request, SecurityPolicy, Sequence,
    ServerAcceptor, ServerIdentity, State, StepInput, UserSecret, Written,
};
use ironrdp_core::{MonotonicInstant, WriteBuf};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::gcc::{ChannelDefinition, ChannelName, ChannelOptions};
use ironrdp_pdu::mcs::{DisconnectReason, SERVER_USER_ID};
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::share::{ShareControl, SuppressOutput};
use ironrdp_pdu::x224::{FailureCode, NegotiationOutcome};
use ironrdp_pdu::{DesktopSize, PduHint};
use ironrdp_testkit::{
    Direction, Interject, Pair, Rng, Script, Transcript, TranscriptEntry, frames, license,
};

use crate::krb_error::{PREAUTH_FAILED, PREAUTH_REQUIRED, refusal};
use crate::tap::Tape;

const IO: u16 = 1003;
const PASSWORD: &str = "Lab-Pass-1";

/// The scenario that asks a KDC.
const KERBEROS: &str = "a password that the KDC takes for wrong";

/// A client and a server that meet.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) client: Tapped,
    pub(crate) server: Tapped,
    /// Whether the client may have a session.
    pub(crate) authorized: bool,
    said: Said,
}

/// All that was said, in either direction.
pub(crate) type Said = Arc<Mutex<Words>>;

/// What two machines said, whatever became of it on the way.
#[derive(Default)]
pub(crate) struct Words {
    pdus: Vec<(Direction, Pdu)>,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// Questions to the KDC that were answered.
    kdc: usize,
}

impl Words {
    pub(crate) fn pdus(&self, direction: Direction) -> Vec<Pdu> {
        let of = self.pdus.iter().filter(|(of, _)| *of == direction);
        of.map(|(_, pdu)| *pdu).collect()
    }
}

/// One PDU: its length and hash. What CredSSP says has no hash: it draws random numbers of its own, so that no two logins look
/// alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pdu {
    length: usize,
    hash: Option<u64>,
}

/// How a sequence ended: the name of its last state, or what kind of error it was and in which phase.
pub(crate) type End = Result<&'static str, (ConnectorErrorKind, Option<Phase>)>;

/// All that must be the same in every shell.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) client: End,
    pub(crate) server: End,
    /// The protocol orders the PDUs of one direction; how the two interleave is up to the scheduler where both may speak.
    pub(crate) to_server: Vec<Pdu>,
    pub(crate) to_client: Vec<Pdu>,
    /// How often the KDC was asked.
    pub(crate) kdc: usize,
}

impl Scenario {
    /// What came of it, given how the two ended.
    pub(crate) fn outcome(said: &Said, client: End, server: End) -> Outcome {
        let said = said.lock().unwrap();
        Outcome {
            client,
            server,
            to_server: said.pdus(Direction::ToServer),
            to_client: said.pdus(Direction::ToClient),
            kdc: said.kdc,
        }
    }

    /// [`outcome`](Self::outcome), of a shell whose streams were listened to above TLS: it has written what the machines said and
    /// nothing else, all of it if it came to an end, and nobody has read anything else.
    pub(crate) fn outcome_on(said: &Said, client: (End, &Tape), server: (End, &Tape), name: &str) -> Outcome {
        {
            let said = said.lock().unwrap();
            let (near, far) = (client.1.lock().unwrap(), server.1.lock().unwrap());
            let directions = [
                (&client.0, &said.to_server, &near.written, &far.read),
                (&server.0, &said.to_client, &far.written, &near.read),
            ];
            for (end, said, written, read) in directions {
                assert!(
                    said.starts_with(written),
                    "{name}: something else was written than said"
                );
                assert!(
                    written.starts_with(read),
                    "{name}: something else was read than written"
                );
                assert!(
                    end.is_err() || written == said,
                    "{name}: {} of {} bytes were written",
                    written.len(),
                    said.len()
                );
            }
        }
        Self::outcome(said, client.0, server.0)
    }

    pub(crate) fn said(&self) -> Said {
        Arc::clone(&self.said)
    }
}

/// A sequence whose words are noted, and which gets the same randomness and the same time in every run.
pub(crate) struct Tapped {
    inner: Box<dyn Sequence>,
    direction: Direction,
    random: Rng,
    kerberos: Option<KerberosConfig>,
    said: Said,
}

impl Tapped {
    fn note(&self, bytes: &[u8], phase: Phase) {
        let mut said = self.said.lock().unwrap();
        match self.direction {
            Direction::ToServer => said.to_server.extend(bytes),
            Direction::ToClient => said.to_client.extend(bytes),
        }
        if phase == Phase::Authenticate && !bytes.is_empty() {
            let length = bytes.len();
            said.pdus.push((self.direction, Pdu { length, hash: None }));
            return;
        }
        let mut transcript = Transcript::default();
        transcript.record(self.direction, bytes);
        for entry in transcript.entries() {
            let (length, hash) = (entry.length, Some(entry.hash));
            said.pdus.push((self.direction, Pdu { length, hash }));
        }
    }
}

impl Sequence for Tapped {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        self.inner.next_pdu_hint()
    }

    fn state(&self) -> &dyn State {
        self.inner.state()
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let (start, phase) = (output.filled_len(), self.inner.phase());
        // A bandwidth measured by a real clock would be another one each time.
        let received_at = MonotonicInstant::ORIGIN;
        let result = self.inner.step_input(StepInput { received_at, ..input }, output);
        self.note(output.filled().get(start..).unwrap(), phase);
        result
    }

    fn request(&self) -> Option<Request<'_>> {
        self.inner.request()
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        let reply = match reply {
            Reply::Random(bytes) => Reply::Random(self.random.bytes(bytes.len())),
            Reply::ServerIdentity(_) => Reply::ServerIdentity(ServerIdentity {
                kerberos: self.kerberos.clone(),
                ..identity()
            }),
            Reply::Network(answer) => {
                self.said.lock().unwrap().kdc += 1;
                Reply::Network(answer)
            }
            reply => reply,
        };
        self.inner.answer(reply)
    }

    fn stream_ended(&self, error: std::io::Error) -> ConnectorError {
        self.inner.stream_ended(error)
    }

    fn phase(&self) -> Phase {
        self.inner.phase()
    }

    fn limits(&self) -> &Limits {
        self.inner.limits()
    }

    fn next_pdu_limit(&self) -> Limit {
        self.inner.next_pdu_limit()
    }
}

fn identity() -> ServerIdentity {
    ServerIdentity {
        name: "localhost".into(),
        public_key: b"the server's public key".to_vec(),
        kerberos: None,
    }
}

/// What is known about users.
pub(crate) fn users(name: &LogonName) -> Option<UserSecret> {
    (name.user == "rdptest").then(|| UserSecret::Password(PASSWORD.into()))
}

/// What the KDC says: it knows the user, and then takes the proof of the password for wrong.
pub(crate) fn kdc(asked_before: usize) -> Vec<u8> {
    refusal(if asked_before == 0 {
        PREAUTH_REQUIRED
    } else {
        PREAUTH_FAILED
    })
}

/// Answers both ends, in the async shells and in the blocking one.
pub(crate) struct Lab {
    authorized: bool,
    /// Questions to the KDC so far.
    asked: usize,
}

impl Lab {
    pub(crate) fn new(authorized: bool) -> Self {
        Self { authorized, asked: 0 }
    }

    fn reply(&mut self, request: &Request<'_>) -> ConnectorResult<Reply> {
        Ok(match request {
            Request::AuthorizeLogon(_) | Request::Authorize(_) => Reply::Authorized(self.authorized),
            Request::ServerIdentity => Reply::ServerIdentity(identity()),
            Request::UserSecret(name) => Reply::UserSecret(users(name)),
            Request::Network(_) => {
                self.asked += 1;
                Reply::Network(kdc(self.asked - 1))
            }
            _ => return Err(ConnectorError::misuse("a question that the lab cannot answer")),
        })
    }
}

impl ironrdp_async::Answers for Lab {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        self.reply(&request)
    }
}

impl ironrdp_blocking::Answers for Lab {
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        self.reply(&request)
    }
}

pub(crate) fn config() -> Config {
    Config::new(Credentials::new("LAB\\rdptest", PASSWORD))
}

fn channels(count: usize) -> Vec<ChannelDefinition> {
    let channel = |number| ChannelDefinition {
        name: ChannelName::new(&format!("chan{number}")).unwrap(),
        options: ChannelOptions::INITIALIZED,
    };
    (0..count).map(channel).collect()
}

pub(crate) fn redirection() -> Vec<u8> {
    let redirection = ServerRedirection {
        session_id: 7,
        target_net_address: Some("192.0.2.7".to_owned()),
        ..ServerRedirection::default()
    };
    let pdu = EnhancedRedirection(redirection);
    let source = SERVER_USER_ID;
    frames::from_server(IO, ShareControl { source, pdu })
}

pub(crate) fn farewell() -> Vec<u8> {
    let mut bytes = frames::share_data(IO, 0, ErrorInfo::LOGOFF_BY_USER);
    bytes.extend(frames::ultimatum(DisconnectReason::ProviderInitiated));
    bytes
}

/// A client and a server that activate their share anew, with another size.
fn reactivation() -> (Box<dyn Sequence>, Box<dyn Sequence>) {
    let server = ServerAcceptor::new(AcceptorConfig::new());
    let outcome = Pair::new(ClientConnector::new(config()), server).run();
    let client = outcome.client.unwrap().into_result().unwrap();
    let server = outcome.server.unwrap().into_result().unwrap();
    let size = DesktopSize::new(1280, 720).unwrap();
    (
        Box::new(client.reactivation()),
        Box::new(server.reactivation(size)),
    )
}

/// A client's configuration, and a server that comes to the same end with it whatever is random about it.
pub(crate) struct Product {
    pub(crate) name: &'static str,
    pub(crate) client: Config,
    server: AcceptorConfig,
}

impl Product {
    /// The two as machines whose words are noted.
    pub(crate) fn scenario(&self) -> Scenario {
        let said = Said::default();
        let tapped = |inner, direction, seed| Tapped {
            inner,
            direction,
            random: Rng::new(seed),
            kerberos: None,
            said: Arc::clone(&said),
        };
        let client = Box::new(ClientConnector::new(self.client.clone()));
        let server = Box::new(ServerAcceptor::new(self.server.clone()));
        Scenario {
            name: self.name,
            client: tapped(client, Direction::ToServer, 1),
            server: tapped(server, Direction::ToClient, 2),
            authorized: true,
            said: Arc::clone(&said),
        }
    }
}

/// What a whole client is put through, TLS of its own included.
pub(crate) fn products() -> Vec<Product> {
    let product = |name, client, server| Product { name, client, server };
    let many = || config().with_channels(channels(31));
    let tls = AcceptorConfig::new;
    vec![
        product("TLS, licensing short", config(), tls()),
        product("31 channels joined", many(), tls().with_skip_channel_join(false)),
        product("31 channels skipped", many(), tls()),
        product("no message channel", config(), tls().with_message_channel(false)),
        product(
            "plain",
            config().dangerously_require_plain(),
            tls().dangerously_require_plain(),
        ),
    ]
}

/// The PDUs in what was heard.
pub(crate) fn heard(bytes: &[u8]) -> Vec<Pdu> {
    let mut transcript = Transcript::default();
    transcript.record(Direction::ToServer, bytes);
    let pdu = |entry: &TranscriptEntry| Pdu {
        length: entry.length,
        hash: Some(entry.hash),
    };
    transcript.entries().iter().map(pdu).collect()
}

/// All of them, ready to be run once.
pub(crate) fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let mut add = |name, client: Box<dyn Sequence>, server: Box<dyn Sequence>, authorized| {
        let said = Said::default();
        let tapped = |inner, direction, seed| Tapped {
            inner,
            direction,
            random: Rng::new(seed),
            kerberos: (name == KERBEROS)
                .then(|| KerberosConfig::new("tcp://kdc.lab.example:88").with_realm("LAB.TEST")),
            said: Arc::clone(&said),
        };
        scenarios.push(Scenario {
            name,
            client: tapped(client, Direction::ToServer, 1),
            server: tapped(server, Direction::ToClient, 2),
            authorized,
            said: Arc::clone(&said),
        });
    };
    let client = |config| Box::new(ClientConnector::new(config)) as Box<dyn Sequence>;
    let server = |config| Box::new(ServerAcceptor::new(config)) as Box<dyn Sequence>;
    let tls = AcceptorConfig::new;
    let interrupted = |at, bytes: Vec<u8>| {
        Box::new(Interject::new(ServerAcceptor::new(tls()), at, bytes).and_hang_up()) as Box<dyn Sequence>
    };

    // Every security choice.
    add("TLS, licensing short", client(config()), server(tls()), true);
    add(
        "TLS from a server that takes both",
        client(config()),
        server(tls().dangerously_allow_plain()),
        true,
    );
    let plain = || config().dangerously_require_plain();
    add(
        "plain",
        client(plain()),
        server(tls().dangerously_require_plain()),
        true,
    );
    let nla = |config| client(config);
    add("NLA", nla(config()), server(tls().require_nla()), true);
    add(
        "NLA in SPNEGO",
        nla(config().with_ntlm_in_spnego()),
        server(tls().require_nla()),
        true,
    );
    add(
        "NLA, restricted admin",
        nla(config().with_restricted_admin()),
        server(tls().require_nla()),
        true,
    );
    let no_nla = || config().with_security(SecurityPolicy::Tls);
    add(
        "TLS where NLA could be",
        client(no_nla()),
        server(tls().with_nla()),
        true,
    );

    // Refusals.
    add("plain refused", client(plain()), server(tls()), true);
    add(
        "TLS refused",
        client(config()),
        server(tls().dangerously_require_plain()),
        true,
    );
    add(
        "NLA required",
        client(no_nla()),
        server(tls().require_nla()),
        true,
    );
    let only_nla = config().with_security(SecurityPolicy::Nla);
    add("NLA not to be had", client(only_nla), server(tls()), true);
    let wrong = Config::new(Credentials::new("LAB\\rdptest", "wrong"));
    add("wrong password", client(wrong), server(tls().require_nla()), true);
    let stranger = Config::new(Credentials::new("nobody", PASSWORD));
    add(
        "unknown user",
        client(stranger),
        server(tls().require_nla()),
        true,
    );
    let nla_only = config().with_security(SecurityPolicy::Nla);
    add(KERBEROS, client(nla_only), server(tls().require_nla()), true);
    add("no session for this user", client(config()), server(tls()), false);
    let failure = frames::confirm(NegotiationOutcome::Failed(FailureCode::SslCertificateMissing));
    let refuses = Script::new().expect().send(failure).hang_up();
    add(
        "a server without certificate",
        client(config()),
        Box::new(refuses),
        true,
    );

    // The ways through the sequence.
    let licensed = || tls().with_licenses_of(license::authority());
    add("licensing long", client(config()), server(licensed()), true);
    add(
        "auto-detect",
        client(config()),
        server(tls().with_auto_detect(true)),
        true,
    );
    let many = || config().with_channels(channels(31));
    add(
        "31 channels joined",
        client(many()),
        server(tls().with_skip_channel_join(false)),
        true,
    );
    add(
        "31 channels joined and confirmed",
        client(many().with_confirmed_joins(true)),
        server(tls().with_skip_channel_join(false)),
        true,
    );
    add("31 channels skipped", client(many()), server(tls()), true);
    add(
        "no message channel",
        client(config()),
        server(tls().with_message_channel(false)),
        true,
    );
    let (again, anew) = reactivation();
    add("reactivation", again, anew, true);
    let early = frames::share_data(IO, 0x0001_03ea, SuppressOutput::Suppress);
    let eager = Interject::new(ServerAcceptor::new(tls()), "WaitFontList", early.clone());
    add("a PDU before its time", client(config()), Box::new(eager), true);

    // Ends before the end.
    for at in ["SendLicense", "SendDemandActive", "WaitConfirmActive"] {
        add(
            "redirection",
            client(config()),
            interrupted(at, redirection()),
            true,
        );
    }
    for at in [
        "SendLicense",
        "SendDemandActive",
        "WaitConfirmActive",
        "WaitFontList",
    ] {
        add(
            "an end with a reason",
            client(config()),
            interrupted(at, farewell()),
            true,
        );
        add(
            "an end without a word",
            client(config()),
            interrupted(at, Vec::new()),
            true,
        );
        add(
            "half a PDU",
            client(config()),
            interrupted(at, vec![3, 0, 0, 99, 2]),
            true,
        );
        add("garbage", client(config()), interrupted(at, vec![0xff; 64]), true);
    }
    let greedy = Interject::new(ServerAcceptor::new(tls()), "WaitFontList", early.repeat(9));
    add(
        "more early PDUs than are kept",
        client(config().with_limits(Limits {
            deferred_bytes: 100,
            ..Limits::default()
        })),
        Box::new(greedy),
        true,
    );
    let hasty = Script::new().expect().hang_up();
    add(
        "a server that hangs up at once",
        client(config()),
        Box::new(hasty),
        true,
    );
    let gone = Interject::new(ClientConnector::new(config()), "WaitLicense", Vec::new()).and_hang_up();
    add("a client that leaves", Box::new(gone), server(tls()), true);
    scenarios
}
