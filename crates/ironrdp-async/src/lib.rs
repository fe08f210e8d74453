#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod chunk;
pub use chunk::{READ_AHEAD, poll_fill};

mod clock;
pub use clock::{now, to_std};

mod error;
pub use error::{EndOfStream, UnexpectedFrame};

mod framed;
pub use framed::Framed;

mod queue;
pub use queue::{DEFAULT_QUEUE_LIMIT, QueueFull};

mod traits;
pub use traits::{FramedDuplex, FramedFlush, FramedRead, FramedWrite, StreamWrapper};
