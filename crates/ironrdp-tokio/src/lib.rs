#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod stream;
pub use stream::{TokioFramed, TokioRead, TokioStream, TokioWriteAll};

pub use ironrdp_async::{
    DEFAULT_QUEUE_LIMIT, EndOfStream, Framed, FramedDuplex, FramedFlush, FramedRead, FramedWrite, QueueFull,
    READ_AHEAD, StreamWrapper, UnexpectedFrame, now, poll_fill, to_std,
};
