//! Reading certificates: real ones, and ones cut or flipped at every byte.

#[cfg(test)]
mod support;

use std::collections::BTreeMap;

use ironrdp_tls::{Fingerprint, PeerCertificate, PublicKeyType};
use rustls::pki_types::CertificateDer;
use support::der;

const ALL: [&str; 17] = [
    "root",
    "good",
    "good-rsa",
    "expired",
    "not-yet",
    "client-only",
    "windows",
    "windows-renewed",
    "self-signed",
    "ec384",
    "ed25519",
    "v1-rsa",
    "v1-ec",
    "sha1",
    "rsa1024",
    "odd-name",
    "foreign",
];

#[test]
fn what_openssl_prints_is_what_we_read() {
    // openssl x509 -noout -fingerprint -sha256; openssl x509 -noout -pubkey | openssl pkey -pubin -outform der | sha256sum
    let expected: BTreeMap<String, (String, String)> = String::from_utf8(support::data("fingerprints.txt"))
        .unwrap()
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            (fields[0].to_owned(), (fields[1].to_owned(), fields[2].to_owned()))
        })
        .collect();
    for name in ALL {
        let der = der(name);
        let certificate = PeerCertificate::from_der(&der).unwrap();
        let (sha256, public_key) = &expected[name];
        assert_eq!(certificate.sha256().to_string(), *sha256, "{name}");
        assert_eq!(certificate.public_key_sha256().to_string(), *public_key, "{name}");
        assert_eq!(certificate.sha256(), Fingerprint::of(&der));
        // The key is the tail of the SubjectPublicKeyInfo.
        assert!(
            certificate.spki().ends_with(certificate.subject_public_key()),
            "{name}"
        );
    }
}

#[test]
fn keys_are_described() {
    for (name, kind, bits, key_len) in [
        ("windows", PublicKeyType::Rsa, 2_048, 270),
        ("rsa1024", PublicKeyType::Rsa, 1_024, 140),
        ("v1-ec", PublicKeyType::EcdsaP256, 256, 65),
        ("ec384", PublicKeyType::EcdsaP384, 384, 97),
        ("ed25519", PublicKeyType::Ed25519, 256, 32),
    ] {
        let der = der(name);
        let certificate = PeerCertificate::from_der(&der).unwrap();
        assert_eq!(certificate.key_type(), kind, "{name}");
        assert_eq!(certificate.key_bits(), Some(bits), "{name}");
        assert_eq!(certificate.subject_public_key().len(), key_len, "{name}");
    }
}

#[test]
fn names_and_dates_are_those_of_the_certificate() {
    let good = der("good");
    let certificate = PeerCertificate::from_der(&good).unwrap();
    assert_eq!(certificate.subject(), "CN=rdp.example");
    assert_eq!(certificate.issuer(), "CN=RDP test root");
    assert!(!certificate.is_self_signed());
    assert_eq!(
        certificate.not_before().unwrap().to_string(),
        "2024-01-01T00:00:00Z"
    );
    assert_eq!(
        certificate.not_after().unwrap().to_string(),
        "2124-01-01T00:00:00Z"
    );

    let odd = der("odd-name");
    let certificate = PeerCertificate::from_der(&odd).unwrap();
    assert!(certificate.is_self_signed());
    assert_eq!(
        certificate.subject(),
        "CN=a\\1B[2Jb, O=Bücher\\, Söhne \\+ Co, C=DE, emailAddress=root@rdp.example"
    );
    assert_eq!(
        certificate.not_before().unwrap().to_string(),
        "1949-01-01T00:00:00Z"
    );
    assert_eq!(
        certificate.not_after().unwrap().to_string(),
        "2049-12-31T23:59:59Z"
    );
}

#[test]
fn the_public_key_is_the_one_webpki_finds() {
    for name in ALL.into_iter().filter(|name| !name.starts_with("v1")) {
        let der = der(name);
        let theirs = rustls::server::ParsedCertificate::try_from(&der)
            .unwrap()
            .subject_public_key_info();
        assert_eq!(
            PeerCertificate::from_der(&der).unwrap().spki(),
            theirs.as_ref(),
            "{name}"
        );
    }
}

/// Calls everything that reads; the values do not matter, only that there are some.
fn read_all(bytes: &[u8]) -> bool {
    let Ok(certificate) = PeerCertificate::from_der(bytes) else {
        return false;
    };
    let _ = (
        certificate.subject(),
        certificate.issuer(),
        certificate.key_type(),
        certificate.key_bits(),
    );
    let _ = (
        certificate.not_before(),
        certificate.not_after(),
        certificate.is_self_signed(),
    );
    let _ = (
        format!("{certificate:?}"),
        certificate.spki(),
        certificate.subject_public_key(),
    );
    true
}

#[test]
fn a_certificate_cut_at_any_byte_is_an_error() {
    for name in ALL {
        let der = der(name);
        assert!(read_all(&der));
        for cut in 0..der.len() {
            let error = PeerCertificate::from_der(&der[..cut]).unwrap_err();
            assert!(
                error.offset() <= cut && !error.field().is_empty(),
                "{name} at {cut}: {error}"
            );
        }
        let longer = [der.as_ref(), &[0]].concat();
        assert!(!read_all(&longer));
    }
}

#[test]
fn a_flipped_byte_anywhere_never_panics_and_never_gives_the_same_key_for_another() {
    for name in ALL {
        let der = der(name);
        let original = PeerCertificate::from_der(&der).unwrap();
        let mut bytes = der.to_vec();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                bytes[at] ^= flip;
                if read_all(&bytes) {
                    let changed = PeerCertificate::from_der(&bytes).unwrap();
                    assert_ne!(changed.sha256(), original.sha256());
                    if changed.public_key_sha256() == original.public_key_sha256() {
                        assert_eq!(changed.subject_public_key(), original.subject_public_key());
                    }
                    // Where webpki reads it too, both must see the same key: else a pin would be checked
                    // against one and the handshake against another.
                    let changed_der = CertificateDer::from(bytes.as_slice());
                    if let Ok(parsed) = rustls::server::ParsedCertificate::try_from(&changed_der) {
                        assert_eq!(
                            parsed.subject_public_key_info().as_ref(),
                            changed.spki(),
                            "{name} at {at}"
                        );
                    }
                }
                bytes[at] ^= flip;
            }
        }
    }
}
