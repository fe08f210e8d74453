//! What the command says about itself, and wrong calls.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

mod support;

use std::io::Write as _;
use std::process::Stdio;

use support::{PASSWORD, closed_port, ironrdp, run, scratch};

#[test]
fn wrong_usage_ends_with_code_2_and_says_what_is_wrong() {
    let calls: [(&[&str], &str); 14] = [
        (&[], "Usage"),
        (&["no-such-command"], "no-such-command"),
        (&["screenshot"], "--user"),
        (&["screenshot", "h", "-u", "x"], "--output"),
        (
            &["screenshot", "h", "-u", "x", "-o", "x.png", "--depth", "7"],
            "--depth",
        ),
        (
            &["screenshot", "h", "-u", "x", "-o", "x.png", "--size", "0x0"],
            "--size",
        ),
        (
            &["screenshot", "h", "-u", "x", "-o", "x.png", "--cert", "pin:zz"],
            "hex digit",
        ),
        (
            &["screenshot", "h", "-u", "x", "-o", "x.png", "--cert", "any"],
            "verify",
        ),
        (
            &[
                "screenshot",
                "h",
                "-u",
                "x",
                "-o",
                "x.png",
                "--settle",
                "9",
                "--timeout",
                "0.005",
            ],
            "--settle",
        ),
        (
            &["screenshot", "h", "-u", "x", "-o", "x.png", "--type", "\u{7}"],
            "--type",
        ),
        (
            &["screenshot", "h", "-u", "x", "-o", "no/such/directory/x.png"],
            "no/such/directory",
        ),
        (&["screenshot", "h", "-u", "x", "-o", "-", "--json"], "--json"),
        (&["screenshot", "h:port", "-u", "x", "-o", "x.png"], "h:port"),
        (&["probe"], "HOST"),
    ];
    for (call, word) in calls {
        let finished = run(ironrdp().args(call)).expect(2);
        assert!(finished.stderr.contains(word), "{call:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{call:?}");
    }
}

#[test]
fn help_documents_every_exit_code_and_the_visible_password() {
    for call in [&["--help"][..], &["screenshot", "--help"], &["probe", "--help"]] {
        let help = String::from_utf8(run(ironrdp().args(call)).expect(0).stdout).unwrap();
        for code in 0..=8 {
            assert!(
                help.contains(&format!("\n  {code}  ")),
                "{call:?} lacks code {code}: {help}"
            );
        }
    }
    let help = run(ironrdp().args(["screenshot", "-h"])).expect(0).stdout;
    let help: Vec<_> = str::from_utf8(&help).unwrap().split_whitespace().collect();
    let help = help.join(" ");
    assert!(
        help.contains("process list") && help.contains("IRONRDP_PASSWORD"),
        "{help}"
    );
}

#[test]
fn completions_come_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(run(ironrdp().args(["completions", shell])).expect(0).stdout).unwrap();
        for word in ["ironrdp", "screenshot", "password-fd", "dangerously-plain"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    run(ironrdp().args(["completions", "tcl"])).expect(2);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = ironrdp()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn without_password_and_terminal_the_command_says_how_to_give_one() {
    let file = scratch().join("x.png");
    let mut command = ironrdp();
    command
        .env_remove("IRONRDP_PASSWORD")
        .args(["screenshot", "127.0.0.1:1", "-u", "x", "-o"])
        .arg(file);
    let finished = run(&mut command).expect(2);
    assert!(
        finished.stderr.contains("hint: ") && finished.stderr.contains("--password-fd"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_password_given_on_the_command_line_is_not_repeated_in_errors() {
    // `run` looks for it.
    run(ironrdp().args(["screenshot", "h", "-p", PASSWORD, "--bogus"])).expect(2);
    let password = format!("--password={PASSWORD}");
    run(ironrdp().args([
        "screenshot",
        "h",
        "-u",
        "x",
        "-o",
        "x.png",
        &password,
        "--password-fd",
        "0",
    ]))
    .expect(2);
    let port = closed_port();
    let file = scratch().join("x.png");
    let server = format!("127.0.0.1:{port}");
    run(ironrdp()
        .args(["-vvv", "screenshot", &server, "-u", "x", "-p", PASSWORD, "-o"])
        .arg(file))
    .expect(3);
}

#[cfg(unix)]
#[test]
fn the_password_is_read_from_a_file_descriptor() {
    let file = scratch().join("x.png");
    let server = format!("127.0.0.1:{}", closed_port());
    let call = |descriptor: &str| {
        let mut command = ironrdp();
        command
            .env_remove("IRONRDP_PASSWORD")
            .args([
                "screenshot",
                &server,
                "-u",
                "x",
                "--password-fd",
                descriptor,
                "-o",
            ])
            .arg(&file);
        command
    };
    // With the password found the command goes on to the closed port.
    let mut child = call("0")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(PASSWORD.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let finished = run(&mut call("977")).expect(2);
    assert!(
        finished.stderr.contains("--password-fd 977"),
        "{}",
        finished.stderr
    );
}

#[test]
fn colours_stay_out_of_a_pipe() {
    let finished = run(ironrdp().args(["probe", &format!("127.0.0.1:{}", closed_port())])).expect(3);
    assert!(!finished.stderr.contains('\u{1b}'), "{:?}", finished.stderr);
}
