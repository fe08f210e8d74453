//! What no client can go below: TCP and TLS alone, and the bytes of a connection without anyone who understands them.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Answer, Target};

/// Checks nothing, not even the signature of the handshake.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What passed in a connection, in turns; true for the client's flights.
#[derive(Default)]
pub struct Flights {
    pub before_tls: Vec<(bool, Vec<u8>)>,
    pub inside: Vec<(bool, Vec<u8>)>,
}

pub struct Client {
    target: Target,
    tls: TlsConnector,
    name: ServerName<'static>,
    /// What is said and heard; nothing for the bare handshake.
    flights: Flights,
}

impl Client {
    pub fn new(target: &Target, flights: Flights) -> Answer<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            target: target.clone(),
            tls: TlsConnector::from(Arc::new(config)),
            name: ServerName::try_from(target.host().to_owned())?,
            flights,
        })
    }

    pub async fn tcp(&self) -> Answer<TcpStream> {
        let stream = TcpStream::connect((self.target.host(), self.target.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub async fn connect(&self) -> Answer<TlsStream<TcpStream>> {
        self.connect_over(self.tcp().await?).await
    }

    pub async fn connect_over<S>(&self, mut stream: S) -> Answer<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        repeat(&mut stream, &self.flights.before_tls).await?;
        let mut stream = self.tls.connect(self.name.clone(), stream).await?;
        repeat(&mut stream, &self.flights.inside).await?;
        Ok(stream)
    }
}

async fn repeat<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, flights: &[(bool, Vec<u8>)]) -> Answer {
    let mut buffer = [0; 4096];
    for (is_ours, bytes) in flights {
        if *is_ours {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            continue;
        }
        let mut left = bytes.len();
        while left > 0 {
            let most = left.min(buffer.len());
            match stream.read(&mut buffer[..most]).await? {
                0 => return Err("the server went away".into()),
                count => left -= count,
            }
        }
    }
    Ok(())
}
