//! A reader of the DER that certificates are made of (X.690): tag, length, contents, nothing else.
//!
//! Total: every read is checked against the bytes that are there, nothing recurses, and no length leads to
//! an allocation.

use core::error::Error;
use core::fmt;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// One element: its tag, its contents, and itself as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) whole: &'a [u8],
    pub(crate) contents: &'a [u8],
    /// Where the contents start in the outermost input.
    offset: usize,
}

impl<'a> Element<'a> {
    pub(crate) fn reader(&self) -> DerReader<'a> {
        DerReader {
            bytes: self.contents,
            offset: self.offset,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct DerReader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> DerReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn peek_tag(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The next element, whatever its tag; `field` names it in errors.
    pub(crate) fn element(&mut self, field: &'static str) -> Result<Element<'a>, X509Error> {
        let cut = self.error(field, Problem::Truncated);
        let bad_length = self.error(field, Problem::Length);
        let (&tag, rest) = self.bytes.split_first().ok_or(cut)?;
        // Tag numbers above 30 take more bytes; X.509 has none.
        if tag & 0x1f == 0x1f {
            return Err(self.error(field, Problem::Tag(tag)));
        }
        let (&first, rest) = rest.split_first().ok_or(cut)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(cut)?;
                let length = digits
                    .iter()
                    .fold(0_u32, |sum, digit| (sum << 8) | u32::from(*digit));
                // X.690 10.1: the shortest form only, so that one certificate has one encoding.
                if length < 0x80 || digits.first() == Some(&0) {
                    return Err(bad_length);
                }
                (usize::try_from(length).map_err(|_| bad_length)?, rest)
            }
            // The indefinite form, or more than 4 GiB.
            _ => return Err(bad_length),
        };
        let (contents, after) = rest.split_at_checked(length).ok_or(cut)?;
        let header = self.bytes.len() - rest.len();
        let (whole, _) = self.bytes.split_at(self.bytes.len() - after.len());
        let element = Element {
            tag,
            whole,
            contents,
            offset: self.offset.saturating_add(header),
        };
        self.offset = self.offset.saturating_add(whole.len());
        self.bytes = after;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, field: &'static str) -> Result<Element<'a>, X509Error> {
        match self.peek_tag() {
            Some(got) if got != tag => Err(self.error(field, Problem::Tag(got))),
            _ => self.element(field),
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self, field: &'static str) -> Result<(), X509Error> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.error(field, Problem::Trailing))
        }
    }

    pub(crate) fn invalid(&self, field: &'static str) -> X509Error {
        self.error(field, Problem::Value)
    }

    fn error(&self, field: &'static str, problem: Problem) -> X509Error {
        X509Error {
            field,
            offset: self.offset,
            problem,
        }
    }
}

/// A certificate that cannot be read; names the field and the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X509Error {
    field: &'static str,
    offset: usize,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Truncated,
    Tag(u8),
    Length,
    Trailing,
    Value,
}

impl X509Error {
    /// The field as RFC 5280 names it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// The byte of the certificate at which the field starts.
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for X509Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            offset,
            problem,
        } = self;
        write!(f, "malformed certificate at byte {offset}: {field} ")?;
        match problem {
            Problem::Truncated => f.write_str("is cut short"),
            Problem::Tag(got) => write!(f, "has the unexpected tag {got:#04x}"),
            Problem::Length => f.write_str("has a length that is not der"),
            Problem::Trailing => f.write_str("is followed by more bytes"),
            Problem::Value => f.write_str("has an invalid value"),
        }
    }
}

impl Error for X509Error {}

#[cfg(test)]
mod tests {
    use super::{DerReader, INTEGER, SEQUENCE};

    #[test]
    fn lengths_that_are_not_der_are_refused() {
        for bytes in [
            &[0x30, 0x80, 0, 0][..],               // indefinite
            &[0x30, 0x81, 0x01, 0],                // long form of a short length
            &[0x30, 0x82, 0x00, 0x80, 0],          // leading zero
            &[0x30, 0x85, 1, 0, 0, 0, 0, 0],       // five length bytes
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], // lies
            &[0x3f, 0x01, 0],                      // multi-byte tag
            &[0x30],
            &[0x30, 0x82, 0x01],
            &[],
        ] {
            assert!(DerReader::new(bytes).element("test").is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn offsets_are_those_of_the_outermost_input() {
        let bytes = [SEQUENCE, 5, INTEGER, 1, 7, INTEGER, 9];
        let mut inner = DerReader::new(&bytes).expect(SEQUENCE, "outer").unwrap().reader();
        assert_eq!(inner.expect(INTEGER, "first").unwrap().contents, [7]);
        let error = inner.expect(INTEGER, "second").unwrap_err();
        assert_eq!((error.field(), error.offset()), ("second", 5));
        assert_eq!(
            error.to_string(),
            "malformed certificate at byte 5: second is cut short"
        );
    }
}
