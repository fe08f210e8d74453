//! PDUs between Connect Response and the end: users, channels, data (T.125 `DomainMCSPDU`, in aligned PER).
//!
//! The choice takes the first six bits, optional-field bits and enumerations follow directly: a `Result` of four bits
//! starts in the last bit of the first byte (MS-RDPBCGR 4.1.7 shows it).

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::{McsResult, SendDataIndication, SendDataRequest, USER_ID_BASE};
use crate::per;

const CHOICE_ERECT_DOMAIN_REQUEST: u8 = 1;
const CHOICE_DISCONNECT_PROVIDER_ULTIMATUM: u8 = 8;
const CHOICE_ATTACH_USER_REQUEST: u8 = 10;
const CHOICE_ATTACH_USER_CONFIRM: u8 = 11;
const CHOICE_CHANNEL_JOIN_REQUEST: u8 = 14;
const CHOICE_CHANNEL_JOIN_CONFIRM: u8 = 15;
pub(super) const CHOICE_SEND_DATA_REQUEST: u8 = 25;
pub(super) const CHOICE_SEND_DATA_INDICATION: u8 = 26;

/// Any domain PDU that RDP knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McsPdu<'a> {
    /// A client makes its domain.
    ErectDomainRequest(ErectDomainRequest),
    /// A client asks for a user id.
    AttachUserRequest(AttachUserRequest),
    /// The server gives one.
    AttachUserConfirm(AttachUserConfirm),
    /// A client joins a channel.
    ChannelJoinRequest(ChannelJoinRequest),
    /// The server lets it.
    ChannelJoinConfirm(ChannelJoinConfirm),
    /// Data to the server.
    SendDataRequest(SendDataRequest<&'a [u8]>),
    /// Data to a client.
    SendDataIndication(SendDataIndication<&'a [u8]>),
    /// The end.
    DisconnectProviderUltimatum(DisconnectProviderUltimatum),
}

impl<'de> Decode<'de> for McsPdu<'de> {
    const NAME: &'static str = "McsPdu";

    #[inline]
    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        match src.clone().u8("choice")? >> 2 {
            CHOICE_SEND_DATA_INDICATION => SendDataIndication::decode(src).map(Self::SendDataIndication),
            CHOICE_SEND_DATA_REQUEST => SendDataRequest::decode(src).map(Self::SendDataRequest),
            CHOICE_ERECT_DOMAIN_REQUEST => ErectDomainRequest::decode(src).map(Self::ErectDomainRequest),
            CHOICE_ATTACH_USER_REQUEST => AttachUserRequest::decode(src).map(Self::AttachUserRequest),
            CHOICE_ATTACH_USER_CONFIRM => AttachUserConfirm::decode(src).map(Self::AttachUserConfirm),
            CHOICE_CHANNEL_JOIN_REQUEST => ChannelJoinRequest::decode(src).map(Self::ChannelJoinRequest),
            CHOICE_CHANNEL_JOIN_CONFIRM => ChannelJoinConfirm::decode(src).map(Self::ChannelJoinConfirm),
            CHOICE_DISCONNECT_PROVIDER_ULTIMATUM => {
                DisconnectProviderUltimatum::decode(src).map(Self::DisconnectProviderUltimatum)
            }
            other => Err(src.unsupported("choice", other)),
        }
    }
}

impl McsPdu<'_> {
    fn inner(&self) -> &dyn Encode {
        match self {
            Self::ErectDomainRequest(pdu) => pdu,
            Self::AttachUserRequest(pdu) => pdu,
            Self::AttachUserConfirm(pdu) => pdu,
            Self::ChannelJoinRequest(pdu) => pdu,
            Self::ChannelJoinConfirm(pdu) => pdu,
            Self::SendDataRequest(pdu) => pdu,
            Self::SendDataIndication(pdu) => pdu,
            Self::DisconnectProviderUltimatum(pdu) => pdu,
        }
    }
}

impl Encode for McsPdu<'_> {
    fn name(&self) -> &'static str {
        self.inner().name()
    }

    fn size(&self) -> usize {
        self.inner().size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.inner().encode(dst)
    }
}

/// Reads the choice, which must be `expected`, and gives the two bits after it.
fn read_choice(src: &mut ReadCursor<'_>, expected: u8) -> DecodeResult<u8> {
    let byte = src.u8("choice")?;
    if byte >> 2 == expected {
        Ok(byte & 0b11)
    } else {
        Err(src.invalid("choice", byte >> 2))
    }
}

/// A client makes its domain (T.125 `ErectDomainRequest`). Nothing depends on its numbers.
///
/// Written in the five bytes that libfreerdp servers insist on when both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ErectDomainRequest {
    /// Height of the sender in the domain; 0.
    pub sub_height: u32,
    /// Its throughput enforcement interval; 0.
    pub sub_interval: u32,
}

impl ErectDomainRequest {
    /// rdesktop writes two plain 16-bit ones where two counted integers belong.
    const RDESKTOP: [u8; 4] = [0, 1, 0, 1];
}

impl Decode<'_> for ErectDomainRequest {
    const NAME: &'static str = "ErectDomainRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        read_choice(src, CHOICE_ERECT_DOMAIN_REQUEST)?;
        if src.peek() == Self::RDESKTOP {
            src.skip(Self::RDESKTOP.len(), "subHeight")?;
            return Ok(Self {
                sub_height: 1,
                sub_interval: 1,
            });
        }
        Ok(Self {
            sub_height: per::read_integer(src, "subHeight")?,
            sub_interval: per::read_integer(src, "subInterval")?,
        })
    }
}

impl Encode for ErectDomainRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        1 + per::integer_size(self.sub_height) + per::integer_size(self.sub_interval)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(CHOICE_ERECT_DOMAIN_REQUEST << 2)?;
        per::write_integer(dst, self.sub_height)?;
        per::write_integer(dst, self.sub_interval)
    }
}

/// A client asks for a user id (T.125 `AttachUserRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttachUserRequest;

impl Decode<'_> for AttachUserRequest {
    const NAME: &'static str = "AttachUserRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        read_choice(src, CHOICE_ATTACH_USER_REQUEST).map(|_| Self)
    }
}

impl Encode for AttachUserRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        1
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(CHOICE_ATTACH_USER_REQUEST << 2)
    }
}

/// The server gives a user id, or says why not (T.125 `AttachUserConfirm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttachUserConfirm {
    /// How the request ended.
    pub result: McsResult,
    /// The new user's id, initiator of all it sends and number of its own channel. Absent when refused.
    pub initiator: Option<u16>,
}

impl Decode<'_> for AttachUserConfirm {
    const NAME: &'static str = "AttachUserConfirm";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let (has_initiator, result) = read_result(src, CHOICE_ATTACH_USER_CONFIRM)?;
        let initiator = match has_initiator {
            true => Some(per::read_u16_from(src, USER_ID_BASE, "initiator")?),
            false => None,
        };
        Ok(Self { result, initiator })
    }
}

impl Encode for AttachUserConfirm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* choice, initiator present, result */ + self.initiator.map_or(0, |_| 2)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        write_result(
            dst,
            CHOICE_ATTACH_USER_CONFIRM,
            self.initiator.is_some(),
            self.result,
        )?;
        match self.initiator {
            Some(id) => per::write_u16_from(dst, id, USER_ID_BASE, Self::NAME, "initiator"),
            None => Ok(()),
        }
    }
}

/// A client joins a channel (T.125 `ChannelJoinRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelJoinRequest {
    /// The user that joins.
    pub initiator: u16,
    /// The channel.
    pub channel_id: u16,
}

impl Decode<'_> for ChannelJoinRequest {
    const NAME: &'static str = "ChannelJoinRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        read_choice(src, CHOICE_CHANNEL_JOIN_REQUEST)?;
        Ok(Self {
            initiator: per::read_u16_from(src, USER_ID_BASE, "initiator")?,
            channel_id: src.u16_be("channelId")?,
        })
    }
}

impl Encode for ChannelJoinRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        1 /* choice */ + 2 /* initiator */ + 2 /* channelId */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u8(CHOICE_CHANNEL_JOIN_REQUEST << 2)?;
        per::write_u16_from(dst, self.initiator, USER_ID_BASE, Self::NAME, "initiator")?;
        dst.u16_be(self.channel_id)
    }
}

/// The server lets a client join a channel, or says why not (T.125 `ChannelJoinConfirm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelJoinConfirm {
    /// How the request ended.
    pub result: McsResult,
    /// The user that asked.
    pub initiator: u16,
    /// The channel it asked for.
    pub requested: u16,
    /// The channel it joined: the same, as RDP has no dynamically assigned channels. Absent when refused.
    pub channel_id: Option<u16>,
}

impl Decode<'_> for ChannelJoinConfirm {
    const NAME: &'static str = "ChannelJoinConfirm";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let (has_channel, result) = read_result(src, CHOICE_CHANNEL_JOIN_CONFIRM)?;
        let initiator = per::read_u16_from(src, USER_ID_BASE, "initiator")?;
        let requested = src.u16_be("requested")?;
        let channel_id = match has_channel {
            true => Some(src.u16_be("channelId")?),
            false => None,
        };
        Ok(Self {
            result,
            initiator,
            requested,
            channel_id,
        })
    }
}

impl Encode for ChannelJoinConfirm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* choice, channelId present, result */ + 2 /* initiator */ + 2 /* requested */
            + self.channel_id.map_or(0, |_| 2)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        write_result(
            dst,
            CHOICE_CHANNEL_JOIN_CONFIRM,
            self.channel_id.is_some(),
            self.result,
        )?;
        per::write_u16_from(dst, self.initiator, USER_ID_BASE, Self::NAME, "initiator")?;
        dst.u16_be(self.requested)?;
        self.channel_id.map_or(Ok(()), |id| dst.u16_be(id))
    }
}

/// Reads choice (six bits), whether the optional field is present (one), and result (four).
fn read_result(src: &mut ReadCursor<'_>, choice: u8) -> DecodeResult<(bool, McsResult)> {
    let bits = read_choice(src, choice)?;
    let byte = src.u8("result")?;
    let code = (bits & 1) << 3 | byte >> 5;
    // The five bits after it are padding up to the next field. A peer that writes the result there must not be
    // taken for one that succeeded.
    match McsResult::from_code(code) {
        Some(result) if byte & 0x1f == 0 => Ok((bits & 0b10 != 0, result)),
        _ => Err(src.invalid("result", byte)),
    }
}

fn write_result(
    dst: &mut WriteCursor<'_>,
    choice: u8,
    has_optional: bool,
    result: McsResult,
) -> EncodeResult<()> {
    let code = result.code();
    dst.u8(choice << 2 | u8::from(has_optional) << 1 | code >> 3)?;
    dst.u8(code << 5)
}

/// One side ends the connection (T.125 `DisconnectProviderUltimatum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisconnectProviderUltimatum {
    /// Why.
    pub reason: DisconnectReason,
}

/// Why a connection ends (`Reason`, T.125 section 7, part 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// The domain is gone.
    DomainDisconnected,
    /// The provider ends it: on a server, an administrator or an error.
    ProviderInitiated,
    /// A token was purged.
    TokenPurged,
    /// The user ends it: a client that closes, or a server where the user logged off.
    UserRequested,
    /// A channel was purged.
    ChannelPurged,
}

impl DisconnectReason {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::DomainDisconnected => 0,
            Self::ProviderInitiated => 1,
            Self::TokenPurged => 2,
            Self::UserRequested => 3,
            Self::ChannelPurged => 4,
        }
    }

    /// The reason that `code` stands for; `None` above 4.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::DomainDisconnected),
            1 => Some(Self::ProviderInitiated),
            2 => Some(Self::TokenPurged),
            3 => Some(Self::UserRequested),
            4 => Some(Self::ChannelPurged),
            _ => None,
        }
    }

    /// What the other side means, for a user to read.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::DomainDisconnected => "the domain was disconnected",
            Self::ProviderInitiated => "the other side ended the connection",
            Self::TokenPurged => "a token was purged",
            Self::UserRequested => "the user ended the connection",
            Self::ChannelPurged => "a channel was purged",
        }
    }
}

impl Decode<'_> for DisconnectProviderUltimatum {
    const NAME: &'static str = "DisconnectProviderUltimatum";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        // Five values take three bits: the last two of this byte and the first of the next.
        let bits = read_choice(src, CHOICE_DISCONNECT_PROVIDER_ULTIMATUM)?;
        let code = bits << 1 | src.u8("reason")? >> 7;
        match DisconnectReason::from_code(code) {
            Some(reason) => Ok(Self { reason }),
            None => Err(src.invalid("reason", code)),
        }
    }
}

impl Encode for DisconnectProviderUltimatum {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let code = self.reason.code();
        dst.u8(CHOICE_DISCONNECT_PROVIDER_ULTIMATUM << 2 | code >> 1)?;
        dst.u8(code << 7)
    }
}
