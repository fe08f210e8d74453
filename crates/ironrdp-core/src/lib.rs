#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod codec;
pub use codec::{Decode, Encode, decode, decode_exact, encode_into, encode_vec, len_u8, len_u16, len_u32};

mod error;
pub use error::{DecodeError, DecodeErrorKind, DecodeResult, EncodeError, EncodeErrorKind, EncodeResult};

mod frame_buf;
pub use frame_buf::FrameBuf;

mod instant;
pub use instant::MonotonicInstant;

mod limits;
pub use limits::{Limit, LimitExceeded, Limits};

mod liveness;
pub use liveness::Liveness;

mod read_cursor;
pub use read_cursor::ReadCursor;

mod write_buf;
pub use write_buf::WriteBuf;

mod write_cursor;
pub use write_cursor::WriteCursor;
