//! Whole frames, for peers that say what no machine of ours would.

use ironrdp_core::{Encode, encode_vec};
use ironrdp_pdu::mcs::{
    DisconnectProviderUltimatum, DisconnectReason, SERVER_USER_ID, SendDataIndication, SendDataRequest,
};
use ironrdp_pdu::share::{DataPdu, ShareData};
use ironrdp_pdu::x224::{ConnectionConfirm, NegotiationOutcome, X224Data};

/// `pdu` in an X.224 Data frame: for MCS PDUs.
pub fn x224(pdu: impl Encode) -> Vec<u8> {
    encode(&X224Data(pdu))
}

/// `pdu` from the server on a channel.
pub fn from_server(channel_id: u16, pdu: impl Encode) -> Vec<u8> {
    x224(SendDataIndication {
        initiator: SERVER_USER_ID,
        channel_id,
        user_data: pdu,
    })
}

/// `pdu` from the client with this user id on a channel.
pub fn from_client(initiator: u16, channel_id: u16, pdu: impl Encode) -> Vec<u8> {
    x224(SendDataRequest {
        initiator,
        channel_id,
        user_data: pdu,
    })
}

/// A share data PDU from the server on the I/O channel.
pub fn share_data(io_channel_id: u16, share_id: u32, pdu: impl DataPdu) -> Vec<u8> {
    from_server(io_channel_id, ShareData::new(SERVER_USER_ID, share_id, pdu))
}

/// A server's answer to the offer of security protocols.
pub fn confirm(outcome: NegotiationOutcome) -> Vec<u8> {
    encode(&ConnectionConfirm::new(outcome))
}

/// The end of a connection.
pub fn ultimatum(reason: DisconnectReason) -> Vec<u8> {
    x224(DisconnectProviderUltimatum { reason })
}

/// The bytes of a PDU made by a test, which always fits.
#[expect(
    clippy::expect_used,
    reason = "a test's own PDU that cannot be encoded is a bug of the test"
)]
pub fn encode(pdu: &impl Encode) -> Vec<u8> {
    encode_vec(pdu).expect("a PDU that fits the wire")
}
