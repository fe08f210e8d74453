//! Cookies that let a client come back without a password after its connection broke (MS-RDPBCGR 5.5).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ironrdp_pdu::client_info::{ClientAutoReconnect, Secret, ServerAutoReconnect};
use md5::{Digest as _, Md5};

use crate::credentials::equal;
use crate::{ServerError, ServerErrorKind, ServerResult};

/// Cookies kept at a time; the oldest goes first. At some 100 bytes each they never need a thought.
const MAX_COOKIES: usize = 4_096;

/// How long a cookie is good for after it was given.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A cookie and the session it stands for.
pub(crate) struct Cookie {
    id: u32,
    user_name: String,
    random_bits: Secret<[u8; 16]>,
    given: Instant,
}

impl Cookie {
    pub(crate) fn for_client(&self) -> ServerAutoReconnect {
        ServerAutoReconnect {
            logon_id: self.id,
            random_bits: self.random_bits.clone(),
        }
    }
}

/// The cookies of a server.
#[derive(Default)]
pub(crate) struct Cookies(Mutex<VecDeque<Cookie>>);

impl Cookies {
    /// Gives a cookie for the session `id`.
    pub(crate) fn give<T>(
        &self,
        id: u32,
        user_name: &str,
        show: impl FnOnce(&Cookie) -> T,
    ) -> ServerResult<T> {
        let mut bits = [0; 16];
        getrandom::getrandom(&mut bits).map_err(|error| {
            ServerError::with_source(
                ServerErrorKind::Io(std::io::ErrorKind::Other),
                "reading random bytes",
                error,
            )
        })?;
        let cookie = Cookie {
            id,
            user_name: user_name.to_owned(),
            random_bits: Secret::new(bits),
            given: Instant::now(),
        };
        let shown = show(&cookie);
        let mut cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cookies.len() == MAX_COOKIES {
            cookies.pop_front();
        }
        cookies.push_back(cookie);
        Ok(shown)
    }

    /// Takes the cookie that `proof` is for, if it proves it and is that user's. Each is good for one attempt.
    pub(crate) fn redeem(&self, proof: &ClientAutoReconnect, user_name: &str) -> Option<u32> {
        let mut cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.retain(|cookie| cookie.given.elapsed() < LIFETIME);
        let at = cookies.iter().position(|cookie| cookie.id == proof.logon_id)?;
        let cookie = cookies.remove(at)?;
        // 5.5: under TLS there is no client random, and 32 zeros stand in for it.
        let expected = hmac_md5(cookie.random_bits.expose(), &[0; 32]);
        (equal(&expected, &proof.security_verifier) && cookie.user_name == user_name).then_some(cookie.id)
    }
}

/// RFC 2104 over MD5, for a key no longer than a block.
fn hmac_md5(key: &[u8; 16], message: &[u8]) -> [u8; 16] {
    let padded = |filler: u8| {
        let mut block = [filler; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Md5::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    Md5::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_gives_what_rfc_2202_says() {
        // Test case 1.
        let expected = [
            0x92, 0x94, 0x72, 0x7a, 0x36, 0x38, 0xbb, 0x1c, 0x13, 0xf4, 0x8e, 0xf8, 0x15, 0x8b, 0xfc, 0x9d,
        ];
        assert_eq!(hmac_md5(&[0x0b; 16], b"Hi There"), expected);
    }

    fn proof(cookie: &ServerAutoReconnect) -> ClientAutoReconnect {
        ClientAutoReconnect {
            logon_id: cookie.logon_id,
            security_verifier: hmac_md5(cookie.random_bits.expose(), &[0; 32]),
        }
    }

    #[test]
    fn a_cookie_is_good_once_and_for_its_user() {
        let cookies = Cookies::default();
        let given = cookies.give(7, "ada", Cookie::for_client).unwrap();
        assert_eq!(cookies.redeem(&proof(&given), "ada"), Some(7));
        assert_eq!(cookies.redeem(&proof(&given), "ada"), None);
        let given = cookies.give(8, "ada", Cookie::for_client).unwrap();
        assert_eq!(cookies.redeem(&proof(&given), "eve"), None);
    }

    #[test]
    fn a_wrong_proof_spends_the_cookie() {
        let cookies = Cookies::default();
        let given = cookies.give(7, "ada", Cookie::for_client).unwrap();
        let mut wrong = proof(&given);
        wrong.security_verifier[15] ^= 1;
        assert_eq!(cookies.redeem(&wrong, "ada"), None);
        assert_eq!(cookies.redeem(&proof(&given), "ada"), None);
    }

    #[test]
    fn the_oldest_cookies_go_when_there_are_too_many() {
        let cookies = Cookies::default();
        let first = cookies.give(0, "", Cookie::for_client).unwrap();
        for id in 1..=4_096 {
            cookies.give(id, "", |_| ()).unwrap();
        }
        assert_eq!(cookies.redeem(&proof(&first), ""), None);
        assert_eq!(cookies.0.lock().unwrap().len(), MAX_COOKIES);
    }
}
