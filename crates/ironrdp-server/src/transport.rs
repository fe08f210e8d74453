//! A client's stream: plain until the upgrade, TLS after it.

use ironrdp_tokio::{TlsServerStream, Transport};

/// A plain stream, or the server's end of TLS over one.
pub type ServerTransport<T> = Transport<T, TlsServerStream<T>>;
