//! What [`connect`](crate::connect()) needs to know beside the address.

#[cfg(feature = "kdc-proxy")]
pub(crate) use ironrdp_async::platform_tls;

use crate::KdcClient;

/// What the client asks for, which server certificates it accepts, and how Kerberos is spoken.
pub type ConnectConfig = ironrdp_async::ConnectConfig<KdcClient>;
