//! A client's stream: plain until the upgrade, TLS after it.

use ironrdp_tokio::Transport;
use tokio_rustls::server::TlsStream;

/// A plain stream, or the server's end of TLS over one.
pub type ServerTransport<T> = Transport<T, TlsStream<T>>;
