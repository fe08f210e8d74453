//! Writes down everything that is logged, to look for secrets in it.

use core::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use md4::{Digest as _, Md4};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, dispatcher, span};

/// A subscriber at the level of everything.
#[derive(Clone, Default)]
struct Recorder {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Recorder {
    fn line(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields<'_>)) {
        let mut line = format!("{} {} {}", metadata.level(), metadata.target(), metadata.name());
        record(&mut Fields(&mut line));
        let mut text = self.text.lock().unwrap();
        text.push_str(&line);
        text.push('\n');
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.line(span.metadata(), |fields| span.record(fields));
        span::Id::from_u64(1 + self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Fields(&mut self.text.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.line(event.metadata(), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What `work` logs.
pub(super) fn record(work: impl FnOnce()) -> String {
    let recorder = Recorder::default();
    let text = Arc::clone(&recorder.text);
    dispatcher::with_default(&dispatcher::Dispatch::new(recorder), work);
    let text = text.lock().unwrap();
    text.clone()
}

/// The forms in which bytes get into logs.
fn forms(secret: &[u8]) -> [String; 7] {
    let list = |list: String| list[1..list.len() - 1].to_owned();
    [
        list(format!("{secret:?}")),
        list(format!("{secret:x?}")),
        list(format!("{secret:02x?}")),
        list(format!("{secret:02X?}")),
        secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        secret.iter().map(|byte| format!("{byte:02X}")).collect(),
        secret
            .iter()
            .map(|byte| format!("{byte:02x} "))
            .collect::<String>()
            .trim_end()
            .to_owned(),
    ]
}

pub(super) fn shows(log: &str, secret: &[u8]) -> bool {
    let as_text = core::str::from_utf8(secret).is_ok_and(|text| log.contains(text));
    as_text || forms(secret).iter().any(|form| log.contains(form))
}

/// No password, in no encoding, no hash of it, none of the `keys` that came of it, and nothing from the package that handles
/// them.
pub(super) fn assert_no_secret(log: &str, password: &str, keys: &[Vec<u8>]) {
    let utf16: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash = Md4::digest(&utf16);
    assert!(!keys.is_empty(), "a login without keys");
    for secret in [password.as_bytes(), &utf16, &hash]
        .into_iter()
        .chain(keys.iter().map(Vec::as_slice))
    {
        assert!(!shows(log, secret), "{secret:02x?} in {log}");
    }
    assert!(!log.contains("sspi"), "{log}");
}

#[test]
fn a_key_is_found_in_every_form() {
    let key = [0x00, 0x07, 0xff, 0xa0, 0x5c];
    for log in [
        format!("{key:?}"),
        format!("{key:x?}"),
        format!("{key:02x?}"),
        format!("{key:02X?}"),
        "key=0007ffa05c".to_owned(),
        "key=0007FFA05C".to_owned(),
        "key: 00 07 ff a0 5c".to_owned(),
    ] {
        assert!(shows(&log, &key), "{log}");
        assert!(!shows(&log, &[0x00, 0x07, 0xff, 0xa0, 0x5d]), "{log}");
    }
}

#[test]
fn the_package_would_log_the_password_if_it_were_let() {
    let user = sspi::AuthIdentityBuffers::from_utf8("rdptest", "", "Lab-Pass-1");
    let credentials = sspi::CredentialsBuffers::AuthIdentity(user);
    let write = || {
        sspi::credssp::write_ts_credentials(&credentials, sspi::credssp::CredSspMode::WithCredentials)
            .unwrap();
    };
    let utf16: Vec<u8> = "Lab-Pass-1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(shows(&record(write), &utf16));
    assert_eq!(record(|| super::quiet::quietly(write).unwrap()), "");
}

#[test]
fn a_panic_of_the_package_is_an_error() {
    let error = super::quiet::quietly(|| -> () { panic!("index out of bounds") }).unwrap_err();
    assert_eq!(*error.kind(), crate::ConnectorErrorKind::Malformed);
}
