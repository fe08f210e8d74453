//! Cookies that let a client come back without a password after its connection broke (MS-RDPBCGR 5.5).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use ironrdp_pdu::client_info::{ClientAutoReconnect, Secret, ServerAutoReconnect};
use md5::Md5;

use crate::{ServerError, ServerErrorKind, ServerResult};

/// Cookies kept at a time; the oldest goes first. At some 100 bytes each they never need a thought.
const MAX_COOKIES: usize = 4_096;

/// How long a cookie is good for after it was given.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A cookie and the session it stands for.
pub(crate) struct Cookie {
    id: u32,
    user_name: String,
    domain: String,
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
        domain: &str,
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
            domain: domain.to_owned(),
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

    /// Takes the cookie that `proof` is for, if it proves it and `is_theirs` says so of its user and domain. It is good once.
    ///
    /// An attempt that fails spends nothing: numbers are easily guessed, and whoever has no cookie could spend everybody's.
    pub(crate) fn redeem(
        &self,
        proof: &ClientAutoReconnect,
        is_theirs: impl FnOnce(&str, &str) -> bool,
    ) -> Option<u32> {
        let mut cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.retain(|cookie| cookie.given.elapsed() < LIFETIME);
        let at = cookies.iter().position(|cookie| cookie.id == proof.logon_id)?;
        let cookie = cookies.get(at)?;
        // 5.5: under TLS there is no client random, and 32 zeros stand in for it.
        let mac = keyed(&cookie.random_bits)?.chain_update([0; 32]);
        let is_proved = mac.verify_slice(&proof.security_verifier).is_ok();
        if !is_proved || !is_theirs(&cookie.user_name, &cookie.domain) {
            return None;
        }
        cookies.remove(at).map(|cookie| cookie.id)
    }
}

/// HMAC-MD5 takes keys of any length, so there is always one.
fn keyed(random_bits: &Secret<[u8; 16]>) -> Option<Hmac<Md5>> {
    Hmac::new_from_slice(random_bits.expose()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn proof(cookie: &ServerAutoReconnect) -> ClientAutoReconnect {
        ClientAutoReconnect {
            logon_id: cookie.logon_id,
            security_verifier: keyed(&cookie.random_bits)
                .unwrap()
                .chain_update([0; 32])
                .finalize()
                .into_bytes()
                .into(),
        }
    }

    fn give(cookies: &Cookies, id: u32) -> ServerAutoReconnect {
        cookies.give(id, "ada", "LAB", Cookie::for_client).unwrap()
    }

    fn ada(user_name: &str, domain: &str) -> bool {
        (user_name, domain) == ("ada", "LAB")
    }

    #[test]
    fn a_cookie_is_good_once_and_for_its_user() {
        let cookies = Cookies::default();
        let given = give(&cookies, 7);
        assert_eq!(cookies.redeem(&proof(&given), |_, _| false), None);
        assert_eq!(cookies.redeem(&proof(&given), ada), Some(7));
        assert_eq!(cookies.redeem(&proof(&given), ada), None);
    }

    #[test]
    fn who_has_no_cookie_spends_none() {
        let cookies = Cookies::default();
        let given = give(&cookies, 7);
        let mut wrong = proof(&given);
        wrong.security_verifier[15] ^= 1;
        assert_eq!(cookies.redeem(&wrong, |_, _| true), None);
        assert_eq!(cookies.redeem(&proof(&given), ada), Some(7));
    }

    #[test]
    fn the_oldest_cookies_go_when_there_are_too_many() {
        let cookies = Cookies::default();
        let first = cookies.give(0, "", "", Cookie::for_client).unwrap();
        for id in 1..=4_096 {
            cookies.give(id, "", "", |_| ()).unwrap();
        }
        assert_eq!(cookies.redeem(&proof(&first), |_, _| true), None);
        assert_eq!(cookies.0.lock().unwrap().len(), MAX_COOKIES);
    }
}
