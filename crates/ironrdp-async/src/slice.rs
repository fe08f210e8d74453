//! Read-ahead for streams that read into a slice.

use std::io;
use std::task::Poll;

use bytes::BytesMut;

use crate::poll_fill;

/// Bytes offered to one read of a slice: 16 KiB, a whole TLS record. A slice has to be initialised before it can be read into,
/// and more would cost more than the system calls it saves.
pub const SLICE_READ_AHEAD: usize = 16 * 1024;

/// [`poll_fill`] for streams that read into a slice, as those of `std::io` and `futures-io` do.
///
/// `read` fills the front of the slice that it is given and says how many bytes, 0 at the end of the stream.
pub fn poll_fill_slice(
    buf: &mut BytesMut,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    poll_fill(buf, |buf| poll_read_slice(buf, read))
}

/// Reads into the room that `buf` has, up to [`SLICE_READ_AHEAD`] of it: for a `ByteStream` over a stream that reads
/// into a slice.
pub fn poll_read_slice(
    buf: &mut BytesMut,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    let len = buf.len();
    // Whoever calls has seen to it that there is room, so this allocates nothing.
    let room = (buf.capacity() - len).min(SLICE_READ_AHEAD);
    buf.resize(len + room, 0);
    let result = read(buf.get_mut(len..).unwrap_or_default());
    let count = match result {
        // A reader that claims more than it was given is wrong, but must not make bytes up.
        Poll::Ready(Ok(count)) => count.min(room),
        _ => 0,
    };
    buf.truncate(len + count);
    result.map_ok(|_| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_stays_in_the_buffer() {
        let mut buf = BytesMut::new();
        let read = |slice: &mut [u8]| {
            assert_eq!(slice.len(), SLICE_READ_AHEAD);
            slice[..3].copy_from_slice(b"abc");
            Poll::Ready(Ok(3))
        };
        assert!(matches!(poll_fill_slice(&mut buf, read), Poll::Ready(Ok(3))));
        assert_eq!(&buf[..], b"abc");
        let scribble = |slice: &mut [u8]| {
            slice.fill(9);
            Poll::Pending
        };
        assert!(poll_fill_slice(&mut buf, scribble).is_pending());
        assert_eq!((&buf[..], buf.capacity()), (&b"abc"[..], 1_024));
        let fails = |slice: &mut [u8]| {
            slice.fill(9);
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        };
        assert!(matches!(poll_fill_slice(&mut buf, fails), Poll::Ready(Err(_))));
        assert_eq!(&buf[..], b"abc");
    }

    #[test]
    fn a_stream_without_bytes_holds_no_memory() {
        let mut buf = BytesMut::new();
        assert!(poll_fill_slice(&mut buf, |_| Poll::Pending).is_pending());
        assert_eq!(buf.capacity(), 0);
        assert!(matches!(
            poll_fill_slice(&mut buf, |_| Poll::Ready(Ok(0))),
            Poll::Ready(Ok(0))
        ));
        assert_eq!(buf.capacity(), 0);
    }

    #[test]
    fn a_reader_that_claims_too_much_adds_no_more_than_the_slice() {
        let mut buf = BytesMut::new();
        let read = |_: &mut [u8]| Poll::Ready(Ok(usize::MAX));
        assert!(matches!(
            poll_fill_slice(&mut buf, read),
            Poll::Ready(Ok(SLICE_READ_AHEAD))
        ));
        assert_eq!(buf.len(), SLICE_READ_AHEAD);
    }
}
