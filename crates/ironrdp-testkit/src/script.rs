//! A peer that follows a script instead of the protocol.

use std::collections::VecDeque;

use ironrdp_connector::{
    ConnectorError, ConnectorResult, Phase, Reply, Request, Sequence, State, StepInput, Written,
};
use ironrdp_core::{Limits, WriteBuf};
use ironrdp_pdu::{ANY_HINT, PduHint};

/// A peer that follows a script: waits for frames, sends bytes, upgrades, hangs up.
///
/// At the end of the script it keeps the connection open and says nothing.
#[derive(Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
    received: Vec<Vec<u8>>,
    state: ScriptState,
}

#[derive(Debug)]
enum Step {
    Expect,
    Send(Vec<u8>),
    Upgrade,
    HangUp,
}

#[derive(Debug, Default)]
struct ScriptState {
    done: bool,
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a frame of any kind.
    #[must_use]
    pub fn expect(mut self) -> Self {
        self.steps.push_back(Step::Expect);
        self
    }

    /// Sends bytes as they are.
    #[must_use]
    pub fn send(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push_back(Step::Send(bytes.into()));
        self
    }

    /// Upgrades the stream to TLS.
    #[must_use]
    pub fn upgrade(mut self) -> Self {
        self.steps.push_back(Step::Upgrade);
        self
    }

    /// Closes the connection.
    #[must_use]
    pub fn hang_up(mut self) -> Self {
        self.steps.push_back(Step::HangUp);
        self
    }

    /// The frames that came.
    pub fn received(&self) -> &[Vec<u8>] {
        &self.received
    }
}

impl Sequence for Script {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        matches!(self.steps.front(), Some(Step::Expect)).then_some(&ANY_HINT)
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let start = output.filled_len();
        match self.steps.pop_front() {
            Some(Step::Expect) => self.received.push(input.bytes.to_vec()),
            Some(Step::Send(bytes)) => output.extend_from_slice(&bytes),
            Some(Step::Upgrade) => {
                return Err(ConnectorError::misuse("a step while the stream must be upgraded"));
            }
            Some(Step::HangUp) => {
                let closed = std::io::ErrorKind::ConnectionAborted.into();
                return Err(ConnectorError::io("the script hangs up", closed));
            }
            None => self.state.done = true,
        }
        Ok(Written::from_size(output.filled_len() - start))
    }

    fn request(&self) -> Option<Request<'_>> {
        matches!(self.steps.front(), Some(Step::Upgrade)).then_some(Request::UpgradeToTls)
    }

    fn answer(&mut self, _reply: Reply) -> ConnectorResult<()> {
        self.steps.pop_front();
        Ok(())
    }

    fn phase(&self) -> Phase {
        Phase::Activate
    }

    fn limits(&self) -> &Limits {
        &Limits::DEFAULT
    }
}

impl State for ScriptState {
    fn name(&self) -> &'static str {
        if self.done { "Done" } else { "Running" }
    }

    fn is_terminal(&self) -> bool {
        self.done
    }
}
