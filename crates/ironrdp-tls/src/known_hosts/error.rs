//! What can be wrong with a known-hosts file.

use core::error::Error;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A known-hosts file that cannot be used; says which, and where in it.
#[derive(Clone, Debug)]
pub struct KnownHostsError {
    kind: KnownHostsErrorKind,
    path: PathBuf,
    detail: String,
    source: Option<Arc<io::Error>>,
}

/// What is wrong with a known-hosts file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownHostsErrorKind {
    /// A line is not in the form of the file.
    Malformed {
        /// The line, from 1.
        line: usize,
    },
    /// Reading, writing or making it went wrong.
    Io(io::ErrorKind),
    /// Another process has kept it locked for too long.
    Locked,
    /// Larger than 64 MiB, some 600,000 hosts: not a known-hosts file.
    TooLarge,
}

impl KnownHostsError {
    pub(super) fn new(kind: KnownHostsErrorKind, path: &Path, detail: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            detail: detail.into(),
            source: None,
        }
    }

    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let kind = KnownHostsErrorKind::Io(source.kind());
        Self {
            kind,
            path: path.to_owned(),
            detail: String::new(),
            source: Some(Arc::new(source)),
        }
    }

    /// What is wrong, to match on.
    pub fn kind(&self) -> KnownHostsErrorKind {
        self.kind
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for KnownHostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.kind {
            KnownHostsErrorKind::Malformed { line } => write!(f, "{path}:{line}: {}", self.detail),
            KnownHostsErrorKind::Io(_) => write!(f, "{path} cannot be read or written"),
            KnownHostsErrorKind::Locked => write!(f, "{path} is locked by another process"),
            KnownHostsErrorKind::TooLarge => write!(f, "{path} is too large"),
        }
    }
}

impl Error for KnownHostsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| {
            let source: &(dyn Error + 'static) = source;
            source
        })
    }
}
