//! One step of a machine whose states are values, each replaced by the next.

use ironrdp_core::WriteBuf;

use crate::{ConnectorError, ConnectorResult, Phase, Sequence, State, StepInput, Written};

/// What makes a sequence `M` such a machine: its state is given away in a step, and gets a successor or an error.
pub(crate) struct Machine<M, S> {
    /// Where the state is.
    pub(crate) state: fn(&mut M) -> &mut S,
    /// The state of a sequence that is over: every further call gives this error.
    pub(crate) failed: fn(ConnectorError, Phase) -> S,
    /// The step itself. What it has written when it fails is taken back.
    pub(crate) dispatch: fn(&mut M, S, StepInput<'_>, &mut WriteBuf) -> ConnectorResult<S>,
}

impl<M: Sequence, S: State> Machine<M, S> {
    /// [`Sequence::step_input`] of `sequence`.
    pub(crate) fn step(
        self,
        sequence: &mut M,
        input: StepInput<'_>,
        output: &mut WriteBuf,
    ) -> ConnectorResult<Written> {
        // A step while an answer is waited for is the caller's mistake, not the end of the connection.
        if sequence.request().is_some() {
            return Err(ConnectorError::misuse("a step while an answer is waited for"));
        }
        let start = output.filled_len();
        let phase = sequence.phase();
        let before = sequence.state().name();
        let bytes_in = input.bytes.len();
        let placeholder = (self.failed)(ConnectorError::misuse("the sequence panicked"), phase);
        let state = core::mem::replace((self.state)(sequence), placeholder);
        match (self.dispatch)(sequence, state, input, output) {
            Ok(next) => {
                tracing::trace!(from = before, to = next.name(), bytes_in, "step");
                *(self.state)(sequence) = next;
                Ok(Written::from_size(output.filled_len() - start))
            }
            Err(error) => {
                output.truncate(start);
                let error = error.in_phase(phase);
                *(self.state)(sequence) = (self.failed)(error.clone(), phase);
                Err(error)
            }
        }
    }
}
