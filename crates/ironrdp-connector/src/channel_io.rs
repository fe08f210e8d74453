//! Sending and receiving on MCS channels during the sequence.

use ironrdp_core::{Encode, WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::mcs::{McsPdu, SERVER_USER_ID, SendDataIndication, SendDataRequest};
use ironrdp_pdu::x224::X224Data;

use crate::{ConnectorError, ConnectorResult, Refusal};

/// Data that arrived on an MCS channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelData<'a> {
    pub(crate) channel_id: u16,
    pub(crate) data: &'a [u8],
}

/// Reads one MCS PDU from a whole TPKT frame.
pub(crate) fn read_mcs(frame: &[u8]) -> ConnectorResult<McsPdu<'_>> {
    let X224Data(payload) = decode_exact::<X224Data<&[u8]>>(frame)?;
    Ok(decode_exact(payload)?)
}

/// Reads what the server sent on a channel; a server that disconnects instead is an error with its reason.
pub(crate) fn receive_from_server(frame: &[u8]) -> ConnectorResult<ChannelData<'_>> {
    match read_mcs(frame)? {
        McsPdu::SendDataIndication(indication) => Ok(ChannelData {
            channel_id: indication.channel_id,
            data: indication.user_data,
        }),
        other => Err(not_channel_data(&other)),
    }
}

/// Reads what the client sent on a channel; a client that disconnects instead is an error with its reason.
pub(crate) fn receive_from_client(frame: &[u8]) -> ConnectorResult<ChannelData<'_>> {
    match read_mcs(frame)? {
        McsPdu::SendDataRequest(request) => Ok(ChannelData {
            channel_id: request.channel_id,
            data: request.user_data,
        }),
        other => Err(not_client_data(&other)),
    }
}

/// The error for an MCS PDU of the server that is not the one waited for.
pub(crate) fn not_channel_data(pdu: &McsPdu<'_>) -> ConnectorError {
    out_of_place(pdu, "the server ended the connection")
}

/// The error for an MCS PDU of the client that is not the one waited for.
pub(crate) fn not_client_data(pdu: &McsPdu<'_>) -> ConnectorError {
    out_of_place(pdu, "the client ended the connection")
}

fn out_of_place(pdu: &McsPdu<'_>, ended: &'static str) -> ConnectorError {
    match pdu {
        McsPdu::DisconnectProviderUltimatum(ultimatum) => {
            ConnectorError::refused(Refusal::Disconnected(ultimatum.reason), ended)
        }
        _ => ConnectorError::unexpected("an MCS PDU that has no place here"),
    }
}

/// Writes `user_data` as a client's PDU on a channel.
pub(crate) fn send_to_server(
    initiator: u16,
    channel_id: u16,
    user_data: impl Encode,
    out: &mut WriteBuf,
) -> ConnectorResult<()> {
    encode_into(
        &X224Data(SendDataRequest {
            initiator,
            channel_id,
            user_data,
        }),
        out,
    )?;
    Ok(())
}

/// Writes `user_data` as the server's PDU on a channel.
pub(crate) fn send_to_client(
    channel_id: u16,
    user_data: impl Encode,
    out: &mut WriteBuf,
) -> ConnectorResult<()> {
    encode_into(
        &X224Data(SendDataIndication {
            initiator: SERVER_USER_ID,
            channel_id,
            user_data,
        }),
        out,
    )?;
    Ok(())
}
