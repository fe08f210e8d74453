//! `docs/cancel-safety.md`, row by row: the future of every function is dropped wherever it waits, and what the page says holds.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]
#![allow(dead_code, reason = "the pipe has more than is needed here")]

#[path = "cancel_safety/connections.rs"]
mod connections;
#[path = "../../ironrdp-futures/tests/crumbs/mod.rs"]
mod crumbs;
#[path = "cancel_safety/deadlines.rs"]
mod deadlines;
#[path = "cancel_safety/frames.rs"]
mod frames;
#[path = "cancel_safety/kdc.rs"]
mod kdc;
#[path = "cancel_safety/sessions.rs"]
mod sessions;

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A row of the page, or a part of one, and what shows that it is true.
type Row = (&'static [&'static str], fn());

const ROWS: &[Row] = &[
    (
        &[
            "Framed::read_exact",
            "Framed::read_pdu",
            "Framed::read_by_hint",
            "Framed::next_frame",
        ],
        frames::what_arrived_stays_buffered,
    ),
    (
        &["Framed::flush"],
        frames::a_flush_goes_on_at_the_byte_where_it_stopped,
    ),
    (
        &["Framed::exchange"],
        frames::an_exchange_goes_on_in_both_directions,
    ),
    (
        &["Framed::write_all"],
        frames::a_write_leaves_all_or_nothing_in_the_queue,
    ),
    (&["TlsHandshake"], frames::a_handshake_goes_on_where_it_stopped),
    (
        &[
            "connect_begin",
            "drive",
            "drive_while",
            "single_sequence_step_read",
            "Finalize::run",
        ],
        connections::each_way_through_the_sequence_goes_on,
    ),
    (
        &["single_sequence_step", "single_sequence_step_write"],
        connections::single_steps_go_on_while_they_read,
    ),
    (
        &["connect_finalize"],
        connections::the_connector_goes_with_the_future_and_the_stream_stays,
    ),
    (
        &[
            "Connecting::run",
            "Connecting::run_observed",
            "Connect::run",
            "Connect::run_observed",
        ],
        connections::a_connection_goes_on_and_each_phase_is_told_once,
    ),
    (&["connect"], connections::a_dropped_call_closes_the_connection),
    (&["dial_any"], connections::attempts_to_connect_go_with_the_future),
    (
        &["connect_begin_within"],
        deadlines::that_of_beginning_counts_anew,
    ),
    (
        &["Finalize::run_within"],
        deadlines::those_of_finalizing_stay_where_they_were,
    ),
    (&["within"], deadlines::a_lent_future_goes_on),
    (
        &["SessionStream::next_event", "SessionStream::progress"],
        sessions::an_event_is_taken_only_when_it_is_returned,
    ),
    (
        &["TimedSession::next_event", "TimedSession::progress"],
        sessions::so_it_is_with_timers,
    ),
    (&["SessionStream::flush"], sessions::a_flush_sends_the_rest),
    (
        &["SessionStream::send_input", "SessionStream::disconnect"],
        sessions::commands_resolve_at_their_first_poll,
    ),
    (
        &["NetworkClient::send", "KdcBounds::ask"],
        kdc::a_request_is_asked_for_again,
    ),
    (
        &["post_to_kdc_proxy", "ask_kdc_proxy"],
        kdc::a_proxy_is_asked_again_on_a_fresh_stream,
    ),
];

/// What `cargo test -p ironrdp-server` looks after.
const OF_THE_SERVER: [&str; 3] = ["Server::bind", "Server::run", "ServerHandle::serve"];

/// Calls `poll`, which makes a future and polls it once, until that is ready, and lets others run in between. Gives how many
/// futures were dropped, too.
async fn dropping<T>(mut poll: impl FnMut() -> Option<T>) -> (T, usize) {
    let mut drops = 0;
    loop {
        if let Some(output) = poll() {
            return (output, drops);
        }
        drops += 1;
        assert!(drops < 10_000_000, "it waits for ever");
        smol::future::yield_now().await;
    }
}

/// The output, or a failure if there is none for a long time.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    smol::future::block_on(smol::future::or(future, async {
        smol::Timer::after(Duration::from_secs(120)).await;
        panic!("it waits for ever")
    }))
}

#[test]
fn each_row_of_the_page_holds() {
    for (names, check) in ROWS {
        println!("{names:?}");
        check();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// The functions in the first column of the page's tables.
fn on_the_page() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/cancel-safety.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .filter(|name| name != "&mut")
            .collect()
    };
    cells.flat_map(quoted).collect()
}

#[test]
fn each_function_of_the_page_is_dropped_here_and_the_other_way_round() {
    let mut tested: BTreeSet<String> = ROWS
        .iter()
        .flat_map(|row| row.0)
        .map(|name| name.to_string())
        .collect();
    tested.extend(OF_THE_SERVER.map(str::to_owned));
    assert_eq!(on_the_page(), tested);
}

/// The names of the public async functions in a file, up to its unit tests.
fn async_functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .filter_map(|line| {
            let name = line.trim_start().strip_prefix("pub async fn ")?;
            name.split(['(', '<']).next()
        })
}

#[test]
fn no_async_function_is_missing_on_the_page() {
    let page = on_the_page();
    let known: BTreeSet<&str> = page
        .iter()
        .map(|name| name.rsplit("::").next().unwrap())
        .collect();
    let mut seen = 0;
    for name in ["async", "tokio", "futures", "server"] {
        let mut directories = vec![root().join(format!("crates/ironrdp-{name}/src"))];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                for function in async_functions(&text) {
                    assert!(known.contains(function), "{}: {function}", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 30, "{seen}");
}
