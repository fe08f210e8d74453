//! A stream that does as it is told, and a way to drop futures at every await point.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "sizes and fillers are chosen small"
)]
#![allow(clippy::panic, reason = "this is how a test fails")]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use fastrand::Rng;
use ironrdp_async::{FramedFlush, FramedRead, FramedWrite, StreamWrapper, poll_fill};

/// `size` bytes that look random.
pub(crate) fn noise(dice: &mut Rng, size: usize) -> Vec<u8> {
    (0..size).map(|_| dice.u8(..)).collect()
}

/// What a read of the script does.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    Bytes(Vec<u8>),
    Pending,
    Fails(io::ErrorKind),
}

/// A peer in memory. Reads follow a script, then the stream is pending, or at its end if `eof`.
/// Writes land in `held` (a TLS layer's records) and reach `wire` with a flush.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) reads: VecDeque<Read>,
    /// Bytes of the first read that were taken already.
    pub(crate) offset: usize,
    pub(crate) eof: bool,
    pub(crate) held: Vec<u8>,
    pub(crate) wire: Vec<u8>,
    /// Bytes taken by each coming write; 0 is `Pending`. When it is empty, writes are taken whole.
    pub(crate) writes: VecDeque<usize>,
    /// Whether each coming flush is pending. When it is empty, flushes succeed.
    pub(crate) flushes: VecDeque<bool>,
    pub(crate) fail_writes: bool,
    pub(crate) read_calls: usize,
    pub(crate) write_calls: usize,
}

impl Wire {
    pub(crate) fn reading(reads: impl IntoIterator<Item = Read>) -> Self {
        Self {
            reads: reads.into_iter().collect(),
            ..Self::default()
        }
    }

    /// `bytes` in pieces of random size with a `Pending` here and there.
    pub(crate) fn crumbs(bytes: &[u8], largest: usize, seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let mut reads = VecDeque::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            if dice.bool() {
                reads.push_back(Read::Pending);
            }
            let (piece, behind) = rest.split_at((1 + dice.usize(..largest)).min(rest.len()));
            reads.push_back(Read::Bytes(piece.to_vec()));
            rest = behind;
        }
        Self {
            reads,
            eof: true,
            ..Self::default()
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        self.read_calls += 1;
        match self.reads.pop_front() {
            Some(Read::Bytes(bytes)) => {
                let rest = &bytes[self.offset..];
                let count = rest.len().min(buf.capacity() - buf.len());
                buf.extend_from_slice(&rest[..count]);
                self.offset += count;
                if self.offset < bytes.len() {
                    self.reads.push_front(Read::Bytes(bytes));
                } else {
                    self.offset = 0;
                }
                Poll::Ready(Ok(count))
            }
            Some(Read::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Read::Fails(kind)) => Poll::Ready(Err(kind.into())),
            None if self.eof => Poll::Ready(Ok(0)),
            None => Poll::Pending,
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.fail_writes {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let taken = match self.writes.pop_front() {
            Some(0) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(limit) => limit.min(bytes.len()),
            None => bytes.len(),
        };
        self.write_calls += 1;
        self.held.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flushes.pop_front() == Some(true) {
            // A real TLS layer gets rid of a part of what it holds.
            let half = self.held.len() / 2;
            self.wire.extend(self.held.drain(..half));
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.wire.append(&mut self.held);
        Poll::Ready(Ok(()))
    }
}

/// The adapter with everything.
pub(crate) struct Full(pub(crate) Wire);

/// An adapter with no more than the three traits an adapter must have.
pub(crate) struct Plain(pub(crate) Wire);

macro_rules! wrapper {
    ($name:ident) => {
        impl StreamWrapper for $name {
            type InnerStream = Wire;
            fn from_inner(stream: Wire) -> Self {
                Self(stream)
            }
            fn into_inner(self) -> Wire {
                self.0
            }
            fn get_inner(&self) -> &Wire {
                &self.0
            }
            fn get_inner_mut(&mut self) -> &mut Wire {
                &mut self.0
            }
        }

        impl FramedRead for $name {
            type ReadFut<'read> = WireRead<'read>;
            fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> WireRead<'a> {
                WireRead(&mut self.0, buf)
            }
        }
    };
}

wrapper!(Full);
wrapper!(Plain);

pub(crate) struct WireRead<'a>(&'a mut Wire, &'a mut BytesMut);

impl Future for WireRead<'_> {
    type Output = io::Result<usize>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(wire, buf) = self.get_mut();
        poll_fill(buf, |buf| wire.read(cx, buf))
    }
}

pub(crate) struct WireWrite<'a>(&'a mut Wire, &'a [u8]);

impl Future for WireWrite<'_> {
    type Output = io::Result<()>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(wire, rest) = self.get_mut();
        while !rest.is_empty() {
            match wire.write(cx, rest) {
                Poll::Ready(Ok(count)) => *rest = &rest[count..],
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        wire.flush(cx)
    }
}

impl FramedWrite for Full {
    type WriteAllFut<'write> = WireWrite<'write>;
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WireWrite<'a> {
        WireWrite(&mut self.0, buf)
    }
    fn as_flush(&mut self) -> Option<&mut dyn FramedFlush> {
        Some(self)
    }
}

impl FramedWrite for Plain {
    type WriteAllFut<'write> = WireWrite<'write>;
    fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WireWrite<'a> {
        WireWrite(&mut self.0, buf)
    }
}

impl FramedFlush for Full {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(cx, bytes)
    }
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.flush(cx)
    }
}

struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls `future` once.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `future` to its end; a future that is pending without having arranged to be woken is a hang, and fails the test.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    let waker = Waker::from(counter.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(counter.0.swap(0, Ordering::Relaxed) > 0, "the future would hang");
    }
}

/// Makes the future anew and drops it at every await point, until it resolves within one poll.
/// Gives the output and how many futures were dropped.
pub(crate) fn run_dropping<T, O>(subject: &mut T, mut each: impl AsyncFnMut(&mut T) -> O) -> (O, usize) {
    for dropped in 0..1_000_000 {
        if let Poll::Ready(output) = poll_once(each(subject)) {
            return (output, dropped);
        }
    }
    panic!("never resolves");
}

/// A fast-path frame of `size` bytes in all (at least 3) filled with `fill`.
pub(crate) fn fast_path(size: usize, fill: u8) -> Vec<u8> {
    let mut frame = vec![fill; size];
    frame[0] = 0x00;
    frame[1] = 0x80 | (size >> 8) as u8;
    frame[2] = (size & 0xff) as u8;
    frame
}

/// A TPKT frame of `size` bytes in all (at least 7) filled with `fill`.
pub(crate) fn tpkt(size: usize, fill: u8) -> Vec<u8> {
    let mut frame = vec![fill; size];
    frame[..7].copy_from_slice(&[3, 0, (size >> 8) as u8, (size & 0xff) as u8, 2, 0xf0, 0x80]);
    frame
}

/// `count` frames of both framings and random sizes.
pub(crate) fn frames(count: usize, largest: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Rng::with_seed(seed);
    (0..count)
        .map(|index| {
            let size = 7 + dice.usize(..largest - 7);
            if dice.bool() {
                fast_path(size, index as u8)
            } else {
                tpkt(size, index as u8)
            }
        })
        .collect()
}
