//! A pipe in memory that reads and writes in pieces of random size, and is pending when it likes.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use fastrand::Rng;
use smol::io::{AsyncRead, AsyncWrite};

/// `count` fast-path frames of random sizes from 3 to `largest`.
pub(crate) fn frames(count: usize, largest: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Rng::with_seed(seed ^ 0x00f0_0d00);
    let frame = |_| {
        let size = 3 + dice.usize(..largest - 2);
        let [high, low] = u16::try_from(size).unwrap().to_be_bytes();
        let mut frame = vec![0, 0x80 | high, low];
        frame.resize_with(size, || dice.u8(..));
        frame
    };
    (0..count).map(frame).collect()
}

#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    /// Bytes taken in all.
    taken: usize,
    closed: bool,
    /// Nobody will ever read it.
    abandoned: bool,
    /// Written and not yet flushed: like a TLS layer, the pipe delivers only what was flushed.
    held: VecDeque<u8>,
    /// Of the end that reads and of the end that writes.
    wakers: Vec<Waker>,
}

/// One end of a [`pipe`].
pub(crate) struct End {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
    capacity: usize,
    dice: Rng,
    prompt: bool,
    prompt_writes: bool,
}

/// A pipe that holds `capacity` bytes in each direction.
pub(crate) fn pipe(capacity: usize, seed: u64) -> (End, End) {
    let (up, down) = <(Arc<Mutex<Lane>>, Arc<Mutex<Lane>>)>::default();
    let end = |incoming: &Arc<Mutex<Lane>>, outgoing: &Arc<Mutex<Lane>>, seed| End {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        capacity,
        dice: Rng::with_seed(seed),
        prompt: false,
        prompt_writes: false,
    };
    (end(&up, &down, seed), end(&down, &up, seed ^ 0x5555))
}

fn lock(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap()
}

impl Lane {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.bytes.extend(held);
        self.wake();
    }
}

impl End {
    /// Flushes at once, as a socket does. The handshake of futures-rustls forgets a flush that was pending, and waits for ever.
    pub(crate) fn with_prompt_flush(mut self) -> Self {
        self.prompt = true;
        self
    }

    /// Takes and flushes all that it has room for at once.
    pub(crate) fn with_prompt_writes(mut self) -> Self {
        self.prompt_writes = true;
        self.with_prompt_flush()
    }

    /// Delivers `bytes` at once, whatever the pipe holds.
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        lock(&self.outgoing).bytes.extend(bytes);
    }

    /// Lets the other end read its end of stream.
    pub(crate) fn close(&mut self) {
        lock(&self.outgoing).closed = true;
    }

    /// Bytes that the other end has written so far, flushed or not.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.incoming).taken
    }

    /// Takes all that was flushed.
    pub(crate) fn drain_into(&mut self, bytes: &mut Vec<u8>) {
        let mut lane = lock(&self.incoming);
        bytes.extend(lane.bytes.drain(..));
        lane.wake();
    }

    /// Whether to be pending although it could be done.
    fn dawdles(&mut self, cx: &Context<'_>) -> bool {
        let dawdles = self.dice.usize(..3) == 0;
        if dawdles {
            cx.waker().wake_by_ref();
        }
        dawdles
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // Whoever leaves traces in a buffer without having read is noticed.
        buf.fill(0xee);
        if self.dawdles(cx) {
            return Poll::Pending;
        }
        let most = 1 + self.dice.usize(..500);
        let mut lane = lock(&self.incoming);
        let count = lane.bytes.len().min(buf.len()).min(most);
        if count == 0 && !lane.closed {
            lane.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        for (slot, byte) in buf.iter_mut().zip(lane.bytes.drain(..count)) {
            *slot = byte;
        }
        lane.wake();
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.prompt_writes && self.dawdles(cx) {
            return Poll::Pending;
        }
        let most = if self.prompt_writes {
            bytes.len()
        } else {
            1 + self.dice.usize(..200)
        };
        let capacity = self.capacity;
        let mut lane = lock(&self.outgoing);
        if lane.abandoned {
            return Poll::Ready(Ok(bytes.len()));
        }
        let room = capacity.saturating_sub(lane.bytes.len() + lane.held.len());
        if room == 0 {
            // Full of what was not flushed: a layer that holds back makes room by itself.
            lane.flush();
            lane.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(most).min(room);
        lane.held.extend(&bytes[..count]);
        lane.taken += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.prompt && self.dawdles(cx) {
            return Poll::Pending;
        }
        lock(&self.outgoing).flush();
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.dawdles(cx) {
            return Poll::Pending;
        }
        let mut lane = lock(&self.outgoing);
        lane.flush();
        lane.closed = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut lane = lock(&self.outgoing);
        lane.closed = true;
        lane.flush();
        drop(lane);
        let mut lane = lock(&self.incoming);
        lane.abandoned = true;
        lane.wake();
    }
}
