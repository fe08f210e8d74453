//! Many live sessions in one process: how fast they connect, and what each costs.
//!
//! ```sh
//! IRONRDP_PASSWORD=... cargo run --release --example concurrent -- --sessions 50 --host rdp.example --user alice
//! ```
//!
//! One line for each session's first frame goes to standard error, the summary to standard output.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ironrdp_connector::{Config, Credentials};
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::DesktopSize;
use ironrdp_session::{Event, NoPixels, PixelStore};
use ironrdp_tls::{CertificatePolicy, Fingerprint};
use ironrdp_tokio::{Connect, ConnectConfig, ServerAddr};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// Holds many live RDP sessions in one process and measures them.
#[derive(Parser)]
struct Args {
    #[arg(help = "The server: host, host:port, or [IPv6]:port", long)]
    host: ServerAddr,

    /// How many sessions; the server must give each connection a session of its own
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u16).range(1..))]
    sessions: u16,

    /// Log in as this user, with the password in IRONRDP_PASSWORD
    #[arg(short, long, default_value = "")]
    user: String,

    /// Accept the certificate with this SHA-256, or with a public key of this SHA-256; without it the authorities that this machine
    /// trusts decide
    #[arg(long, value_name = "HEX", conflicts_with = "dangerously_accept_any")]
    pin: Option<Fingerprint>,

    /// Accept every certificate
    #[arg(long)]
    dangerously_accept_any: bool,

    /// Connect without TLS, readable by anyone on the way
    #[arg(long)]
    dangerously_plain: bool,

    /// What becomes of the pixels
    #[arg(long, value_enum, default_value_t = Pixels::Framebuffer)]
    pixels: Pixels,

    /// How many may be connecting at the same time
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,

    /// Seconds that all sessions are held once each has its first frame
    #[arg(long, default_value = "5")]
    hold: u16,

    /// Seconds that a session may take to its first frame
    #[arg(long, default_value = "60")]
    timeout: u16,

    /// Threads of the runtime
    #[arg(long, default_value = "2", value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pixels {
    /// Drawn into a framebuffer for each session
    Framebuffer,
    /// Parsed and counted, not decoded
    None,
}

/// What one session tells.
struct Session {
    connect: Duration,
    connect_cpu: Duration,
    first_frame: Duration,
    bytes_in: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads.into())
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(Arc::new(args))),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Arc<Args>) -> Result<(), Box<dyn std::error::Error>> {
    let config = config(&args)?;
    let before = resident_bytes();
    let (started, cpu) = (Instant::now(), process_cpu());
    let gate = Arc::new(Semaphore::new(args.at_once.into()));
    let (release, hold) = watch::channel(false);
    let (arrivals, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let mut sessions = JoinSet::new();
    for number in 1..=args.sessions {
        let job = Job {
            number,
            args: Arc::clone(&args),
            config: config.clone(),
            gate: Arc::clone(&gate),
            arrivals: arrivals.clone(),
            hold: hold.clone(),
        };
        sessions.spawn(async move {
            match job.args.pixels {
                Pixels::None => job.run(|_| Some(NoPixels)).await,
                Pixels::Framebuffer => {
                    job.run(|size| Framebuffer::new(size.width(), size.height()).ok())
                        .await
                }
            }
        });
    }
    drop((arrivals, hold));
    let mut connected = 0_u32;
    let mut last_connect = Duration::ZERO;
    // Each session says once that it is connected and once that it has its first frame; a failed one just lets go.
    while let Some(arrival) = arrived.recv().await {
        if arrival == Arrival::Connected {
            connected += 1;
            last_connect = started.elapsed();
        }
    }
    let (all_live, live_cpu) = (started.elapsed(), process_cpu().saturating_sub(cpu));
    let live = resident_bytes();
    tokio::time::sleep(Duration::from_secs(args.hold.into())).await;
    let hold_cpu = process_cpu().saturating_sub(cpu + live_cpu);
    let after = resident_bytes();
    release.send(true)?;
    let mut done: Vec<Session> = Vec::new();
    while let Some(finished) = sessions.join_next().await {
        match finished? {
            Ok(session) => done.push(session),
            Err(error) => say(&format!("failed: {error}")),
        }
    }
    let held = u32::try_from(done.len())?;
    if held > 0 {
        print(&Summary {
            held,
            connected,
            last_connect,
            all_live,
            live_cpu,
            hold: args.hold,
            hold_cpu,
            resident: before.zip(live.max(after)),
            sessions: done,
        });
    }
    match u32::from(args.sessions) - held {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} sessions failed", args.sessions).into()),
    }
}

fn config(args: &Args) -> Result<ConnectConfig, Box<dyn std::error::Error>> {
    let password = std::env::var("IRONRDP_PASSWORD").unwrap_or_default();
    let mut client = Config::new(Credentials::new(args.user.as_str(), password));
    if args.dangerously_plain {
        client = client.dangerously_require_plain();
    }
    let policy = match args.pin {
        Some(pin) => CertificatePolicy::pin(pin),
        None if args.dangerously_accept_any => CertificatePolicy::dangerously_accept_any(),
        None => CertificatePolicy::platform_roots(),
    };
    Ok(ConnectConfig::new(client).with_certificate_policy(policy)?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Connected,
    FirstFrame,
}

struct Job {
    number: u16,
    args: Arc<Args>,
    config: ConnectConfig,
    gate: Arc<Semaphore>,
    arrivals: tokio::sync::mpsc::UnboundedSender<Arrival>,
    hold: watch::Receiver<bool>,
}

impl Job {
    async fn run<P: PixelStore>(
        self,
        pixels: impl FnOnce(DesktopSize) -> Option<P>,
    ) -> Result<Session, String> {
        let Self {
            number,
            args,
            config,
            gate,
            arrivals,
            mut hold,
        } = self;
        let failed = |error: &dyn std::fmt::Display| format!("session {number}: {error}");
        let permit = gate.acquire().await.map_err(|error| failed(&error))?;
        let started = Instant::now();
        let mut connect = Connect::new(args.host.clone(), config);
        let (connected, connect_cpu) = measured(connect.run()).await;
        let connected = connected.map_err(|error| failed(&error))?;
        drop((permit, connect));
        let connect = started.elapsed();
        // Nobody listens any more only if the program is ending.
        let _ = arrivals.send(Arrival::Connected);

        let size = connected.result.desktop_size();
        let pixels = pixels(size).ok_or_else(|| failed(&"the desktop is too large"))?;
        let mut session = connected.into_session(pixels).map_err(|error| failed(&error))?;
        let limit = started + Duration::from_secs(args.timeout.into());
        loop {
            match timeout_at(limit, session.next_event()).await {
                Ok(Ok(Some(Event::Painted))) => break,
                Ok(Ok(Some(Event::Disconnected { error_info, .. }))) => {
                    return Err(failed(&format_args!(
                        "the server ended the session: {error_info:?}"
                    )));
                }
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Err(failed(&"the server ended the session")),
                Ok(Err(error)) => return Err(failed(&error)),
                Err(_) => return Err(failed(&"no frame in time")),
            }
        }
        let first_frame = started.elapsed();
        say(&format!(
            "session {number}: connected after {:.0} ms, first frame after {:.0} ms, {}x{}",
            millis(connect),
            millis(first_frame),
            size.width(),
            size.height()
        ));
        let _ = arrivals.send(Arrival::FirstFrame);
        drop(arrivals);

        // Live until everybody is, and the time is over.
        loop {
            tokio::select! {
                event = session.next_event() => match event {
                    Ok(Some(Event::Disconnected { error_info, .. })) => {
                        return Err(failed(&format_args!("the server ended the session: {error_info:?}")));
                    }
                    Ok(Some(_)) => session.session_mut().clear_damage(),
                    Ok(None) => return Err(failed(&"the server ended the session")),
                    Err(error) => return Err(failed(&error)),
                },
                _ = hold.wait_for(|over| *over) => break,
            }
        }
        let farewell = async {
            session.disconnect().await?;
            session.flush().await
        };
        // It was held as long as was asked for: a farewell that does not arrive is no failure.
        drop(timeout(Duration::from_secs(1), farewell).await);
        let bytes_in = session.session().stats().bytes_in;
        Ok(Session {
            connect,
            connect_cpu,
            first_frame,
            bytes_in,
        })
    }
}

/// What is printed.
struct Summary {
    held: u32,
    connected: u32,
    last_connect: Duration,
    all_live: Duration,
    live_cpu: Duration,
    hold: u16,
    hold_cpu: Duration,
    resident: Option<(u64, u64)>,
    sessions: Vec<Session>,
}

#[expect(clippy::print_stdout, reason = "the summary is this program's data")]
fn print(summary: &Summary) {
    let Summary {
        held,
        connected,
        last_connect,
        all_live,
        live_cpu,
        hold,
        hold_cpu,
        resident,
        sessions,
    } = summary;
    println!(
        "sessions held       {held}, for {hold} s, after {:.1} s",
        all_live.as_secs_f64()
    );
    println!(
        "connects            {:.1} a second",
        f64::from(*connected) / last_connect.as_secs_f64()
    );
    println!(
        "connect             {}",
        spread(sessions.iter().map(|session| session.connect))
    );
    println!(
        "CPU for a connect   {}",
        spread(sessions.iter().map(|session| session.connect_cpu))
    );
    println!(
        "first frame         {}",
        spread(sessions.iter().map(|session| session.first_frame))
    );
    println!(
        "CPU to first frame  {:.2} ms a session",
        millis(*live_cpu) / f64::from(*held)
    );
    let share = 100.0 * hold_cpu.as_secs_f64() / f64::from((*hold).max(1));
    println!("CPU while held      {share:.2} % of one processor for all");
    if let Some((before, live)) = resident {
        let grown = live.saturating_sub(*before) / 1024;
        println!(
            "resident memory     {} KiB before, {} KiB live: {} KiB a session",
            before / 1024,
            live / 1024,
            grown / u64::from(*held)
        );
    }
    let bytes: u64 = sessions.iter().map(|session| session.bytes_in).sum();
    println!(
        "received            {} KiB a session",
        bytes / 1024 / u64::from(*held)
    );
}

/// Least, middle and most.
fn spread(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let pick = |at: usize| times.get(at).copied().map_or(0.0, millis);
    format!(
        "{:.2} ms least, {:.2} ms median, {:.2} ms most",
        pick(0),
        pick(times.len() / 2),
        pick(times.len().saturating_sub(1))
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::print_stderr, reason = "what is no data")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Runs a future and adds up the CPU time of its polls, system calls included, on whichever thread they run.
async fn measured<F: Future>(future: F) -> (F::Output, Duration) {
    let mut future = pin!(future);
    let mut spent = Duration::ZERO;
    let output = poll_fn(|cx| {
        let before = thread_cpu();
        let polled = future.as_mut().poll(cx);
        spent += thread_cpu().saturating_sub(before);
        polled
    })
    .await;
    (output, spent)
}

#[cfg(unix)]
fn thread_cpu() -> Duration {
    clock(rustix::time::ClockId::ThreadCPUTime)
}

#[cfg(unix)]
fn process_cpu() -> Duration {
    clock(rustix::time::ClockId::ProcessCPUTime)
}

#[cfg(unix)]
fn clock(id: rustix::time::ClockId) -> Duration {
    Duration::try_from(rustix::time::clock_gettime(id)).unwrap_or_default()
}

/// Without the clocks of POSIX there are no figures for the CPU.
#[cfg(not(unix))]
fn thread_cpu() -> Duration {
    Duration::ZERO
}

#[cfg(not(unix))]
fn process_cpu() -> Duration {
    Duration::ZERO
}

/// Linux tells; elsewhere there is no figure.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
