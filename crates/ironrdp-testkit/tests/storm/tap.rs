//! Listens to both directions of a stream, above TLS.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use ironrdp_async::{FramedFlush, FramedRead, FramedWrite, StreamWrapper};

/// Everything that one end has read and written, before encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) read: Vec<u8>,
    pub(crate) written: Vec<u8>,
}

/// Where what was heard is kept, TLS or not.
pub(crate) type Tape = Arc<Mutex<Heard>>;

/// An adapter with an ear at it.
pub(crate) struct Tap<S> {
    inner: S,
    tape: Tape,
}

impl<S: StreamWrapper> StreamWrapper for Tap<S> {
    type InnerStream = (S::InnerStream, Tape);

    fn from_inner((stream, tape): Self::InnerStream) -> Self {
        let inner = S::from_inner(stream);
        Self { inner, tape }
    }

    fn into_inner(self) -> Self::InnerStream {
        (self.inner.into_inner(), self.tape)
    }

    fn get_inner(&self) -> &Self::InnerStream {
        unreachable!("nobody looks through the tap")
    }

    fn get_inner_mut(&mut self) -> &mut Self::InnerStream {
        unreachable!("nobody looks through the tap")
    }
}

impl<S: FramedRead> FramedRead for Tap<S> {
    type ReadFut<'read>
        = TapRead<'read, S>
    where
        Self: 'read;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> TapRead<'a, S> {
        TapRead { tap: self, buf }
    }
}

pub(crate) struct TapRead<'a, S> {
    tap: &'a mut Tap<S>,
    buf: &'a mut BytesMut,
}

impl<S: FramedRead> Future for TapRead<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { tap, buf } = self.get_mut();
        let before = buf.len();
        let result = ready!(pin!(tap.inner.read(buf)).poll(cx));
        tap.tape.lock().unwrap().read.extend(&buf[before..]);
        Poll::Ready(result)
    }
}

impl<S: FramedWrite + FramedFlush> FramedWrite for Tap<S> {
    type WriteAllFut<'write>
        = std::future::Ready<io::Result<()>>
    where
        Self: 'write;

    fn write_all<'a>(&'a mut self, _: &'a [u8]) -> Self::WriteAllFut<'a> {
        unreachable!("writes go through `as_flush`")
    }

    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        Some(self)
    }
}

impl<S: FramedFlush> FramedFlush for Tap<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(self.inner.poll_write(cx, bytes))?;
        self.tape.lock().unwrap().written.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_flush(cx)
    }
}
