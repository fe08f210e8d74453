//! What can be wrong with bytes read or written, and where.

use core::fmt;

/// Result of reading a wire structure.
pub type DecodeResult<T> = Result<T, DecodeError>;

/// Result of writing a wire structure.
pub type EncodeResult<T> = Result<T, EncodeError>;

/// Bytes that do not form the structure they should: which one, which field, where and why.
///
/// Small and `Copy`, so that the failing path of a decoder costs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    pdu: &'static str,
    field: &'static str,
    offset: usize,
    kind: DecodeErrorKind,
}

/// Why a field could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends before the field does.
    NotEnough {
        /// Bytes the field takes.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// The field holds a value that the structure does not allow.
    Invalid {
        /// The value read.
        got: u64,
    },
    /// A length or count promises more (or less) than is really there.
    LengthLies {
        /// What the length says.
        declared: usize,
        /// What is there.
        available: usize,
    },
    /// The value is legal, but this implementation does not do it.
    Unsupported {
        /// The value read.
        got: u64,
    },
    /// The value is above a limit set to bound memory or time.
    Limit {
        /// The value read.
        got: usize,
        /// The highest value accepted.
        max: usize,
    },
    /// Bytes are left over where the structure should have ended.
    Trailing {
        /// How many.
        left: usize,
    },
    /// Text that is not valid in its declared encoding.
    Text,
}

impl DecodeError {
    /// An error in `field` at absolute byte `offset`; the PDU's name is added by [`Decode::decode`](crate::Decode::decode).
    #[cold]
    pub const fn new(field: &'static str, offset: usize, kind: DecodeErrorKind) -> Self {
        Self {
            pdu: "",
            field,
            offset,
            kind,
        }
    }

    /// Names the PDU, unless a structure further inside already did.
    #[cold]
    #[must_use]
    pub const fn in_pdu(mut self, pdu: &'static str) -> Self {
        if self.pdu.is_empty() {
            self.pdu = pdu;
        }
        self
    }

    /// The innermost structure being read, by its Rust name; empty if none was named.
    pub const fn pdu(&self) -> &'static str {
        self.pdu
    }

    /// The field being read, by its name in the specification.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// Bytes from the start of the outermost buffer to the field.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What was wrong with it.
    pub const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pdu,
            field,
            offset,
            kind,
        } = *self;
        let pdu = if pdu.is_empty() { "data" } else { pdu };
        let adjective = match kind {
            DecodeErrorKind::Unsupported { .. } => "unsupported",
            DecodeErrorKind::Limit { .. } => "oversized",
            _ => "malformed",
        };
        write!(f, "{adjective} {pdu} at byte {offset}: ")?;
        match kind {
            DecodeErrorKind::NotEnough { needed, left } => {
                write!(f, "{field} needs {needed} {}, {left} left", plural(needed))
            }
            DecodeErrorKind::Invalid { got } | DecodeErrorKind::Unsupported { got } => {
                write!(f, "{field} is {got}")?;
                if got > 9 {
                    write!(f, " (0x{got:x})")
                } else {
                    Ok(())
                }
            }
            DecodeErrorKind::LengthLies { declared, available } => {
                write!(f, "{field} says {declared}, but there are {available}")
            }
            DecodeErrorKind::Limit { got, max } => write!(f, "{field} is {got}, the limit is {max}"),
            DecodeErrorKind::Trailing { left } => write!(f, "{left} {} too many", plural(left)),
            DecodeErrorKind::Text => write!(f, "{field} is not valid text"),
        }
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "byte" } else { "bytes" }
}

impl core::error::Error for DecodeError {}

/// A structure that cannot be put on the wire as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeError {
    pdu: &'static str,
    field: &'static str,
    kind: EncodeErrorKind,
}

/// Why a structure could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// The output has no room: `size()` and `encode()` disagree, or the caller's buffer is short.
    NoRoom {
        /// Bytes to be written.
        needed: usize,
        /// Bytes that were left.
        left: usize,
    },
    /// The value does not fit into its field on the wire.
    TooLarge {
        /// The value.
        value: usize,
        /// The highest value the field holds.
        max: usize,
    },
    /// The value is not allowed in this field.
    Invalid,
}

impl EncodeError {
    /// An error in `field` of `pdu`.
    #[cold]
    pub const fn new(pdu: &'static str, field: &'static str, kind: EncodeErrorKind) -> Self {
        Self { pdu, field, kind }
    }

    /// Names the PDU, unless a structure further inside already did.
    #[cold]
    #[must_use]
    pub const fn in_pdu(mut self, pdu: &'static str) -> Self {
        if self.pdu.is_empty() {
            self.pdu = pdu;
        }
        self
    }

    /// The structure being written.
    pub const fn pdu(&self) -> &'static str {
        self.pdu
    }

    /// The field being written; empty when the output was too short.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What was wrong.
    pub const fn kind(&self) -> EncodeErrorKind {
        self.kind
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pdu, field, kind } = *self;
        match kind {
            EncodeErrorKind::NoRoom { needed, left } => {
                write!(
                    f,
                    "no room to write {pdu}: {needed} {} wanted, {left} left",
                    plural(needed)
                )
            }
            EncodeErrorKind::TooLarge { value, max } => {
                write!(f, "{field} of {pdu} is {value}, the wire holds at most {max}")
            }
            EncodeErrorKind::Invalid => write!(f, "{field} of {pdu} has a value the wire does not allow"),
        }
    }
}

impl core::error::Error for EncodeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn messages_name_pdu_field_offset_wanted_and_got() {
        let error = DecodeError::new("desktopOrientation", 14, DecodeErrorKind::Invalid { got: 7 });
        assert_eq!(
            error.in_pdu("ClientCoreData").to_string(),
            "malformed ClientCoreData at byte 14: desktopOrientation is 7"
        );
        let error = DecodeError::new(
            "length",
            2,
            DecodeErrorKind::LengthLies {
                declared: 300,
                available: 12,
            },
        );
        assert_eq!(
            error.to_string(),
            "malformed data at byte 2: length says 300, but there are 12"
        );
        let error = DecodeError::new("code", 0, DecodeErrorKind::Unsupported { got: 0x1234 });
        assert_eq!(
            error.in_pdu("X").to_string(),
            "unsupported X at byte 0: code is 4660 (0x1234)"
        );
    }

    #[test]
    fn the_innermost_pdu_keeps_its_name() {
        let error = DecodeError::new("f", 0, DecodeErrorKind::Text)
            .in_pdu("Inner")
            .in_pdu("Outer");
        assert_eq!(error.pdu(), "Inner");
    }
}
