//! The crypto provider, chosen once for the whole crate.

use std::sync::{Arc, OnceLock};

#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as provider;
#[cfg(not(feature = "aws-lc-rs"))]
use rustls::crypto::ring as provider;

use rustls::crypto::CryptoProvider;
use rustls::crypto::hash::Hash;
use rustls::{CipherSuite, SupportedCipherSuite};

/// The provider used when none is given: ring, or aws-lc-rs with the feature of that name.
///
/// Of its cipher suites TLS13_AES_128_GCM_SHA256 comes first, as in browsers: SHA-384, which rustls prefers, costs a connection as
/// much as all of RDP does. The peer may choose any of them.
///
/// It is not installed as rustls' process-wide default: a library has no say in what the rest of the
/// process uses.
pub fn default_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| {
        let mut provider = provider::default_provider();
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        Arc::new(provider)
    }))
}

/// SHA-256 by the provider that is linked anyway: a fingerprint does not justify one more hash crate.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let hash: &dyn Hash = match provider::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
    };
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(hash.hash(data).as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{default_provider, sha256};
    use rustls::CipherSuite;

    #[test]
    fn the_cheapest_suite_comes_first_and_none_is_lost() {
        let ours = &default_provider().cipher_suites;
        let theirs = super::provider::default_provider().cipher_suites;
        assert_eq!(ours[0].suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(ours.len(), theirs.len());
        assert!(theirs.iter().all(|suite| ours.contains(suite)));
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2 appendix B.1: "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let got: String = sha256(b"abc").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(got, expected);
    }
}
