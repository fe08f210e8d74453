//! One loop for every sequence, whoever moves the bytes.

use ironrdp_core::{FrameBuf, WriteBuf};

use crate::{ConnectorError, ConnectorResult, Reply, Request, Sequence, StepInput};

/// Runs a [`Sequence`] and says what it needs next; the async, blocking and in-memory shells are a match over it.
///
/// All progress lives in the sequence and in the caller's buffers, none in a future: a shell may be dropped between
/// any two polls and another may go on.
#[derive(Debug)]
pub struct Driver<S> {
    sequence: S,
    out: WriteBuf,
    failed: Option<ConnectorError>,
}

/// What a [`Driver`] needs next.
#[derive(Debug)]
pub enum Need<'a> {
    /// These bytes must be sent. Polling again means that they were taken: copy them into a queue at once, without
    /// awaiting in between, and write the queue before the next `Receive`, `Ask` or `Done` is acted upon.
    Send(&'a [u8]),
    /// More bytes must be appended to the receive buffer.
    Receive,
    /// A question must be answered with [`Driver::answer`].
    Ask(Request<'a>),
    /// The sequence has reached its end.
    Done,
}

impl<S: Sequence> Driver<S> {
    /// A driver of `sequence`, wherever that stands.
    pub const fn new(sequence: S) -> Self {
        Self {
            sequence,
            out: WriteBuf::new(),
            failed: None,
        }
    }

    /// Takes whole PDUs from `rx` as long as there are any and says what is needed next.
    ///
    /// PDUs that need no answer in between come out as one [`Need::Send`].
    pub fn poll<'a>(&'a mut self, rx: &mut FrameBuf) -> ConnectorResult<Need<'a>> {
        self.out.clear();
        let receive = loop {
            if let Some(error) = &self.failed {
                // What was said before the failure goes out first: it may tell the peer why.
                if self.out.is_empty() {
                    return Err(error.clone());
                }
                break false;
            }
            if self.sequence.state().is_terminal() || self.sequence.request().is_some() {
                break false;
            }
            match self.step(rx) {
                Ok(true) => {}
                Ok(false) => break true,
                Err(error) => self.failed = Some(error.in_phase(self.sequence.phase())),
            }
        };
        if !self.out.is_empty() {
            return Ok(Need::Send(self.out.filled()));
        }
        if receive {
            return Ok(Need::Receive);
        }
        Ok(match self.sequence.request() {
            Some(request) => Need::Ask(request),
            None => Need::Done,
        })
    }

    /// One step; false when a whole PDU is not there yet.
    fn step(&mut self, rx: &mut FrameBuf) -> ConnectorResult<bool> {
        let Some(hint) = self.sequence.next_pdu_hint() else {
            let _ = self.sequence.step_input(
                StepInput {
                    bytes: &[],
                    received_at: rx.received_at(),
                },
                &mut self.out,
            )?;
            return Ok(true);
        };
        let Some((matches, size)) = hint.find_size(rx.filled())? else {
            return Ok(false);
        };
        // Before its bytes are waited for.
        self.sequence
            .limits()
            .check(self.sequence.next_pdu_limit(), size)?;
        if !matches {
            return Err(ConnectorError::unexpected(
                "a PDU of another framing than the one waited for",
            ));
        }
        if rx.len() < size {
            return Ok(false);
        }
        let frame = rx.take(size);
        let input = StepInput {
            bytes: &frame,
            received_at: rx.received_at(),
        };
        let _ = self.sequence.step_input(input, &mut self.out)?;
        Ok(true)
    }

    /// Answers the question that [`Need::Ask`] put.
    pub fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        self.sequence.answer(reply)
    }

    /// The sequence being driven.
    pub const fn sequence(&self) -> &S {
        &self.sequence
    }

    /// The sequence being driven, to change its settings between polls.
    pub const fn sequence_mut(&mut self) -> &mut S {
        &mut self.sequence
    }

    /// The sequence, when the driver has done its work.
    pub fn into_sequence(self) -> S {
        self.sequence
    }
}
