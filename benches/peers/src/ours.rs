//! The project's clients and decoders, as its users call them.

use std::rc::Rc;

use bench_common::child;
use bench_common::floor::{self, Flights};
use bench_common::frames::{self, Reader, look};
use bench_common::measure::{Counted, Recorded, Transcript};
use bench_common::{Answer, Policy, Target, read_frames};
use ironrdp_connector::{ClientConnector, Compression, Config, Credentials, SecurityPolicy, ServerName};
use ironrdp_graphics::Framebuffer;
use ironrdp_session::{NoPixels, PixelStore};
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient};
use ironrdp_tokio::{
    Connect, ConnectConfig, Connected, NoNetwork, ServerAddr, Session, ShouldUpgrade, TlsStream, TokioFramed,
};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{decode, tokio_util};

pub struct Client {
    server: ServerAddr,
    config: ConnectConfig,
}

fn client_config(nla: bool, compression: bool) -> Config {
    Config::new(Credentials::new(bench_common::USER, bench_common::PASSWORD))
        .with_security(if nla {
            SecurityPolicy::Nla
        } else {
            SecurityPolicy::Tls
        })
        .with_compression(if compression {
            Compression::Mppc64K
        } else {
            Compression::Off
        })
}

impl Client {
    pub fn new(target: &Target, policy: Policy, compression: bool) -> Answer<Self> {
        let policy = match policy {
            Policy::Any => CertificatePolicy::dangerously_accept_any(),
            Policy::Pin => CertificatePolicy::pin_certificate(Fingerprint::of(&target.certificate)),
            Policy::Roots => CertificatePolicy::platform_roots(),
        };
        Ok(Self {
            server: ServerAddr::new(target.host(), target.port),
            config: ConnectConfig::new(client_config(target.nla, compression))
                .with_certificate_policy(policy)?,
        })
    }

    async fn connected(&self) -> Answer<Connected> {
        let mut connect = Connect::new(self.server.clone(), self.config.clone());
        Ok(connect.run().await?)
    }
}

impl child::Client for Client {
    async fn connect(&self) -> Answer {
        drop(self.connected().await?);
        Ok(())
    }

    async fn connect_over(&self, stream: Counted<TcpStream>) -> Answer {
        let mut connect = Connect::over(stream, self.server.clone(), self.config.clone());
        drop(connect.run().await?);
        Ok(())
    }

    async fn hold(&self, state: &str) -> Answer {
        let mut connected = Box::new(self.connected().await?);
        match state {
            "connected" => {
                tokio::spawn(async move { while connected.framed.next_frame().await.is_ok() {} });
            }
            "active" | "mppc" => {
                let session = Box::new(connected.into_session(NoPixels)?);
                tokio::spawn(idle(session));
            }
            _ => {
                let pixels = Framebuffer::new(0, 0)?;
                let session = Box::new(connected.into_session(pixels)?);
                tokio::spawn(idle(session));
            }
        }
        Ok(())
    }
}

/// What a task does for a session that nobody looks at.
async fn idle<P: PixelStore>(mut session: Box<Session<P>>) {
    while let Ok(Some(_)) = session.next_event().await {
        session.session_mut().clear_damage();
    }
}

/// The project, and the floors.
pub enum Any {
    Ours(Client),
    Floor(floor::Client),
}

impl child::Client for Any {
    async fn connect(&self) -> Answer {
        match self {
            Self::Ours(client) => child::Client::connect(client).await,
            Self::Floor(client) => child::Client::connect(client).await,
        }
    }

    async fn connect_over(&self, stream: Counted<TcpStream>) -> Answer {
        match self {
            Self::Ours(client) => child::Client::connect_over(client, stream).await,
            Self::Floor(client) => child::Client::connect_over(client, stream).await,
        }
    }

    async fn hold(&self, state: &str) -> Answer {
        match self {
            Self::Ours(client) => client.hold(state).await,
            Self::Floor(client) => client.hold(state).await,
        }
    }
}

pub struct Stack;

impl child::Stack for Stack {
    type Client = Any;

    async fn client(who: &str, target: &Target, policy: Policy, compression: bool) -> Answer<Any> {
        Ok(match who {
            "ours" => Any::Ours(Client::new(target, policy, compression)?),
            "tls" => Any::Floor(floor::Client::new(target, Flights::default())?),
            "canned" => Any::Floor(floor::Client::new(target, record(target).await?)?),
            _ => return Err(format!("{who} is no client").into()),
        })
    }

    async fn frames(who: &str, target: &Target, medium: &str, size: usize, count: usize) -> Answer<Value> {
        match (who, medium) {
            ("ours", "tls") => ReadPdu.read(tls(target, size, count).await?, count).await,
            ("ours-lent", "tls") => NextFrame.read(tls(target, size, count).await?, count).await,
            ("ours", _) => frames::run(ReadPdu, target, medium, size, count).await,
            ("ours-lent", _) => frames::run(NextFrame, target, medium, size, count).await,
            ("tokio-util", _) => frames::run(tokio_util::LengthDelimited, target, medium, size, count).await,
            ("tokio-util-large", _) => frames::run(tokio_util::ByHand, target, medium, size, count).await,
            ("copy", _) => frames::run(tokio_util::Copy { size }, target, medium, size, count).await,
            _ => Err(format!("{who} reads no frames").into()),
        }
    }

    fn decode(directory: &str) -> Answer<Value> {
        decode::run(directory)
    }
}

/// A stream of frames over the TLS that is our own.
async fn tls(target: &Target, size: usize, count: usize) -> Answer<TlsStream<TcpStream>> {
    let tls = TlsClient::new(CertificatePolicy::dangerously_accept_any())?;
    let stream = TcpStream::connect((target.host(), target.port)).await?;
    stream.set_nodelay(true)?;
    let config = tls.for_host(target.host(), target.port)?;
    let mut stream = TlsStream::connect(stream, config, TlsClient::server_name(target.host())?).await?;
    stream.write_all(&frames::request(size, count)?).await?;
    stream.flush().await?;
    Ok(stream)
}

struct ReadPdu;

impl Reader for ReadPdu {
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        let new = TokioFramed::new(stream);
        Ok(read_frames!(
            count,
            framed = new,
            look(&framed.read_pdu().await?.1)
        ))
    }
}

struct NextFrame;

impl Reader for NextFrame {
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        let new = TokioFramed::new(stream);
        Ok(read_frames!(
            count,
            framed = new,
            look(framed.next_frame().await?.1)
        ))
    }
}

/// Connects once to a real server, and gives everything that passed: over TCP before TLS, and inside TLS.
pub async fn record(target: &Target) -> Answer<Flights> {
    let plain = Rc::new(Transcript::default());
    let inside = Rc::new(Transcript::default());
    let mut connector = ClientConnector::new(client_config(false, true));
    let stream = TcpStream::connect((target.host(), target.port)).await?;
    stream.set_nodelay(true)?;
    let mut framed = TokioFramed::new(Recorded {
        inner: stream,
        transcript: Rc::clone(&plain),
    });
    let upgrade: ShouldUpgrade = ironrdp_tokio::connect_begin(&mut framed, &mut connector).await?;
    let before_tls = plain.take();
    let stream = framed.into_inner_no_leftover().inner;
    let tls = TlsClient::new(CertificatePolicy::dangerously_accept_any())?;
    let config = tls.for_host(target.host(), target.port)?;
    let stream = TlsStream::connect(stream, config, TlsClient::server_name(target.host())?).await?;
    let mut framed = TokioFramed::new(Recorded {
        inner: stream,
        transcript: Rc::clone(&inside),
    });
    let upgraded = ironrdp_tokio::mark_as_upgraded(upgrade, &mut connector);
    ironrdp_tokio::connect_finalize(
        upgraded,
        connector,
        &mut framed,
        &mut NoNetwork,
        ServerName::from(target.host()),
        Vec::new(),
        None,
    )
    .await?;
    Ok(Flights {
        before_tls,
        inside: inside.take(),
    })
}
