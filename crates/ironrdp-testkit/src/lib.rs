#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod frames;

mod interject;
pub use interject::Interject;

pub mod license;

pub mod oracles;

pub mod net;

mod pair;
pub use pair::{CLIENT_SEED, Chunks, Direction, Fault, Pair, PairOutcome, SERVER_SEED};

mod polling;
pub use polling::poll_once;

mod rng;
pub use rng::Rng;

mod script;
pub use script::Script;

mod transcript;
pub use transcript::{Transcript, TranscriptEntry};

pub mod vectors;
