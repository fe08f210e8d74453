//! The headers that all transport PDUs share.

use ironrdp_core::{
    DecodeResult, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor, len_u16,
};

use crate::framing::TPKT_VERSION;

pub(super) const TPKT_SIZE: usize = 4;

/// Fixed part of a connection PDU: LI, code, dstRef, srcRef, class.
pub(super) const CONNECTION_SIZE: usize = 7;

pub(super) const CODE_CONNECTION_REQUEST: u8 = 0xe0;
pub(super) const CODE_CONNECTION_CONFIRM: u8 = 0xd0;
pub(super) const CODE_DISCONNECT_REQUEST: u8 = 0x80;
pub(super) const CODE_DATA: u8 = 0xf0;

/// Reads the TPKT header and gives what it frames.
#[inline]
pub(super) fn read_tpkt<'a>(src: &mut ReadCursor<'a>) -> DecodeResult<ReadCursor<'a>> {
    let [version, _reserved] = src.array("version")?;
    if version != TPKT_VERSION {
        return Err(src.invalid("version", version));
    }
    let length = usize::from(src.u16_be("length")?);
    match length.checked_sub(TPKT_SIZE) {
        Some(payload) => src.sub(payload, "length"),
        None => Err(src.lies("length", length, TPKT_SIZE + src.remaining())),
    }
}

#[inline]
pub(super) fn write_tpkt(dst: &mut WriteCursor<'_>, size: usize, pdu: &'static str) -> EncodeResult<()> {
    let length = len_u16(size, pdu, "length")?;
    dst.bytes(&[TPKT_VERSION, 0])?;
    dst.u16_be(length)
}

/// Reads LI, which counts the header bytes after it, and the PDU code; gives what LI spans after the code.
///
/// Connection PDUs have no data after the header, so there LI must span all of the TPKT packet.
pub(super) fn read_connection_header<'a>(
    tpdu: &mut ReadCursor<'a>,
    code: u8,
) -> DecodeResult<(ConnectionHeader, ReadCursor<'a>)> {
    let declared = usize::from(tpdu.u8("LI")?);
    if declared != tpdu.remaining() {
        return Err(tpdu.lies("LI", declared, tpdu.remaining()));
    }
    let got = tpdu.u8("code")?;
    // 13.3.3: the low half of the code is the initial credit, always zero in class 0, which RDP peers do not look at.
    if got & 0xf0 != code {
        return Err(tpdu.invalid("code", got));
    }
    let _destination = tpdu.u16_be("dstRef")?;
    let source_reference = tpdu.u16_be("srcRef")?;
    let class_or_reason = tpdu.u8("classOption")?;
    let header = ConnectionHeader {
        source_reference,
        class_or_reason,
    };
    Ok((header, tpdu.clone()))
}

/// What of the fixed part is kept. Class 0 is all RDP knows, and the destination is of no use to it.
pub(super) struct ConnectionHeader {
    pub(super) source_reference: u16,
    pub(super) class_or_reason: u8,
}

/// Writes TPKT, LI and the fixed part in front of `variable` bytes.
pub(super) fn write_connection_header(
    dst: &mut WriteCursor<'_>,
    code: u8,
    header: &ConnectionHeader,
    variable: usize,
    pdu: &'static str,
) -> EncodeResult<()> {
    // 13.2.1: 255 is reserved.
    const MAX_LI: usize = 254;
    let value = CONNECTION_SIZE - 1 + variable;
    let length_indicator = match u8::try_from(value) {
        Ok(li) if value <= MAX_LI => li,
        _ => {
            let kind = EncodeErrorKind::TooLarge { value, max: MAX_LI };
            return Err(EncodeError::new(pdu, "LI", kind));
        }
    };
    write_tpkt(dst, TPKT_SIZE + CONNECTION_SIZE + variable, pdu)?;
    dst.bytes(&[length_indicator, code])?;
    dst.u16_be(0 /* dstRef */)?;
    dst.u16_be(header.source_reference)?;
    dst.u8(header.class_or_reason)
}
