//! `ironrdp probe --json` against servers whose settings are known.

use super::{Finding, Run};
use crate::client::strings;
use crate::fail::fail;
use crate::lab::Certificate;

/// Probes a server: the certificate it shows must be the one it was given, and its protocols must be named.
pub(super) fn check(
    run: &mut Run,
    name: &str,
    port: u16,
    certificate: Option<&Certificate>,
    protocols: &[&str],
) {
    run.check(name, |run| {
        let facts = run.client.probe(port)?;
        let found = strings(&facts);
        if let Some(certificate) = certificate
            && !found
                .iter()
                .any(|(_, text)| text.replace(':', "").eq_ignore_ascii_case(&certificate.sha256))
        {
            return fail(format!("no certificate {} in {facts}", certificate.sha256));
        }
        let text = facts.to_string().to_lowercase();
        for protocol in protocols {
            if !text.contains(protocol) {
                return fail(format!("no word of {protocol} in {facts}"));
            }
        }
        let wanted = ["protocol", "tls", "nla"];
        let negotiated: Vec<String> = found
            .iter()
            .filter(|(path, text)| wanted.iter().any(|word| path.contains(word)) && text.len() < 24)
            .map(|(path, text)| format!("{path}={text}"))
            .collect();
        let compared = if certificate.is_some() {
            "certificate fingerprint"
        } else {
            "protocols"
        };
        Finding::passed(negotiated.join(" "), compared)
    });
}
