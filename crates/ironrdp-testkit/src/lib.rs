#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod frames;

mod interject;
pub use interject::Interject;

pub mod license;

mod pair;
pub use pair::{Chunks, Direction, Fault, Pair, PairOutcome};

mod rng;
pub use rng::Rng;

mod script;
pub use script::Script;

mod transcript;
pub use transcript::{Transcript, TranscriptEntry};

pub mod vectors;
