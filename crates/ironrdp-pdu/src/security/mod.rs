//! Security headers, the Security Exchange and server certificates (MS-RDPBCGR 2.2.8.1.1.2, 2.2.1.10, 2.2.1.4.3).

mod certificate;
mod exchange;
mod header;

pub use certificate::{CertificateBody, ProprietaryCertificate, RsaPublicKey, ServerCertificate, X509Chain};
pub use exchange::SecurityExchange;
pub use header::{BasicSecurity, SecurityFlags, SecurityHeader};
