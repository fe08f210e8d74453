//! The message channel during a connection sequence.

use ironrdp_core::{MonotonicInstant, WriteBuf, decode};
use ironrdp_pdu::message_channel::{MessageChannelPdu, MessageChannelResponder};

use crate::ConnectorResult;
use crate::channel_io::{ChannelData, send_to_server};
use crate::result::Deferred;

/// Answers what the server asks; what is of no use before the session is counted.
pub(crate) fn answer(
    responder: &mut MessageChannelResponder,
    user_channel_id: u16,
    received: ChannelData<'_>,
    received_at: MonotonicInstant,
    deferred: &mut Deferred,
    out: &mut WriteBuf,
) -> ConnectorResult<()> {
    let pdu: MessageChannelPdu<'_> = decode(received.data)?;
    match &pdu {
        MessageChannelPdu::AutoDetect(_) | MessageChannelPdu::Multitransport(_) => {}
        MessageChannelPdu::Heartbeat(_) => deferred.ignore("a heartbeat before the session"),
        MessageChannelPdu::Other(_) => deferred.ignore("an unknown kind on the message channel"),
    }
    match responder.handle(&pdu, received_at) {
        Some(reply) => send_to_server(user_channel_id, received.channel_id, reply, out),
        None => Ok(()),
    }
}
