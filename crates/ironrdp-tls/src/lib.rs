#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod certificate;
mod client;
mod crypto;
mod der;
mod error;
mod fingerprint;
mod known_hosts;
mod name;
mod policy;
mod rejection;
mod roots;
mod server;
mod time;
mod verifier;
mod x509;

pub use certificate::{PeerCertificate, PublicKeyType};
pub use client::{TlsClient, TlsClientBuilder};
pub use crypto::default_provider;
pub use der::X509Error;
pub use error::{TlsError, TlsErrorKind, TlsResult};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use known_hosts::{KnownHosts, KnownHostsError, KnownHostsErrorKind, KnownKey};
pub use policy::{CertificatePolicy, Pin};
pub use rejection::{CertificateRejection, RejectionReason};
pub use server::TlsServer;
pub use time::CertificateTime;
