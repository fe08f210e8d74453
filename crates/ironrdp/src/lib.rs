#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use ironrdp_async as r#async;
#[cfg(feature = "blocking")]
pub use ironrdp_blocking as blocking;
pub use ironrdp_bulk as bulk;
pub use ironrdp_connector as connector;
pub use ironrdp_core as core;
#[cfg(feature = "futures")]
pub use ironrdp_futures as futures;
pub use ironrdp_graphics as graphics;
pub use ironrdp_pdu as pdu;
#[cfg(feature = "server")]
pub use ironrdp_server as server;
pub use ironrdp_session as session;
#[cfg(any(feature = "tokio", feature = "futures", feature = "blocking"))]
pub use ironrdp_tls as tls;
#[cfg(feature = "tokio")]
pub use ironrdp_tokio as tokio;

/// The workspace's README, so that its examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct WorkspaceReadme;
