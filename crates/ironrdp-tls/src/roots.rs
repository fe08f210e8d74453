//! The operating system's trusted authorities, loaded once.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::RootCertStore;

use crate::error::{TlsError, TlsErrorKind, TlsResult};

/// The platform's roots; the first call of a process reads them (some 8 ms, and it blocks).
///
/// A failure is not kept: the next client tries again.
pub(crate) fn platform() -> TlsResult<Arc<RootCertStore>> {
    static ROOTS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut loaded = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = &*loaded {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores carry certificates no strict parser accepts; they are useless, not fatal.
    let (usable, ignored) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let error = TlsError::new(TlsErrorKind::Roots, "the platform's store is empty or unreadable");
        return Err(match found.errors.into_iter().next() {
            Some(source) => error.with_source(source),
            None => error,
        });
    }
    tracing::debug!(
        usable,
        ignored,
        unreadable = found.errors.len(),
        "loaded the platform's root certificates"
    );
    let roots = Arc::new(roots);
    *loaded = Some(Arc::clone(&roots));
    Ok(roots)
}
