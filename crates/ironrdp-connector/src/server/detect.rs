//! Measures the network while the client connects (MS-RDPBCGR 1.3.9, 2.2.14).

use core::time::Duration;

use ironrdp_core::{MonotonicInstant, WriteBuf, decode};
use ironrdp_pdu::autodetect::{
    AutoDetectRequest, AutoDetectResponse, DetectPhase, DetectRequestKind, DetectResponseKind,
    NetworkCharacteristics,
};
use ironrdp_pdu::client_info::ClientInfo;
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};

use super::ServerState;
use super::result::Facts;
use super::secure_settings::Authorize;
use crate::channel_io::{receive_from_client, send_to_client};
use crate::{ConnectorError, ConnectorResult, StepInput};

/// Bytes in each of the two packets whose time is taken. Together they last long enough to be measured on a slow line
/// (16 KiB are 130 ms at 1 Mbit/s) and cost nothing on a fast one.
const PAYLOAD_BYTES: usize = 8 * 1024;

const ROUND_TRIP: u16 = 0;
const BANDWIDTH: u16 = 1;

/// What the measurement while connecting found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkMeasurement {
    /// From a request to its answer.
    pub round_trip: Duration,
    /// In kilobits a second.
    pub bandwidth_kbps: u32,
}

/// Waiting for the client's answers. Who it is waits meanwhile: asking outside would spoil the round trip's time.
#[derive(Debug)]
pub(super) struct DetectNetwork {
    info: ClientInfo,
    channel_id: u16,
    waiting_for: Answer,
}

#[derive(Debug)]
enum Answer {
    RoundTrip { sent_at: MonotonicInstant },
    Bandwidth { round_trip: Duration },
}

impl DetectNetwork {
    pub(super) fn start(
        info: ClientInfo,
        channel_id: u16,
        now: MonotonicInstant,
        out: &mut WriteBuf,
    ) -> ConnectorResult<Self> {
        let detect = Self {
            info,
            channel_id,
            waiting_for: Answer::RoundTrip { sent_at: now },
        };
        detect.send(
            ROUND_TRIP,
            DetectRequestKind::RoundTrip(DetectPhase::Connect),
            out,
        )?;
        Ok(detect)
    }

    fn send(
        &self,
        sequence_number: u16,
        kind: DetectRequestKind<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<()> {
        let request = BasicSecurity {
            flags: SecurityFlags::AUTODETECT_REQUEST,
            body: AutoDetectRequest {
                sequence_number,
                kind,
            },
        };
        send_to_client(self.channel_id, request, out)
    }

    pub(super) fn handle(
        mut self: Box<Self>,
        facts: &mut Facts,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let received = receive_from_client(input.bytes)?;
        if received.channel_id == facts.io_channel_id {
            return Err(ConnectorError::unexpected(
                "a PDU on the I/O channel while the network is measured",
            ));
        }
        if received.channel_id != self.channel_id {
            facts.deferred.push(input.bytes)?;
            return Ok(ServerState::DetectNetwork(self));
        }
        let message: BasicSecurity<&[u8]> = decode(received.data)?;
        if !message.flags.contains(SecurityFlags::AUTODETECT_RESPONSE) {
            facts.deferred.ignore("an unknown kind on the message channel");
            return Ok(ServerState::DetectNetwork(self));
        }
        let response: AutoDetectResponse = decode(message.body)?;
        match (&self.waiting_for, response.kind) {
            (Answer::RoundTrip { sent_at }, DetectResponseKind::RoundTrip)
                if response.sequence_number == ROUND_TRIP =>
            {
                let round_trip = input.received_at - *sent_at;
                self.waiting_for = Answer::Bandwidth { round_trip };
                self.send_payload(out)?;
                Ok(ServerState::DetectNetwork(self))
            }
            (
                Answer::Bandwidth { round_trip },
                DetectResponseKind::BandwidthResults {
                    time_delta_ms,
                    byte_count,
                    ..
                },
            ) => {
                let measured = NetworkMeasurement {
                    round_trip: *round_trip,
                    bandwidth_kbps: kilobits_per_second(byte_count, time_delta_ms),
                };
                self.finish(measured, facts, out)
            }
            // 2.2.14.2.3: a client that was here before tells what it remembers, which saves measuring.
            (
                _,
                DetectResponseKind::NetworkSync {
                    bandwidth_kbps,
                    rtt_ms,
                },
            ) => {
                let measured = NetworkMeasurement {
                    round_trip: Duration::from_millis(rtt_ms.into()),
                    bandwidth_kbps,
                };
                self.finish(measured, facts, out)
            }
            // An answer to nothing that was asked changes nothing.
            _ => {
                facts.deferred.ignore("an answer to nothing that was asked");
                Ok(ServerState::DetectNetwork(self))
            }
        }
    }

    fn send_payload(&self, out: &mut WriteBuf) -> ConnectorResult<()> {
        // Bytes that a compressing line cannot shrink much.
        let payload: Vec<u8> = (0..PAYLOAD_BYTES)
            .map(|at| at.wrapping_mul(0x9e37_79b1).to_le_bytes()[3])
            .collect();
        self.send(
            BANDWIDTH,
            DetectRequestKind::BandwidthStart(DetectPhase::Connect),
            out,
        )?;
        self.send(BANDWIDTH, DetectRequestKind::BandwidthPayload(&payload), out)?;
        self.send(BANDWIDTH, DetectRequestKind::BandwidthStopConnect(&payload), out)
    }

    /// Tells the client what was found, then asks outside.
    fn finish(
        self: Box<Self>,
        measured: NetworkMeasurement,
        facts: &mut Facts,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let round_trip_ms = u32::try_from(measured.round_trip.as_millis()).unwrap_or(u32::MAX);
        let found = NetworkCharacteristics::Both {
            base_rtt_ms: round_trip_ms,
            bandwidth_kbps: measured.bandwidth_kbps,
            average_rtt_ms: round_trip_ms,
        };
        self.send(BANDWIDTH, DetectRequestKind::NetworkCharacteristics(found), out)?;
        tracing::debug!(?measured, "network measured");
        facts.network = Some(measured);
        Ok(Authorize::next(self.info, facts))
    }
}

/// Bits in a millisecond are kilobits in a second; less than a millisecond counts as one.
fn kilobits_per_second(bytes: u32, milliseconds: u32) -> u32 {
    let kbps = u64::from(bytes) * 8 / u64::from(milliseconds.max(1));
    u32::try_from(kbps).unwrap_or(u32::MAX)
}
