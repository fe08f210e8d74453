//! Frames over a stream that blocks.

use std::fmt;
use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use ironrdp_core::{Limits, MonotonicInstant};
use ironrdp_pdu::{Action, PduHint};

use crate::QueueFull;
use crate::stream::{BlockingStream, would_block};
use crate::timed::wait;

/// Reads whole frames from a stream and queues what is written to it.
///
/// The [`Framed`](ironrdp_async::Framed) of `ironrdp-async` around a stream that blocks, with the same methods.
///
/// Calls that wait end with [`WouldBlock`](io::ErrorKind::WouldBlock) when a timeout of the stream passes
/// (`TcpStream::set_read_timeout`, `set_write_timeout`). Nothing is lost then: received and unsent bytes stay here, and the
/// next call goes on.
pub struct Framed<S> {
    pub(crate) inner: ironrdp_async::Framed<BlockingStream<S>>,
}

/// The result of a call that waits; an error if the stream's timeout has passed.
fn finished<T>(result: Option<io::Result<T>>) -> io::Result<T> {
    result.unwrap_or_else(|| Err(would_block()))
}

impl<S> Framed<S> {
    /// Frames over `stream`.
    pub fn new(stream: S) -> Self {
        Self::new_with_leftover(stream, BytesMut::new())
    }

    /// Frames over `stream`, of which `leftover` has been read already.
    pub fn new_with_leftover(stream: S, leftover: BytesMut) -> Self {
        Self {
            inner: ironrdp_async::Framed::new_with_leftover(stream, leftover),
        }
    }

    /// The stream, and the bytes received and not yet taken.
    pub fn get_inner(&self) -> (&S, &BytesMut) {
        self.inner.get_inner()
    }

    /// The stream, and the bytes received and not yet taken, to change.
    pub fn get_inner_mut(&mut self) -> (&mut S, &mut BytesMut) {
        self.inner.get_inner_mut()
    }

    /// The stream back, and the bytes received and not yet taken.
    ///
    /// Bytes that are queued and not yet sent are dropped: [`flush`](Self::flush) first, or look at [`queued`](Self::queued).
    pub fn into_inner(self) -> (S, BytesMut) {
        self.inner.into_inner()
    }

    /// The stream back, when no bytes are on the way.
    ///
    /// # Panics
    ///
    /// If received bytes or queued bytes would be lost, in debug and in release builds alike.
    /// [`try_into_inner_no_leftover`](Self::try_into_inner_no_leftover) asks first.
    #[track_caller]
    pub fn into_inner_no_leftover(self) -> S {
        self.inner.into_inner_no_leftover()
    }

    /// The stream back, or `self` again if received bytes or queued bytes would be lost.
    pub fn try_into_inner_no_leftover(self) -> Result<S, Self> {
        self.inner
            .try_into_inner_no_leftover()
            .map_err(|inner| Self { inner })
    }

    /// The bytes received and not yet taken.
    pub fn peek(&self) -> &[u8] {
        self.inner.peek()
    }

    /// When the newest received bytes arrived.
    pub fn received_at(&self) -> MonotonicInstant {
        self.inner.received_at()
    }

    /// Sets how large a frame of the peer may be ([`Limits::frame_bytes`]) and how many bytes [`send`](Self::send) queues
    /// ([`Limits::output_bytes`]). A larger frame is an error as soon as its length is known.
    ///
    /// The calls that run a sequence or a session set the limits of its configuration, so only those who read and write
    /// frames themselves need this.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.inner.set_limits(limits);
    }

    /// The largest frame accepted from the peer, in bytes.
    pub fn max_frame(&self) -> usize {
        self.inner.max_frame()
    }

    /// Bytes that are queued and that the stream has not taken yet.
    pub fn queued(&self) -> usize {
        self.inner.queued()
    }

    /// Whether nothing is queued and the stream has flushed everything it took.
    pub fn is_flushed(&self) -> bool {
        self.inner.is_flushed()
    }

    /// Queues `bytes` behind what is queued already, all or none, without waiting.
    ///
    /// They leave with the next [`flush`](Self::flush), [`exchange`](Self::exchange) or [`write_all`](Self::write_all).
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        self.inner.send(bytes)
    }

    /// The next frame if all of it has arrived, lent until the next call.
    ///
    /// After an error the malformed bytes stay, and the same error comes again.
    pub fn buffered_frame(&mut self) -> io::Result<Option<(Action, &[u8])>> {
        self.inner.buffered_frame()
    }

    /// Calls `each` with every frame that has arrived whole and says how many there were. The fastest way to read.
    ///
    /// An error of `each` ends it; the frame that caused it counts as taken.
    pub fn for_each_buffered<E: From<io::Error>>(
        &mut self,
        each: impl FnMut(Action, &[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        self.inner.for_each_buffered(each)
    }
}

impl<S> Framed<S> {
    /// Takes the stream apart, for a thread that reads and one that writes; `split` is the stream's way to do that, a
    /// `try_clone` as a rule.
    ///
    /// Nothing is lost: received bytes and the frame limit go to the reader, unsent bytes, their limit and an unfinished flush to the
    /// writer. [`SessionStream`](crate::SessionStream) needs the whole stream.
    pub fn split_with<R, W>(self, split: impl FnOnce(S) -> (R, W)) -> (Framed<R>, Framed<W>) {
        let (reader, writer) = self.inner.split_with(split);
        (Framed { inner: reader }, Framed { inner: writer })
    }

    /// Puts together what [`split_with`](Self::split_with) took apart; `join` is the stream's way to do that.
    ///
    /// Nothing is lost here either. Should the writer have received bytes or the reader have bytes to send, they come behind
    /// those of the other.
    pub fn unsplit_with<R, W>(reader: Framed<R>, writer: Framed<W>, join: impl FnOnce(R, W) -> S) -> Self {
        let inner = ironrdp_async::Framed::unsplit_with(reader.inner, writer.inner, join);
        Self { inner }
    }
}

/// Reading. None of these sends what is queued: [`flush`](Self::flush) it first, or read with [`exchange`](Self::exchange).
impl<S: Read> Framed<S> {
    /// Waits until there are `length` bytes and takes them.
    ///
    /// More than [`max_frame`](Self::max_frame) is refused with [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub fn read_exact(&mut self, length: usize) -> io::Result<BytesMut> {
        finished(wait(self.inner.read_exact(length)))
    }

    /// Waits for a whole frame of the running session, fast path or X.224, and takes it.
    ///
    /// Bytes that start no frame are [`InvalidData`](io::ErrorKind::InvalidData) with the
    /// [`DecodeError`](ironrdp_core::DecodeError) inside; the end of the stream is
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) with an [`EndOfStream`](crate::EndOfStream) inside.
    pub fn read_pdu(&mut self) -> io::Result<(Action, BytesMut)> {
        finished(wait(self.inner.read_pdu()))
    }

    /// Waits for the PDU that `hint` describes and takes it.
    ///
    /// A PDU that does not match is an error with an [`UnexpectedFrame`](crate::UnexpectedFrame) inside and stays buffered.
    pub fn read_by_hint(&mut self, hint: &dyn PduHint) -> io::Result<Bytes> {
        finished(wait(self.inner.read_by_hint(hint)))
    }

    /// Waits for a whole frame of the running session and lends it until the next call; errors as of [`read_pdu`](Self::read_pdu).
    pub fn next_frame(&mut self) -> io::Result<(Action, &[u8])> {
        finished(wait(self.inner.next_frame()))
    }
}

impl<S: Write> Framed<S> {
    /// Sends what is queued, then `bytes`, and waits until the stream has flushed them.
    ///
    /// If the stream's write timeout passes, `bytes` were either not sent at all or, from their first byte on, are in the
    /// queue, and the next flush sends the rest; [`queued`](Self::queued) before and after does not tell which. Who has set a write
    /// timeout calls [`send`](Self::send) and [`flush`](Self::flush) instead.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        finished(wait(self.inner.write_all(bytes)))
    }

    /// Waits until everything queued has been sent and the stream has flushed it.
    pub fn flush(&mut self) -> io::Result<()> {
        finished(wait(self.inner.flush()))
    }
}

impl<S: Read + Write> Framed<S> {
    /// Sends what is queued, then waits until more bytes have arrived.
    ///
    /// With it the loop of a session is: take every [`buffered_frame`](Self::buffered_frame), [`send`](Self::send) the answers,
    /// `exchange`, again. Two peers that both block while they send more than the network holds wait for each other; with a
    /// write timeout this one reads on when it passes.
    pub fn exchange(&mut self) -> io::Result<()> {
        finished(wait(self.inner.exchange()))
    }
}

impl<S> fmt::Debug for Framed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
