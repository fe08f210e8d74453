//! Licensing from both ends (MS-RDPELE): the messages are in `ironrdp_pdu::license`, the order and the cryptography here.
//!
//! Sans I/O like everything in this crate: random bytes come in, messages go in and out. The protocol's MD5, RC4 and
//! unpadded RSA protect nothing worth protecting by today's measure, and run inside TLS; they are here because servers
//! insist on them.

mod client;
mod config;
mod der;
mod error;
mod keys;
mod rsa;
mod server;

pub(crate) use client::{LicenseExchange, LicenseStep};
pub(crate) use config::{LicenseConfig, LicenseRandom};
pub(crate) use error::LicenseError;
pub(crate) use server::{
    LicenseIssuer, LicensePolicy, LicenseServer, LicenseServerRandom, LicenseServerStep,
};

#[cfg(test)]
mod tests;
