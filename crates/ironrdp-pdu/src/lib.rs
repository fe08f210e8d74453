#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

// How frames are told apart in the byte stream.
mod framing;
pub use framing::{
    ANY_HINT, Action, BerSequenceHint, FAST_PATH_HINT, FastPathHint, PduHint, PduInfo, RdpHint, X224_HINT,
    X224Hint, find_size,
};

// Connection: transport, negotiation, conference, security, licence.
pub mod autodetect;
mod ber;
pub mod client_info;
pub mod gcc;
pub mod license;
pub mod mcs;
pub mod message_channel;
pub mod multitransport;
mod per;
pub mod redirection;
pub mod security;
pub mod x224;

// The share: capabilities, finalisation, what a running session says about itself.
pub mod capability;
pub mod error_info;
pub mod finalization;
pub mod session_info;
pub mod share;

// Traffic of a running session.
pub mod channel;
pub mod fastpath;
pub mod input;
pub mod output;
pub mod pointer;
pub mod surface;

mod fields;

mod geometry;
pub use geometry::{DesktopSize, InclusiveRect, MonitorDef, MonitorFlags};

mod span;
pub mod text;
