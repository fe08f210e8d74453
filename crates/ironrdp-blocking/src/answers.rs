//! What a sequence asks for beyond bytes, and who answers.

use std::future::pending;

use ironrdp_connector::{ConnectorError, ConnectorResult, NetworkRequest, Reply, Request};

use crate::stream::would_block;
use crate::timed::{time_left, wait};
use crate::{ClientAnswers, Limits, NoAnswers, NoNetwork};

/// Carries messages to a Kerberos KDC; the user's choice of client, or [`NoNetwork`].
pub trait NetworkClient {
    /// Sends `network_request` and waits for the answer.
    fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>>;

    /// Hears the limits of the connection's configuration before the first request; [`Limits::credssp_bytes`] bounds an answer too,
    /// since it goes into a CredSSP message. Does nothing unless overridden.
    fn set_limits(&mut self, _limits: &Limits) {}
}

impl<N: NetworkClient + ?Sized> NetworkClient for &mut N {
    fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        N::send(self, network_request)
    }

    fn set_limits(&mut self, limits: &Limits) {
        N::set_limits(self, limits);
    }
}

impl NetworkClient for NoNetwork {
    fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        answered(wait(ironrdp_async::NetworkClient::send(self, network_request)))
    }
}

/// Answers what a sequence asks while it is [driven](crate::drive).
pub trait Answers {
    /// Answers `request`; never called for [`Request::UpgradeToTls`] and [`Request::Random`].
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply>;

    /// This many bytes that nobody can guess; from the operating system unless overridden.
    fn random(&mut self, count: usize) -> ConnectorResult<Vec<u8>> {
        ironrdp_async::Answers::random(&mut NoAnswers, count)
    }
}

impl Answers for NoAnswers {
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        answered(wait(ironrdp_async::Answers::answer(self, request)))
    }
}

impl<N: NetworkClient> Answers for ClientAnswers<N> {
    fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        let mut answers = ClientAnswers {
            identity: self.identity.clone(),
            network: Blocking(&mut self.network),
        };
        answered(wait(ironrdp_async::Answers::answer(&mut answers, request)))
    }
}

/// Answers by a call that blocks, for the machinery that polls.
#[derive(Debug)]
pub(crate) struct Blocking<T>(pub(crate) T);

impl<N: NetworkClient> ironrdp_async::NetworkClient for Blocking<N> {
    async fn send(&mut self, network_request: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        let answer = self.0.send(network_request);
        if answer.is_err() && time_left().is_some_and(|left| left.is_zero()) {
            // It is not the KDC's time that is over, and whoever set this one says whose it is.
            return pending().await;
        }
        answer
    }

    fn set_limits(&mut self, limits: &Limits) {
        self.0.set_limits(limits);
    }
}

impl<A: Answers + ?Sized> ironrdp_async::Answers for Blocking<&mut A> {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        self.0.answer(request)
    }

    fn random(&mut self, count: usize) -> ConnectorResult<Vec<u8>> {
        self.0.random(count)
    }
}

/// The result of a call that waits; an error if the stream's timeout has passed.
pub(crate) fn answered<T>(result: Option<ConnectorResult<T>>) -> ConnectorResult<T> {
    result.unwrap_or_else(|| Err(ConnectorError::io("waiting for the peer", would_block())))
}
