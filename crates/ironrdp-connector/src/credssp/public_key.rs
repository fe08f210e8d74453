//! Ties the login to the TLS connection it travels in: both sides prove that they see the same certificate.

use sha2::{Digest, Sha256};

use super::TsRequest;

/// What both ends know about the TLS connection (MS-CSSP 3.1.5, steps 3 and 4).
#[derive(Debug, Clone)]
pub(super) struct KeyBinding {
    public_key: Vec<u8>,
    /// `None` before version 5, where the key itself is sealed and not a hash of it.
    nonce: Option<[u8; TsRequest::NONCE_SIZE]>,
}

const CLIENT_TO_SERVER: &[u8] = b"CredSSP Client-To-Server Binding Hash\0";
const SERVER_TO_CLIENT: &[u8] = b"CredSSP Server-To-Client Binding Hash\0";

impl KeyBinding {
    pub(super) const fn new(public_key: Vec<u8>, nonce: Option<[u8; TsRequest::NONCE_SIZE]>) -> Self {
        Self { public_key, nonce }
    }

    /// What the client seals for the server.
    pub(super) fn client_proof(&self) -> Vec<u8> {
        match &self.nonce {
            Some(nonce) => self.hash(CLIENT_TO_SERVER, nonce),
            None => self.public_key.clone(),
        }
    }

    /// What the server seals for the client.
    pub(super) fn server_proof(&self) -> Vec<u8> {
        match &self.nonce {
            Some(nonce) => self.hash(SERVER_TO_CLIENT, nonce),
            None => {
                // One more, so that the server cannot just send back what it received.
                let mut key = self.public_key.clone();
                for byte in &mut key {
                    *byte = byte.wrapping_add(1);
                    if *byte != 0 {
                        break;
                    }
                }
                key
            }
        }
    }

    fn hash(&self, direction: &[u8], nonce: &[u8]) -> Vec<u8> {
        Sha256::new()
            .chain_update(direction)
            .chain_update(nonce)
            .chain_update(&self.public_key)
            .finalize()
            .to_vec()
    }
}
