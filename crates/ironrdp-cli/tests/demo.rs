//! `ironrdp demo`: a few sessions, what it writes about them, and what it says when it cannot.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod support;

use std::fs;
use std::path::Path;

use support::{Finished, ironrdp, run, scratch, wait};

fn demo(out: &Path, more: &[&str]) -> Finished {
    run(ironrdp()
        .args([
            "demo",
            "--sessions",
            "5",
            "--size",
            "203x120",
            "--jobs",
            "2",
            "--out",
        ])
        .arg(out)
        .args(more))
}

#[test]
fn a_few_sessions_come_to_their_pictures_and_the_report_says_how() {
    let ways: &[(&[&str], &str)] = if cfg!(feature = "nla") {
        &[(&[], "nla"), (&["--security", "tls"], "tls")]
    } else {
        &[(&[], "tls")]
    };
    for (more, security) in ways {
        // It makes the directory.
        let out = scratch().join("in/here");
        let finished = demo(&out, more).expect(0);
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
        assert_eq!(report["sessions"], 5);
        assert_eq!(report["failures"], serde_json::json!([]));
        assert_eq!(report["security"], *security);
        assert_eq!((&report["width"], &report["height"]), (&203.into(), &120.into()));
        for field in ["seconds", "connects_per_second", "bytes_received", "bytes_sent"] {
            assert!(report[field].as_f64().unwrap() > 0.0, "{field} of {report}");
        }
        for spread in ["connect_ms", "first_frame_ms"] {
            let of = |share: &str| report[spread][share].as_f64().unwrap();
            assert!(0.0 < of("p50") && of("p50") <= of("p99"), "{spread} of {report}");
        }
        // Each desktop has four by two tiles.
        assert!(report["tiles_encoded"].as_u64().unwrap() >= 5 * 8, "{report}");
        #[cfg(target_os = "linux")]
        for field in [
            "client_cpu_ms_per_connect",
            "resident_bytes",
            "resident_bytes_per_session",
        ] {
            assert!(report[field].as_f64().unwrap() > 0.0, "{field} of {report}");
        }

        let table = String::from_utf8(finished.stdout).unwrap();
        for (name, value) in [
            ("sessions", "5"),
            ("failures", "0"),
            ("login", &security.to_uppercase()),
        ] {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            assert_eq!(line.split_whitespace().last(), Some(value), "{table}");
        }
        for word in [
            "connects a second",
            "client CPU a connect",
            "first frame p99",
            "memory a session",
        ] {
            assert!(table.contains(word), "{word} is not in {table}");
        }

        let page = fs::read_to_string(out.join("index.html")).unwrap();
        assert_eq!(page.matches("src=\"data:image/png;base64,").count(), 5);
        assert!(!page.contains("class=failed"));
        // Without a terminal: lines, and none that is written over.
        for line in ["connected: 5/5", "checked: 5/5", "gallery: "] {
            assert!(
                finished.stderr.contains(line),
                "{line} is not in {}",
                finished.stderr
            );
        }
        assert!(
            !finished.stderr.contains(['\r', '\u{1b}']),
            "{:?}",
            finished.stderr
        );
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_told_before_any_session() {
    let file = scratch().join("file");
    fs::write(&file, "in the way").unwrap();
    let finished = demo(&file.join("below"), &[]).expect(1);
    assert!(finished.stderr.contains("file/below: "), "{}", finished.stderr);
    assert!(!finished.stderr.contains("server on"), "{}", finished.stderr);
    assert!(finished.stdout.is_empty());
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
}

#[test]
fn a_report_that_could_not_be_written_is_told_before_any_session() {
    let out = scratch();
    // A directory where the report is to be.
    fs::create_dir(out.join("report.json")).unwrap();
    let finished = demo(&out, &[]).expect(2);
    assert!(finished.stderr.contains("report.json: "), "{}", finished.stderr);
    assert!(!finished.stderr.contains("server on"), "{}", finished.stderr);
}

#[test]
fn wrong_numbers_are_refused_with_what_is_possible() {
    for (option, value, possible) in [
        ("--sessions", "0", "1..=5000"),
        ("--sessions", "many", "invalid"),
        ("--size", "0x9", "from 1 to 8192"),
        ("--size", "wide", "1024x768"),
        ("--jobs", "0", "1..=1024"),
        #[cfg(feature = "nla")]
        ("--security", "rdp", "nla, tls"),
    ] {
        let finished = run(ironrdp().args(["demo", option, value])).expect(2);
        assert!(
            finished.stderr.contains(option) && finished.stderr.contains(possible),
            "{option} {value}: {}",
            finished.stderr
        );
    }
}

#[cfg(unix)]
#[test]
fn more_sessions_than_files_may_be_open_are_refused_with_what_to_do() {
    let mut command = std::process::Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -n 200 && exec \"$0\" demo --sessions 500 --out \"$1\"",
        ])
        .arg(env!("CARGO_BIN_EXE_ironrdp"))
        .arg(scratch());
    let finished = run(&mut command).expect(1);
    assert!(
        finished.stderr.contains("500 sessions need"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("hint: raise it (ulimit -n)"),
        "{}",
        finished.stderr
    );
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_each_step_has_a_bar_that_grows_in_its_line() {
    use std::io::Read as _;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let name = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
    let far = fs::File::options().read(true).write(true).open(name).unwrap();
    let mut command = ironrdp();
    command
        .args([
            "demo",
            "--sessions",
            "7",
            "--size",
            "64x64",
            "--jobs",
            "2",
            "--out",
        ])
        .arg(scratch())
        .stdout(std::process::Stdio::null())
        .stderr(far);
    let mut child = command.spawn().unwrap();
    // It has the terminal; this end is told when the last who has it has gone.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut terminal, mut said) = (fs::File::from(near), Vec::new());
        let mut piece = [0; 512];
        while let Ok(length @ 1..) = terminal.read(&mut piece) {
            said.extend_from_slice(&piece[..length]);
        }
        String::from_utf8(said).unwrap()
    });
    assert!(wait(&mut child).success());
    let said = reader.join().unwrap();
    for what in ["connected", "checked"] {
        // A bar is drawn over the one before.
        let line = said.lines().find(|line| line.contains(what)).unwrap();
        let mut done = Vec::new();
        for bar in line.split('\r').filter(|bar| !bar.is_empty()) {
            let (label, bar) = bar.split_once(" [").unwrap();
            let (bar, count) = bar.split_once("] ").unwrap();
            assert_eq!(label.trim_end(), what, "{said:?}");
            let steps: usize = count.strip_suffix("/7").unwrap().parse().unwrap();
            let filled = steps * 40 / 7;
            assert_eq!(bar, "#".repeat(filled) + &".".repeat(40 - filled), "{said:?}");
            done.push(steps);
        }
        assert_eq!(done, [1, 2, 3, 4, 5, 6, 7], "{said:?}");
    }
}
