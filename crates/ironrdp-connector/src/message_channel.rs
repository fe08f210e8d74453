//! The message channel during a connection sequence.

use ironrdp_core::{MonotonicInstant, WriteBuf, decode};
use ironrdp_pdu::message_channel::{MessageChannelPdu, MessageChannelResponder};

use crate::ConnectorResult;
use crate::channel_io::{ChannelData, send_to_server};

/// Answers what the server asks; what wants no answer is noted in the log.
pub(crate) fn answer(
    responder: &mut MessageChannelResponder,
    user_channel_id: u16,
    received: ChannelData<'_>,
    received_at: MonotonicInstant,
    out: &mut WriteBuf,
) -> ConnectorResult<()> {
    let pdu: MessageChannelPdu<'_> = decode(received.data)?;
    match responder.handle(&pdu, received_at) {
        Some(reply) => send_to_server(user_channel_id, received.channel_id, reply, out),
        None => {
            tracing::trace!(?pdu, "a message that wants no answer");
            Ok(())
        }
    }
}
