//! Keys, checksums and the cipher of licensing (MS-RDPELE 5.1).

use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::license::MAC_SIZE;
use md5::{Digest, Md5};
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::Sha1;

use super::LicenseError;

/// What both sides derive from the premaster secret and the two random numbers (5.1.2 to 5.1.4).
pub(super) struct LicenseKeys {
    mac_salt: Secret<[u8; 16]>,
    encryption: Secret<[u8; 16]>,
}

ironrdp_pdu::debug_hiding!(LicenseKeys {} hides { mac_salt, encryption });

impl LicenseKeys {
    pub(super) fn derive(premaster: &[u8; 48], client_random: &[u8; 32], server_random: &[u8; 32]) -> Self {
        let master = Secret::new(salted_hashes(premaster, client_random, server_random));
        // 5.1.3: the second round swaps the random numbers.
        let blob = Secret::new(salted_hashes(master.expose(), server_random, client_random));
        let [mac_salt, encryption_salt, _] = thirds(blob.expose());
        let encryption = Md5::new()
            .chain_update(encryption_salt)
            .chain_update(client_random)
            .chain_update(server_random)
            .finalize();
        Self {
            mac_salt: Secret::new(mac_salt),
            encryption: Secret::new(encryption.into()),
        }
    }

    /// The checksum of `data` in the clear (5.1.6).
    pub(super) fn mac(&self, data: &[u8]) -> [u8; MAC_SIZE] {
        mac(self.mac_salt.expose(), data)
    }

    /// Compares the checksum of `data` with `expected`, which came in `message`.
    pub(super) fn verify(
        &self,
        data: &[u8],
        expected: &[u8; MAC_SIZE],
        message: &'static str,
    ) -> Result<(), LicenseError> {
        if self.mac(data) == *expected {
            Ok(())
        } else {
            Err(LicenseError::WrongMac(message))
        }
    }

    /// Encrypts or decrypts `data` (5.1.5). Every blob starts the cipher anew.
    pub(super) fn crypt(&self, data: &[u8]) -> Vec<u8> {
        let mut out = data.to_vec();
        // RC4 takes keys of 1 to 256 bytes, so 16 are never refused.
        if let Ok(mut cipher) = Rc4::new_from_slice(self.encryption.expose()) {
            cipher.apply_keystream(&mut out);
        }
        out
    }
}

/// Three salted hashes of `secret` with the salts "A", "BB" and "CCC" (5.1.2).
fn salted_hashes(secret: &[u8; 48], first_random: &[u8; 32], second_random: &[u8; 32]) -> [u8; 48] {
    let mut out = [0; 48];
    for (part, salt) in out.as_chunks_mut::<16>().0.iter_mut().zip(["A", "BB", "CCC"]) {
        *part = salted_hash(secret, salt, first_random, second_random);
    }
    out
}

fn salted_hash(secret: &[u8; 48], salt: &str, first_random: &[u8; 32], second_random: &[u8; 32]) -> [u8; 16] {
    let inner = Sha1::new()
        .chain_update(salt)
        .chain_update(secret)
        .chain_update(first_random)
        .chain_update(second_random)
        .finalize();
    Md5::new()
        .chain_update(secret)
        .chain_update(inner)
        .finalize()
        .into()
}

fn thirds(blob: &[u8; 48]) -> [[u8; 16]; 3] {
    let mut thirds = [[0; 16]; 3];
    thirds.copy_from_slice(blob.as_chunks::<16>().0);
    thirds
}

fn mac(salt: &[u8; 16], data: &[u8]) -> [u8; MAC_SIZE] {
    // A licensing blob has a 16-bit length, so the count cannot be cut off.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let inner = Sha1::new()
        .chain_update(salt)
        .chain_update([0x36; 40])
        .chain_update(length.to_le_bytes())
        .chain_update(data)
        .finalize();
    Md5::new()
        .chain_update(salt)
        .chain_update([0x5c; 48])
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::license::rsa::test_key::field;

    const DERIVATION: &str = include_str!("../../tests/vectors/license/key_derivation.json");
    const MAC: &str = include_str!("../../tests/vectors/license/mac.json");

    fn array<const N: usize>(name: &str) -> [u8; N] {
        field(DERIVATION, name).try_into().unwrap()
    }

    #[test]
    fn every_step_of_the_key_derivation_gives_the_known_values() {
        let (premaster, client, server) = (
            array("premaster_secret"),
            array("client_random"),
            array("server_random"),
        );
        assert_eq!(
            salted_hash(&premaster, "A", &client, &server),
            array("salted_hash_A")
        );
        let master = salted_hashes(&premaster, &client, &server);
        assert_eq!(master, array("master_secret"));
        assert_eq!(
            salted_hashes(&master, &server, &client),
            array("session_key_blob")
        );
        let keys = LicenseKeys::derive(&premaster, &client, &server);
        assert_eq!(*keys.mac_salt.expose(), array("mac_salt_key"));
        assert_eq!(*keys.encryption.expose(), array("license_key"));
    }

    #[test]
    fn the_checksum_of_known_data_is_the_known_one() {
        let salt = field(MAC, "mac_salt_key").try_into().unwrap();
        assert_eq!(mac(&salt, &field(MAC, "data")).to_vec(), field(MAC, "mac"));
    }

    #[test]
    fn encryption_is_its_own_inverse_and_the_checksum_notices_a_changed_byte() {
        let keys = LicenseKeys::derive(&[1; 48], &[2; 32], &[3; 32]);
        let encrypted = keys.crypt(b"challenge");
        assert_ne!(encrypted, b"challenge");
        assert_eq!(keys.crypt(&encrypted), b"challenge");
        let mac = keys.mac(b"challenge");
        assert_eq!(keys.verify(b"challenge", &mac, "test"), Ok(()));
        assert_eq!(
            keys.verify(b"challengf", &mac, "test"),
            Err(LicenseError::WrongMac("test"))
        );
    }
}
