//! Multipoint Communication Service (T.125): the conference that a connection is, its users and its channels.
//!
//! [`ConnectInitial`] and [`ConnectResponse`] carry the settings of both sides; after them every slow-path PDU is a
//! [`McsPdu`], nearly always [`SendDataRequest`] (to the server) or [`SendDataIndication`] (to the client).

mod connect;
pub use connect::{ConnectInitial, ConnectRefusal, ConnectResponse, DomainParameters};

mod data;
pub use data::{SendDataIndication, SendDataRequest};

mod domain;
pub use domain::{
    AttachUserConfirm, AttachUserRequest, ChannelJoinConfirm, ChannelJoinRequest,
    DisconnectProviderUltimatum, DisconnectReason, ErectDomainRequest, McsPdu,
};

mod result;
pub use result::McsResult;

/// Channel of the share: Windows and all other servers put the I/O channel here, but a client takes the number from
/// [`ServerNetworkData`](crate::gcc::ServerNetworkData).
pub const IO_CHANNEL_ID: u16 = 1003;

/// Lowest user id; on the wire users are counted from it.
pub const USER_ID_BASE: u16 = 1001;

/// The user id of the server itself, initiator of what it sends.
pub const SERVER_USER_ID: u16 = 1002;
