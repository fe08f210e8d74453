//! A thousand sessions at once through networks that delay, stall, break and corrupt, in virtual time and from a seed.
//!
//! `IRONRDP_SEED=7 cargo test -p ironrdp-testkit --test storm -- --nocapture` runs the storm of another seed, and with
//! `IRONRDP_SESSION=123` one session of it, alone. `CONTRIBUTING.md` has more.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(clippy::print_stdout, reason = "the tally, and the seed to repeat it")]

#[path = "storm/client.rs"]
mod client;
#[path = "storm/drops.rs"]
mod drops;
#[path = "storm/picture.rs"]
mod picture;
#[path = "storm/plan.rs"]
mod plan;
#[path = "storm/server.rs"]
mod server;
#[path = "storm/shards.rs"]
mod shards;
#[path = "storm/sim.rs"]
mod sim;
#[path = "storm/tally.rs"]
mod tally;
#[path = "storm/tap.rs"]
mod tap;

use ironrdp_testkit::Direction;

use plan::{Plan, Sky};
use shards::{Record, run};
use tally::{Tally, check};

/// What a storm begins with unless `IRONRDP_SEED` says otherwise.
const SEED: u64 = 1;

/// Sessions of a storm.
const SESSIONS: usize = 1_000;

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let Ok(value) = text.parse() else {
        panic!("{name} is {text}, and should be a number");
    };
    Some(value)
}

fn seed() -> u64 {
    variable("IRONRDP_SEED").unwrap_or(SEED)
}

fn plans(seed: u64, numbers: impl IntoIterator<Item = usize>) -> Vec<Plan> {
    numbers
        .into_iter()
        .map(|number| Plan::draw(seed, number))
        .collect()
}

#[test]
fn a_thousand_sessions_end_as_their_networks_let_them() {
    let seed = seed();
    println!("storm of seed {seed}");
    if let Some(number) = variable("IRONRDP_SESSION") {
        let plans = plans(seed, [number]);
        println!("{:#?}", plans[0]);
        let records = run(&plans, false);
        println!("{}\n{}", records[0], records[0].said);
        check(seed, &records[0]);
        return;
    }
    let records = run(&plans(seed, 0..SESSIONS), false);
    let tally = Tally::of(&records);
    println!("{tally}");
    records.iter().for_each(|record| check(seed, record));
    tally.assert_that_all_kinds_of_trouble_happened();
}

#[test]
fn the_same_seed_gives_the_same_storm_however_many_sessions_there_are() {
    let seed = seed().wrapping_add(1);
    println!("storm of seed {seed}");
    let plans = plans(seed, 0..120);
    let records = run(&plans, false);
    assert_eq!(run(&plans, false), records, "seed {seed}");
    for (plan, record) in plans.into_iter().zip(records).step_by(7) {
        assert_eq!(run(&[plan], false), [record], "seed {seed}, alone");
    }
}

/// The sessions of a storm that have nothing to fear.
fn fair(seed: u64, count: usize) -> Vec<Plan> {
    let plans = (0..).map(|number| Plan::draw(seed, number));
    plans.filter(|plan| plan.sky == Sky::Fair).take(count).collect()
}

#[test]
fn sessions_do_not_notice_that_their_futures_are_dropped() {
    let seed = seed().wrapping_add(2);
    println!("storm of seed {seed}");
    let plans = fair(seed, 120);
    let undisturbed = run(&plans, false);
    let disturbed = run(&plans, true);
    let mut drops = 0;
    for (undisturbed, disturbed) in undisturbed.iter().zip(&disturbed) {
        check(seed, disturbed);
        for direction in [Direction::ToClient, Direction::ToServer] {
            assert_eq!(
                said(disturbed, direction),
                said(undisturbed, direction),
                "seed {seed}, session {}",
                disturbed.number
            );
        }
        drops += disturbed.drops;
    }
    println!("{drops} futures dropped");
    assert!(drops > 2_000, "only {drops} futures were dropped");
}

/// The PDUs of one direction, without the acknowledgements of frames: when the client learns that a frame has ended, it may have pressed
/// the next key already, or taken its leave.
fn said(record: &Record, direction: Direction) -> Vec<(usize, u64)> {
    let is_acknowledgement = |length| direction == Direction::ToServer && length == FRAME_ACKNOWLEDGE;
    let pdus = record.said.of(direction);
    pdus.filter(|pdu| !is_acknowledgement(pdu.length))
        .map(|pdu| (pdu.length, pdu.hash))
        .collect()
}

/// Bytes of a `TS_FRAME_ACKNOWLEDGE_PDU` with all its headers.
const FRAME_ACKNOWLEDGE: usize = 36;

#[test]
fn every_byte_arrives_once_however_often_futures_are_dropped() {
    let seed = seed().wrapping_add(3);
    println!("storm of seed {seed}");
    let records = sim::run(seed, &fair(seed, 200));
    let mut drops = 0;
    for record in &records {
        let number = record.number;
        match (&record.client, &record.server) {
            (Ok(count), Ok(2)) => drops += count,
            ends => panic!("seed {seed}, session {number}: {ends:?}"),
        }
        assert!(
            record.at_client.written == record.at_server.read
                && record.at_client.read == record.at_server.written,
            "seed {seed}, session {number}: what one end wrote is not what the other end read"
        );
    }
    println!("{drops} futures dropped");
    assert_eq!(records.len(), 200);
    assert!(drops > 3_000, "only {drops} futures were dropped");
}
