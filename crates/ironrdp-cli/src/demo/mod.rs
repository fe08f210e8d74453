//! `demo`: a server and many sessions in one process, each checked pixel by pixel.

mod crowd;
mod desk;
mod gallery;
mod measure;
mod progress;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "nla")]
use clap::ValueEnum;
use clap::{Args, ValueHint};
use ironrdp_connector::SecurityPolicy;
#[cfg(feature = "nla")]
use ironrdp_connector::{LogonName, UserSecret};
use ironrdp_pdu::DesktopSize;
#[cfg(feature = "nla")]
use ironrdp_server::Lookup;
use ironrdp_server::{
    Capacity, Client, Credentials, Login, Screen, Seat, Server, ServerConfig, ServerHandle, Verdict,
    self_signed,
};
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient};
use ironrdp_tokio::ServerAddr;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::exit::{Exit, Failure, Outcome};
use crate::{args, output, password, picture};
use crowd::{Crowd, Member, user_name};
use desk::{Desk, Hands};
use gallery::Exhibit;
use progress::Progress;
use report::{Failed, Report, Spread};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many sessions to hold at the same time
    #[arg(short = 'n', long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=5000))]
    sessions: u16,

    /// Write index.html and report.json into this directory
    #[arg(short, long, value_name = "DIR", default_value = "ironrdp-demo", value_hint = ValueHint::DirPath)]
    out: PathBuf,

    /// Give each session a desktop of this size
    #[arg(long, value_name = "WxH", default_value = "320x240", value_parser = args::parse_size)]
    size: DesktopSize,

    /// Connect this many sessions at the same time
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,

    /// Let sessions log in so
    #[cfg(feature = "nla")]
    #[arg(long, value_enum, default_value_t = Security::Nla)]
    security: Security,
}

/// How `--security` may be given.
#[cfg(feature = "nla")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Security {
    /// By network level authentication, over TLS
    Nla,
    /// Over TLS only
    Tls,
}

impl DemoArgs {
    fn policy(&self) -> SecurityPolicy {
        #[cfg(feature = "nla")]
        if self.security == Security::Nla {
            return SecurityPolicy::Nla;
        }
        SecurityPolicy::Tls
    }
}

/// How long a session may take for a step. Thousands share two cores, so this is about stuck ones, not slow ones.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything both ends know of.
struct Hall {
    desks: Vec<(Arc<Desk>, Screen)>,
    password: String,
}

impl Hall {
    fn new(sessions: usize, size: DesktopSize, password: String) -> Self {
        let desks = (0..sessions).map(|number| {
            let desk = Arc::new(Desk::new(number, size));
            (Arc::clone(&desk), Screen::new(size, desk))
        });
        Self {
            desks: desks.collect(),
            password,
        }
    }

    fn seat(&self, client: &Client) -> Option<Seat> {
        let number: usize = client.user_name.strip_prefix("session-")?.parse().ok()?;
        let (desk, screen) = self.desks.get(number)?;
        let hands = Hands {
            desk: Arc::clone(desk),
            screen: screen.clone(),
        };
        Some(Seat::new(screen.clone(), hands))
    }

    fn tiles_encoded(&self) -> u64 {
        self.desks
            .iter()
            .map(|(_, screen)| screen.stats().tiles_encoded)
            .sum()
    }
}

/// Every session has its user, and all of them a password made for this run.
struct Guests(Arc<Hall>);

impl Guests {
    fn knows(&self, user: &str) -> bool {
        let number = user
            .strip_prefix("session-")
            .and_then(|number| number.parse().ok());
        number.is_some_and(|number| number < self.0.desks.len() && user_name(number) == user)
    }
}

impl Credentials for Guests {
    #[cfg(feature = "nla")]
    fn secret<'a>(&'a self, name: &'a LogonName) -> Lookup<'a> {
        let known = self.knows(&name.user);
        let secret = known.then(|| UserSecret::Password(self.0.password.clone().into()));
        Box::pin(async { secret })
    }

    fn check<'a>(&'a self, login: Login<'a>) -> Verdict<'a> {
        let known = self.knows(login.user_name);
        let right = *login.password.expose() == self.0.password;
        Box::pin(async move { known && right })
    }
}

pub(crate) fn run(args: &DemoArgs) -> Outcome {
    let sessions = usize::from(args.sessions);
    // Both ends of each session, and what a process needs anyway.
    let wanted = 2 * u64::from(args.sessions) + 64;
    if let Some(allowed) = measure::allow_files(wanted).filter(|allowed| *allowed < wanted) {
        let message =
            format!("{sessions} sessions need {wanted} open files, and this system allows {allowed}");
        return Err(Failure::new(Exit::Local, message).hint("raise it (ulimit -n), or give --sessions fewer"));
    }
    let places = Places::new(&args.out)?;
    let hall = Arc::new(Hall::new(sessions, args.size, password::random()?));
    let tls = self_signed(["localhost"]).map_err(Failure::local)?;
    let certificate = Fingerprint::of(tls.certificate());
    let security = args.policy();
    let config = ServerConfig::new(tls, Guests(Arc::clone(&hall)));
    #[cfg(feature = "nla")]
    let config = match security {
        SecurityPolicy::Nla => config.require_nla(),
        _ => config,
    };
    let config = config
        .with_desktop_size(args.size)
        .with_handshake_timeout(PATIENCE)
        .with_capacity(Capacity {
            clients: sessions,
            per_address: sessions,
            in_handshake: sessions,
            in_handshake_per_address: sessions,
        });
    let (address, handle, serving) = serve(config, Arc::clone(&hall))?;
    output::note(&format!(
        "server on {address}, certificate {certificate}, {sessions} sessions to come"
    ));
    let crowd = Crowd {
        server: address.parse::<ServerAddr>().map_err(Failure::local)?,
        tls: TlsClient::new(CertificatePolicy::pin_certificate(certificate)).map_err(Failure::local)?,
        password: hall.password.clone(),
        size: args.size,
        security,
        patience: PATIENCE,
    };
    let result = crate::runtime().and_then(|runtime| runtime.block_on(visit(crowd, &hall, args)));
    handle.shutdown();
    if serving.join().is_err() {
        return Err(Failure::new(Exit::Local, "the server's thread ended badly"));
    }
    let (report, exhibits) = result?;
    places.write(&report, &exhibits)?;
    output::data(report.table().as_bytes())?;
    output::note(&format!("gallery: {}", args.out.join("index.html").display()));
    match report.failures.len() {
        0 => Ok(Exit::Done),
        failed => Err(Failure::new(
            Exit::Local,
            format!("{failed} of {sessions} sessions failed"),
        )),
    }
}

/// Starts the server on a thread of its own, so that the clients' time can be told from its.
fn serve(
    config: ServerConfig,
    hall: Arc<Hall>,
) -> Result<(String, ServerHandle, thread::JoinHandle<()>), Failure> {
    let runtime = crate::runtime()?;
    let host = move |client: &Client| hall.seat(client);
    let loopback = ([127, 0, 0, 1], 0).into();
    let server = runtime
        .block_on(Server::bind(loopback, config, host))
        .map_err(Failure::local)?;
    let address = server.local_addr().map_err(Failure::local)?.to_string();
    let handle = server.handle();
    let thread = thread::Builder::new()
        .name("server".to_owned())
        .spawn(move || runtime.block_on(server.run()))
        .map_err(Failure::local)?;
    Ok((address, handle, thread))
}

/// Everything the clients do: come, type, look, and leave when all have seen their picture.
async fn visit(crowd: Crowd, hall: &Arc<Hall>, args: &DemoArgs) -> Result<(Report, Vec<Exhibit>), Failure> {
    let sessions = hall.desks.len();
    let crowd = Arc::new(crowd);
    let mut failures = Vec::new();
    let memory_before = measure::resident_bytes();
    let cpu_before = measure::thread_cpu();
    let started = Instant::now();
    let members = connect(&crowd, sessions, args.jobs.into(), &mut failures).await;
    let connecting = started.elapsed();
    let cpu = cpu_before.and_then(|before| Some(measure::thread_cpu()?.saturating_sub(before)));
    let members = look(&crowd, hall, members, args.jobs.into(), &mut failures).await;
    // Now, while every session there is has its picture.
    let memory = measure::resident_bytes();
    let grown = memory
        .zip(memory_before)
        .map(|(now, before)| now.saturating_sub(before));
    let count = u32::try_from(sessions).unwrap_or(u32::MAX);
    let totals = members.iter().map(|member| member.session.session().stats());
    let (bytes_received, bytes_sent) = totals.fold((0, 0), |(received, sent), stats| {
        (received + stats.bytes_in, sent + stats.bytes_out)
    });
    failures.sort_unstable_by_key(|failed| failed.session);
    let report = Report {
        sessions,
        failures,
        security: match args.policy() {
            SecurityPolicy::Tls => "tls",
            _ => "nla",
        },
        width: args.size.width(),
        height: args.size.height(),
        seconds: started.elapsed().as_secs_f64(),
        connects_per_second: f64::from(u32::try_from(members.len()).unwrap_or(u32::MAX))
            / connecting.as_secs_f64(),
        client_cpu_ms_per_connect: cpu.map(|cpu| report::milliseconds(cpu / count)),
        connect_ms: Spread::of(members.iter().map(|member| member.connected_in).collect()),
        first_frame_ms: Spread::of(members.iter().map(|member| member.first_frame_in).collect()),
        resident_bytes: memory,
        resident_bytes_per_session: grown.map(|grown| grown / u64::from(count)),
        bytes_received,
        bytes_sent,
        tiles_encoded: hall.tiles_encoded(),
    };
    let mut exhibits = Vec::with_capacity(members.len());
    for member in members {
        exhibits.push(exhibit(&member)?);
        member.leave().await;
    }
    Ok((report, exhibits))
}

async fn connect(
    crowd: &Arc<Crowd>,
    sessions: usize,
    jobs: usize,
    failures: &mut Vec<Failed>,
) -> Vec<Member> {
    let turns = Arc::new(Semaphore::new(jobs));
    let mut joining = JoinSet::new();
    for number in 0..sessions {
        let (crowd, turns) = (Arc::clone(crowd), Arc::clone(&turns));
        joining.spawn(async move {
            // The semaphore is never closed, and without a turn it would only be faster.
            let _turn = turns.acquire().await;
            (number, crowd.join(number).await)
        });
    }
    let mut progress = Progress::new("connected", sessions);
    let mut members = Vec::with_capacity(sessions);
    while let Some(joined) = joining.join_next().await {
        match joined {
            Ok((_, Ok(member))) => members.push(member),
            Ok((session, Err(reason))) => failures.push(Failed {
                session: Some(session),
                reason,
            }),
            Err(error) => failures.push(Failed {
                session: None,
                reason: error.to_string(),
            }),
        }
        progress.step();
    }
    members
}

/// Types into every session and waits for its picture.
async fn look(
    crowd: &Arc<Crowd>,
    hall: &Arc<Hall>,
    members: Vec<Member>,
    jobs: usize,
    failures: &mut Vec<Failed>,
) -> Vec<Member> {
    let mut progress = Progress::new("checked", members.len());
    // Patience counts from a session's turn on: a thousand at once would only wait for each other.
    let turns = Arc::new(Semaphore::new(jobs));
    let mut working = JoinSet::new();
    for mut member in members {
        let (crowd, hall, turns) = (Arc::clone(crowd), Arc::clone(hall), Arc::clone(&turns));
        working.spawn(async move {
            let _turn = turns.acquire().await;
            let result = match hall.desks.get(member.number) {
                Some((desk, _)) => crowd.work(&mut member, desk).await,
                None => Err("no such desk".to_owned()),
            };
            (member, result)
        });
    }
    let mut right = Vec::with_capacity(working.len());
    while let Some(worked) = working.join_next().await {
        match worked {
            Ok((member, Ok(()))) => right.push(member),
            Ok((member, Err(reason))) => failures.push(Failed {
                session: Some(member.number),
                reason,
            }),
            Err(error) => failures.push(Failed {
                session: None,
                reason: error.to_string(),
            }),
        }
        progress.step();
    }
    right.sort_unstable_by_key(|member| member.number);
    right
}

fn exhibit(member: &Member) -> Result<Exhibit, Failure> {
    let pixels = member.session.session().pixels();
    Ok(Exhibit {
        number: member.number,
        png: picture::encode_png(pixels.width(), pixels.height(), pixels.pixels())?,
        caption: format!(
            "{} · connected in {:.1} ms, first pixels after {:.1} ms",
            user_name(member.number),
            report::milliseconds(member.connected_in),
            report::milliseconds(member.first_frame_in),
        ),
    })
}

/// Where the results go. Looked at before there are any: a wrong directory should not cost a thousand sessions.
struct Places {
    report: picture::Destination,
    page: picture::Destination,
}

impl Places {
    fn new(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory)
            .map_err(|error| Failure::new(Exit::Local, format!("{}: {error}", directory.display())))?;
        Ok(Self {
            report: picture::Destination::new(&directory.join("report.json"))?,
            page: picture::Destination::new(&directory.join("index.html"))?,
        })
    }

    fn write(&self, report: &Report, exhibits: &[Exhibit]) -> Result<(), Failure> {
        let json = serde_json::to_vec_pretty(report).map_err(Failure::local)?;
        self.report.write(&json)?;
        self.page.write(gallery::page(report, exhibits).as_bytes())
    }
}
