//! What the client's side of licensing is told: who, on which machine, and with which random bytes.

use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::license::HardwareId;
use md5::{Digest, Md5};

use crate::Config;

/// A client of Windows after Server 2003, made by Microsoft: the platform that every server knows (2.2.2.2).
pub(super) const PLATFORM_ID: u32 = 0x0401_0000;

/// Who asks for a licence.
#[derive(Debug, Clone)]
pub(crate) struct LicenseConfig {
    /// The user's name.
    pub(crate) user_name: String,
    /// The client machine's name.
    pub(crate) machine_name: String,
    /// What ties a licence to the machine.
    pub(crate) hardware_id: HardwareId,
}

impl LicenseConfig {
    /// The user and machine of `config`, with a hardware id made of the machine's name.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            user_name: config.credentials.username().to_owned(),
            machine_name: config.client_name.clone(),
            hardware_id: hardware_id(&config.client_name),
        }
    }
}

/// The same id for the same name: a licence server counts machines by it, and must not count a reconnect twice.
fn hardware_id(machine_name: &str) -> HardwareId {
    let digest: [u8; 16] = Md5::digest(machine_name).into();
    let mut data = [0; 4];
    for (word, bytes) in data.iter_mut().zip(digest.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    HardwareId {
        platform_id: PLATFORM_ID,
        data,
    }
}

/// Random bytes of one exchange; never use them twice.
#[derive(Clone)]
pub(crate) struct LicenseRandom {
    /// Sent in the clear.
    pub(crate) client_random: [u8; 32],
    /// Sent encrypted; everything else follows from it.
    pub(crate) premaster: Secret<[u8; 48]>,
}

ironrdp_pdu::debug_hiding!(LicenseRandom { client_random } hides { premaster });

impl LicenseRandom {
    /// Random bytes that an exchange takes.
    pub(crate) const SIZE: usize = 32 + 48;

    /// `None` unless `bytes` are exactly [`SIZE`](Self::SIZE).
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (client_random, premaster) = bytes.split_first_chunk::<32>()?;
        Some(Self {
            client_random: *client_random,
            premaster: Secret::new(premaster.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_taken_only_in_the_right_number() {
        let bytes: Vec<u8> = (0..80).collect();
        let random = LicenseRandom::from_slice(&bytes).unwrap();
        assert_eq!((random.client_random[31], random.premaster.expose()[0]), (31, 32));
        assert!(LicenseRandom::from_slice(&bytes[..79]).is_none());
        assert!(LicenseRandom::from_slice(&[0; 81]).is_none());
    }

    #[test]
    fn a_machine_keeps_its_hardware_id() {
        assert_eq!(hardware_id("a"), hardware_id("a"));
        assert_ne!(hardware_id("a"), hardware_id("b"));
    }
}
