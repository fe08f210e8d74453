//! Network Level Authentication: CredSSP (MS-CSSP) inside TLS, with NTLM or Kerberos.
//!
//! The framing, the proof of the certificate and the delegation of the credentials are written here; the `sspi` crate does
//! the authentication protocols behind [`package`], and appears nowhere else.

mod authenticate;
pub(crate) use authenticate::Authenticate;

mod authenticate_client;
pub(crate) use authenticate_client::AuthenticateClient;

mod client;

mod der;

mod exchange;

mod keytab;
pub use keytab::{Keytab, KeytabEntry};

mod krb_error;

mod ntlm;
pub use ntlm::NtlmChallenge;

mod ntlm_seal;

mod package;

mod probe;
pub use probe::NtlmProbe;

mod public_key;

mod quiet;

mod server;

mod spnego;

mod ts_credentials;

mod ts_request;
pub use ts_request::TsRequest;

mod wrap_token;

use ts_credentials::TsCredentials;

use crate::{KerberosConfig, ServerName};

/// The first version that binds the public key with a nonce; those before it let an attacker in the middle reuse a login
/// (CVE-2018-0886).
const FIRST_VERSION_WITH_NONCE: u32 = 5;

/// Who logs in, where, and how.
pub(crate) struct Login {
    credentials: TsCredentials,
    server: ServerName,
    /// The contents of the `subjectPublicKey` bit string of the server's certificate.
    public_key: Vec<u8>,
    nonce: [u8; TsRequest::NONCE_SIZE],
    mechanism: Mechanism,
    client_name: String,
    restricted_admin: bool,
    /// Whether CredSSP before version 5 will do.
    allow_old: bool,
}

/// The authentication protocol.
enum Mechanism {
    /// NTLM as it is, the shortest exchange.
    Ntlm,
    /// NTLM in SPNEGO: a round trip more, for servers that want it so.
    NtlmInSpnego,
    /// Kerberos in SPNEGO.
    Kerberos(KerberosConfig),
}

#[cfg(test)]
mod vector_tests;

#[cfg(test)]
mod client_tests;

#[cfg(test)]
mod hostile_server_tests;

#[cfg(test)]
mod kerberos_tests;

#[cfg(test)]
mod test_kdc;

#[cfg(test)]
mod log_tests;

#[cfg(test)]
mod server_tests;

#[cfg(test)]
mod server_version_tests;
