//! Other people's clients against our server: what they show must be what it drew, and what is typed must arrive.

mod proxy;
mod serve;
mod viewer;

use std::process::Command;
use std::time::Duration;

use super::{Finding, Run};
use crate::client::{self, Shot, expect_exit};
use crate::fail::{Context, Outcome, fail};
use crate::install::{PASSWORD, USER};
use crate::lab::Certificate;
use crate::picture::{Bits, Picture};
use crate::process::{run as run_command, wait_for};
use crate::scene::{self, HEIGHT, WIDTH};
use crate::workspace;
use proxy::Proxy;
use serve::Serve;
use viewer::Viewer;

const XFREERDP: [&str; 9] = [
    "own-xfreerdp/picture-16",
    "own-xfreerdp/picture-24",
    "own-xfreerdp/picture-32",
    "own-xfreerdp/picture-nla",
    "own-xfreerdp/type",
    "own-xfreerdp/resize",
    "own-xfreerdp/resize-live",
    "own-xfreerdp/reconnect",
    "own-xfreerdp/reconnect-elsewhere",
];

const RDESKTOP: [&str; 6] = [
    "own-rdesktop/picture-16",
    "own-rdesktop/picture-24",
    "own-rdesktop/picture-32",
    "own-rdesktop/type",
    "own-rdesktop/resize",
    "own-rdesktop/reconnect",
];

/// Checks that need the client of the published crates.
pub(super) const PUBLISHED: [&str; 6] = [
    "own-published/picture-16",
    "own-published/picture-24",
    "own-published/picture-32",
    "own-published/picture-nla",
    "own-published/type",
    "own-published/resize",
];

/// FreeRDP's client.
pub(super) fn xfreerdp(run: &mut Run) -> Outcome<()> {
    viewers(run, &XFREERDP, Viewer::xfreerdp)
}

/// rdesktop, whose ErectDomainRequest is not the one that everybody else sends.
pub(super) fn rdesktop(run: &mut Run) -> Outcome<()> {
    viewers(run, &RDESKTOP, Viewer::rdesktop)
}

/// Starts a client on a display of its own: the run, the check's name, the server's port, and how.
type Start = fn(&Run, &str, u16, Manner) -> Outcome<Viewer>;

/// How a client connects.
#[derive(Debug, Clone, Copy)]
struct Manner {
    size: (u16, u16),
    depth: u8,
    nla: bool,
}

impl Manner {
    const USUAL: Self = Self {
        size: (WIDTH, HEIGHT),
        depth: 32,
        nla: false,
    };
}

fn viewers(run: &mut Run, names: &[&str], start: Start) -> Outcome<()> {
    if !run.wants(&names.iter().copied().map(str::to_owned).collect::<Vec<_>>()) {
        return Ok(());
    }
    let certificate = run.lab.certificate("own")?;
    for &name in names {
        run.check(name, |run| {
            let (_, what) = name.split_once('/').unwrap_or_default();
            match what {
                "type" => typing(run, name, start, &certificate),
                "resize" => resize(run, name, start, &certificate),
                "resize-live" => resize_live(run, name, start, &certificate),
                "reconnect" => reconnect(run, name, start, &certificate),
                "reconnect-elsewhere" => reconnect_elsewhere(run, name, start, &certificate),
                _ => picture(run, name, start, &certificate),
            }
        });
    }
    Ok(())
}

/// How the last word of a check's name says to connect.
fn manner(name: &str) -> Outcome<Manner> {
    match name.rsplit('-').next() {
        Some("nla") => Ok(Manner {
            nla: true,
            ..Manner::USUAL
        }),
        Some(depth) => Ok(Manner {
            depth: depth.parse().context(name)?,
            ..Manner::USUAL
        }),
        None => fail(name),
    }
}

fn negotiated(server: &Serve, manner: Manner) -> Outcome<String> {
    let depth = server.depth_in_use()?;
    if depth != manner.depth {
        return fail(format!("asked for {} bits a pixel, got {depth}", manner.depth));
    }
    let security = if manner.nla { "nla" } else { "tls" };
    Ok(format!("{security}, {depth} bpp"))
}

fn picture(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    let manner = manner(name)?;
    let security = if manner.nla { "nla" } else { "tls" };
    let server = Serve::with_scene(run, name, certificate, &["--security", security])?;
    let mut viewer = start(run, name, server.port, manner)?;
    let compared = viewer.wait_to_show(run, name, &scene::picture(), manner.depth)?;
    Finding::passed(negotiated(&server, manner)?, compared)
}

/// Letters of both cases, digits, signs that need Shift, and a second line.
const TEXT: &str = "The 5 quick foxes: (jump) & run!\nOver_it.";

fn typing(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    let server = Serve::with_scene(run, name, certificate, &["--security", "tls"])?;
    let mut viewer = start(run, name, server.port, Manner::USUAL)?;
    viewer.wait_to_show(run, name, &scene::picture(), 32)?;
    viewer.write(TEXT)?;
    server.wait_for_typed(TEXT)?;
    // The text is in the picture too. Our own client says what that is now, and other checks whether it is right.
    let truth = look(run, name, &server, (WIDTH, HEIGHT))?;
    if truth == scene::picture() {
        return fail("nothing of what was typed is shown");
    }
    let compared = viewer.wait_to_show(run, name, &truth, 32)?;
    Finding::passed(
        negotiated(&server, Manner::USUAL)?,
        format!("{} characters typed, {compared}", TEXT.len()),
    )
}

/// What our own client sees, twice the same: one look may come while the server still draws.
fn look(run: &Run, name: &str, server: &Serve, size: (u16, u16)) -> Outcome<Picture> {
    let mut shot = Shot::new(server.port, run.picture_file(name));
    shot.size = size;
    shot.settle = Duration::from_millis(600);
    let mut last = None;
    wait_for("two looks that agree", Duration::from_secs(60), || {
        let now = run.client.take(&shot)?.picture;
        let still = last.as_ref() == Some(&now);
        Ok(if still {
            Some(now)
        } else {
            last = Some(now);
            None
        })
    })
}

/// Sizes that a client comes back in.
const SIZES: [(u16, u16); 2] = [(800, 600), (WIDTH, HEIGHT)];

/// A desktop as large as the client asks for, first one size and then another.
fn resize(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    // The built-in desktop, since a picture has a size of its own; and without movement, to be compared.
    let server = Serve::start(run, name, certificate, &["--security", "tls", "--fps", "0"])?;
    let mut seen = Vec::new();
    for size in SIZES {
        let manner = Manner {
            size,
            ..Manner::USUAL
        };
        let mut viewer = start(run, name, server.port, manner)?;
        server.wait_for_client()?;
        let truth = look(run, name, &server, size)?;
        if truth.size() != (size.0.into(), size.1.into()) {
            return fail(format!("the server shows {:?}", truth.size()));
        }
        seen.push(viewer.wait_to_show(run, name, &truth, 32)?);
    }
    Finding::passed("tls, 800x600, then 1024x768", seen.join("; "))
}

/// The desktop takes another size while the client looks at it.
fn resize_live(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    let server = Serve::with_scene(run, name, certificate, &["--security", "tls"])?;
    let mut viewer = start(run, name, server.port, Manner::USUAL)?;
    let whole = scene::picture();
    viewer.wait_to_show(run, name, &whole, 32)?;
    let part = whole.crop(800, 600);
    server.show(&part)?;
    let compared = viewer.wait_to_show(run, name, &part, 32)?;
    server.show(&whole)?;
    viewer.wait_to_show(run, name, &whole, 32)?;
    Finding::passed("tls, 1024x768, 800x600, 1024x768", compared)
}

/// The connection breaks, the client comes back by itself, and the server knows it again by its cookie.
fn reconnect(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    let server = Serve::with_scene(run, name, certificate, &["--security", "tls"])?;
    let proxy = Proxy::start(server.port)?;
    let mut viewer = start(run, name, proxy.port, Manner::USUAL)?;
    let before = scene::picture();
    viewer.wait_to_show(run, name, &before, 32)?;
    proxy.cut();
    server.wait_to_say("is back")?;
    // What was shown before the break would look the same: something new must come.
    let after = before.mirrored();
    server.show(&after)?;
    let compared = viewer.wait_to_show(run, name, &after, 32)?;
    Finding::passed("tls, cookie redeemed", compared)
}

/// The client comes back to a server that does not know its cookie, says so, and lets it in by its password.
/// rdesktop trusts in its cookie and sends none, so it stays out.
fn reconnect_elsewhere(run: &Run, name: &str, start: Start, certificate: &Certificate) -> Outcome<Finding> {
    let options = ["--security", "tls"];
    let first = Serve::with_scene(run, name, certificate, &options)?;
    let proxy = Proxy::start(first.port)?;
    let mut viewer = start(run, name, proxy.port, Manner::USUAL)?;
    let before = scene::picture();
    viewer.wait_to_show(run, name, &before, 32)?;
    let second = Serve::with_scene(run, &format!("{name}-2"), certificate, &options)?;
    let after = before.mirrored();
    second.show(&after)?;
    proxy.lead_to(second.port);
    proxy.cut();
    second.wait_to_say("is here")?;
    let compared = viewer.wait_to_show(run, name, &after, 32)?;
    Finding::passed("tls, cookie refused, password taken", compared)
}

/// The client made of the IronRDP crates that Devolutions publishes.
pub(super) fn published(run: &mut Run) -> Outcome<()> {
    let names = PUBLISHED.map(str::to_owned);
    if !run.wants(&names) {
        return Ok(());
    }
    let certificate = run.lab.certificate("own-published")?;
    for name in PUBLISHED {
        run.check(name, |run| match name.rsplit('/').next() {
            Some("type") => published_types(run, name, &certificate),
            Some("resize") => published_resizes(run, name, &certificate),
            _ => {
                let manner = manner(name)?;
                let security = if manner.nla { "nla" } else { "tls" };
                let server = Serve::with_scene(run, name, &certificate, &["--security", security])?;
                let shown = published_shows(run, &server, manner, &[])?;
                let compared = compare_published(run, name, manner, &shown, &scene::picture())?;
                Finding::passed(negotiated(&server, manner)?, compared)
            }
        });
    }
    Ok(())
}

fn published_types(run: &Run, name: &str, certificate: &Certificate) -> Outcome<Finding> {
    let server = Serve::with_scene(run, name, certificate, &["--security", "tls"])?;
    // H, i and Enter on any keyboard.
    let shown = published_shows(run, &server, Manner::USUAL, &["23", "17", "1c"])?;
    server.wait_for_typed("hi\n")?;
    let truth = look(run, name, &server, (WIDTH, HEIGHT))?;
    let compared = compare_published(run, name, Manner::USUAL, &shown, &truth)?;
    Finding::passed(negotiated(&server, Manner::USUAL)?, compared)
}

/// As [`resize`]: it is gone each time before the next one comes.
fn published_resizes(run: &Run, name: &str, certificate: &Certificate) -> Outcome<Finding> {
    let server = Serve::start(run, name, certificate, &["--security", "tls", "--fps", "0"])?;
    let mut seen = Vec::new();
    for size in SIZES {
        let manner = Manner {
            size,
            ..Manner::USUAL
        };
        let shown = published_shows(run, &server, manner, &[])?;
        if shown.size() != (size.0.into(), size.1.into()) {
            return fail(format!("asked for {size:?}, got {:?}", shown.size()));
        }
        let truth = look(run, name, &server, size)?;
        seen.push(compare_published(run, name, manner, &shown, &truth)?);
    }
    Finding::passed("tls, 800x600, then 1024x768", seen.join("; "))
}

/// One run of that client: what it shows in the end.
fn published_shows(run: &Run, server: &Serve, manner: Manner, keys: &[&str]) -> Outcome<Picture> {
    let file = run.lab.path("published.ppm");
    let mut command = Command::new(client::program(&workspace::published_client())?);
    command
        .args([&server.port.to_string(), USER])
        .arg(if manner.nla { "nla" } else { "tls" })
        .args([
            manner.depth.to_string(),
            manner.size.0.to_string(),
            manner.size.1.to_string(),
        ])
        .arg(&file)
        .args(keys)
        .env("LAB_PASSWORD", PASSWORD);
    expect_exit(&run_command(&mut command, Duration::from_secs(60))?, 0)?;
    Picture::from_ppm(&std::fs::read(&file).context(file.display())?)
}

fn compare_published(
    run: &Run,
    name: &str,
    manner: Manner,
    shown: &Picture,
    truth: &Picture,
) -> Outcome<String> {
    let difference = shown.compare(truth, Bits::of_depth(manner.depth), &[])?;
    run.judge(name, shown, truth, &difference)
}
