//! One table of scenarios through every shell: the same PDUs in the same order, and the same end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(dead_code, reason = "the pipe has more than is needed here")]

#[path = "../../ironrdp-futures/tests/crumbs/mod.rs"]
mod crumbs;
#[path = "parity/scenarios.rs"]
mod scenarios;
#[path = "parity/session.rs"]
mod session;
#[path = "parity/shells.rs"]
mod shells;

use ironrdp_session::Event;
use scenarios::{Outcome, Scenario};

/// Runs every scenario through `shell` and compares with what two machines do without any.
fn same_as_in_memory(shell: impl Fn(Scenario) -> Outcome) {
    let (mut connected, mut failed) = (0, 0);
    for (number, (reference, scenario)) in scenarios::all().into_iter().zip(scenarios::all()).enumerate() {
        let name = scenario.name;
        let expected = shells::pair(reference);
        let outcome = shell(scenario);
        assert_eq!(outcome, expected, "scenario {number}: {name}");
        if outcome.client.is_ok() && outcome.server.is_ok() {
            connected += 1;
        } else {
            failed += 1;
        }
    }
    assert!(
        connected >= 13 && failed >= 20,
        "{connected} connected, {failed} failed"
    );
}

#[test]
fn tokio_says_what_the_machines_say() {
    same_as_in_memory(|scenario| shells::tokio(scenario, 64 * 1024));
}

#[test]
fn tokio_says_the_same_through_a_pipe_of_nineteen_bytes() {
    same_as_in_memory(|scenario| shells::tokio(scenario, 19));
}

#[test]
fn smol_says_what_the_machines_say_however_the_bytes_crumble() {
    for seed in 0..5 {
        same_as_in_memory(|scenario| shells::smol(scenario, seed));
    }
}

#[test]
fn threads_that_block_say_what_the_machines_say() {
    same_as_in_memory(shells::blocking);
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
