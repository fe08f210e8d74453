//! Typed, counted bytes: what most fields of licensing are made of.

use alloc::string::String;
use alloc::vec::Vec;

use ironrdp_core::{DecodeResult, EncodeResult, ReadCursor, WriteCursor, len_u16};

/// What a blob says it holds (`wBlobType`, MS-RDPBCGR 2.2.1.12.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobKind(pub u16);

impl BlobKind {
    /// Anything; usual in an empty blob.
    pub const ANY: Self = Self(0x0000);
    /// Licence data.
    pub const DATA: Self = Self(0x0001);
    /// A random number, or the encrypted premaster secret.
    pub const RANDOM: Self = Self(0x0002);
    /// A server certificate.
    pub const CERTIFICATE: Self = Self(0x0003);
    /// Details of an error.
    pub const ERROR: Self = Self(0x0004);
    /// Encrypted data.
    pub const ENCRYPTED_DATA: Self = Self(0x0009);
    /// A list of key exchange algorithms.
    pub const KEY_EXCHANGE_ALGORITHMS: Self = Self(0x000d);
    /// The name of a licence issuer.
    pub const SCOPE: Self = Self(0x000e);
    /// The user's name.
    pub const CLIENT_USER_NAME: Self = Self(0x000f);
    /// The client machine's name.
    pub const CLIENT_MACHINE_NAME: Self = Self(0x0010);
}

/// Typed, counted bytes (`LICENSE_BINARY_BLOB`, MS-RDPBCGR 2.2.1.12.1.2).
///
/// The type is kept as it came and never checked: a blob's place says what it is, and real servers put arbitrary
/// types there (tests/vectors/license/xrdp_valid_client.bin has 0x1428 in an empty error blob).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseBlob {
    /// What it says it is.
    pub kind: BlobKind,
    /// The bytes.
    pub data: Vec<u8>,
}

impl LicenseBlob {
    /// A blob of `kind` without bytes.
    pub const fn empty(kind: BlobKind) -> Self {
        Self {
            kind,
            data: Vec::new(),
        }
    }

    pub(super) fn read(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<Self> {
        let (kind, mut data) = read_blob(src, field)?;
        Ok(Self {
            kind,
            data: data.rest().to_vec(),
        })
    }

    pub(super) fn size(&self) -> usize {
        blob_size(self.data.len())
    }

    pub(super) fn write(
        &self,
        dst: &mut WriteCursor<'_>,
        pdu: &'static str,
        field: &'static str,
    ) -> EncodeResult<()> {
        write_blob_header(dst, self.kind, self.data.len(), pdu, field)?;
        dst.bytes(&self.data)
    }
}

/// The type of a blob and a cursor over its bytes.
pub(super) fn read_blob<'de>(
    src: &mut ReadCursor<'de>,
    field: &'static str,
) -> DecodeResult<(BlobKind, ReadCursor<'de>)> {
    let kind = BlobKind(src.u16_le(field)?);
    let length = src.u16_le(field)?;
    Ok((kind, src.sub(length.into(), field)?))
}

/// Bytes of a blob of `length` bytes with its header.
pub(super) const fn blob_size(length: usize) -> usize {
    2 /* wBlobType */ + 2 /* wBlobLen */ + length
}

pub(super) fn write_blob_header(
    dst: &mut WriteCursor<'_>,
    kind: BlobKind,
    length: usize,
    pdu: &'static str,
    field: &'static str,
) -> EncodeResult<()> {
    dst.u16_le(kind.0)?;
    dst.u16_le(len_u16(length, pdu, field)?)
}

/// The 8-bit text before the first NUL; each byte becomes the character of the same number.
pub(super) fn read_ansi(src: &mut ReadCursor<'_>) -> String {
    src.rest()
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| char::from(*byte))
        .collect()
}

/// Bytes of `text` as 8-bit text with a terminator.
pub(super) fn ansi_z_size(text: &str) -> usize {
    text.chars().count() + 1
}

/// Writes `text` and a NUL; a character above U+00FF becomes a question mark, as Windows does when it converts names.
pub(super) fn write_ansi_z(dst: &mut WriteCursor<'_>, text: &str) -> EncodeResult<()> {
    text.chars()
        .try_for_each(|c| dst.u8(u8::try_from(c).unwrap_or(b'?')))?;
    dst.u8(0)
}
