//! The proof that a client held the session it comes back to (MS-RDPBCGR 5.5).

use ironrdp_pdu::client_info::{ClientAutoReconnect, ServerAutoReconnect};
use md5::{Digest as _, Md5};

/// Proves to have been given `cookie`.
pub(super) fn proof(cookie: &ServerAutoReconnect) -> ClientAutoReconnect {
    ClientAutoReconnect {
        logon_id: cookie.logon_id,
        // Only standard RDP security with encryption has a client random; without one it is 32 zeros.
        security_verifier: hmac_md5(cookie.random_bits.expose(), &[0; 32]),
    }
}

/// RFC 2104, with a key that is no longer than a block.
fn hmac_md5(key: &[u8; 16], message: &[u8]) -> [u8; 16] {
    let padded = |with: u8| {
        let mut block = [with; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Md5::new().chain_update(padded(0x36)).chain_update(message);
    let outer = Md5::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_2202() {
        let expected = 0x9294_727a_3638_bb1c_13f4_8ef8_158b_fc9d_u128;
        assert_eq!(hmac_md5(&[0x0b; 16], b"Hi There"), expected.to_be_bytes());
        let expected = 0x56be_3452_1d14_4c88_dbb8_c733_f0e8_b3f6_u128;
        assert_eq!(hmac_md5(&[0xaa; 16], &[0xdd; 50]), expected.to_be_bytes());
    }
}
