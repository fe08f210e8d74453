//! The other side, in a process of its own: a real server's part, played from the recording, a server with network level
//! authentication, and a source of frames.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use ironrdp_connector::{
    AcceptorConfig, ConnectorError, ConnectorResult, Driver, Reply, Request, ServerAcceptor, ServerIdentity,
    UserSecret,
};
use ironrdp_tls::PeerCertificate;
use ironrdp_tokio::{Answers, TokioFramed, drive};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::decode::write_cases;
use crate::wire::{Replay, mppc_frames, read_pdu, tile_frames};
use bench_common::frames::{BURST, frame};
use bench_common::measure::{raise_file_limit, stay_on_one_cpu};
use bench_common::{Answer, Form};

/// Serves until standard input ends. The first line it prints says where everything is.
pub fn run(directory: &str) -> Answer {
    raise_file_limit();
    stay_on_one_cpu();
    let tls = TlsAcceptor::from(Arc::new(certificates(directory)?));
    let replay = Arc::new(Replay::load()?);
    write_cases(directory)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime.block_on(async {
        let mut ports = serde_json::Map::new();
        for (name, afterwards) in [
            ("idle", Vec::new()),
            ("mppc", mppc_frames().concat()),
            ("painted", tile_frames(32, Form::Raw).concat()),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.insert(name.into(), json!(listener.local_addr()?.port()));
            let (tls, replay, afterwards) = (tls.clone(), Arc::clone(&replay), Arc::new(afterwards));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (tls, replay, afterwards) =
                        (tls.clone(), Arc::clone(&replay), Arc::clone(&afterwards));
                    tokio::spawn(async move {
                        // A client that goes away early is the client's business, and reported there.
                        let _ = session(stream, tls, &replay, &afterwards).await;
                    });
                }
            });
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.insert("nla".into(), json!(listener.local_addr()?.port()));
        let (with_nla, certificate) = (
            tls.clone(),
            std::fs::read(format!("{directory}/certificate.der"))?,
        );
        let public_key: Arc<[u8]> = PeerCertificate::from_der(&certificate)?
            .subject_public_key()
            .into();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, public_key) = (with_nla.clone(), Arc::clone(&public_key));
                tokio::spawn(async move {
                    let _ = log_in(stream, tls, &public_key).await;
                });
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.insert("tls".into(), json!(listener.local_addr()?.port()));
        let bare = tls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handshake = bare.accept(stream);
                tokio::spawn(async move {
                    if let Ok(mut stream) = Box::pin(handshake).await {
                        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
                    }
                });
            }
        });
        for name in ["frames_tcp", "frames_tls"] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.insert(name.into(), json!(listener.local_addr()?.port()));
            let tls = (name == "frames_tls").then(|| tls.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = match &tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => source(stream).await,
                            Err(error) => Err(error.into()),
                        },
                        None => source(stream).await,
                    };
                }
            });
        }
        println!("{}", json!({ "ports": ports, "directory": directory }));
        std::io::stdout().flush()?;
        std::future::pending::<Answer>().await
    })
}

/// An authority and a server's certificate signed by it, and the files the clients need: the certificate, and the system's
/// roots with the authority among them.
fn certificates(directory: &str) -> Answer<rustls::ServerConfig> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // RSA with 2,048 bits, as Windows and the free servers make them.
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
    let authority = rcgen::CertifiedIssuer::self_signed(authority, key)?;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?;
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let system = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    std::fs::write(
        format!("{directory}/roots.pem"),
        format!("{system}\n{}", authority.pem()),
    )?;
    std::fs::write(format!("{directory}/certificate.der"), leaf.der())?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?)
}

async fn session(mut stream: TcpStream, tls: TlsAcceptor, replay: &Replay, afterwards: &[u8]) -> Answer {
    stream.set_nodelay(true)?;
    read_pdu(&mut stream).await?;
    stream.write_all(&replay.connection_confirm).await?;
    // Boxed, like everything that an idle session does not need: this process holds thousands as well.
    let mut stream = Box::pin(tls.accept(stream)).await?;
    loop {
        let pdu = read_pdu(&mut stream).await?;
        let answer = replay.answer(&pdu);
        if answer.is_empty() {
            continue;
        }
        stream.write_all(&answer).await?;
        stream.flush().await?;
        if answer == replay.after_font_list {
            break;
        }
    }
    stream.write_all(afterwards).await?;
    stream.flush().await?;
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// What a server knows.
struct Host<'a> {
    public_key: &'a [u8],
}

impl Answers for Host<'_> {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        Ok(match request {
            Request::ServerIdentity => Reply::ServerIdentity(ServerIdentity {
                name: "127.0.0.1".into(),
                public_key: self.public_key.to_vec(),
                kerberos: None,
            }),
            Request::UserSecret(_) => {
                Reply::UserSecret(Some(UserSecret::Password(bench_common::PASSWORD.into())))
            }
            Request::AuthorizeLogon(_) | Request::Authorize(_) => Reply::Authorized(true),
            _ => {
                return Err(ConnectorError::misuse(
                    "a question that this server has no answer to",
                ));
            }
        })
    }
}

/// Lets a client in by network level authentication. NTLM's challenges are new each time, so this cannot be played from a
/// recording: the project's own server does it, the same for every client.
async fn log_in(stream: TcpStream, tls: TlsAcceptor, public_key: &[u8]) -> Answer {
    stream.set_nodelay(true)?;
    let host = &mut Host { public_key };
    let mut driver = Driver::new(ServerAcceptor::new(AcceptorConfig::new().require_nla()));
    let mut framed = TokioFramed::new(stream);
    let _ = drive(&mut framed, &mut driver, host).await?;
    let stream = tls.accept(framed.into_inner_no_leftover()).await?;
    driver.answer(Reply::Upgraded)?;
    let mut framed = TokioFramed::new(Box::pin(stream));
    let _ = drive(&mut framed, &mut driver, host).await?;
    let accepted = driver.into_sequence().into_result()?;
    if accepted.logon.is_none() {
        return Err("a client that has not logged in".into());
    }
    while framed.next_frame().await.is_ok() {}
    Ok(())
}

/// Sends as many frames of the size as the client asks for, as fast as it can.
async fn source<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Answer {
    let size = usize::try_from(stream.read_u32().await?)?;
    let mut left = usize::try_from(stream.read_u32().await?)?;
    let burst = frame(size).repeat(BURST / size);
    while left > 0 {
        let count = left.min(BURST / size);
        stream.write_all(&burst[..count * size]).await?;
        left -= count;
    }
    stream.flush().await?;
    let _ = stream.read(&mut [0]).await;
    Ok(())
}
