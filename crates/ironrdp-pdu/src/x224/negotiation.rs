//! The values that client and server negotiate security with.

use core::fmt;

use bitflags::bitflags;

bitflags! {
    /// Security protocols: those a client offers, or the one a server picks (`requestedProtocols`,
    /// MS-RDPBCGR 2.2.1.1.1). Empty is Standard RDP Security.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SecurityProtocol: u32 {
        /// TLS (`PROTOCOL_SSL`).
        const SSL = 0x0000_0001;
        /// CredSSP over TLS, that is network level authentication (`PROTOCOL_HYBRID`).
        const HYBRID = 0x0000_0002;
        /// RDSTLS, used after a redirection (`PROTOCOL_RDSTLS`).
        const RDSTLS = 0x0000_0004;
        /// CredSSP with the early user authorization result after it (`PROTOCOL_HYBRID_EX`).
        const HYBRID_EX = 0x0000_0008;
        /// Microsoft Entra authentication (`PROTOCOL_RDSAAD`).
        const RDSAAD = 0x0000_0010;
        const _ = !0;
    }
}

bitflags! {
    /// What a client asks for beside the protocols (`flags` of RDP_NEG_REQ, MS-RDPBCGR 2.2.1.1.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RequestFlags: u8 {
        /// Log on without sending credentials to the server.
        const RESTRICTED_ADMIN_MODE_REQUIRED = 0x01;
        /// Log on with redirected credentials (Remote Credential Guard).
        const REDIRECTED_AUTHENTICATION_MODE_REQUIRED = 0x02;
        /// A correlation id follows. Written from the request's own field; setting it by hand has no effect.
        const CORRELATION_INFO_PRESENT = 0x08;
        const _ = !0;
    }
}

bitflags! {
    /// What a server can do (`flags` of RDP_NEG_RSP, MS-RDPBCGR 2.2.1.2.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct ResponseFlags: u8 {
        /// It reads the GCC blocks added since RDP 5: monitors, message channel, multitransport.
        const EXTENDED_CLIENT_DATA_SUPPORTED = 0x01;
        /// It draws through the graphics pipeline channel.
        const DYNVC_GFX_PROTOCOL_SUPPORTED = 0x02;
        /// Reserved; Windows sets it.
        const RESERVED = 0x04;
        /// It logs on without credentials.
        const RESTRICTED_ADMIN_MODE_SUPPORTED = 0x08;
        /// It logs on with redirected credentials.
        const REDIRECTED_AUTHENTICATION_MODE_SUPPORTED = 0x10;
        const _ = !0;
    }
}

/// Why a server does not go on (`failureCode` of RDP_NEG_FAILURE, MS-RDPBCGR 2.2.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The client must offer TLS.
    SslRequired,
    /// The server speaks Standard RDP Security only.
    SslNotAllowed,
    /// The server has no certificate for TLS.
    SslCertificateMissing,
    /// The offered protocols and flags contradict each other.
    InconsistentFlags,
    /// The client must offer CredSSP (network level authentication).
    HybridRequired,
    /// The server wants TLS with a client certificate.
    SslWithUserAuthRequired,
    /// A code that is not in the specification.
    Other(u32),
}

impl FailureCode {
    /// The code on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Self::SslRequired => 1,
            Self::SslNotAllowed => 2,
            Self::SslCertificateMissing => 3,
            Self::InconsistentFlags => 4,
            Self::HybridRequired => 5,
            Self::SslWithUserAuthRequired => 6,
            Self::Other(code) => code,
        }
    }

    /// The failure that `code` stands for.
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::SslRequired,
            2 => Self::SslNotAllowed,
            3 => Self::SslCertificateMissing,
            4 => Self::InconsistentFlags,
            5 => Self::HybridRequired,
            6 => Self::SslWithUserAuthRequired,
            other => Self::Other(other),
        }
    }

    /// What the server means, for a user to read.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::SslRequired => "the server requires TLS",
            Self::SslNotAllowed => "the server allows only standard RDP security",
            Self::SslCertificateMissing => "the server has no certificate to use for TLS",
            Self::InconsistentFlags => "the server finds the requested protocols inconsistent",
            Self::HybridRequired => "the server requires network level authentication",
            Self::SslWithUserAuthRequired => "the server requires TLS with a client certificate",
            Self::Other(_) => "the server refused with an unknown code",
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(code) => write!(f, "{} (0x{code:08x})", self.meaning()),
            known => f.write_str(known.meaning()),
        }
    }
}
