//! A peer that follows the protocol up to a point and then says something else.

use ironrdp_connector::{
    ConnectorError, ConnectorResult, Phase, Reply, Request, Sequence, State, StepInput, Written,
};
use ironrdp_core::{Limit, Limits, WriteBuf};
use ironrdp_pdu::PduHint;

/// Runs a sequence and sends other bytes when it comes to a state; then goes on, or hangs up.
#[derive(Debug)]
pub struct Interject<S> {
    inner: S,
    at: &'static str,
    bytes: Option<Vec<u8>>,
    hangs_up: bool,
}

impl<S: Sequence> Interject<S> {
    /// Sends `bytes` before `inner` does anything in the state named `at`, and goes on.
    pub fn new(inner: S, at: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            inner,
            at,
            bytes: Some(bytes.into()),
            hangs_up: false,
        }
    }

    /// Closes the connection afterwards.
    #[must_use]
    pub fn and_hang_up(mut self) -> Self {
        self.hangs_up = true;
        self
    }

    /// Whether the moment came.
    pub fn has_spoken(&self) -> bool {
        self.bytes.is_none()
    }

    /// The sequence inside.
    pub fn into_inner(self) -> S {
        self.inner
    }

    fn is_due(&self) -> bool {
        self.inner.state().name() == self.at && (self.bytes.is_some() || self.hangs_up)
    }
}

impl<S: Sequence> Sequence for Interject<S> {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        if self.is_due() {
            None
        } else {
            self.inner.next_pdu_hint()
        }
    }

    fn state(&self) -> &dyn State {
        self.inner.state()
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        if !self.is_due() {
            return self.inner.step_input(input, output);
        }
        match self.bytes.take() {
            Some(bytes) => {
                output.extend_from_slice(&bytes);
                Ok(Written::from_size(bytes.len()))
            }
            None => {
                let closed = std::io::ErrorKind::ConnectionAborted.into();
                Err(ConnectorError::io("hung up on purpose", closed))
            }
        }
    }

    fn request(&self) -> Option<Request<'_>> {
        if self.is_due() { None } else { self.inner.request() }
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        self.inner.answer(reply)
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
