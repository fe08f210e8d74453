//! A licence authority for tests, with a key that everybody knows.

use ironrdp_connector::LicenseAuthority;
use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::license::ProductInfo;
use ironrdp_pdu::security::{CertificateBody, ProprietaryCertificate, RsaPublicKey, ServerCertificate};

/// Made for tests and used nowhere else.
const KEY: &str = include_str!("../../ironrdp-connector/tests/vectors/license/test_key.json");

/// An authority that issues the bytes `licence` for product `A02` of `Test`.
#[expect(clippy::expect_used, reason = "the key is in the repository")]
pub fn authority() -> LicenseAuthority {
    let mut modulus = field("modulus");
    modulus.reverse();
    let certificate = ServerCertificate {
        temporary: false,
        body: CertificateBody::Proprietary(ProprietaryCertificate {
            public_key: RsaPublicKey {
                exponent: 65_537,
                modulus,
            },
            signature: vec![0; 72],
        }),
    };
    let product = ProductInfo {
        version: 0x0006_0000,
        company_name: "Test".to_owned(),
        product_id: "A02".to_owned(),
    };
    let exponent = Secret::new(field("private_exponent"));
    LicenseAuthority::new(&certificate, exponent, product, "lab.test", *b"licence").expect("a usable key")
}

/// The bytes of a string of hex digits in flat JSON.
#[expect(clippy::expect_used, reason = "the key is in the repository")]
fn field(name: &str) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_str(KEY).expect("JSON");
    let digits = value
        .get(name)
        .and_then(serde_json::Value::as_str)
        .expect("a field of hex digits");
    crate::vectors::from_hex(digits).expect("hex digits")
}
