//! `ironrdp probe --json` against servers whose settings are known.

use serde_json::Value;

use super::{Finding, Run};
use crate::fail::{Outcome, fail};
use crate::lab::Certificate;

/// Probes a server: the certificate it shows must be the one it was given, and each protocol named here must have got
/// this answer.
pub(super) fn check(
    run: &mut Run,
    name: &str,
    port: u16,
    certificate: Option<&Certificate>,
    answers: &[(&str, &str)],
) {
    run.check(name, |run| {
        let facts = run.client.probe(port)?;
        judge(&facts, certificate, answers)?;
        let told = protocols(&facts)
            .map(|(protocol, answer)| format!("{protocol} {answer}"))
            .collect::<Vec<_>>()
            .join(", ");
        let fingerprint = if certificate.is_some() {
            " and the fingerprints"
        } else {
            ""
        };
        Finding::passed(told, format!("{} answers{fingerprint}", answers.len()))
    });
}

fn judge(facts: &Value, certificate: Option<&Certificate>, answers: &[(&str, &str)]) -> Outcome<()> {
    let shown = |kind: &str| {
        facts
            .pointer(&format!("/0/certificate/{kind}"))
            .and_then(Value::as_str)
    };
    if let Some(certificate) = certificate
        && (shown("sha256") != Some(&certificate.sha256)
            || shown("public_key_sha256") != Some(&certificate.key_sha256))
    {
        return fail(format!(
            "expected the certificate {}, got {facts}",
            certificate.sha256
        ));
    }
    for (protocol, expected) in answers {
        match protocols(facts).find(|(name, _)| name == protocol) {
            Some((_, answer)) if answer == *expected => {}
            other => {
                return fail(format!(
                    "{protocol} should be {expected}, is {other:?} in {facts}"
                ));
            }
        }
    }
    Ok(())
}

/// Protocol and answer of each question to the first server.
fn protocols(facts: &Value) -> impl Iterator<Item = (&str, &str)> {
    let all = facts.pointer("/0/protocols").and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .filter_map(|(protocol, told)| Some((protocol.as_str(), told.get("answer")?.as_str()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_or_certificate_is_a_failure() {
        let certificate = Certificate {
            certificate: "c".into(),
            key: "k".into(),
            sha256: "aa".to_owned(),
            key_sha256: "bb".to_owned(),
        };
        let facts = serde_json::json!([{
            "protocols": {"tls": {"answer": "accepted"}, "rdp": {"answer": "refused", "code": 1}},
            "certificate": {"sha256": "aa", "public_key_sha256": "bb"}
        }]);
        assert!(
            judge(
                &facts,
                Some(&certificate),
                &[("tls", "accepted"), ("rdp", "refused")]
            )
            .is_ok()
        );
        assert!(judge(&facts, None, &[("rdp", "accepted")]).is_err());
        assert!(judge(&facts, None, &[("nla", "refused")]).is_err());
        let other = Certificate {
            key_sha256: "cc".to_owned(),
            ..certificate
        };
        assert!(judge(&facts, Some(&other), &[]).is_err());
    }
}
