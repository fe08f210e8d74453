//! Just enough DER to find the RSA key of an X.509 certificate.
//!
//! Total: every input gives a key or `None`. Old versions, bad signatures and odd algorithm names do not matter here,
//! since the chain is never trusted for anything: Terminal Services certificates name MD5-with-RSA where the key's
//! algorithm should stand.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Modulus and public exponent of `certificate`, both big-endian without leading zeros.
pub(super) fn rsa_key(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut certificate, _) = take(certificate, SEQUENCE)?;
    let mut tbs = next(&mut certificate, SEQUENCE)?;
    // Version 1 certificates have no version field.
    if tbs.first() == Some(&VERSION) {
        next(&mut tbs, VERSION)?;
    }
    next(&mut tbs, INTEGER)?; // serialNumber
    next(&mut tbs, SEQUENCE)?; // signature
    next(&mut tbs, SEQUENCE)?; // issuer
    next(&mut tbs, SEQUENCE)?; // validity
    next(&mut tbs, SEQUENCE)?; // subject
    let mut info = next(&mut tbs, SEQUENCE)?;
    next(&mut info, SEQUENCE)?; // algorithm
    let bits = next(&mut info, BIT_STRING)?;
    // The first byte counts unused bits at the end; a key is whole bytes.
    let (0, key) = bits.split_first()? else {
        return None;
    };
    let (mut key, _) = take(key, SEQUENCE)?;
    let modulus = next(&mut key, INTEGER)?;
    let exponent = next(&mut key, INTEGER)?;
    Some((trim(modulus), trim(exponent)))
}

/// The contents of the element that `src` starts with, and what follows it.
fn take(src: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&got, src) = src.split_first()?;
    if got != tag {
        return None;
    }
    let (&first, src) = src.split_first()?;
    let (length, src) = match first {
        0..=0x7f => (usize::from(first), src),
        // No certificate that fits a 16-bit blob needs more than two length bytes; four are read, as others do.
        0x81..=0x84 => {
            let (bytes, src) = src.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0u32, |length, byte| length << 8 | u32::from(*byte));
            (usize::try_from(length).ok()?, src)
        }
        _ => return None,
    };
    src.split_at_checked(length)
}

/// Takes the element that `src` starts with off it and gives its contents.
fn next<'a>(src: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (contents, rest) = take(src, tag)?;
    *src = rest;
    Some(contents)
}

fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::rsa::test_key::{self, field};

    #[test]
    fn the_key_of_a_certificate_is_found() {
        let (modulus, exponent) = rsa_key(test_key::CERTIFICATE).unwrap();
        assert_eq!(modulus, field(test_key::KEY, "modulus"));
        assert_eq!(exponent, [1, 0, 1]);
    }

    #[test]
    fn a_damaged_certificate_gives_a_key_or_none_but_no_panic() {
        for cut in 0..test_key::CERTIFICATE.len() {
            assert_eq!(rsa_key(&test_key::CERTIFICATE[..cut]), None);
        }
        for at in 0..test_key::CERTIFICATE.len() {
            for mask in [0xff, 0x80, 0x01] {
                let mut damaged = test_key::CERTIFICATE.to_vec();
                damaged[at] ^= mask;
                let _ = rsa_key(&damaged);
            }
        }
        assert_eq!(rsa_key(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(rsa_key(&[SEQUENCE, 0x80, 0]), None);
    }
}
