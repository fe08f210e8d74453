//! The share (T.128): the PDUs that set up a session and run in it, with their two headers.
//!
//! One MCS payload on the I/O channel holds one or more PDUs: iterate over [`SharePdus`]. Most are
//! [`SharePdu::Data`], whose payload may be compressed; [`ShareDataPdu::decode`] reads it afterwards. To send, wrap
//! a PDU in [`ShareData`] or [`ShareControl`], which write the headers with the right lengths.

mod data;
pub use data::ShareDataPdu;

mod display;
pub use display::{FrameAcknowledge, MonitorLayout, RefreshRect, SuppressOutput};

mod header;
pub use header::{
    ControlPduType, DataPdu, DataPduType, RawShareData, ShareControl, ShareControlBody, ShareControlHeader,
    ShareData, StreamId,
};

mod pdu;
pub use pdu::{DeactivateAll, SharePdu, SharePdus};

mod status;
pub use status::{
    AutoReconnectStatus, KeyboardLeds, PlaySound, SetKeyboardImeStatus, SetKeyboardIndicators, StatusCode,
    StatusInfo,
};
