//! Who logs on and how: the Client Info packet and what hangs on it (MS-RDPBCGR 2.2.1.11.1.1).

mod auto_reconnect;
mod extended;
mod flags;
mod packet;
mod secret;
mod time_zone;

pub use auto_reconnect::{ClientAutoReconnect, ServerAutoReconnect};
pub use extended::{AddressFamily, DynamicTimeZone, ExtendedInfo};
pub use flags::{CompressionType, InfoFlags, PerformanceFlags};
pub use packet::ClientInfo;
pub use secret::Secret;
pub use time_zone::{SystemTime, TimeZone};
