//! The transport: TPKT (RFC 1006) with X.224 class 0 inside, and RDP's security negotiation in its first two messages.
//!
//! Every slow-path PDU of a connection is an [`X224Data`] around an MCS PDU. The first request and its confirm are
//! [`ConnectionRequest`] and [`ConnectionConfirm`].

mod data;
pub use data::{DisconnectRequest, X224Data, X224Pdu};

mod header;

mod negotiation;
pub use negotiation::{FailureCode, RequestFlags, ResponseFlags, SecurityProtocol};

mod request;
pub use request::{ConnectionRequest, CorrelationId, NegotiationRequest, NegotiationToken};

mod confirm;
pub use confirm::{ConnectionConfirm, NegotiationOutcome};
