//! Read-ahead without a buffer per session: one spare chunk a thread, held by a stream only while it has bytes.

use std::cell::Cell;
use std::io;
use std::ops::{Deref, DerefMut};
use std::task::Poll;
use std::thread::LocalKey;

use bytes::BytesMut;
use ironrdp_core::FrameBuf;

/// Bytes offered to one read: 64 KiB, the largest TPKT packet, so that a burst of small frames costs one system call.
pub const READ_AHEAD: usize = 64 * 1024;

/// Room below which reading on in the same buffer is not worth the system call.
const MIN_ROOM: usize = 1024;

/// A partial frame shorter than this moves to a buffer of this size when the stream runs dry, so that it does not
/// pin a chunk 64 times as large. Longer ones stay where they are: the copy at each pause must stay small.
const MAX_COPIED: usize = 1024;

/// Room of the output buffer kept per thread: a few hundred input events. One grown for a large burst goes back to the
/// allocator.
const SPARE_OUTPUT: usize = 4 * 1024;

/// The bytes a stream has received. Its chunk goes back to the thread when the stream ends or changes hands.
#[derive(Debug, Default)]
pub(crate) struct Received(FrameBuf);

impl Received {
    pub(crate) fn into_bytes(mut self) -> BytesMut {
        std::mem::take(self.0.bytes_mut())
    }
}

impl From<BytesMut> for Received {
    fn from(bytes: BytesMut) -> Self {
        Self(FrameBuf::from(bytes))
    }
}

impl Deref for Received {
    type Target = FrameBuf;

    fn deref(&self) -> &FrameBuf {
        &self.0
    }
}

impl DerefMut for Received {
    fn deref_mut(&mut self) -> &mut FrameBuf {
        &mut self.0
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let bytes = std::mem::take(self.0.bytes_mut());
        if !is_partial(&bytes) {
            INPUTS.give_back(bytes);
        }
    }
}

type Slot = Cell<Option<BytesMut>>;

/// Where the chunks of one use come from, and how large they are.
#[derive(Clone, Copy)]
struct Pool {
    slot: &'static LocalKey<Slot>,
    size: usize,
}

const INPUTS: Pool = Pool {
    slot: &INPUT,
    size: READ_AHEAD,
};

const PARTIALS: Pool = Pool {
    slot: &PARTIAL,
    size: MAX_COPIED,
};

const OUTPUTS: Pool = Pool {
    slot: &OUTPUT,
    size: SPARE_OUTPUT,
};

#[cfg(feature = "tls")]
const CIPHERTEXT_OUTPUTS: Pool = Pool {
    slot: &CIPHERTEXT_OUTPUT,
    size: SPARE_OUTPUT,
};

/// Of a whole TLS record (RFC 8446 5.2), and the start of the next one. More would be pinned by each stream that waits for the rest of
/// a record, and saves little: decrypting takes longer than a system call.
#[cfg(feature = "tls")]
const CIPHERTEXT_INPUTS: Pool = Pool {
    slot: &CIPHERTEXT_INPUT,
    size: 20 * 1024,
};

thread_local! {
    static INPUT: Slot = const { Cell::new(None) };
    static PARTIAL: Slot = const { Cell::new(None) };
    static OUTPUT: Slot = const { Cell::new(None) };
}

// A read through TLS fills two buffers at a time, and a write empties two.
#[cfg(feature = "tls")]
thread_local! {
    static CIPHERTEXT_INPUT: Slot = const { Cell::new(None) };
    static CIPHERTEXT_OUTPUT: Slot = const { Cell::new(None) };
}

/// Reads into `buf` with [`READ_AHEAD`] bytes of room, taking the room from a chunk that all streams of the thread share.
///
/// For use inside an adapter's `poll`: `read` appends to the buffer that it is given and says how many bytes, 0 at the end of
/// the stream. If nothing came, an empty `buf` holds no memory afterwards, and one with less than 1 KiB in it holds 1 KiB. A longer
/// partial frame keeps its chunk.
pub fn poll_fill(
    buf: &mut BytesMut,
    read: impl FnOnce(&mut BytesMut) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    fill_from(INPUTS, buf, read)
}

/// [`poll_fill`] for the bytes below a stream that is filled itself.
#[cfg(feature = "tls")]
pub(crate) fn poll_fill_ciphertext(
    buf: &mut BytesMut,
    read: impl FnOnce(&mut BytesMut) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    fill_from(CIPHERTEXT_INPUTS, buf, read)
}

/// Takes back what [`poll_fill_ciphertext`] left.
#[cfg(feature = "tls")]
pub(crate) fn give_back_ciphertext(buf: BytesMut) {
    if !is_partial(&buf) {
        CIPHERTEXT_INPUTS.give_back(buf);
    }
}

fn fill_from(
    pool: Pool,
    buf: &mut BytesMut,
    read: impl FnOnce(&mut BytesMut) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    let len = buf.len();
    if make_room(buf, pool.size) {
        let result = read(buf);
        if !matches!(result, Poll::Ready(Ok(1..))) && buf.len() == len {
            shrink(pool, buf);
        }
        return result;
    }
    // What is there moves into a chunk with room behind it.
    let room = pool.size.saturating_sub(len).max(pool.size / 2);
    let mut chunk = pool.take(len.saturating_add(room));
    chunk.extend_from_slice(buf);
    let result = read(&mut chunk);
    if chunk.len() > len || len >= MAX_COPIED {
        let old = std::mem::replace(buf, chunk);
        if is_partial(&old) {
            PARTIALS.give_back(old);
        } else {
            pool.give_back(old);
        }
    } else {
        pool.give_back(chunk);
        if !is_partial(buf) {
            shrink(pool, buf);
        }
    }
    result
}

/// Whether `buf` is one of the small buffers. The rest of a chunk has their capacity once in 64 Ki times, and then it is
/// only treated a little worse.
fn is_partial(buf: &BytesMut) -> bool {
    buf.capacity() == MAX_COPIED
}

/// Whether `buf` has room to read on without an allocation.
///
/// `try_reclaim` tells; the capacity alone does not: of a chunk whose bytes were all taken it is 0.
fn make_room(buf: &mut BytesMut, size: usize) -> bool {
    let len = buf.len();
    // Moving a short rest to the front of its chunk is cheaper than reading in small pieces. Asking BytesMut to
    // `reserve` instead would double the chunk whenever the rest lies in its first half.
    if len < MAX_COPIED && buf.try_reclaim(size - len) {
        return true;
    }
    buf.capacity() - len >= MIN_ROOM || (len < size && buf.try_reclaim(size - len))
}

/// Moves the bytes of `buf` to a small buffer, unless they are many; no bytes, to none.
fn shrink(pool: Pool, buf: &mut BytesMut) {
    if buf.len() < MAX_COPIED {
        let mut small = BytesMut::new();
        if !buf.is_empty() {
            small = PARTIALS.take(MAX_COPIED);
            small.extend_from_slice(buf);
        }
        pool.give_back(std::mem::replace(buf, small));
    }
}

impl Pool {
    /// The thread's spare chunk if it has room for `size` bytes, else a new one.
    fn take(self, size: usize) -> BytesMut {
        if let Ok(Some(mut chunk)) = self.slot.try_with(Cell::take) {
            // It may be too small for once, or frames cut from it may still be held somewhere.
            if chunk.try_reclaim(size) {
                return chunk;
            }
        }
        BytesMut::with_capacity(size)
    }

    /// Makes `chunk` the thread's spare one, unless it is more than twice as large as it should be, or there is a better one.
    fn give_back(self, mut chunk: BytesMut) {
        chunk.clear();
        let is_free = chunk.try_reclaim(self.size);
        if chunk.capacity() > 2 * self.size {
            return;
        }
        // At thread exit the slot may be gone; then the chunk just drops.
        let _ = self.slot.try_with(|slot| {
            let other = slot.take();
            // A chunk with frames still held is kept for want of a better one: they may be gone when it is needed.
            slot.set(if is_free || other.is_none() {
                Some(chunk)
            } else {
                other
            });
        });
    }
}

/// An empty buffer for output, with room for `size` bytes at least.
pub(crate) fn take_output(size: usize) -> BytesMut {
    OUTPUTS.take(size.max(SPARE_OUTPUT))
}

/// Takes back an output buffer that has been sent.
pub(crate) fn give_back_output(buf: BytesMut) {
    OUTPUTS.give_back(buf);
}

/// [`take_output`] for the bytes below a stream that is written to itself.
#[cfg(feature = "tls")]
pub(crate) fn take_ciphertext_output(size: usize) -> BytesMut {
    CIPHERTEXT_OUTPUTS.take(size.max(SPARE_OUTPUT))
}

/// Takes back what [`take_ciphertext_output`] gave.
#[cfg(feature = "tls")]
pub(crate) fn give_back_ciphertext_output(buf: BytesMut) {
    CIPHERTEXT_OUTPUTS.give_back(buf);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> impl FnOnce(&mut BytesMut) -> Poll<io::Result<usize>> {
        move |buf| {
            let count = count.min(buf.capacity() - buf.len());
            buf.resize(buf.len() + count, 7);
            Poll::Ready(Ok(count))
        }
    }

    fn nothing(_: &mut BytesMut) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    #[test]
    fn a_stream_without_bytes_holds_no_memory() {
        let mut buf = BytesMut::new();
        assert!(poll_fill(&mut buf, nothing).is_pending());
        assert_eq!(buf.capacity(), 0);

        assert!(poll_fill(&mut buf, bytes(40_000)).is_ready());
        assert!(buf.capacity() >= 40_000);
        let _ = buf.split_to(40_000);
        assert!(poll_fill(&mut buf, nothing).is_pending());
        assert_eq!(buf.capacity(), 0);
        assert!(matches!(
            poll_fill(&mut buf, |_| Poll::Ready(Ok(0))),
            Poll::Ready(Ok(0))
        ));
        assert_eq!(buf.capacity(), 0);
    }

    #[test]
    fn a_short_partial_frame_holds_a_kibibyte() {
        let mut buf = BytesMut::new();
        assert!(poll_fill(&mut buf, bytes(5_100)).is_ready());
        let _ = buf.split_to(5_000);
        for _ in 0..3 {
            assert!(poll_fill(&mut buf, nothing).is_pending());
            assert_eq!((buf.len(), buf.capacity()), (100, MAX_COPIED));
        }
        assert!(
            matches!(poll_fill(&mut buf, bytes(READ_AHEAD)), Poll::Ready(Ok(n)) if n >= READ_AHEAD - 100)
        );
        assert!(buf.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_partial_frame_that_fills_its_chunk_moves_without_growing_it() {
        let mut buf = BytesMut::new();
        assert!(matches!(
            poll_fill(&mut buf, bytes(READ_AHEAD)),
            Poll::Ready(Ok(READ_AHEAD))
        ));
        // The rest is longer than what was taken, so it cannot slide to the front of the same chunk.
        let _ = buf.split_to(20_000);
        assert!(poll_fill(&mut buf, bytes(10_000)).is_ready());
        assert_eq!(buf.len(), READ_AHEAD - 10_000);
        assert!(
            buf.capacity() <= READ_AHEAD + READ_AHEAD / 2,
            "{}",
            buf.capacity()
        );
    }

    #[test]
    fn a_frame_larger_than_a_chunk_still_arrives() {
        let mut buf = BytesMut::new();
        while buf.len() < 5 * READ_AHEAD {
            let before = buf.len();
            assert!(poll_fill(&mut buf, nothing).is_pending());
            assert!(matches!(
                poll_fill(&mut buf, bytes(usize::MAX)),
                Poll::Ready(Ok(1..))
            ));
            assert!(buf.len() >= before + MIN_ROOM);
        }
        assert!(buf.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn a_stream_that_ends_gives_its_chunk_back() {
        let mut received = Received::default();
        assert!(poll_fill(received.bytes_mut(), bytes(3_000)).is_ready());
        let at = received.bytes().as_ptr();
        let _ = received.take(2_000);
        drop(received);
        let mut next = BytesMut::new();
        assert!(poll_fill(&mut next, bytes(10)).is_ready());
        assert_eq!(next.as_ptr(), at);
    }

    #[test]
    fn frames_that_are_kept_stay_as_they_were() {
        let mut buf = BytesMut::new();
        let mut kept = Vec::new();
        for round in 0..50_u8 {
            let read = |buf: &mut BytesMut| {
                buf.resize(buf.len() + 3_000, round);
                Poll::Ready(Ok(3_000))
            };
            assert!(poll_fill(&mut buf, read).is_ready());
            kept.push((round, buf.split_to(3_000)));
            assert!(poll_fill(&mut buf, nothing).is_pending());
        }
        for (round, frame) in kept {
            assert!(frame.iter().all(|&byte| byte == round));
        }
    }
}
