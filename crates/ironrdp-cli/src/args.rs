//! The command line: what there is to say, and what of it is well-formed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use ironrdp_connector::ColorDepth;
use ironrdp_pdu::DesktopSize;
use ironrdp_tokio::ServerAddr;

use crate::demo::DemoArgs;
use crate::serve::ServeArgs;
use crate::trust::CertificateArg;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed on this side: a file could not be read or written
  2  wrong usage
  3  network: no such host, connection refused or lost
  4  timed out; the message says in which phase
  5  certificate rejected
  6  authentication refused
  7  refused or unsupported by the server
  8  malformed data from the server

Data goes to standard output, everything else to standard error. Set NO_COLOR to turn colours off.";

/// Talks to RDP servers: finds out what they offer, and takes pictures of their desktops.
#[derive(Parser)]
#[command(name = "ironrdp", version, propagate_version = true, after_help = EXIT_CODES, max_term_width = 100, args_override_self = true)]
pub(crate) struct Cli {
    /// Tell on standard error what happens; twice for more, three times for every PDU
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Log in, wait until the screen holds still, and save it as PNG
    #[command(after_help = EXIT_CODES)]
    Screenshot(Box<ScreenshotArgs>),

    /// Find out what servers offer, without logging in
    ///
    /// Asks each server with one connection per question: which security protocols it takes (standard RDP security, TLS, and
    /// network level authentication in both forms), which TLS versions, and which certificate it shows. Where the server has
    /// network level authentication, a login is begun: the server's first answer tells its names, its version and its clock, and
    /// there it ends; no name or password is sent. If a server fails, the others are probed all the same, and the exit code is
    /// that of the first that failed.
    #[command(after_help = EXIT_CODES)]
    Probe(ProbeArgs),

    /// Serve a desktop of this program's own, with a clock, something that moves, and a place to type
    ///
    /// Listens on a loopback port unless told otherwise. Without a user and a password it makes them up, without a certificate
    /// too, and says what clients need to know. Ctrl-C ends it and tells every client so.
    #[command(after_help = EXIT_CODES)]
    Serve(Box<ServeArgs>),

    /// Hold many sessions at once against a server in the same process, and check every picture
    ///
    /// Starts a server on a loopback port with a certificate of its own, connects the sessions, types into each, and compares
    /// each one's picture with what the server drew. Ends with a table on standard output, report.json, and index.html, a
    /// gallery of all pictures.
    #[command(after_help = EXIT_CODES)]
    Demo(DemoArgs),

    /// Print a completion script for a shell
    #[command(
        after_help = "Example: ironrdp completions bash > ~/.local/share/bash-completion/completions/ironrdp"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

// No Debug: it would show the password.
#[derive(Args)]
pub(crate) struct ScreenshotArgs {
    #[arg(
        help = "The server: host, host:port, or [IPv6]:port; the port is 3389 if not given",
        value_name = "HOST[:PORT]",
        value_hint = ValueHint::Hostname
    )]
    pub(crate) server: ServerAddr,

    /// Log in as this user: a bare name, DOMAIN\user, or user@realm
    #[arg(short, long)]
    pub(crate) user: String,

    /// Log in to this domain
    #[arg(short, long)]
    pub(crate) domain: Option<String>,

    /// The password. Other users of this machine can see it in the process list while this runs; better are the
    /// variable IRONRDP_PASSWORD, --password-fd, or the prompt that comes without any of them
    #[arg(short, long)]
    pub(crate) password: Option<String>,

    /// Read the password from this file descriptor, up to the first line feed
    #[cfg(unix)]
    #[arg(long, value_name = "N", conflicts_with = "password")]
    pub(crate) password_fd: Option<u32>,

    /// Save the picture here; - is standard output
    #[arg(short, long, value_name = "FILE.png", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,

    /// Ask for a desktop of this size; the server may give another
    #[arg(long, value_name = "WxH", default_value = "1024x768", value_parser = parse_size)]
    pub(crate) size: DesktopSize,

    /// Ask for this many bits a pixel; the server may give another
    #[arg(long, value_enum, default_value_t = Depth::Bpp32)]
    pub(crate) depth: Depth,

    /// Take the picture when no new pixels have come for this many milliseconds
    #[arg(long, value_name = "MS", default_value = "1000", value_parser = parse_settle)]
    pub(crate) settle: Duration,

    /// Give up after this many seconds. A screen that never holds still is pictured as it is by then, with a warning
    #[arg(long, value_name = "S", default_value = "30", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,

    /// Type this text when the screen has settled for the first time, and let it settle again; a line feed is Enter
    #[arg(long = "type", value_name = "TEXT")]
    pub(crate) text: Option<String>,

    /// How to secure the connection
    #[arg(long, value_enum, default_value_t = Security::Auto)]
    pub(crate) security: Security,

    #[cfg(feature = "nla")]
    #[command(flatten)]
    pub(crate) kerberos: KerberosArgs,

    /// Which certificate to accept: verify (trusted authorities), pin:HEX (SHA-256 of the certificate or of its public key),
    /// known-hosts or known-hosts:FILE (trusted at first use, refused when changed), dangerously-accept-any
    #[arg(long, value_name = "POLICY", default_value = "verify")]
    pub(crate) cert: CertificateArg,

    /// Print facts about the session as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// Kerberos in place of NTLM.
#[cfg(feature = "nla")]
#[derive(Debug, Args)]
pub(crate) struct KerberosArgs {
    /// Log in by Kerberos, never by NTLM, with a ticket from the KDC here: tcp://HOST[:PORT] or udp://HOST[:PORT]; the port
    /// is 88 if not given, and TCP is meant if neither is said
    #[arg(long, value_name = "KDC", value_parser = parse_kdc)]
    pub(crate) kdc: Option<String>,

    /// Log in by Kerberos, with a ticket from the KDC behind this HTTPS proxy, as remote desktop gateways have one
    #[arg(long, value_name = "URL", conflicts_with = "kdc", value_parser = parse_kdc_proxy, value_hint = ValueHint::Url)]
    pub(crate) kdc_proxy: Option<String>,

    /// The user's Kerberos realm, if the domain is not its name
    #[arg(long)]
    pub(crate) realm: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    #[arg(
        help = "The servers: host, host:port, or [IPv6]:port; the port is 3389 if not given",
        value_name = "HOST[:PORT]",
        required = true,
        value_hint = ValueHint::Hostname
    )]
    pub(crate) servers: Vec<ServerAddr>,

    /// Give a server this many seconds for all of its questions
    #[arg(long, value_name = "S", default_value = "10", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,

    /// Probe this many servers at the same time
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: u16,

    /// Print one JSON array on standard output, an element for each server in the order given
    #[arg(long)]
    pub(crate) json: bool,
}

/// How `--security` may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Security {
    /// Network level authentication if the server has it, else TLS; never without encryption
    Auto,
    /// Network level authentication (CredSSP over TLS) or nothing
    Nla,
    /// TLS without network level authentication: the server receives the password
    Tls,
    /// No encryption at all: anyone on the way can read everything, the password included
    DangerouslyPlain,
}

/// How `--depth` may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    #[value(name = "8")]
    Bpp8,
    #[value(name = "15")]
    Bpp15,
    #[value(name = "16")]
    Bpp16,
    #[value(name = "24")]
    Bpp24,
    #[value(name = "32")]
    Bpp32,
}

impl From<Depth> for ColorDepth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Bpp8 => Self::Bpp8,
            Depth::Bpp15 => Self::Bpp15,
            Depth::Bpp16 => Self::Bpp16,
            Depth::Bpp24 => Self::Bpp24,
            Depth::Bpp32 => Self::Bpp32,
        }
    }
}

pub(crate) fn parse_size(text: &str) -> Result<DesktopSize, String> {
    let sides = text
        .split_once(['x', 'X'])
        .and_then(|(width, height)| Some((width.parse::<u16>().ok()?, height.parse::<u16>().ok()?)));
    let (width, height) = sides.ok_or("a size is two numbers with an x between, as 1024x768")?;
    DesktopSize::new(width, height).ok_or_else(|| format!("each side must be from 1 to {}", DesktopSize::MAX))
}

#[cfg(feature = "nla")]
fn parse_kdc(text: &str) -> Result<String, String> {
    let (scheme, host) = text.split_once("://").unwrap_or(("tcp", text));
    if !matches!(scheme, "tcp" | "udp") || host.is_empty() || host.contains('/') {
        return Err("a KDC is given as tcp://HOST[:PORT] or udp://HOST[:PORT]".to_owned());
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(feature = "nla")]
fn parse_kdc_proxy(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        _ => Err("a KDC proxy is given as https://HOST[:PORT]/PATH".to_owned()),
    }
}

fn parse_settle(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(ms @ 1..=600_000) => Ok(Duration::from_millis(ms.into())),
        _ => Err("milliseconds must be a whole number from 1 to 600000".to_owned()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds must be a number from 0.001 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_need_two_sides_in_range() {
        let size = parse_size("1280x720").unwrap();
        assert_eq!((size.width(), size.height()), (1280, 720));
        for wrong in [
            "",
            "1024",
            "x768",
            "1024x",
            "0x10",
            "9000x10",
            "1024*768",
            "-1x5",
            "1024x768x32",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(feature = "nla")]
    #[test]
    fn a_kdc_is_spoken_to_over_tcp_unless_said_otherwise() {
        assert_eq!(parse_kdc("kdc.lab.example").unwrap(), "tcp://kdc.lab.example");
        assert_eq!(parse_kdc("udp://[::1]:8888").unwrap(), "udp://[::1]:8888");
        for wrong in ["", "tcp://", "https://gateway/KdcProxy", "kdc/x"] {
            assert!(parse_kdc(wrong).is_err(), "{wrong}");
        }
        assert!(parse_kdc_proxy("https://gateway/KdcProxy").is_ok());
        for wrong in ["http://gateway/KdcProxy", "https://", "gateway"] {
            assert!(parse_kdc_proxy(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_must_be_finite_and_positive() {
        assert_eq!(parse_timeout("2.5").unwrap(), Duration::from_millis(2500));
        for wrong in ["0", "-1", "inf", "NaN", "1e9", "soon"] {
            assert!(parse_timeout(wrong).is_err(), "{wrong}");
        }
        assert!(parse_settle("0").is_err() && parse_settle("1.5").is_err());
    }
}
