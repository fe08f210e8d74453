//! `--cert`: which certificates to accept.

use std::path::PathBuf;
use std::str::FromStr;

use ironrdp_tls::{CertificatePolicy, Fingerprint, KnownHosts, TlsClient};

use crate::exit::{Exit, Failure};

/// How `--cert` may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CertificateArg {
    Verify,
    Pin(Fingerprint),
    /// With a file, or in the usual place.
    KnownHosts(Option<PathBuf>),
    AcceptAny,
}

impl FromStr for CertificateArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None => match text {
                "verify" => Ok(Self::Verify),
                "known-hosts" => Ok(Self::KnownHosts(None)),
                "dangerously-accept-any" => Ok(Self::AcceptAny),
                "pin" => Err("a pin needs the fingerprint, as pin:HEX".to_owned()),
                _ => Err(OTHERS.to_owned()),
            },
            Some(("pin", hex)) => hex.parse().map(Self::Pin).map_err(|error| format!("{error}")),
            Some(("known-hosts", "")) => Err("the file's name is missing after the colon".to_owned()),
            Some(("known-hosts", file)) => Ok(Self::KnownHosts(Some(file.into()))),
            Some(_) => Err(OTHERS.to_owned()),
        }
    }
}

const OTHERS: &str = "it is one of verify, pin:HEX, known-hosts, known-hosts:FILE, dangerously-accept-any";

impl CertificateArg {
    /// The TLS client with this policy; reads the roots or the known-hosts file.
    pub(crate) fn tls_client(&self) -> Result<TlsClient, Failure> {
        let policy = match self {
            Self::Verify => CertificatePolicy::platform_roots(),
            Self::Pin(fingerprint) => CertificatePolicy::pin(*fingerprint),
            Self::KnownHosts(file) => CertificatePolicy::known_hosts(known_hosts(file.as_ref())?),
            Self::AcceptAny => CertificatePolicy::dangerously_accept_any(),
        };
        TlsClient::new(policy).map_err(|error| {
            Failure::new(Exit::Local, crate::exit::chain(&error))
                .hint("give --cert pin:HEX or --cert known-hosts, which need no trusted authorities")
        })
    }
}

fn known_hosts(file: Option<&PathBuf>) -> Result<KnownHosts, Failure> {
    let path = file.cloned().or_else(KnownHosts::default_path).ok_or_else(|| {
        Failure::new(Exit::Local, "no home directory to keep known hosts in")
            .hint("name a file: --cert known-hosts:FILE")
    })?;
    KnownHosts::open(path).map_err(|error| Failure::new(Exit::Local, crate::exit::chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_nothing_else() {
        let hex = "5e5de1222c2d7f0cbc603569d231632a2183972a30fe9a9a3276ca65428f2d1b";
        let parse = |text: &str| text.parse::<CertificateArg>();
        assert_eq!(parse("verify").unwrap(), CertificateArg::Verify);
        assert_eq!(parse("known-hosts").unwrap(), CertificateArg::KnownHosts(None));
        // A path with a colon stays whole.
        assert_eq!(
            parse("known-hosts:C:\\hosts").unwrap(),
            CertificateArg::KnownHosts(Some("C:\\hosts".into()))
        );
        assert_eq!(
            parse("dangerously-accept-any").unwrap(),
            CertificateArg::AcceptAny
        );
        assert_eq!(
            parse(&format!("pin:{hex}")).unwrap(),
            CertificateArg::Pin(hex.parse().unwrap())
        );
        for wrong in [
            "",
            "accept-any",
            "pin",
            "pin:",
            "pin:zz",
            "known-hosts:",
            "verify:x",
            "PIN:00",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
