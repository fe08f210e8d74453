//! The message channel: what a server sends on it, and what a client must answer, before and in a session alike.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, MonotonicInstant, ReadCursor, WriteCursor};

use crate::autodetect::{
    AutoDetectRequest, AutoDetectResponse, DetectPhase, DetectRequestKind, DetectResponseKind, Heartbeat,
};
use crate::multitransport::{MultitransportRequest, MultitransportResponse};
use crate::security::{BasicSecurity, SecurityFlags};

/// One PDU of a server on the message channel (MS-RDPBCGR 2.2.14, 2.2.15, 2.2.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageChannelPdu<'a> {
    /// A measurement.
    AutoDetect(AutoDetectRequest<'a>),
    /// An offer to open a UDP side channel.
    Multitransport(MultitransportRequest),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// A kind this implementation does not know.
    Other(BasicSecurity<&'a [u8]>),
}

impl<'de> Decode<'de> for MessageChannelPdu<'de> {
    const NAME: &'static str = "MessageChannelPdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let mut body = src.clone();
        let outer = BasicSecurity::<&[u8]>::decode(src)?;
        body.skip(4, "securityHeader")?;
        Ok(if outer.flags.contains(SecurityFlags::AUTODETECT_REQUEST) {
            Self::AutoDetect(AutoDetectRequest::decode(&mut body)?)
        } else if outer.flags.contains(SecurityFlags::TRANSPORT_REQUEST) {
            Self::Multitransport(MultitransportRequest::decode(&mut body)?)
        } else if outer.flags.contains(SecurityFlags::HEARTBEAT) {
            Self::Heartbeat(Heartbeat::decode(&mut body)?)
        } else {
            Self::Other(outer)
        })
    }
}

/// What a client answers on the message channel, security header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageChannelReply {
    /// The result of a measurement.
    AutoDetect(AutoDetectResponse),
    /// The side channel is not wanted.
    MultitransportDeclined(MultitransportResponse),
}

impl Encode for MessageChannelReply {
    fn name(&self) -> &'static str {
        "MessageChannelReply"
    }

    fn size(&self) -> usize {
        match self {
            Self::AutoDetect(response) => secured(SecurityFlags::AUTODETECT_RESPONSE, response).size(),
            Self::MultitransportDeclined(response) => {
                secured(SecurityFlags::TRANSPORT_RESPONSE, response).size()
            }
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        match self {
            Self::AutoDetect(response) => secured(SecurityFlags::AUTODETECT_RESPONSE, response).encode(dst),
            Self::MultitransportDeclined(response) => {
                secured(SecurityFlags::TRANSPORT_RESPONSE, response).encode(dst)
            }
        }
    }
}

fn secured<T: Encode>(flags: SecurityFlags, body: T) -> BasicSecurity<T> {
    BasicSecurity { flags, body }
}

/// Answers what a server asks on the message channel: round trips, bandwidth, side channels (which it declines).
///
/// Takes the time of arrival, so that a bandwidth measurement counts network time and not the time a PDU waited.
#[derive(Debug, Default)]
pub struct MessageChannelResponder {
    measurement: Option<Measurement>,
}

#[derive(Debug)]
struct Measurement {
    started: MonotonicInstant,
    bytes: u64,
}

impl MessageChannelResponder {
    /// Counts `bytes` that arrived on the connection; continuous bandwidth measurement is over everything.
    pub fn count(&mut self, bytes: usize) {
        if let Some(measurement) = &mut self.measurement {
            measurement.bytes = measurement
                .bytes
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Takes one PDU and gives the answer it wants, if it wants one.
    pub fn handle(
        &mut self,
        pdu: &MessageChannelPdu<'_>,
        received_at: MonotonicInstant,
    ) -> Option<MessageChannelReply> {
        match pdu {
            MessageChannelPdu::AutoDetect(request) => {
                let kind = self.detect(&request.kind, received_at)?;
                let sequence_number = request.sequence_number;
                Some(MessageChannelReply::AutoDetect(AutoDetectResponse {
                    sequence_number,
                    kind,
                }))
            }
            MessageChannelPdu::Multitransport(request) => Some(MessageChannelReply::MultitransportDeclined(
                MultitransportResponse {
                    request_id: request.request_id,
                    result: MultitransportResponse::E_ABORT,
                },
            )),
            MessageChannelPdu::Heartbeat(_) | MessageChannelPdu::Other(_) => None,
        }
    }

    fn detect(&mut self, kind: &DetectRequestKind<'_>, now: MonotonicInstant) -> Option<DetectResponseKind> {
        match *kind {
            DetectRequestKind::RoundTrip(_) => Some(DetectResponseKind::RoundTrip),
            // A lossy measurement runs over UDP, which we decline.
            DetectRequestKind::BandwidthStart(DetectPhase::ContinuousLossy) => None,
            DetectRequestKind::BandwidthStart(_) => {
                self.measurement = Some(Measurement {
                    started: now,
                    bytes: 0,
                });
                None
            }
            DetectRequestKind::BandwidthPayload(payload) => {
                self.count(payload.len());
                None
            }
            DetectRequestKind::BandwidthStopConnect(payload) => {
                self.count(payload.len());
                self.results(true, now)
            }
            DetectRequestKind::BandwidthStop { .. } => self.results(false, now),
            DetectRequestKind::NetworkCharacteristics(_) | DetectRequestKind::Other { .. } => None,
        }
    }

    /// A stop without a start still gets an answer: the server waits for one.
    fn results(&mut self, connect: bool, now: MonotonicInstant) -> Option<DetectResponseKind> {
        let measurement = self.measurement.take().unwrap_or(Measurement {
            started: now,
            bytes: 0,
        });
        Some(DetectResponseKind::BandwidthResults {
            connect,
            time_delta_ms: u32::try_from((now - measurement.started).as_millis()).unwrap_or(u32::MAX),
            byte_count: u32::try_from(measurement.bytes).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn request(kind: DetectRequestKind<'_>) -> MessageChannelPdu<'_> {
        MessageChannelPdu::AutoDetect(AutoDetectRequest {
            sequence_number: 7,
            kind,
        })
    }

    #[test]
    fn bandwidth_is_the_bytes_and_the_time_between_start_and_stop() {
        let mut responder = MessageChannelResponder::default();
        let start = MonotonicInstant::ORIGIN + Duration::from_secs(5);
        assert_eq!(
            responder.handle(
                &request(DetectRequestKind::BandwidthStart(DetectPhase::Connect)),
                start
            ),
            None
        );
        assert_eq!(
            responder.handle(&request(DetectRequestKind::BandwidthPayload(&[0; 1000])), start),
            None
        );
        let stop = start + Duration::from_millis(40);
        let reply = responder.handle(&request(DetectRequestKind::BandwidthStopConnect(&[0; 500])), stop);
        let kind = DetectResponseKind::BandwidthResults {
            connect: true,
            time_delta_ms: 40,
            byte_count: 1500,
        };
        assert_eq!(
            reply,
            Some(MessageChannelReply::AutoDetect(AutoDetectResponse {
                sequence_number: 7,
                kind
            }))
        );
    }

    #[test]
    fn a_side_channel_is_declined() {
        let request = MultitransportRequest {
            request_id: 9,
            protocol: crate::multitransport::TransportProtocol::UdpReliable,
            security_cookie: crate::client_info::Secret::new([1; 16]),
        };
        let reply = MessageChannelResponder::default().handle(
            &MessageChannelPdu::Multitransport(request),
            MonotonicInstant::ORIGIN,
        );
        assert_eq!(
            reply,
            Some(MessageChannelReply::MultitransportDeclined(
                MultitransportResponse {
                    request_id: 9,
                    result: MultitransportResponse::E_ABORT,
                }
            ))
        );
    }
}
