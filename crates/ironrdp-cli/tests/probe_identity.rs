//! `ironrdp probe` of servers that say who they are when a login begins.

#![cfg(feature = "nla")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{SystemTime, UNIX_EPOCH};

use support::{
    CONFIRM_HYBRID, REFUSE_NLA_REQUIRED, ironrdp, read_request, run, serve, stay_silent, tls_server,
};

/// A `TSRequest` with the NTLM challenge of a Windows 7 called VGPC.
const CHALLENGE: &[u8] = include_bytes!("../../ironrdp-connector/tests/vectors/credssp/exchange_2.der");

/// When it was made, by the server's clock: the 28th of February 2019.
const MADE: f64 = 1_551_347_361.0;

/// A server with network level authentication that answers the beginning of a login with these bytes, and anything else not at all.
fn server(answer: Vec<u8>) -> u16 {
    let tls = tls_server("self-signed.pem", "ec.key.pem");
    serve(move |mut stream: TcpStream| {
        if read_request(&mut stream)? & 2 == 0 {
            return stream.write_all(&REFUSE_NLA_REQUIRED);
        }
        stream.write_all(&CONFIRM_HYBRID)?;
        let mut stream = rustls::StreamOwned::new(tls.connection().unwrap(), stream);
        let mut request = [0; 1024];
        let length = stream.read(&mut request)?;
        // Neither a name nor a password: `NEGOTIATE_MESSAGE` with both fields empty.
        let token = request[..length]
            .windows(8)
            .position(|bytes| bytes == b"NTLMSSP\0");
        let token = &request[token.unwrap()..length];
        assert_eq!((token[8], &token[16..32]), (1, [0; 16].as_slice()));
        stream.write_all(&answer)?;
        stream.flush()?;
        stay_silent(stream.sock)
    })
}

/// The challenge with another name in this field (`AV_PAIR`, MS-NLMP 2.2.2.1).
fn renamed(challenge: &mut [u8], id: u8, name: &str) {
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let pair = [&[id, 0, 8, 0], utf16("VGPC").as_slice()].concat();
    let at = challenge
        .windows(pair.len())
        .position(|bytes| bytes == pair)
        .unwrap();
    challenge[at + 4..at + pair.len()].copy_from_slice(&utf16(name));
}

fn seconds_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
fn each_name_version_and_clock_of_a_challenge_has_its_field() {
    let mut challenge = CHALLENGE.to_vec();
    for (id, name) in [(1, "NETC"), (2, "NETD"), (3, "c.d."), (4, "dnsd")] {
        renamed(&mut challenge, id, name);
    }
    let address = format!("127.0.0.1:{}", server(challenge));
    let before = seconds_now();
    let mut json = run(ironrdp().args(["probe", "--json", "--timeout", "60", &address]))
        .expect(0)
        .json();
    let after = seconds_now();
    let mut identity = json[0]["identity"].take();
    let skew = identity["clock_skew"].take().as_f64().unwrap();
    assert!(
        (MADE - after - 0.001..=MADE - before + 0.001).contains(&skew),
        "{skew}"
    );
    let expected = serde_json::json!({
        "netbios_computer": "NETC",
        "netbios_domain": "NETD",
        "dns_computer": "c.d.",
        "dns_domain": "dnsd",
        "dns_forest": null,
        "version": "6.1.7601",
        "clock_skew": null,
    });
    assert_eq!(identity, expected);
}

#[test]
fn the_table_has_a_row_for_each_and_says_a_name_once() {
    let mut renamed_computer = CHALLENGE.to_vec();
    renamed(&mut renamed_computer, 3, "pc.d");
    for (challenge, computer) in [(CHALLENGE.to_vec(), "VGPC"), (renamed_computer, "pc.d (VGPC)")] {
        let address = format!("127.0.0.1:{}", server(challenge));
        let finished = run(ironrdp().args(["probe", "--timeout", "60", &address])).expect(0);
        let table = String::from_utf8(finished.stdout).unwrap();
        let row = |label: &str| {
            let mut rows = table
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix(label));
            rows.next().map(str::trim).map(str::to_owned)
        };
        assert_eq!(row("computer").as_deref(), Some(computer), "{table}");
        assert_eq!(row("domain").as_deref(), Some("VGPC"), "{table}");
        assert_eq!(row("forest"), None, "{table}");
        assert_eq!(row("version").as_deref(), Some("6.1.7601"), "{table}");
        let clock = row("clock").unwrap();
        let behind: f64 = clock
            .strip_suffix(" s behind this machine's")
            .unwrap_or_else(|| panic!("{table}"))
            .parse()
            .unwrap();
        assert!((seconds_now() - MADE - behind) < 120.0, "{clock}");
    }
}

#[test]
fn a_server_that_ends_the_login_at_once_is_probed_all_the_same() {
    const ERROR: &[u8] = include_bytes!("../../ironrdp-connector/tests/vectors/credssp/ts_request_error.der");
    let address = format!("127.0.0.1:{}", server(ERROR.to_vec()));
    let json = run(ironrdp().args(["probe", "--json", "--timeout", "60", &address]))
        .expect(0)
        .json();
    assert!(json[0]["identity"].is_null());
    assert_eq!(json[0]["nla_required"], true);
    assert_eq!(json[0]["certificate"]["subject"], "CN=localhost");
}
