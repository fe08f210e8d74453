//! What a connection needs to know beside the address.

#[cfg(feature = "async-io")]
pub(crate) use crate::KdcClient as Kdc;
#[cfg(not(feature = "async-io"))]
pub(crate) use ironrdp_async::NoNetwork as Kdc;

/// What the client asks for, which server certificates it accepts, and how Kerberos is spoken: by `KdcClient` where the feature
/// `async-io` is on, unless `K` is another way to a KDC.
pub type ConnectConfig<K = Kdc> = ironrdp_async::ConnectConfig<K>;
