//! The two headers of everything that belongs to a share.

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u16,
};

use crate::fastpath::CompressionFlags;
use crate::fields::{Field, codes};

codes! {
    /// Type of a share control PDU (low four bits of `pduType`, MS-RDPBCGR 2.2.8.1.1.1.1).
    pub struct ControlPduType(u8) {
        /// The server offers its capabilities: `PDUTYPE_DEMANDACTIVEPDU`.
        DEMAND_ACTIVE = 1;
        /// The client answers with its own: `PDUTYPE_CONFIRMACTIVEPDU`.
        CONFIRM_ACTIVE = 3;
        /// The server ends the share, often to start a new one: `PDUTYPE_DEACTIVATEALLPDU`.
        DEACTIVATE_ALL = 6;
        /// A data PDU, told apart by its second header: `PDUTYPE_DATAPDU`.
        DATA = 7;
        /// The client is to connect elsewhere: `PDUTYPE_SERVER_REDIR_PKT`.
        SERVER_REDIRECT = 10;
    }

    /// Type of a share data PDU (`pduType2`, MS-RDPBCGR 2.2.8.1.1.1.2).
    pub struct DataPduType(u8) {
        /// Graphics update.
        UPDATE = 2;
        /// Control request or grant.
        CONTROL = 20;
        /// Pointer update.
        POINTER = 27;
        /// Keyboard and mouse.
        INPUT = 28;
        /// Synchronize.
        SYNCHRONIZE = 31;
        /// Refresh Rect.
        REFRESH_RECT = 33;
        /// Play Sound.
        PLAY_SOUND = 34;
        /// Suppress Output.
        SUPPRESS_OUTPUT = 35;
        /// Shutdown Request.
        SHUTDOWN_REQUEST = 36;
        /// Shutdown Request Denied.
        SHUTDOWN_DENIED = 37;
        /// Save Session Info.
        SAVE_SESSION_INFO = 38;
        /// Font List.
        FONT_LIST = 39;
        /// Font Map.
        FONT_MAP = 40;
        /// Set Keyboard Indicators.
        SET_KEYBOARD_INDICATORS = 41;
        /// Persistent Key List.
        PERSISTENT_KEY_LIST = 43;
        /// Bitmap Cache Error (MS-RDPEGDI 2.2.2.3.1).
        BITMAP_CACHE_ERROR = 44;
        /// Set Keyboard IME Status.
        SET_KEYBOARD_IME_STATUS = 45;
        /// Offscreen Bitmap Cache Error (MS-RDPEGDI 2.2.2.3.2).
        OFFSCREEN_CACHE_ERROR = 46;
        /// Set Error Info.
        SET_ERROR_INFO = 47;
        /// DrawNineGrid Cache Error (MS-RDPEGDI 2.2.2.3.3).
        DRAW_NINE_GRID_ERROR = 48;
        /// GDI+ Error (MS-RDPEGDI 2.2.2.3.4).
        DRAW_GDI_PLUS_ERROR = 49;
        /// Auto-Reconnect Status.
        AUTO_RECONNECT_STATUS = 50;
        /// Server Status Info.
        STATUS_INFO = 54;
        /// Monitor Layout.
        MONITOR_LAYOUT = 55;
        /// Frame Acknowledge (MS-RDPRFX 2.2.3.1).
        FRAME_ACKNOWLEDGE = 56;
    }

    /// Priority of a data PDU (`streamID`, MS-RDPBCGR 2.2.8.1.1.1.2). No known peer acts on it.
    pub struct StreamId(u8) {
        /// Sent by some servers with their Synchronize.
        UNDEFINED = 0;
        /// What clients use.
        LOW = 1;
        /// What Windows servers use.
        MEDIUM = 2;
        /// High priority.
        HIGH = 4;
    }
}

/// `totalLength` of a T.128 flow PDU, which has no share control header at all.
pub(super) const FLOW_MARK: u16 = 0x8000;

/// What stands before every PDU of a share (`TS_SHARECONTROLHEADER`, MS-RDPBCGR 2.2.8.1.1.1.1).
///
/// Read it alone to look at a PDU without decoding it; [`SharePdu`](crate::share::SharePdu) reads it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShareControlHeader {
    /// Bytes of the PDU, this header included; 0x8000 marks a flow PDU.
    pub total_length: u16,
    /// What follows.
    pub pdu_type: ControlPduType,
    /// MCS channel of the sender; 0 where a short Deactivate All leaves it out.
    pub source: u16,
}

impl ShareControlHeader {
    /// Bytes on the wire.
    pub const SIZE: usize = 2 /* totalLength */ + 2 /* pduType */ + 2 /* pduSource */;

    /// `TS_PROTOCOL_VERSION`, in the bits above the type.
    const VERSION: u16 = 0x10;

    /// Shortest total length: pduSource may be missing, see [`DeactivateAll`](crate::share::DeactivateAll).
    pub(crate) const MIN: usize = 4;

    /// The total length of a PDU with a body of `body_size` bytes.
    pub(crate) fn total_length(body_size: usize, pdu: &'static str) -> EncodeResult<u16> {
        let total_length = len_u16(Self::SIZE.saturating_add(body_size), pdu, "totalLength")?;
        // A reader would take this length for the mark of a flow PDU.
        if total_length == FLOW_MARK {
            return Err(EncodeError::new(pdu, "totalLength", EncodeErrorKind::Invalid));
        }
        Ok(total_length)
    }

    pub(crate) fn write(
        dst: &mut WriteCursor<'_>,
        pdu_type: ControlPduType,
        source: u16,
        body_size: usize,
        pdu: &'static str,
    ) -> EncodeResult<()> {
        let total_length = len_u16(Self::SIZE.saturating_add(body_size), pdu, "totalLength")?;
        // A reader would take this length for the mark of a flow PDU.
        if total_length == FLOW_MARK {
            return Err(EncodeError::new(pdu, "totalLength", EncodeErrorKind::Invalid));
        }
        Self {
            total_length,
            pdu_type,
            source,
        }
        .encode(dst)
    }
}

impl Decode<'_> for ShareControlHeader {
    const NAME: &'static str = "ShareControlHeader";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let total_length = src.u16_le("totalLength")?;
        let [pdu_type, _] = src.array("pduType")?;
        let source = if usize::from(total_length) == Self::MIN {
            0
        } else {
            src.u16_le("pduSource")?
        };
        Ok(Self {
            total_length,
            pdu_type: ControlPduType(pdu_type & 0x0f),
            source,
        })
    }
}

impl Encode for ShareControlHeader {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.total_length)?;
        dst.u16_le(u16::from(self.pdu_type.0) | Self::VERSION)?;
        dst.u16_le(self.source)
    }
}

/// What a [`ShareControl`] can carry.
pub trait ShareControlBody: Encode {
    /// The type its header says.
    const PDU_TYPE: ControlPduType;
}

/// A share control header and what it announces, with the right length: give it to the MCS send-data PDUs to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareControl<T> {
    /// MCS channel of the sender.
    pub source: u16,
    /// What follows the header.
    pub pdu: T,
}

impl<T: ShareControlBody> Encode for ShareControl<T> {
    fn name(&self) -> &'static str {
        self.pdu.name()
    }

    fn size(&self) -> usize {
        ShareControlHeader::SIZE + self.pdu.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        ShareControlHeader::write(dst, T::PDU_TYPE, self.source, self.pdu.size(), self.pdu.name())?;
        self.pdu.encode(dst)
    }
}

/// Bytes of a share data header behind the share control header.
pub(crate) const DATA_HEADER: usize =
    4 /* shareID */ + 1 /* pad1 */ + 1 /* streamID */ + 2 /* uncompressedLength */ + 1 /* pduType2 */
    + 1 /* compressedType */ + 2 /* compressedLength */;

/// What a [`ShareData`] can carry: every share data PDU.
pub trait DataPdu: Encode {
    /// The type its header says.
    fn data_pdu_type(&self) -> DataPduType;
}

impl<T: DataPdu> DataPdu for &T {
    fn data_pdu_type(&self) -> DataPduType {
        (**self).data_pdu_type()
    }
}

/// A share data PDU to be sent, with both its headers and uncompressed: give it to the MCS send-data PDUs.
///
/// What arrives is a [`RawShareData`] first, since it may be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareData<T> {
    /// MCS channel of the sender.
    pub source: u16,
    /// The share, as the Demand Active named it.
    pub share_id: u32,
    /// Priority; see [`StreamId`].
    pub stream_id: StreamId,
    /// What follows the headers.
    pub pdu: T,
}

impl<T> ShareData<T> {
    /// A PDU at the priority clients use.
    pub const fn new(source: u16, share_id: u32, pdu: T) -> Self {
        Self {
            source,
            share_id,
            stream_id: StreamId::LOW,
            pdu,
        }
    }
}

impl<T: DataPdu> Encode for ShareData<T> {
    fn name(&self) -> &'static str {
        self.pdu.name()
    }

    fn size(&self) -> usize {
        ShareControlHeader::SIZE + DATA_HEADER + self.pdu.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let (name, size) = (self.pdu.name(), self.pdu.size());
        ShareControlHeader::write(
            dst,
            ControlPduType::DATA,
            self.source,
            DATA_HEADER.saturating_add(size),
            name,
        )?;
        dst.u32_le(self.share_id)?;
        dst.u8(0)?; // pad1
        self.stream_id.write(dst)?;
        // T.128 counts from pduType2 on, so the last four bytes of the header are part of it; so do Windows and
        // FreeRDP. Others count the payload alone. No reader we know depends on it.
        dst.u16_le(len_u16(size.saturating_add(4), name, "uncompressedLength")?)?;
        self.pdu.data_pdu_type().write(dst)?;
        dst.u8(0)?; // compressedType
        dst.u16_le(0)?; // compressedLength
        self.pdu.encode(dst)
    }
}

/// A share data PDU as it arrived (`TS_SHAREDATAHEADER` and payload, MS-RDPBCGR 2.2.8.1.1.1.2), perhaps compressed.
///
/// Ask [`compression`](Self::compression) first; decompress [`payload`](Self::payload) if it says so, and give the
/// result to [`ShareDataPdu::decode`](crate::share::ShareDataPdu::decode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawShareData<'a> {
    /// MCS channel of the sender.
    pub source: u16,
    /// The share, as the Demand Active named it.
    pub share_id: u32,
    /// Priority; see [`StreamId`].
    pub stream_id: StreamId,
    /// Length before compression as the sender counts it: with or without four bytes of header. A hint, not checked.
    pub uncompressed_length: u16,
    /// What the payload is.
    pub pdu_type: DataPduType,
    /// How the payload is compressed.
    pub compression: CompressionFlags,
    /// Length after compression as the sender counts it; 0 when not compressed. The payload's own length is what counts.
    pub compressed_length: u16,
    /// What follows the headers, up to the total length of the PDU.
    pub payload: &'a [u8],
}

impl<'a> RawShareData<'a> {
    pub(crate) const NAME: &'static str = "ShareDataHeader";

    pub(crate) fn read(source: u16, mut src: ReadCursor<'a>) -> DecodeResult<Self> {
        let share_id = src.u32_le("shareID")?;
        src.skip(1, "pad1")?;
        Ok(Self {
            source,
            share_id,
            stream_id: StreamId::read(&mut src, "streamID")?,
            uncompressed_length: src.u16_le("uncompressedLength")?,
            pdu_type: DataPduType::read(&mut src, "pduType2")?,
            compression: CompressionFlags::from_bits_retain(src.u8("compressedType")?),
            compressed_length: src.u16_le("compressedLength")?,
            payload: src.rest(),
        })
    }
}

impl Encode for RawShareData<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        ShareControlHeader::SIZE + DATA_HEADER + self.payload.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let size = DATA_HEADER.saturating_add(self.payload.len());
        ShareControlHeader::write(dst, ControlPduType::DATA, self.source, size, Self::NAME)?;
        dst.u32_le(self.share_id)?;
        dst.u8(0)?; // pad1
        self.stream_id.write(dst)?;
        dst.u16_le(self.uncompressed_length)?;
        self.pdu_type.write(dst)?;
        dst.u8(self.compression.bits())?;
        dst.u16_le(self.compressed_length)?;
        dst.bytes(self.payload)
    }
}
