//! Streams of `futures-io` for [`Framed`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use ironrdp_async::{Framed, FramedFlush, FramedRead, FramedWrite, StreamWrapper, poll_fill_slice};

/// Frames over a stream of `futures-io`.
pub type FuturesFramed<S> = Framed<FuturesStream<S>>;

/// Makes any stream of `futures-io` (TCP, TLS, a pipe, one half of either) a stream of this crate.
///
/// Its futures are plain structs: nothing is boxed, and they are `Send` exactly when the stream is. A stream that
/// waits for bytes holds no buffer; see [`poll_fill_slice`].
#[derive(Debug)]
pub struct FuturesStream<S> {
    inner: S,
}

impl<S> StreamWrapper for FuturesStream<S> {
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

impl<S: AsyncRead + Unpin> FramedRead for FuturesStream<S> {
    type ReadFut<'read>
        = FuturesRead<'read, S>
    where
        Self: 'read;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> FuturesRead<'a, S> {
        FuturesRead {
            stream: &mut self.inner,
            buf,
        }
    }
}

impl<S: AsyncWrite + Unpin> FramedWrite for FuturesStream<S> {
    type WriteAllFut<'write>
        = FuturesWriteAll<'write, S>
    where
        Self: 'write;

    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> FuturesWriteAll<'a, S> {
        FuturesWriteAll {
            stream: &mut self.inner,
            rest: buf,
        }
    }

    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        Some(self)
    }
}

impl<S: AsyncWrite + Unpin> FramedFlush for FuturesStream<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
}

/// One read of a [`FuturesStream`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct FuturesRead<'a, S> {
    stream: &'a mut S,
    buf: &'a mut BytesMut,
}

impl<S: AsyncRead + Unpin> Future for FuturesRead<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, buf } = self.get_mut();
        poll_fill_slice(buf, |slice| Pin::new(&mut **stream).poll_read(cx, slice))
    }
}

/// One write of a [`FuturesStream`], flush included.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct FuturesWriteAll<'a, S> {
    stream: &'a mut S,
    rest: &'a [u8],
}

impl<S: AsyncWrite + Unpin> Future for FuturesWriteAll<'_, S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, rest } = self.get_mut();
        while !rest.is_empty() {
            let written = ready!(Pin::new(&mut **stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *rest = rest.get(written..).unwrap_or_default();
        }
        Pin::new(&mut **stream).poll_flush(cx)
    }
}
