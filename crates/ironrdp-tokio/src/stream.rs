//! Tokio streams for [`Framed`].

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use ironrdp_async::{ByteStream, Framed, FramedFlush, FramedRead, FramedWrite, StreamWrapper, poll_fill};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// Frames over a tokio stream.
pub type TokioFramed<S> = Framed<TokioStream<S>>;

/// Makes any tokio stream (TCP, TLS, a pipe, one half of either) a stream of this crate.
///
/// Its futures are plain structs: nothing is boxed, and they are `Send` exactly when the stream is. A stream that
/// waits for bytes holds no buffer; see [`poll_fill`].
#[derive(Debug)]
pub struct TokioStream<S> {
    inner: S,
}

impl<S> StreamWrapper for TokioStream<S> {
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

impl<S: AsyncRead + Unpin> FramedRead for TokioStream<S> {
    type ReadFut<'read>
        = TokioRead<'read, S>
    where
        Self: 'read;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> TokioRead<'a, S> {
        TokioRead {
            stream: &mut self.inner,
            buf,
        }
    }
}

impl<S: AsyncWrite + Unpin> FramedWrite for TokioStream<S> {
    type WriteAllFut<'write>
        = TokioWriteAll<'write, S>
    where
        Self: 'write;

    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> TokioWriteAll<'a, S> {
        TokioWriteAll {
            stream: &mut self.inner,
            rest: buf,
        }
    }

    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        Some(self)
    }
}

impl<S: AsyncWrite + Unpin> FramedFlush for TokioStream<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for TokioStream<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        poll_read(&mut self.inner, cx, buf)
    }
}

/// Tokio's future holds nothing but the two references, so one made for each poll is as good as one kept.
fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    buf: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    pin!(stream.read_buf(buf)).poll(cx)
}

/// One read of a [`TokioStream`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TokioRead<'a, S> {
    stream: &'a mut S,
    buf: &'a mut BytesMut,
}

impl<S: AsyncRead + Unpin> Future for TokioRead<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, buf } = self.get_mut();
        poll_fill(buf, |buf| poll_read(stream, cx, buf))
    }
}

/// One write of a [`TokioStream`], flush included.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct TokioWriteAll<'a, S> {
    stream: &'a mut S,
    rest: &'a [u8],
}

impl<S: AsyncWrite + Unpin> Future for TokioWriteAll<'_, S> {
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
