//! One share PDU, and the row of them that one MCS payload may hold.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::header::{
    ControlPduType, FLOW_MARK, RawShareData, ShareControl, ShareControlBody, ShareControlHeader,
};
use crate::capability::{ConfirmActive, DemandActive};
use crate::redirection::EnhancedRedirection;

/// Bytes of a flow PDU (T.128 9.1): mark, type, pad, identifier, number, source.
const FLOW_SIZE: usize = 2 + 1 + 1 + 1 + 1 + 2;

/// One PDU of a share, its data not yet decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharePdu<'a> {
    /// The server offers its capabilities.
    DemandActive(ShareControl<DemandActive>),
    /// The client answers with its own.
    ConfirmActive(ShareControl<ConfirmActive>),
    /// The server ends the share.
    DeactivateAll(ShareControl<DeactivateAll>),
    /// The client is to connect elsewhere (MS-RDPBCGR 2.2.13.3.1).
    ServerRedirect {
        /// MCS channel of the sender.
        source: u16,
        /// What follows the header: an [`EnhancedRedirection`].
        body: &'a [u8],
    },
    /// Everything of a running session.
    Data(RawShareData<'a>),
    /// A T.128 flow PDU with its mark; receivers ignore it (MS-RDPBCGR 2.2.8.1.1.1.1).
    Flow(&'a [u8]),
    /// A type this implementation does not know.
    Unknown {
        /// `pduType` with its version bits.
        pdu_type: u16,
        /// MCS channel of the sender.
        source: u16,
        /// What follows the header.
        body: &'a [u8],
    },
}

impl<'a> SharePdu<'a> {
    /// Reads the PDU of `total` bytes at the cursor, whatever its `totalLength` says.
    fn read(src: &mut ReadCursor<'a>, total: usize) -> DecodeResult<Self> {
        let mut body = src.sub(total, "totalLength")?;
        body.skip(2, "totalLength")?;
        let pdu_type = body.u16_le("pduType")?;
        // Windows XP SP3 sends a Deactivate All that stops here.
        let source = if body.is_empty() {
            0
        } else {
            body.u16_le("pduSource")?
        };
        let [low, _] = pdu_type.to_le_bytes();
        Ok(match ControlPduType(low & 0x0f) {
            ControlPduType::DEMAND_ACTIVE => Self::DemandActive(ShareControl {
                source,
                pdu: DemandActive::decode(&mut body)?,
            }),
            ControlPduType::CONFIRM_ACTIVE => Self::ConfirmActive(ShareControl {
                source,
                pdu: ConfirmActive::decode(&mut body)?,
            }),
            ControlPduType::DEACTIVATE_ALL => Self::DeactivateAll(ShareControl {
                source,
                pdu: DeactivateAll::decode(&mut body)?,
            }),
            ControlPduType::DATA => Self::Data(
                RawShareData::read(source, body).map_err(|error| error.in_pdu(RawShareData::NAME))?,
            ),
            ControlPduType::SERVER_REDIRECT => Self::ServerRedirect {
                source,
                body: body.rest(),
            },
            _ => Self::Unknown {
                pdu_type,
                source,
                body: body.rest(),
            },
        })
    }
}

impl<'de> Decode<'de> for SharePdu<'de> {
    const NAME: &'static str = "SharePdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let available = src.remaining();
        let mut header = src.clone();
        let total_length = header.u16_le("totalLength")?;
        if total_length == FLOW_MARK {
            return Ok(Self::Flow(src.bytes(available.min(FLOW_SIZE), "flow")?));
        }
        let total = usize::from(total_length);
        if total < ShareControlHeader::MIN || total > available {
            return Err(src.lies("totalLength", total, available));
        }
        Self::read(src, total)
    }
}

impl Encode for SharePdu<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        match self {
            Self::DemandActive(pdu) => pdu.size(),
            Self::ConfirmActive(pdu) => pdu.size(),
            Self::DeactivateAll(pdu) => pdu.size(),
            Self::Data(data) => data.size(),
            Self::Flow(bytes) => bytes.len(),
            Self::ServerRedirect { body, .. } | Self::Unknown { body, .. } => {
                ShareControlHeader::SIZE + body.len()
            }
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::DemandActive(pdu) => pdu.encode(dst),
            Self::ConfirmActive(pdu) => pdu.encode(dst),
            Self::DeactivateAll(pdu) => pdu.encode(dst),
            Self::Data(data) => data.encode(dst),
            Self::Flow(bytes) => dst.bytes(bytes),
            Self::ServerRedirect { source, body } => {
                let pdu_type = ControlPduType::SERVER_REDIRECT;
                ShareControlHeader::write(dst, pdu_type, *source, body.len(), Self::NAME)?;
                dst.bytes(body)
            }
            Self::Unknown {
                pdu_type,
                source,
                body,
            } => {
                dst.u16_le(ShareControlHeader::total_length(body.len(), Self::NAME)?)?;
                dst.u16_le(*pdu_type)?;
                dst.u16_le(*source)?;
                dst.bytes(body)
            }
        }
    }
}

/// The share PDUs in one MCS payload, in order; servers pack several into one.
///
/// After an error the iterator ends: where the next PDU starts is no longer known.
#[derive(Debug, Clone)]
pub struct SharePdus<'a> {
    src: ReadCursor<'a>,
    started: bool,
}

impl<'a> SharePdus<'a> {
    /// The PDUs in `payload`, the user data of a send-data PDU on the I/O channel behind its security header.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            src: ReadCursor::new(payload),
            started: false,
        }
    }

    /// The size of a lone data PDU whose sender did not count the share control header, else `None`.
    ///
    /// Recognised only where the rule of the specification cannot hold: it would leave exactly six bytes, and they
    /// do not start a PDU of their own.
    fn size_without_header(&self) -> Option<usize> {
        let bytes = self.src.peek();
        let (total, rest) = bytes.split_first_chunk::<2>()?;
        let total = usize::from(u16::from_le_bytes(*total));
        let data = rest.first()? & 0x0f == ControlPduType::DATA.0;
        let after = bytes.get(total..)?;
        let (next, _) = after.split_first_chunk::<2>()?;
        let next = u16::from_le_bytes(*next);
        let starts_a_pdu = next == FLOW_MARK || matches!(next, 4..=6);
        let fits = after.len() == ShareControlHeader::SIZE;
        (!self.started && data && fits && !starts_a_pdu).then_some(bytes.len())
    }
}

impl<'a> Iterator for SharePdus<'a> {
    type Item = DecodeResult<SharePdu<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // Fewer bytes than the shortest PDU after one that was complete are padding.
        let shortest = if self.started { ShareControlHeader::MIN } else { 1 };
        if self.src.remaining() < shortest {
            return None;
        }
        let result = match self.size_without_header() {
            Some(size) => SharePdu::read(&mut self.src, size).map_err(|error| error.in_pdu(SharePdu::NAME)),
            None => SharePdu::decode(&mut self.src),
        };
        self.started = true;
        if result.is_err() {
            self.src.rest();
        }
        Some(result)
    }
}

/// The server ends the share (`TS_DEACTIVATE_ALL_PDU`, MS-RDPBCGR 2.2.3.1.1); a Demand Active or the end follows.
///
/// Servers cut it short: without the source descriptor, without the share, or, Windows XP SP3, inside the header,
/// which is written back in full.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeactivateAll {
    /// The share that ends.
    pub share_id: Option<u32>,
    /// Name of the sender, ignored by everyone. Written only where there is a `share_id`.
    pub source_descriptor: Option<Vec<u8>>,
}

impl DeactivateAll {
    /// The full form as Windows sends it.
    pub fn new(share_id: u32) -> Self {
        Self {
            share_id: Some(share_id),
            source_descriptor: Some(Vec::from([0])),
        }
    }

    fn descriptor(&self) -> Option<&[u8]> {
        self.share_id.and(self.source_descriptor.as_deref())
    }
}

impl Decode<'_> for DeactivateAll {
    const NAME: &'static str = "DeactivateAll";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut pdu = Self::default();
        if !src.is_empty() {
            pdu.share_id = Some(src.u32_le("shareId")?);
        }
        if !src.is_empty() {
            let length = usize::from(src.u16_le("lengthSourceDescriptor")?);
            pdu.source_descriptor = Some(src.sub(length, "lengthSourceDescriptor")?.rest().to_vec());
        }
        Ok(pdu)
    }
}

impl Encode for DeactivateAll {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        self.share_id.map_or(0, |_| 4) + self.descriptor().map_or(0, |descriptor| 2 + descriptor.len())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if let Some(share_id) = self.share_id {
            dst.u32_le(share_id)?;
        }
        if let Some(descriptor) = self.descriptor() {
            dst.u16_le(len_u16(descriptor.len(), Self::NAME, "lengthSourceDescriptor")?)?;
            dst.bytes(descriptor)?;
        }
        Ok(())
    }
}

impl ShareControlBody for DeactivateAll {
    const PDU_TYPE: ControlPduType = ControlPduType::DEACTIVATE_ALL;
}

impl ShareControlBody for EnhancedRedirection {
    const PDU_TYPE: ControlPduType = ControlPduType::SERVER_REDIRECT;
}
