//! Prepares a run of the interop checks: packages, the clients, and a network of their own.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::checks::{self, Options};
use crate::fail::{Context, Outcome, fail};
use crate::install::{self, Needs};
use crate::process::run;
use crate::workspace;

/// The word after `cargo xtask`.
pub(crate) const TASK: &str = "interop";

/// The option that leaves checks out.
pub(crate) const WITHOUT: &str = "--without";

/// Path of the client, for the second half of the run. Its presence says that the first half is over.
const CLIENT: &str = "XTASK_INTEROP_CLIENT";

/// Runs the checks of `cargo xtask interop`.
pub(crate) fn interop(arguments: &[String]) -> Outcome<()> {
    let options = options(arguments)?;
    if let Some(client) = std::env::var_os(CLIENT) {
        return checks::run(&options, &PathBuf::from(client));
    }
    if !install::is_root()? {
        return fail("xrdp and its test user need root; `cargo xtask try` does without");
    }
    install::packages(Needs::Peers)?;
    let client = workspace::build_client(options.release)?;
    if options.wants_published_client() {
        // Now: in the network of the checks there is no registry.
        workspace::build_published_client()?;
    }
    if !can_unshare() {
        // The same checks, but an xrdp that already runs here would be in the way, and GNOME's server would be open to
        // the outside; both say so.
        eprintln!("note: no network namespace to be had here, using the machine's own loopback");
        return checks::run(&options, &client);
    }
    // xrdp can use one port only for its session manager. In a network namespace of our own that port is free,
    // whatever else runs on the machine, and no server can be reached from outside.
    let program = std::env::current_exe().context("own path")?;
    let error = Command::new("unshare")
        .args([
            "--net",
            "--",
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" \"$@\"",
        ])
        .arg(program)
        .arg(TASK)
        .args(arguments)
        .env(CLIENT, client)
        .exec();
    fail(format!("unshare: {error}"))
}

fn can_unshare() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "ip", "link", "set", "lo", "up"]);
    run(&mut command, Duration::from_secs(10)).is_ok_and(|finished| finished.status.success())
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--keep" => options.keep = true,
            "--release" => options.release = true,
            "--only" => match rest.next() {
                Some(name) => options.only.push(name.clone()),
                None => return fail("--only takes a part of a check's name"),
            },
            WITHOUT => match rest.next() {
                Some(name) => options.without.push(name.clone()),
                None => return fail(format!("{WITHOUT} takes a part of a check's name")),
            },
            other => return fail(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = options(&words("--only shadow --only cert/ --without shadow/type --keep")).unwrap();
        assert_eq!(read.only, ["shadow", "cert/"]);
        assert_eq!(read.without, ["shadow/type"]);
        assert!(read.keep && !read.release);
        assert!(options(&words("--only")).is_err());
        assert!(options(&words("--without")).is_err());
        assert!(options(&words("--fast")).is_err());
    }
}
