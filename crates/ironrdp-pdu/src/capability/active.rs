//! Demand Active and Confirm Active.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::{Capability, CapabilitySet};
use crate::share::{ControlPduType, ShareControlBody};

/// The server's channel, which clients repeat as originator.
const SERVER_CHANNEL: u16 = 0x03ea;

/// The server offers its capabilities (`TS_DEMAND_ACTIVE_PDU`, MS-RDPBCGR 2.2.1.13.1.1, without its header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemandActive {
    /// Names the share in all later PDUs.
    pub share_id: u32,
    /// Name of the sender, ignored by everyone: `RDP` and a zero byte.
    pub source_descriptor: Vec<u8>,
    /// What the server can do, in its order.
    pub sets: Vec<CapabilitySet>,
    /// Ignored by clients. Read as 0 where a server leaves it out.
    pub session_id: u32,
}

/// The client answers with its capabilities (`TS_CONFIRM_ACTIVE_PDU`, MS-RDPBCGR 2.2.1.13.2.1, without its header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmActive {
    /// The share, as the Demand Active named it.
    pub share_id: u32,
    /// The server's channel: 0x03EA.
    pub originator_id: u16,
    /// Name of the sender, ignored by everyone.
    pub source_descriptor: Vec<u8>,
    /// What the client can do, in its order.
    pub sets: Vec<CapabilitySet>,
}

impl DemandActive {
    /// An offer as Windows servers name themselves.
    pub fn new(share_id: u32, sets: Vec<CapabilitySet>) -> Self {
        Self {
            share_id,
            source_descriptor: b"RDP\0".to_vec(),
            sets,
            session_id: 0,
        }
    }

    /// The first set of a kind: `demand.find::<Bitmap>()`.
    pub fn find<T: Capability>(&self) -> Option<&T> {
        self.sets.iter().find_map(T::from_set)
    }
}

impl ConfirmActive {
    /// An answer as Windows clients name themselves.
    pub fn new(share_id: u32, sets: Vec<CapabilitySet>) -> Self {
        Self {
            share_id,
            originator_id: SERVER_CHANNEL,
            source_descriptor: b"MSTSC\0".to_vec(),
            sets,
        }
    }

    /// The first set of a kind: `confirm.find::<Input>()`.
    pub fn find<T: Capability>(&self) -> Option<&T> {
        self.sets.iter().find_map(T::from_set)
    }
}

/// Bytes of the count and its padding, which the combined length includes.
const COUNT: usize = 2 /* numberCapabilities */ + 2 /* pad2Octets */;

/// Bytes of what [`write_body`] writes.
fn body_size(descriptor: &[u8], sets: &[CapabilitySet]) -> usize {
    2 /* lengthSourceDescriptor */ + 2 /* lengthCombinedCapabilities */ + descriptor.len() + COUNT + sets_size(sets)
}

fn sets_size(sets: &[CapabilitySet]) -> usize {
    sets.iter().map(Encode::size).sum()
}

/// Reads both lengths, the descriptor and the sets: what the two PDUs have in common.
///
/// The sets are walked by their bytes. A number of sets that disagrees is of no consequence as long as the bytes end
/// with a set: the bytes are what was sent, the number is only what somebody thought of it.
fn read_body(src: &mut ReadCursor<'_>) -> DecodeResult<(Vec<u8>, Vec<CapabilitySet>)> {
    let descriptor_length = usize::from(src.u16_le("lengthSourceDescriptor")?);
    let combined_length = usize::from(src.u16_le("lengthCombinedCapabilities")?);
    let descriptor = src
        .sub(descriptor_length, "lengthSourceDescriptor")?
        .rest()
        .to_vec();
    let mut combined = src.sub(combined_length, "lengthCombinedCapabilities")?;
    combined.skip(COUNT, "numberCapabilities")?;
    let mut sets = Vec::new();
    while !combined.is_empty() {
        sets.push(CapabilitySet::decode(&mut combined)?);
    }
    Ok((descriptor, sets))
}

fn write_body(
    dst: &mut WriteCursor<'_>,
    descriptor: &[u8],
    sets: &[CapabilitySet],
    name: &'static str,
) -> EncodeResult<()> {
    dst.u16_le(len_u16(descriptor.len(), name, "lengthSourceDescriptor")?)?;
    dst.u16_le(len_u16(
        COUNT + sets_size(sets),
        name,
        "lengthCombinedCapabilities",
    )?)?;
    dst.bytes(descriptor)?;
    dst.u16_le(len_u16(sets.len(), name, "numberCapabilities")?)?;
    dst.u16_le(0)?; // pad2Octets
    sets.iter().try_for_each(|set| set.encode(dst))
}

impl Decode<'_> for DemandActive {
    const NAME: &'static str = "DemandActive";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let share_id = src.u32_le("shareId")?;
        let (source_descriptor, sets) = read_body(src)?;
        let session_id = if src.is_empty() {
            0
        } else {
            src.u32_le("sessionId")?
        };
        Ok(Self {
            share_id,
            source_descriptor,
            sets,
            session_id,
        })
    }
}

impl Encode for DemandActive {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* shareId */ + body_size(&self.source_descriptor, &self.sets) + 4 /* sessionId */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.share_id)?;
        write_body(dst, &self.source_descriptor, &self.sets, Self::NAME)?;
        dst.u32_le(self.session_id)
    }
}

impl ShareControlBody for DemandActive {
    const PDU_TYPE: ControlPduType = ControlPduType::DEMAND_ACTIVE;
}

impl Decode<'_> for ConfirmActive {
    const NAME: &'static str = "ConfirmActive";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let share_id = src.u32_le("shareId")?;
        let originator_id = src.u16_le("originatorId")?;
        let (source_descriptor, sets) = read_body(src)?;
        Ok(Self {
            share_id,
            originator_id,
            source_descriptor,
            sets,
        })
    }
}

impl Encode for ConfirmActive {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* shareId */ + 2 /* originatorId */ + body_size(&self.source_descriptor, &self.sets)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.share_id)?;
        dst.u16_le(self.originator_id)?;
        write_body(dst, &self.source_descriptor, &self.sets, Self::NAME)
    }
}

impl ShareControlBody for ConfirmActive {
    const PDU_TYPE: ControlPduType = ControlPduType::CONFIRM_ACTIVE;
}
