//! The demo's gallery as a browser sees it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Finding, Run};
use crate::browser::Browser;
use crate::client::expect_exit;
use crate::fail::{Context, Outcome, fail};
use crate::process;

const SESSIONS: u64 = 20;

/// What its pages are asked; the pictures are decoded however far down they are.
const LOOK: &str = "
(async () => {
  const pictures = [...document.querySelectorAll('main img')];
  const decoded = await Promise.all(pictures.map(async picture => {
    picture.loading = 'eager';
    try { await picture.decode(); } catch (error) { return null; }
    return [picture.naturalWidth, picture.naturalHeight];
  }));
  const sizes = new Set(decoded.map(size => size ? size.join('x') : 'broken'));
  const rgb = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const style = getComputedStyle(document.body);
  return {
    pictures: pictures.length,
    decoded: decoded.filter(size => size).length,
    distinct: new Set(pictures.map(picture => picture.src)).size,
    sizes: [...sizes].join(' '),
    ground: rgb(style.backgroundColor),
    ink: rgb(style.color),
    title: document.title,
    figures: document.querySelectorAll('dd').length,
    failed: document.querySelectorAll('.failed').length,
    unnamed: pictures.filter(picture => !picture.alt).length,
    overflow: document.documentElement.scrollWidth - innerWidth,
  };
})()";

/// Runs the demo and opens what it wrote, in light and dark.
pub(super) fn run(run: &mut Run) -> Outcome<()> {
    let names = ["gallery/light", "gallery/dark"].map(str::to_owned);
    if !run.wants(&names) {
        return Ok(());
    }
    let page = match demo(run) {
        Ok(page) => page,
        Err(error) => {
            run.fail_all(&names, &error);
            return Ok(());
        }
    };
    for scheme in ["light", "dark"] {
        run.check(&format!("gallery/{scheme}"), |run| look(run, scheme, &page));
    }
    Ok(())
}

fn demo(run: &Run) -> Outcome<PathBuf> {
    let out = run.lab.path("demo");
    let mut command = run.client.command();
    command
        .args(["demo", "--sessions", &SESSIONS.to_string(), "--out"])
        .arg(&out);
    expect_exit(&process::run(&mut command, Duration::from_secs(120))?, 0)?;
    Ok(out.join("index.html"))
}

fn look(run: &Run, scheme: &str, page: &std::path::Path) -> Outcome<Finding> {
    let mut browser = Browser::start(&run.lab.path("chromium"), &run.lab.log("chromium"))?;
    browser.call(
        "Emulation.setEmulatedMedia",
        json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
    )?;
    let address = format!("file://{}", page.display());
    window(&mut browser, 1280, 1000)?;
    browser.open(&address)?;
    let seen = browser.evaluate(LOOK)?;
    expect(&seen, "pictures", &json!(SESSIONS))?;
    expect(&seen, "decoded", &json!(SESSIONS))?;
    expect(&seen, "distinct", &json!(SESSIONS))?;
    expect(&seen, "sizes", &json!("320x240"))?;
    expect(&seen, "unnamed", &json!(0))?;
    expect(&seen, "failed", &json!(0))?;
    let (ground, ink) = (brightness(&seen["ground"])?, brightness(&seen["ink"])?);
    let is_right = if scheme == "dark" {
        ground < 64.0 && ink > 160.0
    } else {
        ground > 192.0 && ink < 96.0
    };
    if !is_right {
        return fail(format!("{scheme}: ground {ground}, ink {ink}"));
    }
    let report = std::fs::read(page.with_file_name("report.json")).context("report.json")?;
    let report: Value = serde_json::from_slice(&report).context("report.json")?;
    expect(&report, "sessions", &json!(SESSIONS))?;
    if seen["figures"].as_u64() < Some(10) {
        return fail(format!("figures of the run: {}", seen["figures"]));
    }
    let screenshot = browser.screenshot()?;
    let kept = run.keep_file(&format!("gallery-{scheme}.png"), &screenshot)?;
    enlarge(&mut browser)?;
    for (width, height) in [(1280, 1000), (800, 600), (360, 740)] {
        window(&mut browser, width, height)?;
        let seen = browser.evaluate(LOOK)?;
        if seen["overflow"].as_i64() > Some(0) {
            return fail(format!(
                "at a width of {width} it is {} pixels too wide",
                seen["overflow"]
            ));
        }
    }
    run.keep_file(&format!("gallery-{scheme}-narrow.png"), &browser.screenshot()?)?;
    let complaints = browser.complaints();
    if !complaints.is_empty() {
        return fail(format!("the page complains: {}", complaints.join("; ")));
    }
    let foreign = |url: &String| *url != address && !url.starts_with("data:");
    let outside: Vec<String> = browser.requests().into_iter().filter(foreign).collect();
    if !outside.is_empty() {
        return fail(format!("it is not all in one file: {}", outside.join(" ")));
    }
    Finding::passed(
        scheme,
        format!("{SESSIONS} pictures decoded, no complaint, nothing loaded from elsewhere; {kept}"),
    )
}

/// A click on a picture shows it large, the arrow the next one, and Escape ends that.
fn enlarge(browser: &mut Browser) -> Outcome<()> {
    const OPEN: &str = "(async () => { const large = document.querySelector('dialog'); \
        const picture = large.querySelector('img'); if (large.open) await picture.decode(); \
        return [large.open, large.open && picture.src === document.querySelectorAll('main img')[PLACE].src, \
        picture.naturalWidth > 0]; })()";
    let open = |browser: &mut Browser, place: &str| browser.evaluate(&OPEN.replace("PLACE", place));
    browser.click("main img")?;
    for place in ["0", "1"] {
        let state = open(browser, place)?;
        if state != json!([true, true, true]) {
            return fail(format!("picture {place} is not shown large: {state}"));
        }
        browser.press("ArrowRight", 39)?;
    }
    browser.press("Escape", 27)?;
    let state = open(browser, "0")?;
    if state[0] != json!(false) {
        return fail("Escape does not close the large picture");
    }
    Ok(())
}

fn window(browser: &mut Browser, width: u32, height: u32) -> Outcome<()> {
    let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
    browser.call("Emulation.setDeviceMetricsOverride", size).map(drop)
}

fn expect(seen: &Value, what: &str, wanted: &Value) -> Outcome<()> {
    if &seen[what] == wanted {
        return Ok(());
    }
    fail(format!("{what}: expected {wanted}, got {}", seen[what]))
}

/// Between 0 and 255.
fn brightness(colour: &Value) -> Outcome<f64> {
    match colour.as_array().map(Vec::as_slice) {
        Some([red, green, blue]) => {
            let sum: f64 = [red, green, blue].iter().filter_map(|part| part.as_f64()).sum();
            Ok(sum / 3.0)
        }
        _ => fail(format!("{colour} is no colour")),
    }
}
