//! Servers that are absent, silent, or speak something else: each must end with its exit code and in time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::{Finding, Run};
use crate::client::{Shot, expect_exit};
use crate::fail::{Context, Outcome, fail};
use crate::process::{Finished, free_port};

/// How a server of ours misbehaves.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// Answers anything with an HTTP error, as a web server does.
    Http,
    /// Accepts and never says a word.
    Silent,
    /// Agrees to TLS and then never says a word.
    SilentAfterConfirm,
    /// Answers with a TPKT header whose length lies.
    Malformed,
    /// Closes each connection at once.
    HangsUp,
}

struct Case {
    name: &'static str,
    habit: Habit,
    /// What the client is told to wait at most.
    timeout: Duration,
    exit: i32,
}

/// The exit code of a client whose time is over.
const TIMED_OUT: i32 = 4;

/// How long anything else may take: the machine may have other things to do.
const PATIENCE: Duration = Duration::from_secs(20);

const CASES: [Case; 5] = [
    Case {
        name: "failure/http-server",
        habit: Habit::Http,
        timeout: Duration::from_secs(20),
        exit: 8,
    },
    Case {
        name: "failure/silent-server",
        habit: Habit::Silent,
        timeout: Duration::from_secs(3),
        exit: TIMED_OUT,
    },
    Case {
        name: "failure/silent-after-confirm",
        habit: Habit::SilentAfterConfirm,
        timeout: Duration::from_secs(3),
        exit: TIMED_OUT,
    },
    Case {
        name: "failure/malformed-confirm",
        habit: Habit::Malformed,
        timeout: Duration::from_secs(20),
        exit: 8,
    },
    Case {
        name: "failure/hangs-up",
        habit: Habit::HangsUp,
        timeout: Duration::from_secs(20),
        exit: 3,
    },
];

pub(super) fn run(run: &mut Run) -> Outcome<()> {
    run.check("failure/closed-port", |run| {
        let shot = Shot::new(free_port()?, run.picture_file("failure/closed-port"));
        judge(&run.client.shoot(&shot)?, &shot, 3)
    });
    for case in &CASES {
        run.check(case.name, |run| {
            let port = serve(case.habit)?;
            let mut shot = Shot::new(port, run.picture_file(case.name));
            shot.timeout = case.timeout;
            let finding = judge(&run.client.shoot(&shot)?, &shot, case.exit)?;
            if shot.file.exists() {
                return fail("a picture was written all the same");
            }
            Ok(finding)
        });
    }
    usage(run);
    Ok(())
}

fn usage(run: &mut Run) {
    run.check("failure/usage", |run| {
        let calls: [&[&str]; 4] = [
            &["screenshot"],
            &[
                "screenshot",
                "127.0.0.1",
                "-u",
                "x",
                "-o",
                "x.png",
                "--depth",
                "7",
            ],
            &[
                "screenshot",
                "127.0.0.1",
                "-u",
                "x",
                "-o",
                "x.png",
                "--cert",
                "pin:zz",
            ],
            &["no-such-command"],
        ];
        for call in calls {
            let finished = run.client.plain(call, PATIENCE)?;
            expect_exit(&finished, 2).context(call.join(" "))?;
        }
        Finding::passed("", "exit code 2")
    });
}

fn judge(finished: &Finished, shot: &Shot<'_>, exit: i32) -> Outcome<Finding> {
    expect_exit(finished, exit)?;
    // Whoever has been told what is wrong must not wait for the rest of its time.
    if exit != TIMED_OUT && finished.elapsed >= shot.timeout {
        return fail(format!(
            "took {:.1} s, as if nothing had been said",
            finished.elapsed.as_secs_f32()
        ));
    }
    if !finished.stderr.contains("127.0.0.1") {
        return fail(format!(
            "the message does not name the host: {}",
            finished.stderr.trim()
        ));
    }
    let message = finished.stderr.lines().next().unwrap_or_default();
    Finding::passed(
        "",
        format!(
            "exit code {exit} after {:.1} s: {message}",
            finished.elapsed.as_secs_f32()
        ),
    )
}

/// Serves on a free port for as long as the process lives.
fn serve(habit: Habit) -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listen")?;
    let port = listener.local_addr().context("listen")?.port();
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            // A client that has gone in the middle of an answer is not the matter here.
            drop(answer(habit, &mut stream));
            if !matches!(habit, Habit::HangsUp) {
                held.push(stream);
            }
        }
    });
    Ok(port)
}

fn answer(habit: Habit, stream: &mut TcpStream) -> std::io::Result<()> {
    /// TPKT of 19 bytes, X.224 connection confirm, RDP_NEG_RSP with PROTOCOL_SSL (MS-RDPBCGR 2.2.1.2).
    const CONFIRM_TLS: [u8; 19] = [
        0x03, 0x00, 0x00, 0x13, 0x0e, 0xd0, 0x00, 0x00, 0x12, 0x34, 0x00, 0x02, 0x00, 0x08, 0x00, 0x01, 0x00,
        0x00, 0x00,
    ];
    let mut request = [0; 1024];
    match habit {
        Habit::Http => {
            let _asked = stream.read(&mut request)?;
            stream.write_all(
                b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\
                  Content-Length: 24\r\n\r\n<h1>400 Bad Request</h1>",
            )
        }
        Habit::Silent | Habit::HangsUp => Ok(()),
        Habit::SilentAfterConfirm => {
            let _asked = stream.read(&mut request)?;
            stream.write_all(&CONFIRM_TLS)
        }
        Habit::Malformed => {
            let _asked = stream.read(&mut request)?;
            // The length indicator of X.224 (fifth byte) says more than the TPKT holds.
            let mut wrong = CONFIRM_TLS;
            wrong[4] = 0x7e;
            stream.write_all(&wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server with this habit answers to a request: so many bytes, or all there is until it closes or `patience` ends.
    fn answer_of(habit: Habit, length: u64, patience: Duration) -> Vec<u8> {
        let port = serve(habit).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        // The one that hangs up may have done so already.
        drop(stream.write_all(&[3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0]));
        let mut answer = Vec::new();
        // Silence ends in an error, and so does a connection that is reset; what came before them is kept.
        drop(stream.take(length).read_to_end(&mut answer));
        answer
    }

    #[test]
    fn each_habit_is_what_its_name_says() {
        assert_eq!(answer_of(Habit::Http, 13, PATIENCE), b"HTTP/1.1 400 ");
        assert_eq!(answer_of(Habit::Silent, 1, Duration::from_millis(300)), b"");
        assert_eq!(answer_of(Habit::HangsUp, 1, PATIENCE), b"");
        let confirm = answer_of(Habit::SilentAfterConfirm, 19, PATIENCE);
        assert_eq!((confirm.len(), confirm[3], confirm[4]), (19, 19, 14));
        let lying = answer_of(Habit::Malformed, 19, PATIENCE);
        assert_eq!(lying.len(), 19);
        assert!(usize::from(lying[4]) > lying.len());
    }
}
