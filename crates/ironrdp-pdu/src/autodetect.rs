//! Measuring the network: auto-detect requests and responses, and the heartbeat (MS-RDPBCGR 2.2.14, 2.2.16).
//!
//! Requests travel behind a security header with
//! [`AUTODETECT_REQUEST`](crate::security::SecurityFlags::AUTODETECT_REQUEST), responses with
//! [`AUTODETECT_RESPONSE`](crate::security::SecurityFlags::AUTODETECT_RESPONSE), on the message channel.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u8, len_u16};

const TYPE_ID_REQUEST: u8 = 0x00;
const TYPE_ID_RESPONSE: u8 = 0x01;

/// headerLength, headerTypeId, sequenceNumber and the request or response type: what every header starts with.
const COMMON_HEADER: usize = 1 + 1 + 2 + 2;
const PAYLOAD_LENGTH: usize = 2;

/// When a measurement runs; the wire tells it by other type codes for the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DetectPhase {
    /// While connecting, before licensing.
    Connect,
    /// In a running session, on the main connection or a reliable side transport.
    Continuous,
    /// In a running session, on a lossy side transport.
    ContinuousLossy,
}

/// A request of the server (`autoDetectReqData`, MS-RDPBCGR 2.2.14.1 and 2.2.14.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoDetectRequest<'a> {
    /// To be repeated in the response.
    pub sequence_number: u16,
    /// What is asked.
    pub kind: DetectRequestKind<'a>,
}

/// The requests there are (`requestType`, MS-RDPBCGR 2.2.14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectRequestKind<'a> {
    /// Answer at once with [`DetectResponseKind::RoundTrip`] (`RDP_RTT_REQUEST`, 2.2.14.1.1).
    /// `ContinuousLossy` does not exist here and is written as `Continuous`.
    RoundTrip(DetectPhase),
    /// Start counting time and bytes (`RDP_BW_START`, 2.2.14.1.2).
    BandwidthStart(DetectPhase),
    /// Random bytes to be counted, while connecting only (`RDP_BW_PAYLOAD`, 2.2.14.1.3).
    BandwidthPayload(&'a [u8]),
    /// Stop while connecting, with a last payload, and answer with [`DetectResponseKind::BandwidthResults`]
    /// (`RDP_BW_STOP`, 2.2.14.1.4).
    BandwidthStopConnect(&'a [u8]),
    /// Stop in a running session, and answer with [`DetectResponseKind::BandwidthResults`]
    /// (`RDP_BW_STOP`, 2.2.14.1.4).
    BandwidthStop {
        /// Whether it is about a lossy side transport.
        lossy: bool,
    },
    /// What the server found; no answer (`RDP_NETCHAR_RESULT`, 2.2.14.1.5).
    NetworkCharacteristics(NetworkCharacteristics),
    /// A request this version does not know; no answer.
    Other {
        /// `requestType`.
        code: u16,
        /// What the header holds after it.
        header: &'a [u8],
        /// What follows the header.
        payload: &'a [u8],
    },
}

/// What the server found out about the network (`RDP_NETCHAR_RESULT`, MS-RDPBCGR 2.2.14.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkCharacteristics {
    /// Round-trip times alone.
    RoundTrip {
        /// Lowest seen, in milliseconds.
        base_rtt_ms: u32,
        /// Current average, in milliseconds.
        average_rtt_ms: u32,
    },
    /// Bandwidth and average.
    Bandwidth {
        /// In kilobits per second.
        bandwidth_kbps: u32,
        /// Current average, in milliseconds.
        average_rtt_ms: u32,
    },
    /// All three.
    Both {
        /// Lowest seen, in milliseconds.
        base_rtt_ms: u32,
        /// In kilobits per second.
        bandwidth_kbps: u32,
        /// Current average, in milliseconds.
        average_rtt_ms: u32,
    },
}

const RTT_CONTINUOUS: u16 = 0x0001;
const RTT_CONNECT: u16 = 0x1001;
const BW_START_CONTINUOUS: u16 = 0x0014;
const BW_START_LOSSY: u16 = 0x0114;
const BW_START_CONNECT: u16 = 0x1014;
const BW_PAYLOAD: u16 = 0x0002;
const BW_STOP_CONNECT: u16 = 0x002b;
const BW_STOP_CONTINUOUS: u16 = 0x0429;
const BW_STOP_LOSSY: u16 = 0x0629;
const NETCHAR_RTT: u16 = 0x0840;
const NETCHAR_BANDWIDTH: u16 = 0x0880;
const NETCHAR_BOTH: u16 = 0x08c0;

/// Reads the common header and gives the sequence number, the type code and a cursor over the rest of the header.
///
/// Headers longer than their fields are accepted: headerLength is there so that they can grow.
fn read_header<'de>(
    src: &mut ReadCursor<'de>,
    type_id: u8,
    code: &'static str,
) -> DecodeResult<(u16, u16, ReadCursor<'de>)> {
    let header_length = usize::from(src.u8("headerLength")?);
    let rest = header_length.saturating_sub(1);
    if header_length < COMMON_HEADER {
        return Err(src.lies("headerLength", header_length, COMMON_HEADER));
    }
    let mut header = src.sub(rest, "headerLength")?;
    let got = header.u8("headerTypeId")?;
    if got != type_id {
        return Err(header.invalid("headerTypeId", got));
    }
    Ok((header.u16_le("sequenceNumber")?, header.u16_le(code)?, header))
}

fn write_header(
    dst: &mut WriteCursor<'_>,
    fields: usize,
    type_id: u8,
    sequence_number: u16,
    code: u16,
    pdu: &'static str,
) -> EncodeResult<()> {
    dst.u8(len_u8(COMMON_HEADER + fields, pdu, "headerLength")?)?;
    dst.u8(type_id)?;
    dst.u16_le(sequence_number)?;
    dst.u16_le(code)
}

impl<'de> Decode<'de> for AutoDetectRequest<'de> {
    const NAME: &'static str = "AutoDetectRequest";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let (sequence_number, code, mut header) = read_header(src, TYPE_ID_REQUEST, "requestType")?;
        let kind = match code {
            RTT_CONTINUOUS => DetectRequestKind::RoundTrip(DetectPhase::Continuous),
            RTT_CONNECT => DetectRequestKind::RoundTrip(DetectPhase::Connect),
            BW_START_CONTINUOUS => DetectRequestKind::BandwidthStart(DetectPhase::Continuous),
            BW_START_LOSSY => DetectRequestKind::BandwidthStart(DetectPhase::ContinuousLossy),
            BW_START_CONNECT => DetectRequestKind::BandwidthStart(DetectPhase::Connect),
            BW_PAYLOAD => DetectRequestKind::BandwidthPayload(read_payload(src, &mut header)?),
            BW_STOP_CONNECT => DetectRequestKind::BandwidthStopConnect(read_payload(src, &mut header)?),
            BW_STOP_CONTINUOUS => DetectRequestKind::BandwidthStop { lossy: false },
            BW_STOP_LOSSY => DetectRequestKind::BandwidthStop { lossy: true },
            NETCHAR_RTT => DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::RoundTrip {
                base_rtt_ms: header.u32_le("baseRTT")?,
                average_rtt_ms: header.u32_le("averageRTT")?,
            }),
            NETCHAR_BANDWIDTH => {
                DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::Bandwidth {
                    bandwidth_kbps: header.u32_le("bandwidth")?,
                    average_rtt_ms: header.u32_le("averageRTT")?,
                })
            }
            NETCHAR_BOTH => DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::Both {
                base_rtt_ms: header.u32_le("baseRTT")?,
                bandwidth_kbps: header.u32_le("bandwidth")?,
                average_rtt_ms: header.u32_le("averageRTT")?,
            }),
            code => DetectRequestKind::Other {
                code,
                header: header.rest(),
                payload: src.rest(),
            },
        };
        Ok(Self {
            sequence_number,
            kind,
        })
    }
}

fn read_payload<'de>(src: &mut ReadCursor<'de>, header: &mut ReadCursor<'de>) -> DecodeResult<&'de [u8]> {
    let length = header.u16_le("payloadLength")?;
    Ok(src.sub(length.into(), "payloadLength")?.rest())
}

impl<'a> DetectRequestKind<'a> {
    fn code(&self) -> u16 {
        match *self {
            Self::RoundTrip(DetectPhase::Connect) => RTT_CONNECT,
            Self::RoundTrip(DetectPhase::Continuous | DetectPhase::ContinuousLossy) => RTT_CONTINUOUS,
            Self::BandwidthStart(DetectPhase::Connect) => BW_START_CONNECT,
            Self::BandwidthStart(DetectPhase::Continuous) => BW_START_CONTINUOUS,
            Self::BandwidthStart(DetectPhase::ContinuousLossy) => BW_START_LOSSY,
            Self::BandwidthPayload(_) => BW_PAYLOAD,
            Self::BandwidthStopConnect(_) => BW_STOP_CONNECT,
            Self::BandwidthStop { lossy: false } => BW_STOP_CONTINUOUS,
            Self::BandwidthStop { lossy: true } => BW_STOP_LOSSY,
            Self::NetworkCharacteristics(NetworkCharacteristics::RoundTrip { .. }) => NETCHAR_RTT,
            Self::NetworkCharacteristics(NetworkCharacteristics::Bandwidth { .. }) => NETCHAR_BANDWIDTH,
            Self::NetworkCharacteristics(NetworkCharacteristics::Both { .. }) => NETCHAR_BOTH,
            Self::Other { code, .. } => code,
        }
    }

    /// Bytes of the header after the type code.
    fn fields(&self) -> usize {
        match self {
            Self::RoundTrip(_) | Self::BandwidthStart(_) | Self::BandwidthStop { .. } => 0,
            Self::BandwidthPayload(_) | Self::BandwidthStopConnect(_) => PAYLOAD_LENGTH,
            Self::NetworkCharacteristics(NetworkCharacteristics::Both { .. }) => 3 * 4,
            Self::NetworkCharacteristics(_) => 2 * 4,
            Self::Other { header, .. } => header.len(),
        }
    }

    /// What follows the header.
    fn payload(&self) -> &'a [u8] {
        match *self {
            Self::BandwidthPayload(payload)
            | Self::BandwidthStopConnect(payload)
            | Self::Other { payload, .. } => payload,
            _ => &[],
        }
    }
}

impl Encode for AutoDetectRequest<'_> {
    fn name(&self) -> &'static str {
        "AutoDetectRequest"
    }

    fn size(&self) -> usize {
        COMMON_HEADER + self.kind.fields() + self.kind.payload().len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let Self {
            sequence_number,
            kind,
        } = self;
        write_header(
            dst,
            kind.fields(),
            TYPE_ID_REQUEST,
            *sequence_number,
            kind.code(),
            self.name(),
        )?;
        match *kind {
            DetectRequestKind::BandwidthPayload(payload)
            | DetectRequestKind::BandwidthStopConnect(payload) => {
                dst.u16_le(len_u16(payload.len(), self.name(), "payloadLength")?)?;
            }
            DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::RoundTrip {
                base_rtt_ms,
                average_rtt_ms,
            }) => {
                dst.u32_le(base_rtt_ms)?;
                dst.u32_le(average_rtt_ms)?;
            }
            DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::Bandwidth {
                bandwidth_kbps,
                average_rtt_ms,
            }) => {
                dst.u32_le(bandwidth_kbps)?;
                dst.u32_le(average_rtt_ms)?;
            }
            DetectRequestKind::NetworkCharacteristics(NetworkCharacteristics::Both {
                base_rtt_ms,
                bandwidth_kbps,
                average_rtt_ms,
            }) => {
                dst.u32_le(base_rtt_ms)?;
                dst.u32_le(bandwidth_kbps)?;
                dst.u32_le(average_rtt_ms)?;
            }
            DetectRequestKind::Other { header, .. } => dst.bytes(header)?,
            DetectRequestKind::RoundTrip(_)
            | DetectRequestKind::BandwidthStart(_)
            | DetectRequestKind::BandwidthStop { .. } => {}
        }
        dst.bytes(kind.payload())
    }
}

/// A response of the client (`autoDetectRspData`, MS-RDPBCGR 2.2.14.2 and 2.2.14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoDetectResponse {
    /// That of the request.
    pub sequence_number: u16,
    /// The answer.
    pub kind: DetectResponseKind,
}

/// The responses there are (`responseType`, MS-RDPBCGR 2.2.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectResponseKind {
    /// The echo of a round-trip request (`RDP_RTT_RESPONSE`, 2.2.14.2.1).
    RoundTrip,
    /// What was counted between start and stop (`RDP_BW_RESULTS`, 2.2.14.2.2).
    BandwidthResults {
        /// Whether it was while connecting.
        connect: bool,
        /// Milliseconds from the start to the stop.
        time_delta_ms: u32,
        /// Bytes received in that time.
        byte_count: u32,
    },
    /// What the client remembers of the network from an earlier connection, in place of measuring
    /// (`RDP_NETCHAR_SYNC`, 2.2.14.2.3).
    NetworkSync {
        /// In kilobits per second.
        bandwidth_kbps: u32,
        /// In milliseconds.
        rtt_ms: u32,
    },
}

const RTT_RESPONSE: u16 = 0x0000;
const BW_RESULTS_CONNECT: u16 = 0x0003;
const BW_RESULTS_CONTINUOUS: u16 = 0x000b;
const NETCHAR_SYNC: u16 = 0x0018;

impl Decode<'_> for AutoDetectResponse {
    const NAME: &'static str = "AutoDetectResponse";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let (sequence_number, code, mut header) = read_header(src, TYPE_ID_RESPONSE, "responseType")?;
        let kind = match code {
            RTT_RESPONSE => DetectResponseKind::RoundTrip,
            BW_RESULTS_CONNECT | BW_RESULTS_CONTINUOUS => DetectResponseKind::BandwidthResults {
                connect: code == BW_RESULTS_CONNECT,
                time_delta_ms: header.u32_le("timeDelta")?,
                byte_count: header.u32_le("byteCount")?,
            },
            NETCHAR_SYNC => DetectResponseKind::NetworkSync {
                bandwidth_kbps: header.u32_le("bandwidth")?,
                rtt_ms: header.u32_le("rtt")?,
            },
            // Unlike a request, a response of another kind cannot be an answer to anything we asked.
            other => return Err(header.invalid("responseType", other)),
        };
        Ok(Self {
            sequence_number,
            kind,
        })
    }
}

impl Encode for AutoDetectResponse {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        COMMON_HEADER
            + match self.kind {
                DetectResponseKind::RoundTrip => 0,
                DetectResponseKind::BandwidthResults { .. } | DetectResponseKind::NetworkSync { .. } => 2 * 4,
            }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let (code, fields) = match self.kind {
            DetectResponseKind::RoundTrip => (RTT_RESPONSE, None),
            DetectResponseKind::BandwidthResults {
                connect,
                time_delta_ms,
                byte_count,
            } => {
                let code = if connect {
                    BW_RESULTS_CONNECT
                } else {
                    BW_RESULTS_CONTINUOUS
                };
                (code, Some([time_delta_ms, byte_count]))
            }
            DetectResponseKind::NetworkSync {
                bandwidth_kbps,
                rtt_ms,
            } => (NETCHAR_SYNC, Some([bandwidth_kbps, rtt_ms])),
        };
        write_header(
            dst,
            fields.map_or(0, |_| 2 * 4),
            TYPE_ID_RESPONSE,
            self.sequence_number,
            code,
            Self::NAME,
        )?;
        fields
            .into_iter()
            .flatten()
            .try_for_each(|field| dst.u32_le(field))
    }
}

/// The server's sign of life (`TS_HEARTBEAT_PDU`, MS-RDPBCGR 2.2.16.1).
///
/// Travels behind a security header with [`HEARTBEAT`](crate::security::SecurityFlags::HEARTBEAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Seconds between heartbeats.
    pub period_seconds: u8,
    /// Heartbeats missed after which the client should warn.
    pub warn_after: u8,
    /// Heartbeats missed after which the client should reconnect.
    pub reconnect_after: u8,
}

impl Decode<'_> for Heartbeat {
    const NAME: &'static str = "Heartbeat";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        src.skip(1, "reserved")?;
        Ok(Self {
            period_seconds: src.u8("period")?,
            warn_after: src.u8("count1")?,
            reconnect_after: src.u8("count2")?,
        })
    }
}

impl Encode for Heartbeat {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&[0, self.period_seconds, self.warn_after, self.reconnect_after])
    }
}
