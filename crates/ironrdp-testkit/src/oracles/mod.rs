//! What must hold for any bytes at all: no panic, no loop without end, no memory beyond what arrived, and what can be read
//! can be written and read again.
//!
//! Each takes bytes and panics if something does not hold. The fuzz targets and `tests/corpus.rs` call nothing else.

mod codecs;
pub use codecs::{bulk, graphics};

mod machines;
pub use machines::{Settings, acceptor, accepts, client, connects, nla, session, session_config, tokens};

mod server;
pub use server::{DESKTOP, RESIZED, guest, plays, server, server_session, serves};

mod wire;
pub use wire::{connection, input, login, output, share};

/// An oracle with the name of its fuzz target and of its corpus folder.
pub type Oracle = (&'static str, fn(&[u8]));

/// Every oracle.
pub const ALL: &[Oracle] = &[
    ("acceptor", acceptor),
    ("bulk", bulk),
    ("client", client),
    ("connection", connection),
    ("graphics", graphics),
    ("input", input),
    ("login", login),
    ("nla", nla),
    ("output", output),
    ("server", server),
    ("server_session", server_session),
    ("session", session),
    ("share", share),
    ("tokens", tokens),
];
