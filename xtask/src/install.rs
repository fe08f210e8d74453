//! Puts the peers on the machine: packages and the test users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome, fail};
use crate::process::{run, run_ok};

/// Name of the user every peer is logged in with.
pub(crate) const USER: &str = "rdptest";
/// That user's password; the peers listen on loopback only.
pub(crate) const PASSWORD: &str = "Lab-Pass-1";

/// What a task runs of other people's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// freerdp-shadow on a virtual display.
    Desktop,
    /// The same with network level authentication.
    Shadow,
    /// Every peer.
    Peers,
}

/// Packages, each with a file that shows it is there: asking apt takes a second, looking does not.
const DESKTOP: &[(&str, &str)] = &[
    ("freerdp2-shadow-x11", "/usr/bin/freerdp-shadow-cli"),
    ("xvfb", "/usr/bin/Xvfb"),
    ("x11-xserver-utils", "/usr/bin/xsetroot"),
    ("xterm", "/usr/bin/xterm"),
    ("imagemagick", "/usr/bin/import"),
    ("openssl", "/usr/bin/openssl"),
];

/// What makes a file of users for freerdp-shadow.
const SHADOW: &[(&str, &str)] = &[("winpr-utils", "/usr/bin/winpr-hash")];

/// The packages of the other peers.
const PEERS: &[(&str, &str)] = &[
    ("xrdp", "/usr/sbin/xrdp"),
    ("xorgxrdp", "/usr/lib/xorg/modules/drivers/xrdpdev_drv.so"),
    ("tigervnc-standalone-server", "/usr/bin/Xvnc"),
    ("weston", "/usr/bin/weston"),
    ("gnome-remote-desktop", "/usr/libexec/gnome-remote-desktop-daemon"),
    ("mutter", "/usr/bin/mutter"),
    ("pipewire", "/usr/bin/pipewire"),
    ("wireplumber", "/usr/bin/wireplumber"),
    ("dbus-daemon", "/usr/bin/dbus-daemon"),
    ("krb5-kdc", "/usr/sbin/krb5kdc"),
    ("krb5-admin-server", "/usr/sbin/kadmin.local"),
    ("krb5-user", "/usr/bin/kinit"),
    ("faketime", "/usr/bin/faketime"),
    ("freerdp2-x11", "/usr/bin/xfreerdp"),
    ("rdesktop", "/usr/bin/rdesktop"),
    ("xdotool", "/usr/bin/xdotool"),
    ("chromium", "/usr/bin/chromium"),
    ("xauth", "/usr/bin/xauth"),
    ("iproute2", "/sbin/ip"),
    ("passwd", "/usr/sbin/useradd"),
];

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing, or says what to install where that cannot be done.
pub(crate) fn packages(needs: Needs) -> Outcome<()> {
    let all: Vec<(&str, &str)> = match needs {
        Needs::Desktop => DESKTOP.to_vec(),
        Needs::Shadow => [DESKTOP, SHADOW].concat(),
        Needs::Peers => [DESKTOP, SHADOW, PEERS].concat(),
    };
    let absent = || all.iter().filter(|(_, file)| !Path::new(file).exists());
    let missing: Vec<&str> = absent().map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() || !is_root()? {
        return fail(format!(
            "these are missing, by their Debian names: {}; install them, or run this as root on Debian",
            missing.join(" ")
        ));
    }
    println!("installing {}", missing.join(" "));
    let _quiet = ServicePolicy::hold()?;
    apt(&["update", "-q"], Duration::from_secs(300))?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(&missing);
    apt(&arguments, Duration::from_secs(900))?;
    let files: Vec<&str> = absent().map(|(_, file)| *file).collect();
    if !files.is_empty() {
        return fail(format!("installed, yet not there: {}", files.join(" ")));
    }
    Ok(())
}

/// Whether we may install packages, add users and start xrdp.
pub(crate) fn is_root() -> Outcome<bool> {
    let id = run_ok(Command::new("id").arg("-u"), Duration::from_secs(10))?;
    Ok(id.stdout.trim_ascii() == b"0")
}

fn apt(arguments: &[&str], deadline: Duration) -> Outcome<()> {
    run_ok(
        Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
        deadline,
    )?;
    Ok(())
}

/// Keeps packages from starting their daemons on ports we have not chosen, for as long as it lives.
struct ServicePolicy {
    ours: bool,
}

impl ServicePolicy {
    fn hold() -> Outcome<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").context(POLICY)?;
        let policy = Self { ours: true };
        set_mode(Path::new(POLICY), 0o755)?;
        Ok(policy)
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("warning: {POLICY} stays behind: {error}");
        }
    }
}

/// Makes sure a login user with our password exists. It is left in place: a second run may be using it.
pub(crate) fn user(name: &str) -> Outcome<()> {
    if !run(Command::new("id").arg(name), Duration::from_secs(10))?
        .status
        .success()
    {
        println!("adding user {name}");
        run_ok(
            Command::new("useradd").args(["-m", "-s", "/bin/bash", name]),
            Duration::from_secs(30),
        )?;
    }
    // Set every time: an earlier run may have been cut off between the two steps.
    run_ok(
        Command::new("sh").args(["-c", "printf '%s:%s\\n' \"$0\" \"$1\" | chpasswd", name, PASSWORD]),
        Duration::from_secs(30),
    )?;
    Ok(())
}

/// Sets the permission bits of a path.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Outcome<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(path.display())
}
