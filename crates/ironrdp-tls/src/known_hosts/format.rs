//! The text of the file.

use core::fmt;
use core::net::IpAddr;

use rustls::pki_types::ServerName;

use super::State;
use crate::client::TlsClient;
use crate::fingerprint::Fingerprint;

/// First line of a file that we make.
const HEADER: &str = "# Public keys of RDP servers, trusted on first use: [host]:port sha256:HASH\n";

/// Host and port in the one spelling that is compared: `[rdp.example]:3389`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostKey(Box<str>);

impl HostKey {
    pub(crate) fn new(host: &ServerName<'_>, port: u16) -> Self {
        let text = match host {
            ServerName::IpAddress(ip) => format!("[{}]:{port}", IpAddr::from(*ip)),
            name => {
                let name = name.to_str();
                // RFC 1034 3.1: the final dot says that a name is complete, and belongs to no other name.
                let name = name.strip_suffix('.').unwrap_or(&name);
                format!("[{}]:{port}", name.to_ascii_lowercase())
            }
        };
        Self(text.into())
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a whole file; the error is the line, from 1, and what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<State, (usize, String)> {
    let mut state = State::default();
    let (whole, ends_open) = match bytes.strip_suffix(b"\n") {
        Some(whole) => (whole, false),
        None => (bytes, !bytes.is_empty()),
    };
    state.ends_open = ends_open;
    if bytes.is_empty() {
        return Ok(state);
    }
    for (line, number) in whole.split(|byte| *byte == b'\n').zip(1..) {
        state.lines = number;
        if let Some((host, key)) = parse_line(line).map_err(|problem| (number, problem))? {
            state.add(host, key, Some(number));
        }
    }
    Ok(state)
}

fn parse_line(line: &[u8]) -> Result<Option<(HostKey, Fingerprint)>, String> {
    let line = core::str::from_utf8(line).map_err(|_| "not utf-8".to_owned())?;
    // Neither a host nor a hash can have a number sign in it.
    let entry = line.split('#').next().unwrap_or_default().trim();
    if entry.is_empty() {
        return Ok(None);
    }
    let mut fields = entry.split_whitespace();
    let (Some(host), Some(key), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err("not of the form `[host]:port sha256:hash`".to_owned());
    };
    let (name, port) = host
        .strip_prefix('[')
        .and_then(|rest| rest.rsplit_once("]:"))
        .ok_or_else(|| format!("{host:?} is not of the form `[host]:port`"))?;
    let name = TlsClient::server_name(name).map_err(|_| format!("{name:?} is no host"))?;
    let port = Some(port)
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|port| port.parse().ok())
        .ok_or_else(|| format!("{port:?} is no port"))?;
    if !key.starts_with("sha256:") {
        return Err(format!("{key:?} does not start with `sha256:`"));
    }
    let key = key.parse().map_err(|error| format!("{key:?}: {error}"))?;
    Ok(Some((HostKey::new(&name, port), key)))
}

/// The text that puts a key on record, to be appended in one write.
pub(super) fn addition(state: &State, host: &HostKey, key: Fingerprint) -> String {
    let before = match state {
        State { ends_open: true, .. } => "\n",
        State { lines: 0, .. } => HEADER,
        _ => "",
    };
    format!("{before}{host} sha256:{key}\n")
}

#[cfg(test)]
mod tests {
    use super::{HostKey, parse};
    use crate::client::TlsClient;
    use crate::fingerprint::Fingerprint;

    const HASH: &str = "5e5de1222c2d7f0cbc603569d231632a2183972a30fe9a9a3276ca65428f2d1b";

    fn host(name: &str, port: u16) -> HostKey {
        HostKey::new(&TlsClient::server_name(name).unwrap(), port)
    }

    #[test]
    fn one_host_has_one_spelling() {
        assert_eq!(host("RDP.Example.", 3389).to_string(), "[rdp.example]:3389");
        assert_eq!(host("[2001:DB8:0::1]", 1).to_string(), "[2001:db8::1]:1");
        assert_eq!(host("2001:db8::1", 1), host("[2001:db8:0:0::1]", 1));
        assert_ne!(host("a", 1), host("a", 2));
    }

    #[test]
    fn comments_empty_lines_and_other_line_ends_are_read() {
        let text = format!(
            "# first\r\n\n  [A.example]:3389\tsha256:{HASH} # note\r\n[a.example]:3389 sha256:{}",
            "00".repeat(32)
        );
        let state = parse(text.as_bytes()).unwrap();
        assert!(state.ends_open);
        assert_eq!(state.lines, 4);
        let keys = state.keys.get(&host("a.example", 3389)).unwrap();
        assert_eq!(
            keys.iter().map(|key| key.line).collect::<Vec<_>>(),
            [Some(3), Some(4)]
        );
        assert_eq!(keys.last().unwrap().fingerprint, Fingerprint::new([0; 32]));
    }

    #[test]
    fn each_malformed_line_is_an_error_with_its_number() {
        for (line, problem) in [
            (b"[a]:1".to_vec(), "form"),
            (format!("[a]:1 sha256:{HASH} more").into_bytes(), "form"),
            (format!("a:1 sha256:{HASH}").into_bytes(), "`[host]:port`"),
            (format!("[a] sha256:{HASH}").into_bytes(), "`[host]:port`"),
            (format!("[]:1 sha256:{HASH}").into_bytes(), "no host"),
            (format!("[a b]:1 sha256:{HASH}").into_bytes(), "form"),
            (format!("[a]:65536 sha256:{HASH}").into_bytes(), "no port"),
            (format!("[a]:+1 sha256:{HASH}").into_bytes(), "no port"),
            (format!("[a]: sha256:{HASH}").into_bytes(), "no port"),
            (format!("[a]:1 {HASH}").into_bytes(), "sha256:"),
            (
                format!("[a]:1 sha256:{}", &HASH[1..]).into_bytes(),
                "63 hex digits",
            ),
            (b"[a]:1 sha256:\xff".to_vec(), "utf-8"),
            (b"\0".to_vec(), "form"),
        ] {
            let text = [b"# fine\n\n", line.as_slice(), b"\n"].concat();
            let (number, detail) = parse(&text).err().unwrap();
            assert_eq!(number, 3);
            assert!(detail.contains(problem), "{detail}");
        }
    }

    #[test]
    fn a_file_cut_at_any_byte_is_an_error_or_whole_lines() {
        let text = format!("[a.example]:3389 sha256:{HASH}\n[b.example]:3389 sha256:{HASH}\n");
        let line = text.len() / 2;
        for cut in 0..=text.len() {
            match parse(&text.as_bytes()[..cut]) {
                Ok(state) => assert!(
                    [0, line - 1, line, 2 * line - 1, 2 * line].contains(&cut),
                    "{cut}: {}",
                    state.lines
                ),
                Err((number, _)) => assert_eq!(number, cut / line + 1),
            }
        }
    }
}
