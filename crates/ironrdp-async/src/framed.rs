//! Frames over a byte stream: whole PDUs in, queued bytes out.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use ironrdp_core::{Limit, LimitExceeded, Limits, MonotonicInstant};
use ironrdp_pdu::{Action, PduHint, find_size};

use crate::chunk::Received;
use crate::error::{EndOfStream, frame_limit, malformed, too_large, unexpected};
use crate::queue::{OutQueue, QueueFull};
use crate::{FramedFlush, FramedRead, FramedWrite, READ_AHEAD, StreamWrapper, now};

/// Reads whole frames from a stream and queues what is written to it.
///
/// Received bytes and unsent bytes live here and never in a future, so that dropping one loses neither. While
/// nothing is received and nothing waits to be sent, no buffer is held.
///
/// | to | call | copies, allocations a frame |
/// |---|---|---|
/// | keep frames | [`read_pdu`](Self::read_pdu), [`read_exact`](Self::read_exact), [`read_by_hint`](Self::read_by_hint) | 0, 0; a kept frame keeps up to 64 KiB alive, so copy what is kept for long |
/// | look at frames | [`next_frame`](Self::next_frame), [`buffered_frame`](Self::buffered_frame), [`for_each_buffered`](Self::for_each_buffered) | 0, 0, and no reference counts |
/// | write and wait | [`write_all`](Self::write_all) | 0, 0 while the stream has room |
/// | write and not wait | [`send`](Self::send), then [`flush`](Self::flush) or [`exchange`](Self::exchange) | 1, 0 |
pub struct Framed<S> {
    pub(crate) stream: S,
    pub(crate) rx: Received,
    pub(crate) out: OutQueue,
    pub(crate) max_frame: usize,
    /// Bytes at the front of `rx` that were lent to the caller; they go when it comes back.
    lent: usize,
    /// What the arrival of bytes is timed by.
    pub(crate) clock: fn() -> MonotonicInstant,
}

impl<S: StreamWrapper> Framed<S> {
    /// Frames over `stream`.
    pub fn new(stream: S::InnerStream) -> Self {
        Self::new_with_leftover(stream, BytesMut::new())
    }

    /// Frames over `stream`, of which `leftover` has been read already.
    pub fn new_with_leftover(stream: S::InnerStream, leftover: BytesMut) -> Self {
        Self {
            stream: S::from_inner(stream),
            rx: Received::from(leftover),
            out: OutQueue::new(),
            max_frame: Limits::DEFAULT.frame_bytes,
            lent: 0,
            clock: now,
        }
    }

    /// The runtime's stream, and the bytes received and not yet taken.
    ///
    /// A frame from [`next_frame`](Self::next_frame) or [`buffered_frame`](Self::buffered_frame) still stands at their
    /// front until the next call that reads; [`peek`](Self::peek) never shows it.
    pub fn get_inner(&self) -> (&S::InnerStream, &BytesMut) {
        (self.stream.get_inner(), self.rx.bytes())
    }

    /// The runtime's stream, and the bytes received and not yet taken, to change.
    pub fn get_inner_mut(&mut self) -> (&mut S::InnerStream, &mut BytesMut) {
        self.take_back();
        (self.stream.get_inner_mut(), self.rx.bytes_mut())
    }

    /// The runtime's stream back, and the bytes received and not yet taken.
    ///
    /// Bytes that are queued and not yet sent are dropped: [`flush`](Self::flush) first, or look at [`queued`](Self::queued).
    pub fn into_inner(mut self) -> (S::InnerStream, BytesMut) {
        self.take_back();
        (self.stream.into_inner(), self.rx.into_bytes())
    }

    /// The runtime's stream back, when no bytes are on the way.
    ///
    /// # Panics
    ///
    /// If received bytes or queued bytes would be lost, in debug and in release builds alike: a stream that goes on
    /// after a gap is worse than a crash. [`try_into_inner_no_leftover`](Self::try_into_inner_no_leftover) asks first.
    #[track_caller]
    pub fn into_inner_no_leftover(self) -> S::InnerStream {
        let (received, queued) = (self.peek().len(), self.queued());
        match self.try_into_inner_no_leftover() {
            Ok(stream) => stream,
            #[expect(
                clippy::panic,
                reason = "the signature leaves no other way to keep bytes from being lost"
            )]
            Err(_) => panic!("{received} received and {queued} unsent bytes would be lost"),
        }
    }

    /// The runtime's stream back, or `self` again if received bytes or queued bytes would be lost.
    pub fn try_into_inner_no_leftover(self) -> Result<S::InnerStream, Self> {
        if self.peek().is_empty() && self.queued() == 0 {
            Ok(self.stream.into_inner())
        } else {
            Err(self)
        }
    }
}

impl<S> Framed<S> {
    /// The bytes received and not yet taken.
    pub fn peek(&self) -> &[u8] {
        self.rx.filled().get(self.lent..).unwrap_or_default()
    }

    /// When the newest received bytes arrived.
    pub fn received_at(&self) -> MonotonicInstant {
        self.rx.received_at()
    }

    /// Sets how large a frame of the peer may be ([`Limits::frame_bytes`]) and how many bytes [`send`](Self::send) queues
    /// ([`Limits::output_bytes`]). A larger frame is an error as soon as its length is known.
    ///
    /// The calls that run a sequence or a session set the limits of its configuration, so only those who read and write
    /// frames themselves need this.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.max_frame = limits.frame_bytes;
        self.out.set_limit(limits.output_bytes);
    }

    /// Times the arrival of bytes by `clock`, that of a [`Timer`](crate::Timer), in place of [`now`](crate::now()); for runtimes
    /// whose clock can be paused.
    pub fn set_clock(&mut self, clock: fn() -> MonotonicInstant) {
        self.clock = clock;
    }

    pub(crate) fn now(&self) -> MonotonicInstant {
        (self.clock)()
    }

    /// The largest frame accepted from the peer, in bytes.
    pub fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Bytes that are queued and that the stream has not taken yet.
    pub fn queued(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is queued and the stream has flushed everything it took.
    pub fn is_flushed(&self) -> bool {
        self.out.is_flushed()
    }

    /// Queues `bytes` behind what is queued already, all or none, without waiting.
    ///
    /// They leave with the next [`flush`](Self::flush), [`exchange`](Self::exchange) or [`write_all`](Self::write_all).
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), QueueFull> {
        self.out.send(bytes)
    }

    /// The next frame if all of it has arrived, lent until the next call.
    ///
    /// After an error the malformed bytes stay, and the same error comes again.
    pub fn buffered_frame(&mut self) -> io::Result<Option<(Action, &[u8])>> {
        self.take_back();
        let Some((action, size)) = self.find_frame()? else {
            return Ok(None);
        };
        self.lent = size;
        Ok(self.rx.filled().get(..size).map(|frame| (action, frame)))
    }

    /// Calls `each` with every frame that has arrived whole and says how many there were. The fastest way to read.
    ///
    /// An error of `each` ends it; the frame that caused it counts as taken.
    pub fn for_each_buffered<E: From<io::Error>>(
        &mut self,
        mut each: impl FnMut(Action, &[u8]) -> Result<(), E>,
    ) -> Result<usize, E> {
        self.take_back();
        let max = self.max_frame;
        let mut rest = self.rx.filled();
        let (mut taken, mut count) = (0, 0);
        let result = loop {
            let found = match find_size(rest) {
                Ok(Some(found)) => found,
                Ok(None) => break Ok(()),
                Err(error) => break Err(malformed(error).into()),
            };
            if found.length > max {
                break Err(too_large(frame_limit(found.length, max)).into());
            }
            let Some((frame, behind)) = rest.split_at_checked(found.length) else {
                break Ok(());
            };
            rest = behind;
            taken += found.length;
            count += 1;
            if let Err(error) = each(found.action, frame) {
                break Err(error);
            }
        };
        self.rx.consume(taken);
        result.map(|()| count)
    }

    /// Forgets the frame that was lent.
    #[inline]
    pub(crate) fn take_back(&mut self) {
        if self.lent > 0 {
            self.rx.consume(self.lent);
            self.lent = 0;
        }
    }

    /// The framing and size of the frame in front, if all of it is there.
    #[inline]
    fn find_frame(&self) -> io::Result<Option<(Action, usize)>> {
        let filled = self.rx.filled();
        match find_size(filled) {
            Ok(Some(found)) if found.length > self.max_frame => {
                Err(too_large(frame_limit(found.length, self.max_frame)))
            }
            Ok(Some(found)) if found.length <= filled.len() => Ok(Some((found.action, found.length))),
            Ok(_) => Ok(None),
            Err(error) => Err(malformed(error)),
        }
    }

    /// Takes note of what a read did.
    pub(crate) fn note_read(&mut self, result: io::Result<usize>) -> io::Result<()> {
        match result {
            Ok(0) => Err(EndOfStream::error(self.rx.len(), None)),
            Ok(_) => {
                self.rx.set_received_at((self.clock)());
                Ok(())
            }
            // A TLS peer that closes without saying so. RDP has goodbyes of its own, so only the bytes count.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(EndOfStream::error(self.rx.len(), Some(error)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Reading. None of these drives the output queue: [`flush`](Self::flush) it first, or read with [`exchange`](Self::exchange).
impl<S: FramedRead> Framed<S> {
    /// Waits until there are `length` bytes and takes them.
    ///
    /// More than [`max_frame`](Self::max_frame) is refused with [`InvalidInput`](io::ErrorKind::InvalidInput), since such a
    /// length often comes from the peer; memory is only used for bytes that have arrived.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been received stays buffered for the next read.
    pub async fn read_exact(&mut self, length: usize) -> io::Result<BytesMut> {
        if length > self.max_frame {
            let exceeded = frame_limit(length, self.max_frame);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, exceeded));
        }
        self.take_back();
        while self.rx.len() < length {
            self.fill().await?;
        }
        Ok(self.rx.take(length))
    }

    /// Waits for a whole frame of the running session, fast path or X.224, and takes it.
    ///
    /// Bytes that start no frame are [`InvalidData`](io::ErrorKind::InvalidData) with the
    /// [`DecodeError`](ironrdp_core::DecodeError) inside; the end of the stream is
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) with an [`EndOfStream`] inside.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been received stays buffered for the next read.
    pub async fn read_pdu(&mut self) -> io::Result<(Action, BytesMut)> {
        self.take_back();
        loop {
            if let Some((action, size)) = self.find_frame()? {
                return Ok((action, self.rx.take(size)));
            }
            self.fill().await?;
        }
    }

    /// Waits for the PDU that `hint` describes and takes it.
    ///
    /// A PDU that does not match is an error with an [`UnexpectedFrame`](crate::UnexpectedFrame) inside and stays buffered.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been received stays buffered for the next read.
    pub async fn read_by_hint(&mut self, hint: &dyn PduHint) -> io::Result<Bytes> {
        self.read_within(hint, Limit::Frame, self.max_frame).await
    }

    /// [`read_by_hint`](Self::read_by_hint), with the limit that bounds the PDU.
    pub(crate) async fn read_within(
        &mut self,
        hint: &dyn PduHint,
        limit: Limit,
        max: usize,
    ) -> io::Result<Bytes> {
        self.take_back();
        loop {
            match hint.find_size(self.rx.filled()).map_err(malformed)? {
                Some((_, wanted)) if wanted > max => {
                    return Err(too_large(LimitExceeded { limit, wanted, max }));
                }
                Some((false, size)) => return Err(unexpected(size)),
                // A hint that answers 0 would be asked for ever.
                Some((true, 0)) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a PDU without bytes"));
                }
                Some((true, size)) if size <= self.rx.len() => return Ok(self.rx.take(size).freeze()),
                Some(_) | None => {}
            }
            self.fill().await?;
        }
    }

    /// Waits for a whole frame of the running session and lends it until the next call.
    ///
    /// Takes no reference count, which is most of the cost of a small frame; see [`read_pdu`](Self::read_pdu) for the errors.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has been received stays buffered, and a frame counts as taken only once it was returned.
    pub async fn next_frame(&mut self) -> io::Result<(Action, &[u8])> {
        self.take_back();
        let (action, size) = loop {
            if let Some(found) = self.find_frame()? {
                break found;
            }
            self.fill().await?;
        };
        self.lent = size;
        Ok((action, self.rx.filled().get(..size).unwrap_or_default()))
    }

    /// Waits for more bytes.
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        let result = self.stream.read(self.rx.bytes_mut()).await;
        self.note_read(result)
    }
}

impl<S: FramedWrite> Framed<S> {
    /// Sends what is queued, then `bytes`, and waits until the stream has flushed them.
    ///
    /// # Cancel safety
    ///
    /// Depends on the adapter. If it has [`FramedWrite::as_flush`], as the adapters of this workspace do, a dropped future
    /// leaves `bytes` either not sent at all or, from its first byte on, in the queue, and the next flush or write
    /// sends the rest: the stream is never torn, but which of the two it was is not told. Without `as_flush`
    /// it is **not cancel safe**: a write dropped half-way makes every later write fail with
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) rather than send garbage.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.stream.as_flush().is_some() {
            let mut rest = bytes;
            return poll_fn(|cx| match self.stream.as_flush() {
                Some(stream) => self.out.poll_write_all(stream, &mut rest, cx),
                None => Poll::Ready(Err(io::Error::from(io::ErrorKind::Unsupported))),
            })
            .await;
        }
        self.flush_any().await?;
        self.out.begin_blind_write();
        let result = self.stream.write_all(bytes).await;
        self.out.end_blind_write(result)
    }

    /// One poll of the flush, for adapters that have it.
    fn poll_flush_any(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream.as_flush() {
            Some(stream) => self.out.poll_flush(stream, cx),
            None => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Sends what is queued, cancel safely if the adapter can.
    pub(crate) async fn flush_any(&mut self) -> io::Result<()> {
        if self.stream.as_flush().is_some() {
            return poll_fn(|cx| self.poll_flush_any(cx)).await;
        }
        self.out.check()?;
        if self.out.len() > 0 {
            self.out.begin_blind_write();
            let queued = self.out.take();
            let result = self.stream.write_all(&queued).await;
            self.out.end_blind_write(result)?;
        }
        Ok(())
    }
}

impl<S: FramedFlush> Framed<S> {
    /// Waits until everything queued has been sent and the stream has flushed it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next flush goes on at the byte where this one stopped.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// [`flush`](Self::flush) as a poll method.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.poll_flush(&mut self.stream, cx)
    }
}

impl<S: FramedRead + FramedFlush> Framed<S> {
    /// Waits until more bytes have arrived, and sends what is queued meanwhile.
    ///
    /// With it the loop of a session is: take every [`buffered_frame`](Self::buffered_frame), [`send`](Self::send) the answers,
    /// `exchange`, again. Resolves when bytes were received, even if the queue is not empty yet.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe in both directions.
    pub async fn exchange(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_exchange(cx)).await
    }

    /// [`exchange`](Self::exchange) as a poll method.
    pub fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A read does not push out what a TLS layer holds back, so an unfinished flush is driven here too.
        let flushed = self.poll_flush(cx);
        self.poll_read_after(flushed, cx)
    }
}

/// Both directions at once, where the adapter allows it.
impl<S: FramedRead + FramedWrite> Framed<S> {
    /// [`exchange`](Self::exchange) if the adapter can; else sends first and then reads.
    pub(crate) async fn exchange_any(&mut self) -> io::Result<()> {
        if self.stream.as_flush().is_none() {
            self.flush_any().await?;
            return self.fill().await;
        }
        poll_fn(|cx| {
            let flushed = self.poll_flush_any(cx);
            self.poll_read_after(flushed, cx)
        })
        .await
    }

    /// Sends what is queued, and goes on reading meanwhile if the adapter can: a peer may have to get rid of its own bytes before
    /// it takes ours. What is read ahead is bounded.
    pub(crate) async fn flush_reading(&mut self) -> io::Result<()> {
        if self.stream.as_flush().is_none() {
            return self.flush_any().await;
        }
        poll_fn(|cx| {
            loop {
                let flushed = self.poll_flush_any(cx);
                if flushed.is_ready() || self.rx.len() >= READ_AHEAD {
                    return flushed;
                }
                // An end or an error of reading comes again when the bytes are wanted.
                match self.poll_read_after(Poll::Pending, cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

impl<S: FramedRead> Framed<S> {
    /// Reads, by a future made for this one poll; see [`FramedFlush`] for why that loses no wake-up.
    ///
    /// What the peer said before it closed is worth reading even if it no longer listens: the error of the write counts only when
    /// there is nothing to read.
    fn poll_read_after(
        &mut self,
        flushed: Poll<io::Result<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.take_back();
        let read = pin!(self.stream.read(self.rx.bytes_mut())).poll(cx);
        match (read, flushed) {
            (Poll::Ready(result), _) => Poll::Ready(self.note_read(result)),
            (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Pending, _) => Poll::Pending,
        }
    }
}

impl<S> fmt::Debug for Framed<S> {
    // The bytes themselves may be a password on its way.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framed")
            .field("received", &self.peek().len())
            .field("queued", &self.queued())
            .field("flushed", &self.is_flushed())
            .finish_non_exhaustive()
    }
}
