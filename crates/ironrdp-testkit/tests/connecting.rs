//! Connections in every runtime: a server that falls silent in each phase, KDCs good and bad, and futures that are dropped at every
//! await point.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(dead_code, reason = "the pipe has more than is needed here")]

#[path = "../../ironrdp-futures/tests/crumbs/mod.rs"]
mod crumbs;
#[path = "connecting/kdc.rs"]
mod kdc;
#[path = "connecting/kdc_proxy.rs"]
mod kdc_proxy;
#[path = "connecting/krb_error.rs"]
mod krb_error;
#[path = "connecting/restarts.rs"]
mod restarts;
#[path = "connecting/sessions.rs"]
mod sessions;
#[path = "connecting/silence.rs"]
mod silence;
