//! Bytes that wait to be sent.

use ironrdp_core::{Encode, WriteBuf, encode_into};
use ironrdp_pdu::mcs::SendDataRequest;
use ironrdp_pdu::share::{DataPdu, ShareData};
use ironrdp_pdu::x224::X224Data;

use crate::{Limit, SessionConfig, SessionResult};

/// Bytes kept between two sends: acknowledgements and input fit, so that a warm session does not allocate for them.
const KEPT_BYTES: usize = 512;

/// Whole frames that wait to be sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: WriteBuf,
    /// Whether the buffer has an allocation.
    is_warm: bool,
}

impl Outbox {
    /// Moves everything that waits to the end of `out`; gives the number of bytes.
    pub(crate) fn drain_into(&mut self, out: &mut WriteBuf) -> usize {
        let length = self.bytes.filled_len();
        out.extend_from_slice(self.bytes.filled());
        // The buffer doubles as it grows, so what is kept is less than twice this.
        self.bytes.clear();
        if length > KEPT_BYTES {
            self.release();
        }
        length
    }

    pub(crate) fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.release();
            self.is_warm = false;
        }
    }

    /// Whether [`release`](Self::release) would free anything.
    pub(crate) fn is_releasable(&self) -> bool {
        self.bytes.is_empty() && self.is_warm
    }

    /// Where the next frame will start, for [`take_back`](Self::take_back).
    pub(crate) fn mark(&self) -> usize {
        self.bytes.filled_len()
    }

    /// Drops every frame queued since the mark was taken.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// Queues a frame as it is.
    pub(crate) fn frame(&mut self, config: &SessionConfig, frame: impl Encode) -> SessionResult<()> {
        let wanted = self.bytes.filled_len().saturating_add(frame.size());
        config.limits.check(Limit::Output, wanted)?;
        self.is_warm = true;
        encode_into(&frame, &mut self.bytes)?;
        Ok(())
    }

    /// Queues `user_data` for a channel.
    pub(crate) fn channel(
        &mut self,
        config: &SessionConfig,
        channel_id: u16,
        user_data: impl Encode,
    ) -> SessionResult<()> {
        self.frame(
            config,
            X224Data(SendDataRequest {
                initiator: config.user_channel_id,
                channel_id,
                user_data,
            }),
        )
    }

    /// Queues a share data PDU.
    pub(crate) fn share_data(&mut self, config: &SessionConfig, pdu: impl DataPdu) -> SessionResult<()> {
        let data = ShareData::new(config.user_channel_id, config.share.share_id, pdu);
        self.channel(config, config.io_channel_id, data)
    }
}
