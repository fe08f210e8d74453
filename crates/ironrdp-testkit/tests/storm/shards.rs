//! Runs sessions on tokio, with its clock paused, spread over a few threads.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use ironrdp_testkit::net::{Clock as _, End, Probe, TokioClock, Trouble, pipe};
use ironrdp_testkit::{Direction, Transcript};
use ironrdp_tls::{TlsClient, TlsServer};
use ironrdp_tokio::{TlsServerStream, TokioStream};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::client::{ClientEnd, Seen, client, name, tls};
use crate::drops::Drops;
use crate::plan::{Plan, Sky};
use crate::server::{Failure, serve};
use crate::tap::Tape;

/// Threads that a storm is spread over, by the sessions' numbers.
const THREADS: usize = 2;

/// Longer than any client waits: a server that is still there was told nothing.
const SERVER_PATIENCE: Duration = Duration::from_secs(600);

// Its signatures all have one length, so that a byte of the handshake is the same byte in every run.
pub(crate) static SERVER: LazyLock<TlsServer> = LazyLock::new(|| {
    let certificate = include_bytes!("../../../ironrdp-tls/tests/data/ed25519.pem");
    TlsServer::from_pem(
        certificate,
        include_bytes!("../../../ironrdp-tls/tests/data/ed25519.key.pem"),
    )
    .unwrap()
});

type Stream = End<TokioClock>;
type Plain = TokioStream<Stream>;

/// How a session ended for its server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerEnd {
    /// The client took its leave after so many keys.
    Left(usize),
    /// The sequence, the session or the stream failed.
    Failed(String),
    /// Nobody told it that the client has gone.
    GaveUp,
}

/// Whether what was to go wrong in a session did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Struck {
    /// The session ended before that byte.
    No,
    /// On the way to a client that has seen all it wanted to see, and may be gone.
    Late,
    /// In time for somebody to notice.
    Yes,
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: usize,
    pub(crate) sky: Sky,
    pub(crate) secured: bool,
    pub(crate) struck: Struck,
    pub(crate) client: ClientEnd,
    pub(crate) server: ServerEnd,
    /// In virtual time.
    pub(crate) took: Duration,
    /// All that the server heard, then all that it said, above TLS: with TLS and without it is the same in every run.
    pub(crate) said: Transcript,
    /// Futures dropped.
    pub(crate) drops: usize,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let security = if self.secured { "TLS" } else { "plain" };
        write!(
            f,
            "session {} ({security}, {:?}, struck: {:?}) took {:?}: client {:?}, server {:?}",
            self.number, self.sky, self.struck, self.took, self.client, self.server
        )
    }
}

/// Runs the sessions of `plans`, all at once; with `drops` futures of the client are dropped wherever they wait.
pub(crate) fn run(plans: &[Plan], drops: bool) -> Vec<Record> {
    let tls = tls();
    let mut records: Vec<Record> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let share = plans.iter().filter(move |plan| plan.number % THREADS == number);
                let share: Vec<Plan> = share.cloned().collect();
                let tls = tls.clone();
                scope.spawn(move || run_share(share, &tls, drops))
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    });
    records.sort_by_key(|record| record.number);
    records
}

fn run_share(plans: Vec<Plan>, tls: &TlsClient, drops: bool) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // Local tasks: futures of async closures cannot be promised to be `Send`.
    LocalSet::new().block_on(&runtime, async {
        let clock = TokioClock::new();
        let mut sessions = JoinSet::new();
        for plan in plans {
            let drops = match drops {
                true => Drops::often(plan.seed),
                false => Drops::never(),
            };
            sessions.spawn_local(session(clock, Arc::new(plan), tls.clone(), drops));
        }
        sessions.join_all().await
    })
}

async fn session(clock: TokioClock, plan: Arc<Plan>, tls: TlsClient, mut drops: Drops) -> Record {
    tokio::time::sleep(plan.begins).await;
    let weather = plan.weather.clone();
    let (near, far) = pipe(clock, plan.seed, weather.to_server, weather.to_client);
    let probe = near.probe();
    let tape = Tape::default();
    let began = clock.now();
    let server = spawn_local(timeout(SERVER_PATIENCE, {
        let (plan, tape) = (Arc::clone(&plan), Arc::clone(&tape));
        async move {
            let tls = SERVER.server_config();
            if plan.own_tls {
                let upgrade = async |stream| TlsServerStream::accept(stream, tls).await;
                serve::<Plain, TokioStream<TlsServerStream<Stream>>>(far, upgrade, plan, tape).await
            } else {
                let upgrade = async |stream| TlsAcceptor::from(tls).accept(stream).await;
                serve::<Plain, TokioStream<TlsStream<Stream>>>(far, upgrade, plan, tape).await
            }
        }
    }));
    let mut seen = Seen::default();
    let client = client(near, &plan, tls, &mut drops, &mut seen).await;
    let took = clock.now() - began;
    let server = match server.await.unwrap() {
        Ok(Ok(keys)) => ServerEnd::Left(keys),
        Ok(Err(Failure::Sequence(error))) => ServerEnd::Failed(format!("Sequence({})", name(error.kind()))),
        Ok(Err(Failure::Session(error))) => ServerEnd::Failed(format!("Session({})", name(&error.kind()))),
        Ok(Err(Failure::Io(error))) => ServerEnd::Failed(format!("Io({:?})", error.kind())),
        Err(_) => ServerEnd::GaveUp,
    };
    let heard = tape.lock().unwrap();
    let mut said = Transcript::default();
    said.record(Direction::ToServer, &heard.read);
    said.record(Direction::ToClient, &heard.written);
    Record {
        number: plan.number,
        sky: plan.sky,
        secured: plan.secured,
        struck: struck(&probe, seen.all_after),
        client,
        server,
        took,
        said,
        drops: drops.count,
    }
}

/// Whether something happened on the wire that patience does not mend; `all_after` is how much the client had read when it had seen all.
fn struck(probe: &Probe, all_after: Option<u64>) -> Struck {
    let is_late = |trouble: &Trouble| all_after.is_some_and(|all_after| trouble.at() >= all_after);
    let troubles = |direction| {
        let struck = probe.report(direction).struck.into_iter();
        struck.filter(|trouble| !trouble.passes())
    };
    let to_server = troubles(Direction::ToServer).map(|_| Struck::Yes);
    let to_client = troubles(Direction::ToClient).map(|trouble| match is_late(&trouble) {
        true => Struck::Late,
        false => Struck::Yes,
    });
    to_server.chain(to_client).max().unwrap_or(Struck::No)
}
