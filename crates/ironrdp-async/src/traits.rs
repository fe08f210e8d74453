//! What a stream of any runtime has to be able to do.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

/// A stream that can be read into a buffer.
///
/// Implemented by the runtime adapters, `ironrdp_tokio::TokioStream` for one. The future must be cancel safe: dropped
/// while pending, it must have taken nothing from the stream that is not in `buf`.
pub trait FramedRead {
    /// The future of one read.
    type ReadFut<'read>: Future<Output = io::Result<usize>> + 'read
    where
        Self: 'read;

    /// Waits for bytes and appends them to `buf`; resolves to how many, 0 at the end of the stream.
    ///
    /// The implementation chooses how much room it makes. [`poll_fill`](crate::poll_fill) does it without holding
    /// a buffer while there is nothing to read.
    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> Self::ReadFut<'a>;
}

/// A stream that bytes can be written to.
pub trait FramedWrite {
    /// The future of one write.
    type WriteAllFut<'write>: Future<Output = io::Result<()>> + 'write
    where
        Self: 'write;

    /// Writes and flushes all of `buf`.
    ///
    /// # Cancel safety
    ///
    /// None: dropped while pending, it has written nobody knows how much.
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> Self::WriteAllFut<'a>;

    /// The poll methods of the same stream, if it has them; an adapter that implements [`FramedFlush`] returns `Some(self)`.
    ///
    /// With it every write of this crate is cancel safe; without it writes go through [`write_all`](Self::write_all).
    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        None
    }
}

/// A stream that says how much it has written, so that a write which is given up half-way can go on later.
///
/// A future of [`FramedWrite::write_all`] takes its progress with it when it is dropped; these methods leave it with the caller.
///
/// Whoever implements this beside [`FramedRead`] promises one thing more: a read future that is dropped while it is pending
/// leaves its wake-up behind. Futures that call a `poll_read` of the stream do; one that waits for `readable()` and the like does
/// not. It lets a stream be read while a flush waits for room, without which two peers that both flush before they
/// read wait for each other once the pipes between them are full.
pub trait FramedFlush {
    /// Writes some of `bytes` and says how many; `Pending` means none, and that the task is woken when it is worth trying again.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Pushes out what lower layers hold back; a TLS layer may hold records long after it has taken the last byte.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// An adapter around the stream type of one runtime.
pub trait StreamWrapper: Sized {
    /// The runtime's stream.
    type InnerStream;

    /// Wraps the runtime's stream.
    fn from_inner(stream: Self::InnerStream) -> Self;

    /// The runtime's stream back.
    fn into_inner(self) -> Self::InnerStream;

    /// The runtime's stream.
    fn get_inner(&self) -> &Self::InnerStream;

    /// The runtime's stream, to change its settings. Bytes read or written behind the adapter's back are lost to it.
    fn get_inner_mut(&mut self) -> &mut Self::InnerStream;
}
