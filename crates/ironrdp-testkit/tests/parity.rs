//! One table of scenarios through every shell: the same PDUs in the same order, and the same end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(dead_code, reason = "the pipe has more than is needed here")]

#[path = "../../ironrdp-futures/tests/crumbs/mod.rs"]
mod crumbs;
#[path = "connecting/krb_error.rs"]
mod krb_error;
#[path = "parity/scenarios.rs"]
mod scenarios;
#[path = "parity/session.rs"]
mod session;
#[path = "parity/shells.rs"]
mod shells;

#[path = "storm/tap.rs"]
mod tap;

use ironrdp_session::Event;
use ironrdp_testkit::Direction;
use scenarios::{Outcome, Product, Scenario};
use shells::{Heard, TlsOf};

/// Runs every scenario through `shell` and compares with what two machines do without any.
///
/// `how` says what is special about this run.
fn same_with(how: &str, shell: impl Fn(Scenario) -> Outcome) {
    let (mut connected, mut failed, mut asked) = (0, 0, 0);
    for (number, (reference, scenario)) in scenarios::all().into_iter().zip(scenarios::all()).enumerate() {
        let name = scenario.name;
        let expected = shells::pair(reference);
        let outcome = shell(scenario);
        assert_eq!(outcome, expected, "scenario {number}: {name}{how}");
        asked += outcome.kdc;
        if outcome.client.is_ok() && outcome.server.is_ok() {
            connected += 1;
        } else {
            failed += 1;
        }
    }
    assert_eq!(
        asked, 2,
        "the KDC was asked for a ticket, and again with a proof of the password"
    );
    assert!(
        connected >= 13 && failed >= 21,
        "{connected} connected, {failed} failed"
    );
}

#[test]
fn tokio_says_what_the_machines_say() {
    same_with("", |scenario| shells::tokio(scenario, 64 * 1024, TlsOf::Others));
    same_with(", our TLS", |scenario| {
        shells::tokio(scenario, 64 * 1024, TlsOf::Ours)
    });
}

#[test]
fn tokio_says_the_same_through_a_pipe_of_nineteen_bytes() {
    same_with("", |scenario| shells::tokio(scenario, 19, TlsOf::Others));
    same_with(", our TLS", |scenario| shells::tokio(scenario, 19, TlsOf::Ours));
}

#[test]
fn smol_says_what_the_machines_say_however_the_bytes_crumble() {
    for seed in 0..5 {
        same_with(&format!(", seed {seed}"), |scenario| {
            shells::smol(scenario, seed, TlsOf::Others)
        });
        same_with(&format!(", our TLS, seed {seed}"), |scenario| {
            shells::smol(scenario, seed, TlsOf::Ours)
        });
    }
}

#[test]
fn threads_that_block_say_what_the_machines_say() {
    same_with("", shells::blocking);
}

#[test]
fn whole_clients_with_their_own_tls_say_what_the_machines_say() {
    type Client = fn(&Product, u64) -> Heard;
    let clients: [(&str, Client); 4] = [
        ("tokio", shells::connect_on_tokio),
        ("tokio, in three calls", shells::three_calls_on_tokio),
        ("smol", shells::connect_on_smol),
        ("threads", shells::connect_on_threads),
    ];
    for product in scenarios::products() {
        let reference = product.scenario();
        let said = reference.said();
        let expected = shells::pair(reference);
        assert!(expected.client.is_ok());
        let expected = (said.lock().unwrap().pdus(Direction::ToServer), expected.server);
        for (client, connect) in clients {
            for seed in 0..3 {
                let (bytes, end) = connect(&product, seed);
                let name = product.name;
                assert_eq!(
                    (scenarios::heard(&bytes), end),
                    expected,
                    "{client}, {name}, seed {seed}"
                );
            }
        }
    }
}

#[test]
fn a_session_tells_the_same_in_every_shell() {
    let expected = session::tokio(64 * 1024);
    let told: Vec<&Event> = expected.events.iter().collect();
    assert!(
        matches!(
            told[..],
            [
                Event::Deactivated,
                Event::Resized(_),
                Event::Redirected(_),
                Event::ErrorInfoSet(_),
                Event::Disconnected {
                    error_info: Some(_),
                    ..
                }
            ]
        ),
        "{told:?}"
    );
    assert_eq!(session::tokio(7), expected);
    for seed in 0..20 {
        assert_eq!(session::smol(seed), expected, "seed {seed}");
    }
    assert_eq!(session::blocking(), expected);
}
