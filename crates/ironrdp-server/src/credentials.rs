//! Who may come in.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use ironrdp_connector::{Logon, LogonName, UserSecret};
use ironrdp_pdu::client_info::Secret;

/// Decides whether a client may have a session.
pub trait Credentials: Send + Sync + 'static {
    /// Whether `login` may come in. May take its time, within the handshake's deadline: it waits for no other client.
    fn check<'a>(&'a self, login: Login<'a>) -> Verdict<'a>;

    /// What is known about the password of the user `name`, for network level authentication: whoever proves to know it may
    /// come in if it is [`admit`](Self::admit)ted, and is not [`check`](Self::check)ed. Nobody may come in so unless this is implemented.
    fn secret<'a>(&'a self, name: &'a LogonName) -> Lookup<'a> {
        let _ = name;
        Box::pin(async { None })
    }

    /// Whether a user who has proved to be it by network level authentication may come in, as everybody may without this. It
    /// is all that stands between a server with a keytab and the users of a realm.
    fn admit<'a>(&'a self, logon: &'a Logon) -> Verdict<'a> {
        let _ = logon;
        Box::pin(async { true })
    }
}

/// The answer of [`Credentials::secret`], to be waited for; `None` keeps the user out.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = Option<UserSecret>> + Send + 'a>>;

/// The answer of [`Credentials::check`] and [`Credentials::admit`], to be waited for: `Box::pin(async { true })`.
pub type Verdict<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// What a client says of itself before it is let in.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// Where it comes from.
    pub address: SocketAddr,
    /// The user's domain, empty for none.
    pub domain: &'a str,
    /// The user, empty for a client that expects to be asked.
    pub user_name: &'a str,
    /// The password.
    pub password: &'a Secret<String>,
}

ironrdp_pdu::debug_hiding!(Login<'_> { address, domain, user_name } hides { password });

/// One user with a password.
pub struct Account {
    user_name: String,
    password: Secret<String>,
}

ironrdp_pdu::debug_hiding!(Account { user_name } hides { password });

impl Account {
    /// Lets in whoever knows both, whatever the domain.
    pub fn new(user_name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user_name: user_name.into(),
            password: Secret::from(password.into()),
        }
    }
}

impl Credentials for Account {
    fn check<'a>(&'a self, login: Login<'a>) -> Verdict<'a> {
        let name = equal(self.user_name.as_bytes(), login.user_name.as_bytes());
        let password = equal(
            self.password.expose().as_bytes(),
            login.password.expose().as_bytes(),
        );
        // Both are compared whatever comes out of the first, so that time does not tell which was wrong.
        Box::pin(async move { name & password })
    }

    fn secret<'a>(&'a self, name: &'a LogonName) -> Lookup<'a> {
        // The name is proved together with the password, whose hash covers it, without regard to case.
        let is_known = self.user_name.to_lowercase() == name.user.to_lowercase();
        Box::pin(async move { is_known.then(|| UserSecret::Password(self.password.clone())) })
    }
}

/// Lets in everybody who reaches the port. For demonstrations and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct DangerouslyAnyone;

impl Credentials for DangerouslyAnyone {
    fn check<'a>(&'a self, _: Login<'a>) -> Verdict<'a> {
        Box::pin(async { true })
    }
}

/// Compares in a time that depends on the length of `given` only.
pub(crate) fn equal(expected: &[u8], given: &[u8]) -> bool {
    let mut different = u8::from(expected.len() != given.len());
    for (index, byte) in given.iter().enumerate() {
        different |= byte ^ expected.get(index).copied().unwrap_or_default();
    }
    std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_bytes_are_equal() {
        assert!(equal(b"abc", b"abc") && equal(b"", b""));
        assert!(!equal(b"abc", b"ab") && !equal(b"ab", b"abc") && !equal(b"abc", b"abd"));
        assert!(!equal(b"ab\0", b"ab") && !equal(b"ab", b"ab\0"));
    }
}
