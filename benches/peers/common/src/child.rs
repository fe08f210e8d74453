//! What one fresh process measures; it prints its figures as one line of JSON.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::measure::{self, Calls, Counted, allocated, live_heap, process_cpu, resident, thread_cpu};
use crate::{Answer, Policy, Target, floor};

/// A client to be measured.
#[expect(async_fn_in_trait, reason = "all of it runs on one thread")]
pub trait Client {
    /// Connects, and lets go of the session.
    async fn connect(&self) -> Answer;

    /// The same over a stream that counts.
    async fn connect_over(&self, stream: Counted<TcpStream>) -> Answer;

    /// Connects, and leaves a task that holds the session in this state until the server ends it.
    async fn hold(&self, state: &str) -> Answer;
}

/// The clients and decoders of one program.
#[expect(async_fn_in_trait, reason = "all of it runs on one thread")]
pub trait Stack {
    type Client: Client;

    async fn client(who: &str, target: &Target, policy: Policy, compression: bool) -> Answer<Self::Client>;

    async fn frames(who: &str, target: &Target, medium: &str, size: usize, count: usize) -> Answer<Value>;

    /// Costs by the name of the case.
    fn decode(directory: &str) -> Answer<Value>;
}

impl Client for floor::Client {
    async fn connect(&self) -> Answer {
        drop(self.connect().await?);
        Ok(())
    }

    async fn connect_over(&self, stream: Counted<TcpStream>) -> Answer {
        drop(self.connect_over(stream).await?);
        Ok(())
    }

    async fn hold(&self, _: &str) -> Answer {
        let mut stream = self.connect().await?;
        tokio::spawn(async move { while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {} });
        Ok(())
    }
}

/// Does what the command line says: a port, the server's certificate, a task.
pub fn run<S: Stack>(words: &[&str]) -> Answer<Value> {
    let [port, certificate, task, rest @ ..] = words else {
        return Err("a child without a task".into());
    };
    // A reader of frames keeps the server busy instead, and both need a CPU.
    if task.starts_with("connect") || *task == "cold" {
        measure::stay_on_one_cpu();
    }
    let target = &Target {
        port: port.parse()?,
        certificate: std::fs::read(certificate)?.into(),
        nla: matches!(*task, "connect-nla" | "connect-nla-only"),
    };
    match (*task, rest) {
        ("connect" | "connect-nla", [who, policy, count]) => {
            block_on(connect::<S>(who, target, Policy::parse(policy)?, count.parse()?))
        }
        ("connect-only" | "connect-nla-only", [who, policy, count]) => {
            let (policy, count) = (Policy::parse(policy)?, count.parse()?);
            block_on(connect_only::<S>(who, target, policy, count))
        }
        ("cold", [who, policy]) => {
            let start = process_cpu();
            block_on(connect_only::<S>(who, target, Policy::parse(policy)?, 1))?;
            Ok(json!({ "cpu_us": (process_cpu() - start).as_secs_f64() * 1e6 }))
        }
        ("idle", [who, state, counts]) => {
            let counts: Result<Vec<usize>, _> = counts.split(',').map(str::parse).collect();
            block_on(idle::<S>(who, target, state, &counts?))
        }
        ("frames", [who, medium, size, count]) => {
            block_on(S::frames(who, target, medium, size.parse()?, count.parse()?))
        }
        ("decode", [directory]) => S::decode(directory),
        _ => Err("an unknown task".into()),
    }
}

/// One thread, as all that is measured here needs.
pub fn block_on<T>(future: impl Future<Output = Answer<T>>) -> Answer<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

/// `count` connections after a few that warm up.
async fn connect<S: Stack>(who: &str, target: &Target, policy: Policy, count: u32) -> Answer<Value> {
    let client = S::client(who, target, policy, false).await?;
    for _ in 0..3 {
        client.connect().await?;
    }
    let calls = Arc::new(Calls::default());
    let stream = TcpStream::connect((target.host(), target.port)).await?;
    stream.set_nodelay(true)?;
    let counted = Counted {
        inner: stream,
        calls: Arc::clone(&calls),
    };
    client.connect_over(counted).await?;
    let (blocks, bytes) = allocated();
    let mut times = Vec::with_capacity(usize::try_from(count)?);
    for _ in 0..count {
        let start = thread_cpu();
        client.connect().await?;
        times.push(thread_cpu() - start);
    }
    let (blocks_after, bytes_after) = allocated();
    let per = |value: f64| value / f64::from(count);
    Ok(json!({
        "cpu_us": median(&mut times).as_secs_f64() * 1e6,
        "allocations": per((blocks_after - blocks) as f64),
        "allocated_kb": per((bytes_after - bytes) as f64) / 1e3,
        "reads": calls.reads.load(Relaxed),
        "writes": calls.writes.load(Relaxed),
    }))
}

/// The one in the middle: a moment in which the machine was busy with something else does not count.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `count` connections and nothing else, for somebody who watches from outside.
async fn connect_only<S: Stack>(who: &str, target: &Target, policy: Policy, count: u32) -> Answer<Value> {
    let client = S::client(who, target, policy, false).await?;
    for _ in 0..count {
        client.connect().await?;
    }
    Ok(json!({}))
}

/// Waits until this process has had nothing to do for a while.
async fn settle() {
    let mut before = process_cpu();
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let now = process_cpu();
        if now - before < Duration::from_millis(3) {
            return;
        }
        before = now;
    }
}

/// Memory for each idle session, at each of these numbers of them.
async fn idle<S: Stack>(who: &str, target: &Target, state: &str, counts: &[usize]) -> Answer<Value> {
    measure::raise_file_limit();
    let client = S::client(who, target, Policy::Any, state == "mppc").await?;
    client.connect().await?;
    settle().await;
    let (rss, heap) = (resident(), live_heap());
    let (mut held, mut figures) = (0, serde_json::Map::new());
    for &count in counts {
        while held < count {
            // Boxed, so that no stack frame is as large as connecting needs.
            Box::pin(client.hold(state)).await?;
            held += 1;
        }
        settle().await;
        let per = |bytes: i64| bytes as f64 / count as f64 / 1e3;
        figures.insert(
            count.to_string(),
            json!({ "rss_kb": per(resident() - rss), "heap_kb": per(live_heap() - heap) }),
        );
    }
    Ok(Value::Object(figures))
}
