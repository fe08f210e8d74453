//! The first exchange of the conference (T.125 `ConnectMCSPDU`, in BER), which carries the settings of both sides.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::McsResult;
use crate::ber::{self, Sign};
use crate::gcc::{
    ClientGccBlocks, ConferenceCreateRequest, ConferenceCreateResponse, ConferenceResult, ServerGccBlocks,
};

const APPLICATION_CONNECT_INITIAL: u8 = 101;
const APPLICATION_CONNECT_RESPONSE: u8 = 102;

/// What a domain can hold (T.125 `DomainParameters`, MS-RDPBCGR 2.2.1.3, 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainParameters {
    /// Most channels at a time.
    pub max_channel_ids: u32,
    /// Most users at a time.
    pub max_user_ids: u32,
    /// Most tokens at a time.
    pub max_token_ids: u32,
    /// Number of data priorities.
    pub num_priorities: u32,
    /// Throughput to enforce, bytes a second.
    pub min_throughput: u32,
    /// Height of the tree of providers.
    pub max_height: u32,
    /// Longest MCS PDU, bytes.
    pub max_mcs_pdu_size: u32,
    /// Version of the protocol; 2.
    pub protocol_version: u32,
}

impl DomainParameters {
    /// What Windows clients ask for.
    pub const CLIENT_TARGET: Self = Self {
        max_channel_ids: 34,
        max_user_ids: 2,
        max_token_ids: 0,
        ..Self::CLIENT_MAXIMUM
    };

    /// The least Windows clients accept.
    pub const CLIENT_MINIMUM: Self = Self {
        max_channel_ids: 1,
        max_user_ids: 1,
        max_token_ids: 1,
        max_mcs_pdu_size: 1056,
        ..Self::CLIENT_MAXIMUM
    };

    /// The most Windows clients accept.
    pub const CLIENT_MAXIMUM: Self = Self {
        max_channel_ids: 65_535,
        max_user_ids: 64_535,
        max_token_ids: 65_535,
        num_priorities: 1,
        min_throughput: 0,
        max_height: 1,
        max_mcs_pdu_size: 65_535,
        protocol_version: 2,
    };

    /// What Windows servers answer.
    pub const SERVER: Self = Self {
        max_user_ids: 3,
        max_mcs_pdu_size: 65_528,
        ..Self::CLIENT_TARGET
    };

    const FIELDS: [&'static str; 8] = [
        "maxChannelIds",
        "maxUserIds",
        "maxTokenIds",
        "numPriorities",
        "minThroughput",
        "maxHeight",
        "maxMCSPDUsize",
        "protocolVersion",
    ];

    const fn values(&self) -> [u32; 8] {
        [
            self.max_channel_ids,
            self.max_user_ids,
            self.max_token_ids,
            self.num_priorities,
            self.min_throughput,
            self.max_height,
            self.max_mcs_pdu_size,
            self.protocol_version,
        ]
    }

    fn read(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<Self> {
        let mut contents = ber::read_contents(src, ber::TAG_SEQUENCE, field)?;
        let mut values = [0; 8];
        for (value, name) in values.iter_mut().zip(Self::FIELDS) {
            *value = ber::read_integer(&mut contents, name)?;
        }
        let [
            max_channel_ids,
            max_user_ids,
            max_token_ids,
            num_priorities,
            min_throughput,
            max_height,
            max_mcs_pdu_size,
            protocol_version,
        ] = values;
        Ok(Self {
            max_channel_ids,
            max_user_ids,
            max_token_ids,
            num_priorities,
            min_throughput,
            max_height,
            max_mcs_pdu_size,
            protocol_version,
        })
    }

    fn contents_size(&self, sign: Sign) -> usize {
        self.values()
            .iter()
            .map(|value| ber::integer_size(*value, sign))
            .sum()
    }

    fn size(&self, sign: Sign) -> usize {
        ber::size_with_header(self.contents_size(sign))
    }

    fn write(&self, dst: &mut WriteCursor<'_>, sign: Sign) -> EncodeResult<()> {
        const NAME: &str = "DomainParameters";
        ber::write_header(dst, ber::TAG_SEQUENCE, self.contents_size(sign), NAME)?;
        self.values()
            .iter()
            .try_for_each(|value| ber::write_integer(dst, *value, sign, NAME))
    }
}

/// A client's settings, wrapped for MCS (T.125 `Connect-Initial`, MS-RDPBCGR 2.2.1.3). Goes into an
/// [`X224Data`](crate::x224::X224Data).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectInitial {
    /// Selector of the calling domain; one byte, 1.
    pub calling_domain_selector: Vec<u8>,
    /// Selector of the called domain; one byte, 1.
    pub called_domain_selector: Vec<u8>,
    /// Whether the called provider is the upper one: true, as the server is.
    pub upward: bool,
    /// The domain wished for.
    pub target_parameters: DomainParameters,
    /// The least that will do.
    pub minimum_parameters: DomainParameters,
    /// The most that will do.
    pub maximum_parameters: DomainParameters,
    /// The settings.
    pub conference: ConferenceCreateRequest,
}

impl ConnectInitial {
    const SIGN: Sign = Sign::Omitted;

    /// The request that Windows clients make around their `blocks`.
    pub fn new(blocks: ClientGccBlocks) -> Self {
        Self {
            calling_domain_selector: vec![1],
            called_domain_selector: vec![1],
            upward: true,
            target_parameters: DomainParameters::CLIENT_TARGET,
            minimum_parameters: DomainParameters::CLIENT_MINIMUM,
            maximum_parameters: DomainParameters::CLIENT_MAXIMUM,
            conference: ConferenceCreateRequest { blocks },
        }
    }

    fn contents_size(&self) -> usize {
        ber::size_with_header(self.calling_domain_selector.len())
            + ber::size_with_header(self.called_domain_selector.len())
            + ber::size_with_header(1 /* upwardFlag */)
            + self.target_parameters.size(Self::SIGN)
            + self.minimum_parameters.size(Self::SIGN)
            + self.maximum_parameters.size(Self::SIGN)
            + ber::size_with_header(self.conference.size())
    }
}

impl Decode<'_> for ConnectInitial {
    const NAME: &'static str = "ConnectInitial";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut src = ber::read_application(src, APPLICATION_CONNECT_INITIAL, "Connect-Initial")?;
        let selector = |src: &mut ReadCursor<'_>, field| {
            ber::read_contents(src, ber::TAG_OCTET_STRING, field).map(|mut bytes| bytes.rest().to_vec())
        };
        Ok(Self {
            calling_domain_selector: selector(&mut src, "callingDomainSelector")?,
            called_domain_selector: selector(&mut src, "calledDomainSelector")?,
            upward: ber::read_boolean(&mut src, "upwardFlag")?,
            target_parameters: DomainParameters::read(&mut src, "targetParameters")?,
            minimum_parameters: DomainParameters::read(&mut src, "minimumParameters")?,
            maximum_parameters: DomainParameters::read(&mut src, "maximumParameters")?,
            conference: ConferenceCreateRequest::decode(&mut ber::read_contents(
                &mut src,
                ber::TAG_OCTET_STRING,
                "userData",
            )?)?,
        })
    }
}

impl Encode for ConnectInitial {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        ber::size_with_application_header(self.contents_size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let number = APPLICATION_CONNECT_INITIAL;
        ber::write_application_header(dst, number, self.contents_size(), Self::NAME)?;
        ber::write_octet_string(dst, &self.calling_domain_selector, Self::NAME)?;
        ber::write_octet_string(dst, &self.called_domain_selector, Self::NAME)?;
        ber::write_boolean(dst, self.upward)?;
        self.target_parameters.write(dst, Self::SIGN)?;
        self.minimum_parameters.write(dst, Self::SIGN)?;
        self.maximum_parameters.write(dst, Self::SIGN)?;
        ber::write_header(dst, ber::TAG_OCTET_STRING, self.conference.size(), Self::NAME)?;
        self.conference.encode(dst)
    }
}

/// A server's settings, wrapped for MCS (T.125 `Connect-Response`, MS-RDPBCGR 2.2.1.4). Goes into an
/// [`X224Data`](crate::x224::X224Data).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Whether the domain was made.
    pub result: McsResult,
    /// An id of the connection; 0.
    pub called_connect_id: u32,
    /// The domain that was made.
    pub domain_parameters: DomainParameters,
    /// The settings. Absent when the server refused and sent none.
    pub conference: Option<ConferenceCreateResponse>,
}

impl ConnectResponse {
    const SIGN: Sign = Sign::LeadingZero;

    /// The answer of a server that accepts, around its `blocks`.
    pub fn new(blocks: ServerGccBlocks) -> Self {
        Self {
            result: McsResult::Successful,
            called_connect_id: 0,
            domain_parameters: DomainParameters::SERVER,
            conference: Some(ConferenceCreateResponse::new(blocks)),
        }
    }

    /// The server's settings, if it accepted.
    pub fn into_accepted(self) -> Result<ServerGccBlocks, ConnectRefusal> {
        match (self.result, self.conference) {
            (McsResult::Successful, Some(conference)) => match conference.result {
                ConferenceResult::SUCCESS => Ok(conference.blocks),
                refused => Err(ConnectRefusal::Conference(refused)),
            },
            // A success always has its settings: decoding saw to it.
            (refused, _) => Err(ConnectRefusal::Domain(refused)),
        }
    }

    fn conference_size(&self) -> usize {
        self.conference.as_ref().map_or(0, Encode::size)
    }

    fn contents_size(&self) -> usize {
        ber::size_with_header(1 /* result */)
            + ber::integer_size(self.called_connect_id, Self::SIGN)
            + self.domain_parameters.size(Self::SIGN)
            + ber::size_with_header(self.conference_size())
    }
}

/// Why a server did not take a client into a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// MCS made no domain.
    Domain(McsResult),
    /// GCC made no conference.
    Conference(ConferenceResult),
}

impl fmt::Display for ConnectRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(result) => write!(f, "the server made no MCS domain: {result}"),
            Self::Conference(result) => write!(f, "the server made no conference: {result}"),
        }
    }
}

impl core::error::Error for ConnectRefusal {}

impl Decode<'_> for ConnectResponse {
    const NAME: &'static str = "ConnectResponse";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut src = ber::read_application(src, APPLICATION_CONNECT_RESPONSE, "Connect-Response")?;
        let code = ber::read_enumerated(&mut src, "result")?;
        let Some(result) = McsResult::from_code(code) else {
            return Err(src.invalid("result", code));
        };
        let called_connect_id = ber::read_integer(&mut src, "calledConnectId")?;
        let domain_parameters = DomainParameters::read(&mut src, "domainParameters")?;
        let mut user_data = ber::read_contents(&mut src, ber::TAG_OCTET_STRING, "userData")?;
        let conference = if user_data.is_empty() && !result.is_success() {
            None
        } else {
            Some(ConferenceCreateResponse::decode(&mut user_data)?)
        };
        Ok(Self {
            result,
            called_connect_id,
            domain_parameters,
            conference,
        })
    }
}

impl Encode for ConnectResponse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        ber::size_with_application_header(self.contents_size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let number = APPLICATION_CONNECT_RESPONSE;
        ber::write_application_header(dst, number, self.contents_size(), Self::NAME)?;
        ber::write_enumerated(dst, self.result.code())?;
        ber::write_integer(dst, self.called_connect_id, Self::SIGN, Self::NAME)?;
        self.domain_parameters.write(dst, Self::SIGN)?;
        ber::write_header(dst, ber::TAG_OCTET_STRING, self.conference_size(), Self::NAME)?;
        match &self.conference {
            Some(conference) => conference.encode(dst),
            None => Ok(()),
        }
    }
}
