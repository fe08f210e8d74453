#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod stream;
pub use stream::{FuturesFramed, FuturesRead, FuturesStream, FuturesWriteAll};

pub use ironrdp_async::{
    Answers, ClientAnswers, Driven, EndOfStream, Framed, FramedFlush, FramedRead, FramedWrite, Limit,
    LimitExceeded, Limits, NetworkClient, NoAnswers, NoNetwork, QueueFull, SLICE_READ_AHEAD, SessionStream,
    ShouldUpgrade, StreamError, StreamErrorKind, StreamWrapper, UnexpectedFrame, Upgraded, connect_begin,
    connect_finalize, drive, drive_while, exceeded_limit, mark_as_upgraded, now, poll_fill_slice,
    session_config, share, single_sequence_step, single_sequence_step_read, single_sequence_step_write,
    to_std,
};
