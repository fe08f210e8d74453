//! Pictures and typing: what the client saved against what the server shows.

use std::fs;
use std::time::Duration;

use super::{Finding, Run, probes};
use crate::client::{Shot, Taken, expect_exit, is_in_session, negotiated};
use crate::fail::{Outcome, fail};
use crate::lab::Certificate;
use crate::peers::{Backend, Sesman, Shadow, ShadowSecurity, Weston, Xrdp};
use crate::picture::{Area, Bits, Picture};
use crate::process::{free_port, wait_for};
use crate::scene;

/// Depths in the order they are tried; the deepest last, since the other checks follow in its session.
const DEPTHS: [u8; 5] = [8, 15, 16, 24, 32];

/// Around the pointer, which starts in the middle of the screen. Some servers draw it into the picture
/// (weston always, TigerVNC until the client moves it), and X leaves it out of its own.
const POINTER: Area = Area {
    left: 488,
    top: 360,
    right: 544,
    bottom: 416,
};

/// Where weston puts the pointer on a screen that was resized for the client.
const MOVED_POINTER: Area = Area {
    left: 90,
    top: 90,
    right: 132,
    bottom: 132,
};

/// What freerdp-shadow 2.11 gets wrong below 24 bits: its interleaved encoder loses pixels where two colours alternate,
/// which is in the letters and the checkerboard. Its own client shows the same wrong pixels.
const SHADOW_ALTERNATING: [Area; 2] = [
    Area {
        left: 270,
        top: 226,
        right: 760,
        bottom: 262,
    },
    Area {
        left: 0,
        top: 620,
        right: 1024,
        bottom: 660,
    },
];

fn picture_name(peer: &str, depth: u8) -> String {
    format!("{peer}/picture-{depth}")
}

fn names(peer: &str, others: &[&str]) -> Vec<String> {
    let pictures = DEPTHS.iter().map(|&depth| picture_name(peer, depth));
    pictures
        .chain(others.iter().map(|other| format!("{peer}/{other}")))
        .collect()
}

/// Compares a picture with the truth at the depth asked for.
fn compare(
    run: &Run,
    name: &str,
    depth: u8,
    taken: &Taken,
    truth: &Picture,
    ignored: &[Area],
) -> Outcome<Finding> {
    let difference = taken.picture.compare(truth, Bits::of_depth(depth), ignored)?;
    let compared = run.judge(name, &taken.picture, truth, &difference)?;
    Finding::passed(negotiated(&taken.facts), compared)
}

/// A line for the shell in the terminal, and the file that shows it has arrived.
struct Typing {
    text: String,
    word: String,
    file: std::path::PathBuf,
}

impl Typing {
    fn new(run: &Run, peer: &str) -> Self {
        let file = run.lab.path("out").join(format!("typed-{peer}"));
        // Letters of both cases, digits and signs that need Shift: each way of typing a character is in it.
        let word = format!("Typed_{}-aZ9!%", std::process::id());
        Self {
            text: format!("echo '{word}' > {}\n", file.display()),
            word,
            file,
        }
    }

    fn wait(&self) -> Outcome<()> {
        let text = wait_for("the typed text to arrive", Duration::from_secs(20), || {
            Ok(fs::read_to_string(&self.file)
                .ok()
                .filter(|text| text.ends_with('\n')))
        })?;
        if text.trim_end() != self.word {
            return fail(format!("typed {:?}, arrived {:?}", self.word, text.trim_end()));
        }
        Ok(())
    }
}

/// weston: TLS, uncompressed surface bits; the wallpaper is the truth.
pub(super) fn weston(run: &mut Run) -> Outcome<()> {
    let names = names("weston", &["size", "type", "probe"]);
    if !run.wants(&names) {
        return Ok(());
    }
    let started = run.lab.certificate("weston").and_then(|certificate| {
        let server = Weston::start(&run.lab, "weston", free_port()?, &certificate)?;
        Ok((server, certificate))
    });
    let (mut server, certificate) = match started {
        Ok(started) => started,
        Err(error) => {
            run.fail_all(&names, &error);
            return Ok(());
        }
    };
    let truth = scene::picture();
    for depth in DEPTHS {
        let name = picture_name("weston", depth);
        run.check(&name, |run| {
            server.check_alive()?;
            let mut shot = Shot::new(server.port, run.picture_file(&name));
            shot.depth = depth;
            let taken = run.client.take(&shot)?;
            compare(run, &name, depth, &taken, &truth, &[POINTER])
        });
    }
    run.check("weston/size", |run| {
        let mut shot = Shot::new(server.port, run.picture_file("weston/size"));
        shot.size = (800, 600);
        let taken = run.client.take(&shot)?;
        // The wallpaper is not scaled.
        let truth = truth.crop(800, 600);
        let difference = taken
            .picture
            .compare(&truth, Bits::of_depth(32), &[MOVED_POINTER])?;
        let compared = run.judge("weston/size", &taken.picture, &truth, &difference)?;
        Finding::passed(negotiated(&taken.facts), compared)
    });
    run.check("weston/type", |run| {
        let typing = Typing::new(run, "weston");
        let mut shot = Shot::new(server.port, run.picture_file("weston/type"));
        shot.text = Some(typing.text.clone());
        // Long enough for the terminal to come up, also on a busy machine, before the client takes the screen for still.
        shot.settle = Duration::from_secs(8);
        shot.timeout = Duration::from_secs(60);
        let client = run.client.clone();
        let log = run.lab.log("weston-type");
        let client_log = log.clone();
        let thread = std::thread::spawn(move || client.take_logged(&shot, &client_log));
        // The shell gives a new window the keyboard of those who are there: the session must have begun.
        wait_for("the client's session", Duration::from_secs(30), || {
            Ok((is_in_session(&log) || thread.is_finished()).then_some(()))
        })?;
        let _terminal = server.terminal(&run.lab)?;
        let Ok(taken) = thread.join() else {
            return fail("the thread that waits for the client panicked");
        };
        let taken = taken?;
        typing.wait()?;
        Finding::passed(
            negotiated(&taken.facts),
            format!("{} characters typed", typing.text.len()),
        )
    });
    probes::check(
        run,
        "weston/probe",
        server.port,
        Some(&certificate),
        &[("tls", "accepted")],
    );
    Ok(())
}

/// freerdp-shadow: TLS, standard RDP security without encryption, and network level authentication.
pub(super) fn shadow(run: &mut Run) -> Outcome<()> {
    for security in [ShadowSecurity::Tls, ShadowSecurity::Rdp, ShadowSecurity::Nla] {
        let peer = security.name();
        let names = match security {
            ShadowSecurity::Tls => names(peer, &["type", "probe", "concurrent"]),
            ShadowSecurity::Rdp => names(peer, &["type", "probe", "never-unasked"]),
            // Past the login it is the same server.
            ShadowSecurity::Nla => ["picture-32", "tls-only", "wrong-password", "probe"]
                .map(|name| format!("{peer}/{name}"))
                .into(),
        };
        if !run.wants(&names) {
            continue;
        }
        match Shadow::start(&run.lab, security) {
            Ok(server) => shadow_checks(run, security, &server),
            Err(error) => run.fail_all(&names, &error),
        }
    }
    Ok(())
}

fn shadow_checks(run: &mut Run, security: ShadowSecurity, server: &Shadow) {
    let peer = security.name();
    let shot = |run: &Run, name: &str| {
        let mut shot = Shot::new(server.port, run.picture_file(name));
        if security == ShadowSecurity::Rdp {
            // Nothing but this word makes the client speak without encryption.
            shot.security = Some("dangerously-plain");
        }
        shot
    };
    let depths = if security == ShadowSecurity::Nla {
        &[32]
    } else {
        DEPTHS.as_slice()
    };
    for &depth in depths {
        let name = picture_name(peer, depth);
        run.check(&name, |run| {
            let mut shot = shot(run, &name);
            shot.depth = depth;
            let taken = run.client.take(&shot)?;
            let truth = server.screen.picture()?;
            match depth {
                8 => Ok(Finding::Skipped(
                    "session held, picture not compared: freerdp-shadow sends no palette at 8 bpp, its own client shows black"
                        .to_owned(),
                )),
                15 | 16 | 24 => {
                    let [letters, checkerboard] = SHADOW_ALTERNATING;
                    // It says 24 bits and sends 16 all the same.
                    compare(run, &name, depth.min(16), &taken, &truth, &[POINTER, letters, checkerboard])
                }
                _ => compare(run, &name, depth, &taken, &truth, &[POINTER]),
            }
        });
    }
    if security == ShadowSecurity::Nla {
        let name = format!("{peer}/tls-only");
        run.check(&name, |run| {
            let mut shot = shot(run, &name);
            shot.security = Some("tls");
            expect_exit(&run.client.shoot(&shot)?, 7)?;
            Finding::passed(
                "",
                "exit code 7: the server insists on NLA, the client was told TLS",
            )
        });
        let name = format!("{peer}/wrong-password");
        run.check(&name, |run| {
            let mut shot = shot(run, &name);
            shot.password = "wrong";
            expect_exit(&run.client.shoot(&shot)?, 6)?;
            Finding::passed("", "exit code 6")
        });
    } else {
        let name = format!("{peer}/type");
        run.check(&name, |run| {
            let typing = Typing::new(run, peer);
            let mut shot = shot(run, &name);
            shot.text = Some(typing.text.clone());
            let taken = run.client.take(&shot)?;
            typing.wait()?;
            // The picture is taken after the typing, so the typed line is in it.
            compare(run, &name, 32, &taken, &server.screen.picture()?, &[POINTER])
        });
    }
    if security == ShadowSecurity::Tls {
        run.check(&format!("{peer}/concurrent"), |run| {
            const SESSIONS: u16 = 50;
            let summary = run.client.concurrent(server.port, SESSIONS)?;
            let line = |start: &str| summary.iter().find(|line| line.starts_with(start)).cloned();
            match line("sessions held") {
                Some(held) if held.starts_with(&format!("sessions held {SESSIONS},")) => {
                    let told = ["connects", "resident memory"]
                        .into_iter()
                        .filter_map(line)
                        .collect::<Vec<_>>();
                    Finding::passed(told.join(", "), held)
                }
                _ => fail(format!("not {SESSIONS} sessions held: {}", summary.join("; "))),
            }
        });
    }
    if security == ShadowSecurity::Rdp {
        let name = format!("{peer}/never-unasked");
        run.check(&name, |run| {
            let finished = run
                .client
                .shoot(&Shot::new(server.port, run.picture_file(&name)))?;
            expect_exit(&finished, 7)?;
            Finding::passed("", "exit code 7: no session without encryption unless asked for")
        });
    }
    let offers: &[(&str, &str)] = match security {
        ShadowSecurity::Tls => &[("tls", "accepted"), ("rdp", "refused")],
        ShadowSecurity::Rdp => &[("tls", "refused"), ("rdp", "accepted"), ("nla", "refused")],
        ShadowSecurity::Nla => &[("tls", "refused"), ("rdp", "refused"), ("nla", "accepted")],
    };
    probes::check(
        run,
        &format!("{peer}/probe"),
        server.port,
        server.certificate.as_ref(),
        offers,
    );
}

/// xrdp: a session on each backend, and a login that is refused.
pub(super) fn xrdp(run: &mut Run) -> Outcome<()> {
    let xorg = names("xrdp-xorg", &["type", "probe", "wrong-password"]);
    let xvnc = names("xrdp-xvnc", &["type", "probe"]);
    if !run.wants(&xorg) && !run.wants(&xvnc) {
        return Ok(());
    }
    let started = run.lab.certificate("xrdp").and_then(|certificate| {
        let sesman = Sesman::start(&run.lab, false)?;
        Ok((sesman, certificate))
    });
    let (mut sesman, certificate) = match started {
        Ok(started) => started,
        Err(error) => {
            run.fail_all(&xorg, &error);
            run.fail_all(&xvnc, &error);
            return Ok(());
        }
    };
    for (backend, names) in [(Backend::Xorg, xorg), (Backend::Xvnc, xvnc)] {
        if !run.wants(&names) {
            continue;
        }
        match Xrdp::start(&run.lab, backend, &certificate) {
            Ok(server) => xrdp_backend(run, &mut sesman, backend, &server, &certificate)?,
            Err(error) => run.fail_all(&names, &error),
        }
    }
    Ok(())
}

fn xrdp_backend(
    run: &mut Run,
    sesman: &mut Sesman,
    backend: Backend,
    server: &Xrdp,
    certificate: &Certificate,
) -> Outcome<()> {
    let peer = backend.name();
    for depth in DEPTHS {
        let name = picture_name(peer, depth);
        run.check(&name, |run| {
            if let Some(reason) = backend.lacks(depth) {
                return Ok(Finding::Skipped(reason.to_owned()));
            }
            sesman.end_sessions(&run.lab)?;
            let mut shot = Shot::new(server.port, run.picture_file(&name));
            shot.depth = depth;
            // A new session draws its scene while we look, so the first login only makes it.
            let first = Shot {
                settle: Duration::from_millis(300),
                ..shot.clone()
            };
            expect_exit(&run.client.shoot(&first)?, 0)?;
            let session = sesman.wait_for_session(&run.lab, shot.user)?;
            let taken = run.client.take(&shot)?;
            compare(run, &name, depth, &taken, &session.picture()?, &[POINTER])
        });
    }
    let name = format!("{peer}/type");
    run.check(&name, |run| {
        let typing = Typing::new(run, peer);
        let mut shot = Shot::new(server.port, run.picture_file(&name));
        expect_exit(&run.client.shoot(&shot)?, 0)?;
        let session = sesman.wait_for_session(&run.lab, shot.user)?;
        shot.text = Some(typing.text.clone());
        let taken = run.client.take(&shot)?;
        typing.wait()?;
        compare(run, &name, 32, &taken, &session.picture()?, &[POINTER])
    });
    probes::check(
        run,
        &format!("{peer}/probe"),
        server.port,
        Some(certificate),
        &[("tls", "accepted"), ("rdp", "accepted")],
    );
    if backend == Backend::Xorg {
        sesman.end_sessions(&run.lab)?;
        run.check("xrdp-xorg/wrong-password", |run| {
            wrong_password(run, sesman, server)
        });
    }
    sesman.end_sessions(&run.lab)
}

/// xrdp refuses a login by showing its log in a window; the connection stays and is a success to the client.
fn wrong_password(run: &Run, sesman: &Sesman, server: &Xrdp) -> Outcome<Finding> {
    const NAME: &str = "xrdp-xorg/wrong-password";
    const WINDOW_GREY: [u8; 3] = [0xc0; 3];
    const TITLE_BLUE: [u8; 3] = [0, 0, 0xff];
    let mut shot = Shot::new(server.port, run.picture_file(NAME));
    shot.password = "wrong";
    // PAM takes its time over a wrong password, and nothing is drawn meanwhile.
    shot.settle = Duration::from_secs(5);
    let taken = run.client.take(&shot)?;
    if !sesman.displays().is_empty() {
        return fail("a session was started for a wrong password");
    }
    let (grey, blue) = (taken.picture.count(WINDOW_GREY), taken.picture.count(TITLE_BLUE));
    // As another client draws it: 148,088 grey and 6,871 blue; the text is what varies.
    if !(140_000..156_000).contains(&grey) || !(6_000..8_000).contains(&blue) {
        let folder = run.keep_pictures(NAME, &[("ours", &taken.picture)])?;
        return fail(format!(
            "expected the log window, got {grey} grey and {blue} blue pixels; see {folder}"
        ));
    }
    Finding::passed(
        negotiated(&taken.facts),
        format!("log window: {grey} grey, {blue} blue pixels"),
    )
}
