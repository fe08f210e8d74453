//! What becomes of a deadline when a future is dropped; in virtual time.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ironrdp_connector::{ClientConnector, Config, ConnectorErrorKind, Credentials, Deadlines, Phase};
use ironrdp_pdu::x224::{NegotiationOutcome, ResponseFlags, SecurityProtocol};
use ironrdp_testkit::frames;
use ironrdp_tokio::{
    Finalize, NoNetwork, Timer as _, TokioFramed, TokioTimer, connect_begin, connect_begin_within,
    mark_as_upgraded, within,
};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, timeout};

/// Nothing here takes longer than a phase may.
const PHASE: Duration = Duration::from_secs(10);

fn connector() -> ClientConnector {
    let deadlines = Deadlines {
        negotiate: PHASE,
        activate: PHASE,
        ..Deadlines::default()
    };
    ClientConnector::new(Config::new(Credentials::new("rdptest", "Lab-Pass-1")).with_deadlines(deadlines))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

/// A server that says nothing; and the end of its pipe that hears.
fn silence() -> (TokioFramed<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    (TokioFramed::new(near), far)
}

pub(crate) fn that_of_beginning_counts_anew() {
    run(async {
        let (mut framed, _far) = silence();
        let mut connector = connector();
        // Four times nine seconds, and it is still not late.
        for _ in 0..4 {
            let mut timer = TokioTimer::default();
            let begin = connect_begin_within(&mut framed, &mut connector, &mut timer);
            timeout(PHASE * 9 / 10, begin).await.unwrap_err();
        }
        let start = Instant::now();
        let error = connect_begin_within(&mut framed, &mut connector, &mut TokioTimer::default())
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ConnectorErrorKind::Timeout(Phase::Negotiate));
        assert_eq!(start.elapsed().as_secs(), PHASE.as_secs());
    });
}

pub(crate) fn those_of_finalizing_stay_where_they_were() {
    run(async {
        let (mut framed, mut far) = silence();
        let mut connector = connector();
        let selected = NegotiationOutcome::Selected {
            protocol: SecurityProtocol::SSL,
            flags: ResponseFlags::empty(),
        };
        far.write_all(&frames::confirm(selected)).await.unwrap();
        let should_upgrade = connect_begin(&mut framed, &mut connector).await.unwrap();
        let upgraded = mark_as_upgraded(should_upgrade, &mut connector);
        let name = "localhost".into();
        let mut finalize =
            Finalize::new(upgraded, connector, framed, NoNetwork, name, vec![1], None).unwrap();
        let start = Instant::now();
        for _ in 0..3 {
            let mut timer = TokioTimer::default();
            timeout(PHASE * 3 / 10, finalize.run_within(&mut timer))
                .await
                .unwrap_err();
        }
        for _ in 0..2 {
            let error = finalize.run_within(&mut TokioTimer::default()).await.unwrap_err();
            assert_eq!(*error.kind(), ConnectorErrorKind::Timeout(Phase::Activate));
            assert_eq!(start.elapsed().as_secs(), PHASE.as_secs());
        }
    });
}

pub(crate) fn a_lent_future_goes_on() {
    run(async {
        let steps = Cell::new(0);
        let mut work = pin!(async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(3)).await;
                steps.set(steps.get() + 1);
            }
            "done"
        });
        let mut results = Vec::new();
        for _ in 0..4 {
            let mut timer = TokioTimer::default();
            let until = Some(TokioTimer::now() + Duration::from_secs(4));
            // Dropped half-way as well.
            let lent = within(&mut timer, until, work.as_mut());
            timeout(Duration::from_millis(500), lent).await.unwrap_err();
            let mut timer = TokioTimer::default();
            results.push(within(&mut timer, until, work.as_mut()).await);
            if results.last().unwrap().is_some() {
                break;
            }
        }
        assert_eq!(results, [None, None, None, Some("done")]);
        assert_eq!(steps.get(), 5);
    });
}
