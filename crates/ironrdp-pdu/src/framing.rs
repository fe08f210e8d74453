//! Where a frame ends: TPKT and fast-path lengths, and what a reader expects next.

use core::fmt;

use ironrdp_core::{DecodeError, DecodeErrorKind, DecodeResult};

/// First byte of every TPKT packet (RFC 1006, section 6). Its low bits are those of [`Action::X224`].
pub(crate) const TPKT_VERSION: u8 = 3;

/// Shortest TPKT packet that can mean anything: the header and the shortest X.224 header, that of Data.
const MIN_TPKT_SIZE: u16 = 4 /* TPKT */ + 3 /* LI, code, EOT */;

/// Which framing a PDU of the running session has; told by the two low bits of its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Fast path (MS-RDPBCGR 2.2.8.1.2, 2.2.9.1.2): `00`.
    FastPath,
    /// TPKT with X.224 inside (slow path): `11`.
    X224,
}

impl Action {
    /// Tells the framing from the first byte of a PDU; a byte that starts neither kind is an error.
    #[inline]
    pub const fn from_first_byte(byte: u8) -> DecodeResult<Self> {
        // The TPKT version takes the whole byte; in the fast path the other six bits are flags and a count.
        match byte {
            TPKT_VERSION => Ok(Self::X224),
            _ if byte & 0b11 == 0 => Ok(Self::FastPath),
            _ => Err(invalid("action", 0, byte as usize)),
        }
    }
}

/// The framing and the length of a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PduInfo {
    /// Which framing it has.
    pub action: Action,
    /// Bytes of the whole PDU with its header; at most 65,535, and at least the header's own.
    pub length: usize,
}

/// Finds the length of the PDU that `bytes` start with; `None` while too few have arrived to know.
///
/// Looks at four bytes at most. The PDU itself may be longer than `bytes`.
#[inline]
pub const fn find_size(bytes: &[u8]) -> DecodeResult<Option<PduInfo>> {
    match *bytes {
        [] => Ok(None),
        [TPKT_VERSION, _, high, low, ..] => {
            let length = u16::from_be_bytes([high, low]);
            if length < MIN_TPKT_SIZE {
                return Err(too_short("TpktHeader", 2, length as usize));
            }
            Ok(Some(PduInfo {
                action: Action::X224,
                length: length as usize,
            }))
        }
        [TPKT_VERSION, ..] => Ok(None),
        [first, ref rest @ ..] => match Action::from_first_byte(first) {
            Ok(_) => find_fast_path_size(rest),
            Err(error) => Err(error),
        },
    }
}

/// `rest`: what follows the first byte. Bit 7 of the first length byte says that there are two.
#[inline]
const fn find_fast_path_size(rest: &[u8]) -> DecodeResult<Option<PduInfo>> {
    let (length, header) = match *rest {
        [] => return Ok(None),
        [short, ..] if short & 0x80 == 0 => (short as usize, 2),
        [high, low, ..] => (u16::from_be_bytes([high & 0x7f, low]) as usize, 3),
        [_] => return Ok(None),
    };
    // A length below the header's own size would let a reader stand still for ever.
    if length < header {
        return Err(too_short("FastPathHeader", 1, length));
    }
    Ok(Some(PduInfo {
        action: Action::FastPath,
        length,
    }))
}

#[cold]
const fn invalid(field: &'static str, offset: usize, got: usize) -> DecodeError {
    DecodeError::new(field, offset, DecodeErrorKind::Invalid { got: got as u64 }).in_pdu("frame")
}

#[cold]
const fn too_short(pdu: &'static str, offset: usize, length: usize) -> DecodeError {
    let kind = DecodeErrorKind::Invalid { got: length as u64 };
    DecodeError::new("length", offset, kind).in_pdu(pdu)
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

/// Waits for a TPKT packet: everything before the session runs, and its slow path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct X224Hint;

/// Waits for a fast-path PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FastPathHint;

/// Waits for a PDU of either framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RdpHint;

/// An [`X224Hint`] to take a reference of.
pub const X224_HINT: X224Hint = X224Hint;
/// A [`FastPathHint`] to take a reference of.
pub const FAST_PATH_HINT: FastPathHint = FastPathHint;
/// An [`RdpHint`] to take a reference of.
pub const ANY_HINT: RdpHint = RdpHint;

impl PduHint for X224Hint {
    #[inline]
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        Ok(find_size(bytes)?.map(|pdu| (pdu.action == Action::X224, pdu.length)))
    }
}

impl PduHint for FastPathHint {
    #[inline]
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        Ok(find_size(bytes)?.map(|pdu| (pdu.action == Action::FastPath, pdu.length)))
    }
}

impl PduHint for RdpHint {
    #[inline]
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        Ok(find_size(bytes)?.map(|pdu| (true, pdu.length)))
    }
}

/// Waits for one DER SEQUENCE, which is how CredSSP sends each `TSRequest` (MS-CSSP 2.2.1), without TPKT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BerSequenceHint {
    max_size: usize,
}

impl BerSequenceHint {
    /// Longest message accepted by default: 64 KiB. Kerberos tickets with large authorization data reach about
    /// 48 KiB (Windows' own `MaxTokenSize`); the sender is not authenticated yet, so no more than needed.
    pub const DEFAULT_MAX_SIZE: usize = 64 * 1024;

    const TAG: u8 = 0x30;

    /// A hint that refuses messages of more than [`DEFAULT_MAX_SIZE`](Self::DEFAULT_MAX_SIZE) bytes.
    pub const fn new() -> Self {
        Self::with_max_size(Self::DEFAULT_MAX_SIZE)
    }

    /// A hint that refuses messages of more than `max_size` bytes, header included.
    pub const fn with_max_size(max_size: usize) -> Self {
        Self { max_size }
    }
}

impl Default for BerSequenceHint {
    fn default() -> Self {
        Self::new()
    }
}

impl PduHint for BerSequenceHint {
    fn find_size(&self, bytes: &[u8]) -> DecodeResult<Option<(bool, usize)>> {
        const NAME: &str = "BerSequence";
        let error = |field, offset, kind| DecodeError::new(field, offset, kind).in_pdu(NAME);
        let (first, length) = match *bytes {
            [] => return Ok(None),
            [Self::TAG] => return Ok(None),
            [Self::TAG, first, ref length @ ..] => (first, length),
            [tag, ..] => {
                let got = u64::from(tag);
                return Err(error("tag", 0, DecodeErrorKind::Invalid { got }));
            }
        };
        let (length_size, content) = match first {
            0..=0x7f => (0, usize::from(first)),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let Some(digits) = length.get(..count) else {
                    return Ok(None);
                };
                let content = digits
                    .iter()
                    .fold(0u64, |sum, digit| sum << 8 | u64::from(*digit));
                (count, usize::try_from(content).unwrap_or(usize::MAX))
            }
            // 0x80 is the indefinite form: DER forbids it, and its end cannot be told without parsing.
            _ => {
                let got = u64::from(first);
                return Err(error("length", 1, DecodeErrorKind::Unsupported { got }));
            }
        };
        let size = content.saturating_add(2 /* tag, first length byte */ + length_size);
        if size > self.max_size {
            let max = self.max_size;
            return Err(error("length", 1, DecodeErrorKind::Limit { got: size, max }));
        }
        Ok(Some((true, size)))
    }
}
