//! Server output on the fast path: updates without the headers of the slow one (MS-RDPBCGR 2.2.9.1.2).

mod body;
mod fragment;
pub(crate) mod header;
mod update;

pub use body::FastPathBody;
pub use fragment::FastPathFragments;
pub use update::{
    CompressionFlags, FastPathOutput, FastPathOutputPdu, FastPathUpdate, FastPathUpdates, Fragmentation,
    UpdateCode,
};
