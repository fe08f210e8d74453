//! Streams that block, for the machinery that polls.

use std::future::{Future, Ready, ready};
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use ironrdp_async::{FramedFlush, FramedRead, FramedWrite, StreamWrapper, poll_fill_slice};

/// Makes a stream of `std::io` a stream of `ironrdp-async`: its polls block, and are pending only when the stream's own timeout
/// has passed.
///
/// [`Framed`](crate::Framed) and [`SessionStream`](crate::SessionStream) put it around the stream by themselves.
#[derive(Debug)]
pub struct BlockingStream<S> {
    inner: S,
}

impl<S> StreamWrapper for BlockingStream<S> {
    type InnerStream = S;

    fn from_inner(stream: S) -> Self {
        Self { inner: stream }
    }

    fn into_inner(self) -> S {
        self.inner
    }

    fn get_inner(&self) -> &S {
        &self.inner
    }

    fn get_inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

/// What a call says when the stream's timeout has passed, or when a stream that never blocks has nothing.
pub(crate) fn would_block() -> io::Error {
    io::Error::new(ErrorKind::WouldBlock, "the stream's timeout has passed")
}

/// Calls the operating system until it is not interrupted by a signal. A timeout is `Pending`: Unix calls it `WouldBlock`,
/// Windows `TimedOut`.
fn attempt<T>(mut call: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Poll::Pending;
            }
            result => return Poll::Ready(result),
        }
    }
}

/// One read of a [`BlockingStream`]: blocks when it is polled.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct BlockingRead<'a, S> {
    stream: &'a mut S,
    buf: &'a mut BytesMut,
}

impl<S: Read> Future for BlockingRead<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, buf } = self.get_mut();
        poll_fill_slice(buf, |slice| attempt(|| stream.read(slice)))
    }
}

impl<S: Read> FramedRead for BlockingStream<S> {
    type ReadFut<'read>
        = BlockingRead<'read, S>
    where
        Self: 'read;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> BlockingRead<'a, S> {
        BlockingRead {
            stream: &mut self.inner,
            buf,
        }
    }
}

impl<S: Write> FramedWrite for BlockingStream<S> {
    type WriteAllFut<'write>
        = Ready<io::Result<()>>
    where
        Self: 'write;

    /// Blocks until all is written; not used by this crate, because it would not say how far it got.
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> Ready<io::Result<()>> {
        ready(self.inner.write_all(buf).and_then(|()| self.inner.flush()))
    }

    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        Some(self)
    }
}

impl<S: Write> FramedFlush for BlockingStream<S> {
    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        attempt(|| self.inner.write(bytes))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        attempt(|| self.inner.flush())
    }
}
