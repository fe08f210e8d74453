//! The side of the comparison that is made of the IronRDP crates of Devolutions, and what their client in `src/bin` shares with it.

mod decode;

pub mod stack;
