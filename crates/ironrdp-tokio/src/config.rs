//! What [`connect`](crate::connect()) needs to know beside the address.

use crate::KdcClient;

/// What the client asks for, which server certificates it accepts, and how Kerberos is spoken.
pub type ConnectConfig = ironrdp_async::ConnectConfig<KdcClient>;
