//! Why a server disconnects: every code of the Set Error Info PDU with its name and its meaning.

use core::fmt;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

mod table;
use table::TABLE;

/// The server's reason for a disconnection that follows (`TS_SET_ERROR_INFO_PDU`, MS-RDPBCGR 2.2.5.1.1).
///
/// Codes unknown to the table are kept as they are. Prints as `ERRINFO_LOGOFF_BY_USER (0x0000000c): ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorInfo(pub u32);

/// Who is to blame for an [`ErrorInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorInfoCategory {
    /// Somebody or something ended the session in an orderly way, or the server could not go on.
    ProtocolIndependent,
    /// Licensing failed.
    Licensing,
    /// The connection broker could not bring client and session together.
    ConnectionBroker,
    /// The server did not like what the client sent: most likely a fault of the client.
    RdpSpecific,
    /// A code that the specification does not have.
    Unknown,
}

pub(crate) struct Entry {
    code: u32,
    name: &'static str,
    description: &'static str,
}

impl ErrorInfo {
    /// No error; servers send it to take an earlier code back. To be ignored.
    pub const NONE: Self = Self(0x0000_0000);
    /// An administrator disconnected the session.
    pub const RPC_INITIATED_DISCONNECT: Self = Self(0x0000_0001);
    /// An administrator logged the user off.
    pub const RPC_INITIATED_LOGOFF: Self = Self(0x0000_0002);
    /// The session was idle for too long.
    pub const IDLE_TIMEOUT: Self = Self(0x0000_0003);
    /// The session lasted too long.
    pub const LOGON_TIMEOUT: Self = Self(0x0000_0004);
    /// Another client took the session over.
    pub const DISCONNECTED_BY_OTHER_CONNECTION: Self = Self(0x0000_0005);
    /// The server refused the connection.
    pub const SERVER_DENIED_CONNECTION: Self = Self(0x0000_0007);
    /// The user may not log on remotely.
    pub const SERVER_INSUFFICIENT_PRIVILEGES: Self = Self(0x0000_0009);
    /// Saved credentials are not accepted.
    pub const SERVER_FRESH_CREDENTIALS_REQUIRED: Self = Self(0x0000_000a);
    /// The user disconnected the session from within.
    pub const RPC_INITIATED_DISCONNECT_BY_USER: Self = Self(0x0000_000b);
    /// The user logged off.
    pub const LOGOFF_BY_USER: Self = Self(0x0000_000c);

    fn entry(self) -> Option<&'static Entry> {
        let at = TABLE.binary_search_by_key(&self.0, |entry| entry.code).ok()?;
        TABLE.get(at)
    }

    /// The specification's name, for instance `ERRINFO_LOGOFF_BY_USER`; `None` for a code it does not have.
    pub fn name(&self) -> Option<&'static str> {
        self.entry().map(|entry| entry.name)
    }

    /// What it means, in one sentence without a full stop; the same for all codes the specification does not have.
    pub fn description(self) -> &'static str {
        self.entry()
            .map_or("the server gave a reason that is not documented", |entry| {
                entry.description
            })
    }

    /// Who is to blame.
    pub fn category(self) -> ErrorInfoCategory {
        match self.entry() {
            None => ErrorInfoCategory::Unknown,
            Some(_) => match self.0 {
                0..0x100 => ErrorInfoCategory::ProtocolIndependent,
                0x100..0x400 => ErrorInfoCategory::Licensing,
                0x400..0x1000 => ErrorInfoCategory::ConnectionBroker,
                _ => ErrorInfoCategory::RdpSpecific,
            },
        }
    }

    /// Whether it says that nothing is wrong.
    pub const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }

    /// All codes of the specification, lowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| Self(entry.code))
    }
}

impl fmt::Display for ErrorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().unwrap_or("ERRINFO");
        write!(f, "{name} (0x{:08x}): {}", self.0, self.description())
    }
}

impl Decode<'_> for ErrorInfo {
    const NAME: &'static str = "ErrorInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        src.u32_le("errorInfo").map(Self)
    }
}

impl Encode for ErrorInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.0)
    }
}
