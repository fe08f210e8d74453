//! Where a frame ends: TPKT and fast-path lengths, and what a reader expects next.

use core::fmt;

use ironrdp_core::DecodeResult;

/// Which framing a PDU of the running session has; told by the two low bits of its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Fast path (MS-RDPBCGR 2.2.8.1.2, 2.2.9.1.2): `00`.
    FastPath,
    /// TPKT with X.224 inside (slow path): `11`.
    X224,
}

/// What a sequence waits for: tells where the next PDU ends in the bytes received so far.
pub trait PduHint: Send + Sync + fmt::Debug {
    /// Looks at the bytes received so far.
    ///
    /// `None` when more bytes are needed to know; `Some((matches, size))` once the length is known, where `size` is
    /// the whole PDU with its header (it may be more than has been received), and `matches` is false when the PDU is
    /// of another kind than the one waited for. Bytes that cannot start a PDU are an error at once.
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>>;
}
