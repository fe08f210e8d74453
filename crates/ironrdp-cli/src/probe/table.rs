//! A report for people.

use std::fmt::Write as _;

use ironrdp_tokio::ServerAddr;

#[cfg(feature = "nla")]
use super::identity::{Identity, skew};
use super::report::{Answer, Report, TlsVersion};
use crate::certificate::Certificate;

/// Lines of two columns under the server's address.
pub(super) fn render(report: &Report) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |label: &str, value: String| rows.push((label.to_owned(), value));
    let protocols = &report.protocols;
    for (label, answer) in [
        ("standard RDP", &protocols.rdp),
        ("TLS", &protocols.tls),
        ("NLA", &protocols.nla),
        ("NLA extended", &protocols.nla_extended),
    ] {
        if let Some(answer) = answer {
            row(label, said(answer));
        }
    }
    let required = report
        .nla_required
        .map_or("unknown", |required| if required { "yes" } else { "no" });
    row("NLA required", required.to_owned());
    if !report.features.is_empty() {
        row("features", report.features.join(", "));
    }
    for TlsVersion {
        version,
        cipher_suite,
        error,
        ..
    } in &report.tls_versions
    {
        let value = match (cipher_suite, error) {
            (_, Some(error)) => format!("refused: {error}"),
            (Some(suite), None) => format!("accepted, {suite}"),
            (None, None) => "accepted".to_owned(),
        };
        row(&format!("TLS {version}"), value);
    }
    if let Some(certificate) = &report.certificate {
        certificate_rows(certificate, &mut row);
    }
    #[cfg(feature = "nla")]
    if let Some(identity) = &report.identity {
        identity_rows(identity, &mut row);
    }
    let times: Vec<String> = [
        ("TCP", report.round_trip_ms.tcp),
        ("RDP", report.round_trip_ms.x224),
    ]
    .into_iter()
    .filter_map(|(name, time)| Some(format!("{name} {:.1} ms", time?)))
    .collect();
    if !times.is_empty() {
        row("round trip", times.join(", "));
    }
    let address = report
        .address
        .as_deref()
        .filter(|address| *address != report.host);
    layout(report, address, &rows)
}

#[cfg(feature = "nla")]
fn identity_rows(identity: &Identity, row: &mut impl FnMut(&str, String)) {
    let names = [
        ("computer", &identity.dns_computer, &identity.netbios_computer),
        ("domain", &identity.dns_domain, &identity.netbios_domain),
        ("forest", &identity.dns_forest, &None),
    ];
    for (label, dns, netbios) in names {
        match (dns, netbios) {
            (Some(dns), Some(netbios)) if dns != netbios => row(label, format!("{dns} ({netbios})")),
            (Some(name), _) | (None, Some(name)) => row(label, name.clone()),
            (None, None) => {}
        }
    }
    if let Some(version) = &identity.version {
        row("version", version.clone());
    }
    if let Some(seconds) = identity.clock_skew {
        row("clock", skew(seconds));
    }
}

fn certificate_rows(certificate: &Certificate, row: &mut impl FnMut(&str, String)) {
    row("certificate", certificate.subject.clone());
    let issuer = if certificate.self_signed {
        "itself".to_owned()
    } else {
        certificate.issuer.clone()
    };
    row("  issued by", issuer);
    let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "?".to_owned());
    let now = match certificate.valid_now {
        Some(true) => "",
        Some(false) => " (not now)",
        None => " (malformed)",
    };
    row(
        "  valid",
        format!(
            "{} to {}{now}",
            date(&certificate.not_before),
            date(&certificate.not_after)
        ),
    );
    let bits = certificate
        .key_bits
        .map_or_else(String::new, |bits| format!(", {bits} bits"));
    row("  key", format!("{}{bits}", certificate.key_type));
    row("  SHA-256", certificate.sha256.clone());
    row("  key SHA-256", certificate.public_key_sha256.clone());
}

fn said(answer: &Answer) -> String {
    match answer {
        Answer::Accepted => "accepted".to_owned(),
        Answer::Other { selected } => format!("not taken, the server chose {selected}"),
        Answer::Refused { code, meaning } => format!("refused with code {code}: {meaning}"),
        Answer::None { error } => format!("no answer: {error}"),
    }
}

fn layout(report: &Report, address: Option<&str>, rows: &[(String, String)]) -> String {
    let mut text = ServerAddr::new(report.host.as_str(), report.port).to_string();
    if let Some(address) = address {
        text.push_str(&format!(" ({address})"));
    }
    text.push('\n');
    let width = rows
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or_default();
    for (label, value) in rows {
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {label:width$}  {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::Protocol;
    use super::*;

    #[test]
    fn columns_line_up_and_codes_are_shown() {
        let mut report = Report::new("rdp.example", 3389);
        report.set_answer(Protocol::Rdp, Answer::Accepted);
        report.set_answer(
            Protocol::Tls,
            Answer::Refused {
                code: 2,
                meaning: "the server allows only standard RDP security".to_owned(),
            },
        );
        let expected = "rdp.example:3389\n  \
            standard RDP  accepted\n  \
            TLS           refused with code 2: the server allows only standard RDP security\n  \
            NLA required  no\n";
        assert_eq!(render(&report), expected);
    }
}
