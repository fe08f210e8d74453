//! Unpadded RSA, as licensing wants it (MS-RDPELE 5.1.2.1, MS-RDPBCGR 5.3.4.1).

use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::security::{CertificateBody, ServerCertificate};
use num_bigint::BigUint;

use super::{LicenseError, der};

/// Zero bytes that the wire has behind an RSA result.
const PADDING: usize = 8;

/// Bytes of the largest modulus used. Windows makes 2048-bit keys; the time of an exchange grows with the cube of it.
const MAX_MODULUS: usize = 512;

/// Bytes of the premaster secret, which must be smaller than the modulus.
const PREMASTER: usize = 48;

/// A server's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    modulus: BigUint,
    exponent: u32,
    modulus_bytes: usize,
}

impl PublicKey {
    /// The key of a server's certificate: the proprietary one's own, or that of a chain's last certificate.
    pub(super) fn of(certificate: &ServerCertificate) -> Result<Self, LicenseError> {
        match &certificate.body {
            CertificateBody::Proprietary(certificate) => {
                let key = &certificate.public_key;
                Self::new(BigUint::from_bytes_le(&key.modulus), key.exponent)
            }
            CertificateBody::X509(chain) => {
                let leaf = chain.leaf().ok_or(LicenseError::NoCertificate)?;
                let (modulus, exponent) =
                    der::rsa_key(leaf).ok_or(LicenseError::UnusableKey("is not RSA"))?;
                let exponent = u32::try_from(BigUint::from_bytes_be(exponent))
                    .map_err(|_| LicenseError::UnusableKey("has a huge exponent"))?;
                Self::new(BigUint::from_bytes_be(modulus), exponent)
            }
        }
    }

    fn new(modulus: BigUint, exponent: u32) -> Result<Self, LicenseError> {
        let modulus_bytes = usize::try_from(modulus.bits().div_ceil(8)).unwrap_or(usize::MAX);
        if modulus_bytes <= PREMASTER {
            return Err(LicenseError::UnusableKey("is too short"));
        }
        if modulus_bytes > MAX_MODULUS {
            return Err(LicenseError::UnusableKey("is too long"));
        }
        // An even modulus or exponent is no RSA key, and an exponent of 1 would send the secret in the clear.
        if !modulus.bit(0) || exponent < 3 || exponent.is_multiple_of(2) {
            return Err(LicenseError::UnusableKey("is not an RSA key"));
        }
        Ok(Self {
            modulus,
            exponent,
            modulus_bytes,
        })
    }

    /// Encrypts the premaster secret: little-endian, as long as the modulus, with its padding.
    pub(super) fn encrypt(&self, premaster: &[u8; PREMASTER]) -> Vec<u8> {
        let number = BigUint::from_bytes_le(premaster);
        let mut out = number
            .modpow(&BigUint::from(self.exponent), &self.modulus)
            .to_bytes_le();
        out.resize(self.modulus_bytes + PADDING, 0);
        out
    }
}

/// A licence issuer's own key.
///
/// Its arithmetic takes a time that depends on the key, so it must not protect anything but licensing: never the TLS key.
#[derive(Clone)]
pub(super) struct PrivateKey {
    public: PublicKey,
    exponent: Secret<Vec<u8>>,
}

ironrdp_pdu::debug_hiding!(PrivateKey { public } hides { exponent });

impl PrivateKey {
    /// The private `exponent` (big-endian) that belongs to `public`.
    pub(super) fn new(public: PublicKey, exponent: Secret<Vec<u8>>) -> Self {
        Self { public, exponent }
    }

    /// Decrypts a premaster secret; `None` if the result is not one.
    pub(super) fn decrypt(&self, encrypted: &[u8]) -> Option<Secret<[u8; PREMASTER]>> {
        let number = BigUint::from_bytes_le(encrypted);
        if number >= self.public.modulus {
            return None;
        }
        let exponent = BigUint::from_bytes_be(self.exponent.expose());
        let mut bytes = number.modpow(&exponent, &self.public.modulus).to_bytes_le();
        if bytes.len() > PREMASTER {
            return None;
        }
        bytes.resize(PREMASTER, 0);
        bytes.try_into().ok().map(Secret::new)
    }
}

#[cfg(test)]
pub(super) mod test_key {
    //! A key made for these tests and used nowhere else, and how the vectors are read.

    use ironrdp_pdu::client_info::Secret;
    use ironrdp_pdu::security::{
        CertificateBody, ProprietaryCertificate, RsaPublicKey, ServerCertificate, X509Chain,
    };

    pub(crate) const KEY: &str = include_str!("../../tests/vectors/license/test_key.json");
    pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../../tests/vectors/license/test_certificate.der");

    /// The bytes of the string `name` in flat JSON whose values are hex.
    pub(crate) fn field(json: &str, name: &str) -> Vec<u8> {
        let (_, rest) = json.split_once(&format!("\"{name}\": \"")).unwrap();
        let (hex, _) = rest.split_once('"').unwrap();
        assert!(hex.len().is_multiple_of(2));
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    pub(crate) fn private_exponent() -> Secret<Vec<u8>> {
        Secret::new(field(KEY, "private_exponent"))
    }

    pub(crate) fn proprietary() -> ServerCertificate {
        let mut modulus = field(KEY, "modulus");
        modulus.reverse();
        ServerCertificate {
            temporary: false,
            body: CertificateBody::Proprietary(ProprietaryCertificate {
                public_key: RsaPublicKey {
                    exponent: 65_537,
                    modulus,
                },
                signature: vec![0; 72],
            }),
        }
    }

    pub(crate) fn x509() -> ServerCertificate {
        ServerCertificate {
            temporary: true,
            body: CertificateBody::X509(X509Chain {
                certificates: vec![vec![0x30, 0], CERTIFICATE.to_vec()],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironrdp_core::decode;
    use ironrdp_pdu::license::{LicenseMessage, LicensePdu};
    use ironrdp_pdu::security::X509Chain;

    const WINDOWS_REQUEST: &[u8] = include_bytes!("../../tests/vectors/license/server_license_request.bin");
    const CAPTURED_CHAIN: &[u8] = include_bytes!("../../tests/vectors/license/x509_chain.bin");
    const CAPTURED_PROPRIETARY: &[u8] =
        include_bytes!("../../tests/vectors/license/proprietary_certificate.bin");

    #[test]
    fn what_the_public_key_encrypts_the_private_key_decrypts() {
        for certificate in [test_key::proprietary(), test_key::x509()] {
            let public = PublicKey::of(&certificate).unwrap();
            let private = PrivateKey::new(public.clone(), test_key::private_exponent());
            for premaster in [
                [0; 48],
                [0xff; 48],
                core::array::from_fn(|at| at.to_le_bytes()[0]),
            ] {
                let encrypted = public.encrypt(&premaster);
                assert_eq!(encrypted.len(), public.modulus_bytes + 8);
                assert_eq!(private.decrypt(&encrypted).unwrap().expose(), &premaster);
            }
            assert!(private.decrypt(&[0xff; 200]).is_none());
            assert!(private.decrypt(&[7; 64]).is_none());
        }
    }

    #[test]
    fn the_keys_of_captured_certificates_are_usable() {
        let LicenseMessage::LicenseRequest(request) = decode::<LicensePdu>(WINDOWS_REQUEST).unwrap().message
        else {
            panic!("another message");
        };
        let windows = PublicKey::of(&request.certificate().unwrap().unwrap()).unwrap();
        assert_eq!((windows.modulus_bytes, windows.exponent), (256, 65_537));
        let chain = PublicKey::of(&decode(CAPTURED_CHAIN).unwrap()).unwrap();
        assert_eq!(chain.exponent, 65_537);
        let proprietary = PublicKey::of(&decode(CAPTURED_PROPRIETARY).unwrap()).unwrap();
        assert_eq!(proprietary.modulus_bytes, 64);
    }

    #[test]
    fn keys_that_would_send_the_secret_in_the_clear_or_take_for_ever_are_refused() {
        let key = |modulus: &[u8], exponent| PublicKey::new(BigUint::from_bytes_le(modulus), exponent);
        assert!(key(&[0xff; 64], 3).is_ok());
        for (modulus, exponent) in [
            (&[0xff; 48][..], 3),
            (&[0xff; 513], 3),
            (&[], 3),
            (&[0xfe; 64], 3),
            (&[0xff; 64], 1),
            (&[0xff; 64], 0),
            (&[0xff; 64], 4),
        ] {
            let error = key(modulus, exponent).unwrap_err();
            assert!(matches!(error, LicenseError::UnusableKey(_)), "{error}");
        }
        let empty = ServerCertificate {
            temporary: false,
            body: CertificateBody::X509(X509Chain { certificates: vec![] }),
        };
        assert_eq!(PublicKey::of(&empty), Err(LicenseError::NoCertificate));
    }
}
