//! The file underneath: stamps, locks, and appending in one write.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::error::{KnownHostsError, KnownHostsErrorKind};
use super::{State, format};

/// How long to wait for another process that holds the lock, unless told otherwise: it needs microseconds to append
/// a line, so after this time it is stopped or hangs. A handshake must not hang with it.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How long nobody waits again after that: a thousand sessions would wait one after the other.
const LOCK_GRUDGE: Duration = Duration::from_secs(30);

/// How long a lock is waited for; remembers one that was waited for in vain.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    wait: Duration,
    /// Shared by all handles of a store, whatever each waits.
    lost: Arc<Mutex<Option<Instant>>>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            wait: LOCK_WAIT,
            lost: Arc::default(),
        }
    }
}

impl Patience {
    pub(super) fn set_wait(&mut self, wait: Duration) {
        self.wait = wait;
    }

    fn wait(&self) -> Duration {
        let lost = *self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_some_and(|lost| lost.elapsed() < LOCK_GRUDGE) {
            Duration::ZERO
        } else {
            self.wait
        }
    }

    fn remember(&self, lost: Option<Instant>) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = lost;
    }
}

/// Upper bound of what is read into memory: at 110 bytes a line, some 600,000 hosts.
const MAX_FILE_LEN: u64 = 64 << 20;

/// How often to start over when the file is replaced between opening and locking it.
const MAX_REPLACED: usize = 16;

/// Tells one content of the file from another without reading it.
///
/// Appending changes the length, replacing by rename the file's number, editing in place the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    number: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified: metadata.modified().ok(),
            number: file_number(metadata),
        }
    }
}

#[cfg(unix)]
fn file_number(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn file_number(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// The stamp of the file at this path; none if there is no file.
pub(super) fn stamp(path: &Path) -> Result<Option<Stamp>, KnownHostsError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KnownHostsError::io(path, error)),
    }
}

/// Reads the file under a shared lock.
pub(super) fn load(path: &Path, patience: &Patience) -> Result<State, KnownHostsError> {
    let file = match File::open(path) {
        Ok(file) => file,
        // Removed since its stamp was taken.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(State {
                stamp: Some(None),
                ..State::default()
            });
        }
        Err(error) => return Err(KnownHostsError::io(path, error)),
    };
    lock(path, patience, || file.try_lock_shared())?;
    read(path, &file)
}

/// Reads from the start. The stamp is taken before: what changes in between shows as a new stamp later.
fn read(path: &Path, mut file: &File) -> Result<State, KnownHostsError> {
    let io_error = |error| KnownHostsError::io(path, error);
    let stamp = Stamp::of(&file.metadata().map_err(io_error)?);
    file.rewind().map_err(io_error)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_LEN.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_LEN {
        return Err(KnownHostsError::new(KnownHostsErrorKind::TooLarge, path, ""));
    }
    let mut state = format::parse(&bytes).map_err(|(line, problem)| {
        KnownHostsError::new(KnownHostsErrorKind::Malformed { line }, path, problem)
    })?;
    state.stamp = Some(Some(stamp));
    Ok(state)
}

/// The file, opened for appending and locked against every other process and instance.
pub(super) struct LockedFile<'a> {
    file: File,
    path: &'a Path,
}

impl<'a> LockedFile<'a> {
    /// Opens or makes the file, with the directories above it, and locks it.
    pub(super) fn open(path: &'a Path, patience: &Patience) -> Result<Self, KnownHostsError> {
        let io_error = |error| KnownHostsError::io(path, error);
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            private_directories().create(parent).map_err(io_error)?;
        }
        for _ in 0..MAX_REPLACED {
            let file = private_file().open(path).map_err(io_error)?;
            lock(path, patience, || file.try_lock())?;
            // An editor that saves by renaming may have put another file in this place while we waited; what
            // is appended to the old one is lost.
            let ours = Stamp::of(&file.metadata().map_err(io_error)?);
            if stamp(path)?.is_some_and(|now| now.number == ours.number) {
                return Ok(Self { file, path });
            }
        }
        Err(KnownHostsError::new(KnownHostsErrorKind::Locked, path, ""))
    }

    pub(super) fn stamp(&self) -> Result<Stamp, KnownHostsError> {
        self.file
            .metadata()
            .map(|metadata| Stamp::of(&metadata))
            .map_err(|error| KnownHostsError::io(self.path, error))
    }

    pub(super) fn read(&self) -> Result<State, KnownHostsError> {
        read(self.path, &self.file)
    }

    /// Appends all of the text or nothing.
    pub(super) fn append(&mut self, text: &str) -> Result<(), KnownHostsError> {
        let io_error = |error| KnownHostsError::io(self.path, error);
        let before = self.file.metadata().map_err(io_error)?.len();
        self.file.write_all(text.as_bytes()).map_err(|error| {
            // A full disk may have taken half a line, which would be an error at the next start. If this
            // fails too, there is nothing left to do but to report the first error.
            let _ = self.file.set_len(before);
            KnownHostsError::io(self.path, error)
        })
    }
}

/// Locks within the time that is allowed. Closing the file unlocks it.
fn lock(
    path: &Path,
    patience: &Patience,
    try_lock: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), KnownHostsError> {
    let start = Instant::now();
    let wait = patience.wait();
    loop {
        match try_lock() {
            Ok(()) => {
                patience.remember(None);
                return Ok(());
            }
            Err(TryLockError::WouldBlock) if start.elapsed() < wait => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => {
                if !wait.is_zero() {
                    patience.remember(Some(Instant::now()));
                }
                return Err(KnownHostsError::new(KnownHostsErrorKind::Locked, path, ""));
            }
            // A file system without locks: one write at the end of the file has to do.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(KnownHostsError::io(path, error)),
        }
    }
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    // Whom somebody connects to is nobody else's business.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_directories() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}
