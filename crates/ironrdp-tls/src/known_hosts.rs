//! Trust on first use: the public keys of servers, by host and port.

use core::fmt;
use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::TlsClient;
use crate::error::TlsResult;
use crate::fingerprint::Fingerprint;

mod error;
mod file;
mod format;

pub use error::{KnownHostsError, KnownHostsErrorKind};
pub(crate) use format::HostKey;

use file::{Patience, Stamp};

/// The servers' public keys on record: trusted at the first connection, compared at every later one.
///
/// Clones share one store. A store on a file may be shared with other processes and other instances: each
/// looks for changes before it answers, and additions are made under a lock, in one write.
///
/// # File
///
/// One line for each key, with comments and empty lines as one likes:
///
/// ```text
/// # a farm of two machines behind one name
/// [rdp.example]:3389 sha256:5e5de1222c2d7f0cbc603569d231632a2183972a30fe9a9a3276ca65428f2d1b
/// [rdp.example]:3389 sha256:a159cb07e75cffcdf4a55012962f865084e063bfe9d65580c8c5eab00c45262d
/// [2001:db8::1]:3390 sha256:7e0149f6f47042bf5b52971935a5019d9c1e2237a9012b34e01aeed7836faefe
/// ```
///
/// The hash is SHA-256 of the server's SubjectPublicKeyInfo, not of its certificate: a renewal with the same
/// key is no alarm. Several lines for one host and port are alternatives. Host names are compared without
/// case. A line in any other form is an error with its line number and stops every connection until it is
/// mended: skipping it would make a known host a new one.
///
/// A new file has mode 0600; directories that are missing are made, with mode 0700. To accept a server's
/// new key, remove its line.
///
/// # Blocking
///
/// A handshake looks at the file's metadata, and reads it again if it has changed; the first connection to a
/// host appends a line. A lock that another process holds is waited for, for 2 seconds at most
/// ([`with_lock_wait`](Self::with_lock_wait)), and not at all in the 30 seconds after a wait in vain.
#[derive(Clone)]
pub struct KnownHosts {
    store: Arc<Store>,
    first_use: bool,
    patience: Patience,
}

struct Store {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

/// What the file said when it had this stamp.
#[derive(Default)]
struct State {
    keys: HashMap<HostKey, Vec<KnownKey>>,
    lines: usize,
    /// The last line has no line feed: an editor's doing.
    ends_open: bool,
    /// None: there was no file. Outer none: not looked yet.
    stamp: Option<Option<Stamp>>,
}

/// One key on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownKey {
    fingerprint: Fingerprint,
    line: Option<usize>,
}

impl KnownKey {
    /// SHA-256 of the public key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The line of the file, from 1; none for a store in memory.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// What the store says about a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Trusted,
    Unknown,
    /// Other keys are on record.
    Changed(Vec<KnownKey>),
}

impl KnownHosts {
    /// The store in this file, which need not exist yet. Reads it now, so that a broken file is noticed early.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KnownHostsError> {
        let known_hosts = Self::with_path(Some(path.into()));
        drop(known_hosts.current()?);
        Ok(known_hosts)
    }

    /// A store that lasts as long as its clones.
    pub fn in_memory() -> Self {
        Self::with_path(None)
    }

    fn with_path(path: Option<PathBuf>) -> Self {
        Self {
            store: Arc::new(Store {
                path,
                state: Mutex::default(),
            }),
            first_use: true,
            patience: Patience::default(),
        }
    }

    /// The usual place: `$XDG_STATE_HOME/ironrdp/known_hosts`, which is `~/.local/state/ironrdp/known_hosts`
    /// if that variable is not set; on Windows `%LOCALAPPDATA%\ironrdp\known_hosts`. None without a home.
    pub fn default_path() -> Option<PathBuf> {
        // The XDG specification: a relative path there is invalid and to be ignored.
        let absolute = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let state = if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else {
            absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local").join("state")))
        };
        Some(state?.join("ironrdp").join("known_hosts"))
    }

    /// Refuses hosts that are not on record, instead of trusting them on first use.
    ///
    /// Changes this handle only, not clones made before.
    #[must_use]
    pub fn refuse_unknown(mut self) -> Self {
        self.first_use = false;
        self
    }

    /// How long to wait for a lock on the file that another process holds: 2 seconds unless told otherwise. A handshake
    /// that meets a new host blocks its thread for so long at most.
    ///
    /// Changes this handle only, not clones made before.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.patience.set_wait(wait);
        self
    }

    /// Whether a host without a record is trusted and recorded.
    pub fn trusts_on_first_use(&self) -> bool {
        self.first_use
    }

    /// The file; none for a store in memory.
    pub fn path(&self) -> Option<&Path> {
        self.store.path.as_deref()
    }

    /// The keys on record for a host, in the order of the file; empty for an unknown one.
    pub fn keys(&self, host: &str, port: u16) -> TlsResult<Vec<KnownKey>> {
        let host = HostKey::new(&TlsClient::server_name(host)?, port);
        Ok(self.current()?.keys.get(&host).cloned().unwrap_or_default())
    }

    /// Puts a key on record, beside those that are there; true if it is new.
    pub fn insert(&self, host: &str, port: u16, public_key_sha256: Fingerprint) -> TlsResult<bool> {
        let host = HostKey::new(&TlsClient::server_name(host)?, port);
        let mut state = self.current()?;
        let wanted = |verdict: &Verdict| *verdict != Verdict::Trusted;
        Ok(self.append_if(&mut state, &host, public_key_sha256, wanted)? != Verdict::Trusted)
    }

    /// What the record says about this key, without changing it.
    pub(crate) fn check(&self, host: &HostKey, key: Fingerprint) -> Result<Verdict, KnownHostsError> {
        Ok(self.current()?.verdict(host, key))
    }

    /// As [`check`](Self::check), but a key of an unknown host goes on record and is then trusted; if unknown
    /// hosts are refused it stays `Unknown`.
    pub(crate) fn trust(&self, host: &HostKey, key: Fingerprint) -> Result<Verdict, KnownHostsError> {
        let mut state = self.current()?;
        if !self.first_use {
            return Ok(state.verdict(host, key));
        }
        let wanted = |verdict: &Verdict| *verdict == Verdict::Unknown;
        match self.append_if(&mut state, host, key, wanted)? {
            Verdict::Unknown => {
                tracing::info!(%host, public_key = %key, "trusting the public key of a new host");
                Ok(Verdict::Trusted)
            }
            verdict => Ok(verdict),
        }
    }

    /// The state as of now: another process, or an editor, may have changed the file.
    fn current(&self) -> Result<MutexGuard<'_, State>, KnownHostsError> {
        // A panic while the lock was held can only have left an older state, which has an older stamp.
        let mut state = self.store.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.store.path {
            let stamp = file::stamp(path)?;
            if state.stamp != Some(stamp) {
                *state = match stamp {
                    Some(_) => file::load(path, &self.patience)?,
                    None => State {
                        stamp: Some(None),
                        ..State::default()
                    },
                };
            }
        }
        Ok(state)
    }

    /// Records the key if the verdict on it is wanted, also after a look under the file's lock. Returns the
    /// verdict before.
    fn append_if(
        &self,
        state: &mut State,
        host: &HostKey,
        key: Fingerprint,
        wanted: impl Fn(&Verdict) -> bool,
    ) -> Result<Verdict, KnownHostsError> {
        let verdict = state.verdict(host, key);
        if !wanted(&verdict) {
            return Ok(verdict);
        }
        let Some(path) = &self.store.path else {
            state.add(host.clone(), key, None);
            return Ok(verdict);
        };
        let mut file = file::LockedFile::open(path, &self.patience)?;
        if state.stamp != Some(Some(file.stamp()?)) {
            *state = file.read()?;
            let verdict = state.verdict(host, key);
            if !wanted(&verdict) {
                return Ok(verdict);
            }
        }
        let text = format::addition(state, host, key);
        file.append(&text)?;
        state.lines = state.lines.saturating_add(text.lines().count());
        if state.ends_open {
            // The first line feed of the addition ended a line that was counted before.
            state.lines = state.lines.saturating_sub(1);
        }
        state.ends_open = false;
        let line = Some(state.lines);
        state.add(host.clone(), key, line);
        state.stamp = Some(Some(file.stamp()?));
        Ok(verdict)
    }
}

impl State {
    fn verdict(&self, host: &HostKey, key: Fingerprint) -> Verdict {
        match self.keys.get(host) {
            None => Verdict::Unknown,
            Some(known) if known.iter().any(|known| known.fingerprint == key) => Verdict::Trusted,
            Some(known) => Verdict::Changed(known.clone()),
        }
    }

    fn add(&mut self, host: HostKey, fingerprint: Fingerprint, line: Option<usize>) {
        self.keys
            .entry(host)
            .or_default()
            .push(KnownKey { fingerprint, line });
    }
}

impl fmt::Debug for KnownHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHosts")
            .field("path", &self.store.path)
            .field("trusts_on_first_use", &self.first_use)
            .finish_non_exhaustive()
    }
}
