//! Who logs in to a server, and how the server knows.

use core::fmt;

use ironrdp_pdu::client_info::Secret;

/// A user as an NTLM login names it. Names are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LogonName {
    /// The user, or all of `user@realm`.
    pub user: String,
    /// The domain as the client was told it; empty if it was not.
    pub domain: String,
}

/// What a server knows about a user's password.
#[derive(Clone)]
pub enum UserSecret {
    /// The password.
    Password(Secret<String>),
    /// Its NT hash: MD4 of the UTF-16 password, as SAM files hold it. It is worth as much as the password to a thief.
    NtHash(Secret<[u8; 16]>),
}

impl fmt::Debug for UserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::NtHash(_) => "NtHash",
        })
    }
}

/// A login by network level authentication, as the server saw it.
#[derive(Debug, Clone)]
pub struct Logon {
    /// Who has proved to be it: to the server itself (NTLM), or to the KDC (Kerberos; the realm is the domain then).
    pub name: LogonName,
    /// How.
    pub method: LogonMethod,
    /// The credentials that the client handed over afterwards; empty in Restricted Admin mode. They are what the client says,
    /// and proved by nothing.
    pub delegated: DelegatedCredentials,
}

/// How a user proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogonMethod {
    /// NTLM version 2.
    Ntlm,
    /// A Kerberos ticket.
    Kerberos,
}

/// Credentials that a client hands to a server (`TSPasswordCreds`, MS-CSSP 2.2.1.2.1).
#[derive(Clone)]
pub struct DelegatedCredentials {
    /// The domain.
    pub domain: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

ironrdp_pdu::debug_hiding!(DelegatedCredentials { domain, user } hides { password });
