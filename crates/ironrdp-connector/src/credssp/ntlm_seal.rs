//! Seals and signs with an NTLM session key (MS-NLMP 3.4), on the server.

use hmac::{Hmac, KeyInit as _, Mac as _};
use ironrdp_pdu::client_info::Secret;
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};

use crate::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult};

/// Both directions of a session.
pub(super) struct NtlmSeal {
    to_client: Direction,
    to_server: Direction,
}

struct Direction {
    sealing_key: Secret<[u8; 16]>,
    signing_key: Secret<[u8; 16]>,
    /// Goes on over the checksum of each message.
    stream: Rc4,
    sequence: u32,
    /// `NTLMSSP_NEGOTIATE_KEY_EXCH`: checksums are enciphered too.
    seals_checksums: bool,
}

const SIGNATURE_SIZE: usize = 16;

impl NtlmSeal {
    pub(super) fn new(session_key: &[u8], seals_checksums: bool) -> ConnectorResult<Self> {
        Ok(Self {
            to_client: Direction::new(session_key, seals_checksums, "server-to-client")?,
            to_server: Direction::new(session_key, seals_checksums, "client-to-server")?,
        })
    }

    /// Seals the server's next message.
    pub(super) fn seal(&mut self, message: &[u8]) -> ConnectorResult<Vec<u8>> {
        let mut sealed = message.to_vec();
        self.to_client.stream.apply_keystream(&mut sealed);
        let signature = self.to_client.sign(message, Stream::Running)?;
        Ok([signature.as_slice(), &sealed].concat())
    }

    /// Opens the client's next message.
    pub(super) fn unseal(&mut self, sealed: &[u8]) -> ConnectorResult<Secret<Vec<u8>>> {
        let (signature, sealed) = sealed
            .split_at_checked(SIGNATURE_SIZE)
            .ok_or_else(|| bad_seal("a sealed message without a signature"))?;
        let mut message = Secret::new(sealed.to_vec());
        self.to_server.stream.apply_keystream(message.expose_mut());
        let expected = self.to_server.sign(message.expose(), Stream::Running)?;
        if same(signature, &expected) {
            Ok(message)
        } else {
            Err(bad_seal("a message is sealed with another key"))
        }
    }

    /// The server's checksum over the list of mechanisms.
    pub(super) fn mechanisms_checksum(&mut self, mechanisms: &[u8]) -> ConnectorResult<[u8; SIGNATURE_SIZE]> {
        self.to_client.sign(mechanisms, Stream::Fresh)
    }

    /// Checks the client's.
    pub(super) fn check_mechanisms(&mut self, mechanisms: &[u8], checksum: &[u8]) -> ConnectorResult<()> {
        let expected = self.to_server.sign(mechanisms, Stream::Fresh)?;
        if same(checksum, &expected) {
            Ok(())
        } else {
            Err(bad_seal("the list of mechanisms is signed with another key"))
        }
    }
}

/// Which key stream enciphers a checksum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Running,
    /// MS-SPNG 3.2.5.1: the checksum over the mechanisms leaves the stream of the messages as it is, at its start.
    Fresh,
}

impl Direction {
    fn new(session_key: &[u8], seals_checksums: bool, direction: &str) -> ConnectorResult<Self> {
        let key = |purpose: &str| -> Secret<[u8; 16]> {
            let magic = format!("session key to {direction} {purpose} key magic constant\0");
            let digest = Md5::new()
                .chain_update(session_key)
                .chain_update(magic)
                .finalize();
            Secret::new(digest.into())
        };
        let sealing_key = key("sealing");
        Ok(Self {
            stream: stream(&sealing_key)?,
            sealing_key,
            signing_key: key("signing"),
            sequence: 0,
            seals_checksums,
        })
    }

    /// The signature of the next message.
    fn sign(&mut self, message: &[u8], which: Stream) -> ConnectorResult<[u8; SIGNATURE_SIZE]> {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let mut mac = Hmac::<Md5>::new_from_slice(self.signing_key.expose())
            .map_err(|_| ConnectorError::misuse("a signing key of the wrong length"))?;
        mac.update(&sequence);
        mac.update(message);
        let mut checksum = [0; 8];
        checksum.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        if self.seals_checksums {
            match which {
                Stream::Running => self.stream.apply_keystream(&mut checksum),
                Stream::Fresh => stream(&self.sealing_key)?.apply_keystream(&mut checksum),
            }
        }
        let mut signature = [0; SIGNATURE_SIZE];
        signature[0] = 1; // version
        signature[4..12].copy_from_slice(&checksum);
        signature[12..].copy_from_slice(&sequence);
        Ok(signature)
    }
}

fn stream(key: &Secret<[u8; 16]>) -> ConnectorResult<Rc4> {
    Rc4::new_from_slice(key.expose()).map_err(|_| ConnectorError::misuse("a sealing key of the wrong length"))
}

/// Compares without telling by the time it takes how far it got.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .fold(0, |difference, (left, right)| difference | left ^ right)
            == 0
}

/// Who does not know the password cannot derive the keys.
#[track_caller]
fn bad_seal(context: &'static str) -> ConnectorError {
    ConnectorError::new(ConnectorErrorKind::Auth(AuthFailure::BadCredentials), context)
}
