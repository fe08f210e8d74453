//! xrdp: one session manager, and a listener for each setting to be tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::fail::{Context, Outcome, fail};
use crate::install::set_mode;
use crate::lab::{Certificate, Lab, root_window};
use crate::peers::x_display::wait_for_scene;
use crate::picture::Picture;
use crate::process::{
    Daemon, arguments, descendants, free_port, is_listening, kill_process, run_ok, wait_for,
};
use crate::scene::ready_name;

/// Port of the session manager. xrdp reads it from /etc whatever its command line says, so it cannot be chosen.
const SESMAN_PORT: u16 = 3350;

/// What a client that logs in through a listener gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A session on Xorg with xrdp's own driver.
    Xorg,
    /// A session on TigerVNC's X server.
    Xvnc,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Xorg => "xrdp-xorg",
            Self::Xvnc => "xrdp-xvnc",
        }
    }

    /// Why sessions of this depth cannot be had, if so.
    pub(crate) fn lacks(self, depth: u8) -> Option<&'static str> {
        (self == Self::Xvnc && matches!(depth, 8 | 15))
            .then_some("Debian's Xvnc has no screens of 8 or 15 bits, so xrdp can start no session")
    }

    fn autorun(self) -> &'static str {
        match self {
            Self::Xorg => "Xorg",
            Self::Xvnc => "Xvnc",
        }
    }
}

/// The session manager, which owns every session.
#[derive(Debug)]
pub(crate) struct Sesman {
    server: Daemon,
}

impl Sesman {
    /// Starts it. `fresh_sessions`: a session per connection instead of one per user and depth.
    pub(crate) fn start(lab: &Lab, fresh_sessions: bool) -> Outcome<Self> {
        if is_listening(SESMAN_PORT) {
            return fail(format!(
                "port {SESMAN_PORT} is taken, so another xrdp-sesman runs here; stop it first (xrdp knows only that port)"
            ));
        }
        prepare_system()?;
        let policy = if fresh_sessions { "UBC" } else { "Default" };
        let config = lab.write("sesman.ini", &sesman_ini(lab, policy))?;
        let mut server = Daemon::spawn(
            "xrdp-sesman",
            Command::new("xrdp-sesman")
                .arg("--nodaemon")
                .arg("--config")
                .arg(config),
            &lab.log("sesman"),
        )?;
        server.wait_for_port(SESMAN_PORT, Duration::from_secs(15))?;
        Ok(Self { server })
    }

    /// Displays of the running sessions.
    pub(crate) fn displays(&self) -> Vec<String> {
        descendants(self.server.pid())
            .into_iter()
            .filter_map(display_of)
            .collect()
    }

    /// Ends every session and leaves the manager running.
    pub(crate) fn end_sessions(&mut self, lab: &Lab) -> Outcome<()> {
        for display in self.displays() {
            // The next session may get the same display, and must not be taken for ready by this one's mark.
            let mark = lab.path("ready").join(ready_name(&display));
            if mark.exists() {
                fs::remove_file(&mark).context(mark.display())?;
            }
        }
        // Sessions put themselves in process groups of their own, so each process is told.
        for pid in descendants(self.server.pid()) {
            kill_process("TERM", pid);
        }
        let patience = Instant::now() + Duration::from_secs(4);
        wait_for("the end of the sessions", Duration::from_secs(20), || {
            let left = descendants(self.server.pid());
            if Instant::now() > patience {
                for &pid in &left {
                    kill_process("KILL", pid);
                }
            }
            Ok(left.is_empty().then_some(()))
        })?;
        self.server.check_alive()
    }

    /// Waits until the only session shows the complete scene, and gives its display.
    pub(crate) fn wait_for_session(&self, lab: &Lab, user: &str) -> Outcome<Session> {
        let display = wait_for("a session", Duration::from_secs(15), || Ok(self.displays().pop()))?;
        let session = Session {
            display,
            authority: Path::new("/home").join(user).join(".Xauthority"),
        };
        wait_for_scene(lab, &session.display, || session.picture())?;
        Ok(session)
    }
}

impl Drop for Sesman {
    fn drop(&mut self) {
        let sessions = descendants(self.server.pid());
        for &pid in &sessions {
            kill_process("TERM", pid);
        }
        self.server.stop();
        // Those that ignored the request are found by number; they were ours a few seconds ago.
        for pid in sessions.into_iter().filter(|&pid| display_of(pid).is_some()) {
            kill_process("KILL", pid);
        }
    }
}

/// The X display of a running session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) display: String,
    pub(crate) authority: PathBuf,
}

impl Session {
    /// What its root window shows now.
    pub(crate) fn picture(&self) -> Outcome<Picture> {
        root_window(&self.display, Some(&self.authority))
    }
}

/// A listener.
#[derive(Debug)]
pub(crate) struct Xrdp {
    pub(crate) port: u16,
    _server: Daemon,
}

impl Xrdp {
    pub(crate) fn start(lab: &Lab, backend: Backend, certificate: &Certificate) -> Outcome<Self> {
        let port = free_port()?;
        let name = backend.name();
        let config = lab.write(&format!("{name}.ini"), &xrdp_ini(lab, backend, port, certificate))?;
        let mut server = Daemon::spawn(
            name,
            Command::new("xrdp").arg("--nodaemon").arg("--config").arg(config),
            &lab.log(name),
        )?;
        server.wait_for_port(port, Duration::from_secs(15))?;
        Ok(Self {
            port,
            _server: server,
        })
    }
}

/// Display number of an X server, from its arguments; `None` for other processes.
fn display_of(pid: u32) -> Option<String> {
    let arguments = arguments(pid);
    let program = Path::new(arguments.first()?).file_name()?.to_str()?;
    if !matches!(program, "Xorg" | "Xvnc" | "Xtigervnc") {
        return None;
    }
    arguments
        .iter()
        .find(|argument| argument.starts_with(':'))
        .cloned()
}

/// Directories and keys that the package leaves to the service start, which there is none of here.
fn prepare_system() -> Outcome<()> {
    for (directory, mode) in [
        ("/run/xrdp", 0o755),
        ("/run/xrdp/sockdir", 0o3777),
        ("/tmp/.X11-unix", 0o1777),
    ] {
        fs::create_dir_all(directory).context(directory)?;
        set_mode(Path::new(directory), mode)?;
    }
    run_ok(
        Command::new("chgrp").args(["xrdp", "/run/xrdp/sockdir"]),
        Duration::from_secs(20),
    )?;
    // chgrp drops the set-group-id bit.
    set_mode(Path::new("/run/xrdp/sockdir"), 0o3777)?;
    if fs::metadata("/etc/xrdp/rsakeys.ini").map_or(0, |file| file.len()) == 0 {
        run_ok(
            Command::new("xrdp-keygen").args(["xrdp", "auto"]),
            Duration::from_secs(60),
        )?;
    }
    Ok(())
}

fn sesman_ini(lab: &Lab, policy: &str) -> String {
    let root = lab.root().display();
    // One user has one session per depth, kept after the client has gone: that is what lets us look at its screen.
    let (kill, limit) = if policy == "UBC" {
        ("true", "1")
    } else {
        ("false", "0")
    };
    format!(
        "[Globals]\nListenAddress=127.0.0.1\nListenPort={SESMAN_PORT}\nEnableUserWindowManager=false\n\
         UserWindowManager=startwm.sh\nDefaultWindowManager={root}/scene.sh\nReconnectScript=/etc/xrdp/reconnectwm.sh\n\
         [Security]\nAllowRootLogin=false\nMaxLoginRetry=4\nTerminalServerUsers=tsusers\nTerminalServerAdmins=tsadmins\n\
         AlwaysGroupCheck=false\nRestrictOutboundClipboard=none\nRestrictInboundClipboard=none\n\
         [Sessions]\nX11DisplayOffset=40\nMaxSessions=100\nKillDisconnected={kill}\nDisconnectedTimeLimit={limit}\n\
         IdleTimeLimit=0\nPolicy={policy}\n\
         [Logging]\nLogFile={root}/log/sesman-own.log\nLogLevel=INFO\nEnableSyslog=false\n\
         [Xorg]\nparam=/usr/lib/xorg/Xorg\nparam=-config\nparam=xrdp/xorg.conf\nparam=-noreset\nparam=-nolisten\n\
         param=tcp\nparam=-logfile\nparam=.xorgxrdp.%s.log\n\
         [Xvnc]\nparam=Xvnc\nparam=-bs\nparam=-nolisten\nparam=tcp\nparam=-localhost\nparam=-dpi\nparam=96\n\
         [Chansrv]\nEnableFuseMount=false\nFileUmask=077\n[ChansrvLogging]\nLogLevel=INFO\nEnableSyslog=false\n\
         [SessionVariables]\nPULSE_SCRIPT=/etc/xrdp/pulse/default.pa\n"
    )
}

fn xrdp_ini(lab: &Lab, backend: Backend, port: u16, certificate: &Certificate) -> String {
    let (certificate, key) = (certificate.certificate.display(), certificate.key.display());
    format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\nuse_vsock=false\ntcp_nodelay=true\n\
         tcp_keepalive=true\nsecurity_layer=negotiate\ncrypt_level=high\ncertificate={certificate}\nkey_file={key}\n\
         ssl_protocols=TLSv1.2, TLSv1.3\nautorun={}\nallow_channels=true\nallow_multimon=true\nbitmap_cache=true\n\
         bitmap_compression=true\nbulk_compression=true\nmax_bpp=32\nnew_cursors=true\nuse_fastpath=both\n\
         [Logging]\nLogFile={}/log/{}-own.log\nLogLevel=INFO\nEnableSyslog=false\n\
         [Channels]\nrdpdr=true\nrdpsnd=true\ndrdynvc=true\ncliprdr=true\nrail=true\nxrdpvr=true\ntcutils=true\n\
         [Xorg]\nname=Xorg\nlib=libxup.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\ncode=20\n\
         [Xvnc]\nname=Xvnc\nlib=libvnc.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport=-1\n",
        backend.autorun(),
        lab.root().display(),
        backend.name(),
    )
}
