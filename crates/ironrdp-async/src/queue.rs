//! Output that has been promised to the peer and not yet taken by the stream.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use ironrdp_core::{Limit, LimitExceeded, Limits};

use crate::FramedFlush;
use crate::chunk::{give_back_output, take_output};

/// The bytes to be sent, in order. All progress of writing is here and none in a future.
#[derive(Debug)]
pub(crate) struct OutQueue {
    bytes: BytesMut,
    limit: usize,
    /// The stream took bytes since its last complete flush, so a lower layer may still hold some; as it may from before this
    /// queue was there, the end of a TLS handshake for one.
    dirty: bool,
    /// `bytes` is a buffer of the thread's, which goes back when all of it was sent. Its capacity does not tell: it is 0
    /// after the last byte.
    holds_buffer: bool,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Sound,
    /// A `write_all` without progress reports is under way, or was dropped on the way.
    Writing,
    /// A write ended with this error. What the layers below took of it is unknown, so nothing may follow.
    Failed(io::ErrorKind),
}

impl OutQueue {
    pub(crate) fn new() -> Self {
        Self {
            bytes: BytesMut::new(),
            limit: Limits::DEFAULT.output_bytes,
            dirty: true,
            holds_buffer: false,
            state: State::Sound,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything has left the stream, as far as it tells.
    pub(crate) fn is_flushed(&self) -> bool {
        self.bytes.is_empty() && !self.dirty
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Queues `bytes` whole or not at all.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        let room = self.limit.saturating_sub(self.bytes.len());
        if bytes.len() > room {
            return Err(QueueFull {
                queued: self.bytes.len(),
                refused: bytes.len(),
                limit: self.limit,
            });
        }
        self.push(bytes);
        Ok(())
    }

    /// Queues `bytes` whatever the limit: for those who flush before they queue again.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !self.holds_buffer {
            self.bytes = take_output(bytes.len());
            self.holds_buffer = true;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// An error if an earlier write left the stream in an unknown state.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.state {
            State::Sound => Ok(()),
            State::Writing => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "an earlier write was dropped half-way and the stream cannot say how far it got",
            )),
            State::Failed(kind) => Err(io::Error::new(kind, "an earlier write failed")),
        }
    }

    /// Writes the queue and flushes the stream; goes on where it stopped, whoever polled it before.
    pub(crate) fn poll_flush(
        &mut self,
        stream: &mut (impl FramedFlush + ?Sized),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_write_all(stream, &mut &[][..], cx)
    }

    /// [`poll_flush`](Self::poll_flush), with `rest` behind the queue.
    ///
    /// The first time the stream has no room in the middle of `rest`, what is left of it joins the queue: from then on a
    /// later flush finishes it even if the caller never comes back. Until its first byte is written it is not touched.
    pub(crate) fn poll_write_all(
        &mut self,
        stream: &mut (impl FramedFlush + ?Sized),
        rest: &mut &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        while !self.bytes.is_empty() {
            let written = self.note(ready!(stream.poll_write(cx, &self.bytes)))?;
            self.bytes.advance(written.min(self.bytes.len()));
        }
        if std::mem::take(&mut self.holds_buffer) {
            give_back_output(std::mem::take(&mut self.bytes));
        }
        let whole = rest.len();
        while !rest.is_empty() {
            match stream.poll_write(cx, rest) {
                Poll::Ready(result) => {
                    let written = self.note(result)?;
                    *rest = rest.get(written..).unwrap_or_default();
                }
                Poll::Pending => {
                    if rest.len() < whole {
                        self.push(rest);
                        *rest = &[];
                    }
                    return Poll::Pending;
                }
            }
        }
        // An empty queue is not a flushed stream: a TLS layer takes 64 KiB and more before it refuses.
        if self.dirty {
            if let Err(error) = ready!(stream.poll_flush(cx)) {
                return Poll::Ready(Err(self.fail(error)));
            }
            self.dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Remembers what a write did.
    fn note(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Ok(0) => Err(self.fail(io::Error::new(
                io::ErrorKind::WriteZero,
                "the stream takes no more bytes",
            ))),
            Ok(written) => {
                self.dirty = true;
                Ok(written)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Keeps the stream from being written to after a failed write.
    pub(crate) fn fail(&mut self, error: io::Error) -> io::Error {
        self.state = State::Failed(error.kind());
        error
    }

    /// Notes that a write without progress reports begins. If nothing follows, it was dropped.
    pub(crate) fn begin_blind_write(&mut self) {
        self.state = State::Writing;
    }

    /// Notes that the write is over, and with it, if it was the queue's, the queue.
    pub(crate) fn end_blind_write(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Ok(()) => {
                self.state = State::Sound;
                Ok(())
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The queue's bytes, for a write without progress reports.
    pub(crate) fn take(&mut self) -> BytesMut {
        self.holds_buffer = false;
        std::mem::take(&mut self.bytes)
    }
}

/// Too much output is waiting to be sent; the peer does not read, or nothing drives the flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull {
    queued: usize,
    refused: usize,
    limit: usize,
}

impl QueueFull {
    /// Bytes that are waiting.
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes that were not taken; none of them is queued.
    pub const fn refused(&self) -> usize {
        self.refused
    }

    /// Bytes that may wait.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// The same as every limit tells it.
    pub const fn exceeded(&self) -> LimitExceeded {
        LimitExceeded {
            limit: Limit::Output,
            wanted: self.queued.saturating_add(self.refused),
            max: self.limit,
        }
    }
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queued,
            refused,
            limit,
        } = self;
        write!(
            f,
            "{refused} bytes do not fit the output queue: {queued} are waiting, the limit is {limit}"
        )
    }
}

impl std::error::Error for QueueFull {}

impl From<QueueFull> for io::Error {
    fn from(full: QueueFull) -> Self {
        Self::new(io::ErrorKind::QuotaExceeded, full)
    }
}
