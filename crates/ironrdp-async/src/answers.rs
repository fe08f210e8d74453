//! What a sequence asks for beyond bytes, and who answers.

use std::future::Future;
use std::io;

use ironrdp_connector::{
    ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkRequest, Reply, Request, ServerIdentity,
};
use ironrdp_core::Limits;

/// Carries messages to a Kerberos KDC; the user's choice of client, or [`NoNetwork`].
pub trait NetworkClient {
    /// Sends `network_request` and waits for the answer.
    ///
    /// # Cancel safety
    ///
    /// The request may be sent again if the future is dropped; KDC requests may be repeated.
    fn send(&mut self, network_request: &NetworkRequest) -> impl Future<Output = ConnectorResult<Vec<u8>>>;

    /// Hears the limits of the connection's configuration before the first request; [`Limits::credssp_bytes`] bounds an answer too,
    /// since it goes into a CredSSP message. Does nothing unless overridden.
    fn set_limits(&mut self, _limits: &Limits) {}
}

impl<N: NetworkClient> NetworkClient for &mut N {
    fn send(&mut self, network_request: &NetworkRequest) -> impl Future<Output = ConnectorResult<Vec<u8>>> {
        N::send(self, network_request)
    }

    fn set_limits(&mut self, limits: &Limits) {
        N::set_limits(self, limits);
    }
}

/// Refuses every request: for connections without Kerberos.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNetwork;

impl NetworkClient for NoNetwork {
    async fn send(&mut self, _: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        Err(ConnectorError::new(
            ConnectorErrorKind::Unsupported,
            "Kerberos without a network client",
        ))
    }
}

/// Answers what a sequence asks while it is [driven](crate::drive()).
pub trait Answers {
    /// Answers `request`; never called for [`Request::UpgradeToTls`] and [`Request::Random`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the same request comes again.
    fn answer(&mut self, request: Request<'_>) -> impl Future<Output = ConnectorResult<Reply>>;

    /// This many bytes that nobody can guess; from the operating system unless overridden.
    fn random(&mut self, count: usize) -> ConnectorResult<Vec<u8>> {
        random(count)
    }
}

/// Answers nothing but requests for random bytes: for sequences without CredSSP, such as a reactivation.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAnswers;

impl Answers for NoAnswers {
    async fn answer(&mut self, _: Request<'_>) -> ConnectorResult<Reply> {
        Err(no_answer())
    }
}

/// Answers what a client asks: who the server is, and what the KDC says.
#[derive(Debug)]
pub struct ClientAnswers<N> {
    /// Who the server is, for CredSSP.
    pub identity: ServerIdentity,
    /// The way to the KDC.
    pub network: N,
}

impl<N: NetworkClient> Answers for ClientAnswers<N> {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        match request {
            Request::ServerIdentity => Ok(Reply::ServerIdentity(self.identity.clone())),
            // Boxed: what asks a KDC may be large, by its proxy above all, and most connections never ask.
            Request::Network(request) => Box::pin(self.network.send(request)).await.map(Reply::Network),
            _ => Err(no_answer()),
        }
    }
}

fn no_answer() -> ConnectorError {
    ConnectorError::misuse("the sequence asks what this side does not answer")
}

pub(crate) fn random(count: usize) -> ConnectorResult<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| ConnectorError::io("reading random bytes", io::Error::from(error)))?;
    Ok(bytes)
}
