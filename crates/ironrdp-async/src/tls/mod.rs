//! TLS that holds no buffer while nothing is on its way.
//!
//! rustls' usual connection keeps a read buffer of 4 KiB for as long as it lives, and its queue of records besides. Its unbuffered
//! interface leaves all bytes to the caller: here they are the thread's, as those of [`Framed`](crate::Framed) are.

mod layer;
pub use layer::{ByteStream, TlsLayer, TlsSide};

mod stream;
pub use stream::{Tls, TlsHandshake};
