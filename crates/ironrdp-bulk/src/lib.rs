#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bits;

mod compress;
pub use compress::Compressor;

mod decompress;
pub use decompress::Decompressor;

mod error;
pub use error::{BulkError, BulkErrorKind, BulkResult};

mod flags;
pub use flags::{CompressionFlags, CompressionType};
