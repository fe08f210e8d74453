//! Commands that speak on our terminal, each with a deadline: what hangs is killed and named.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::fail::{Context, Outcome, fail};
use crate::process::{descendants, interrupt_flag, kill_group, kill_process, started_at};

/// How long a command gets between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(15);

/// When something has to be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    started: Instant,
    allowed: Duration,
    grace: Duration,
}

impl Deadline {
    /// Counts from now.
    pub(crate) fn after(allowed: Duration) -> Self {
        Self {
            started: Instant::now(),
            allowed,
            grace: TERM_GRACE,
        }
    }

    /// With so long between SIGTERM and SIGKILL.
    pub(crate) fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// So many minutes from now.
    pub(crate) fn minutes(minutes: u64) -> Self {
        Self::after(Duration::from_secs(minutes.saturating_mul(60)))
    }

    fn has_passed(self) -> bool {
        self.started.elapsed() > self.allowed
    }
}

/// Runs a command with our terminal; a nonzero exit is a failure, and so is not having ended by the deadline.
pub(crate) fn run_visibly(command: &mut Command, deadline: Deadline) -> Outcome<()> {
    let child = spawn(command)?;
    supervise(command, child, deadline, String::new)
}

/// Like [`run_visibly`] for `cargo test`: past the deadline, the error names the tests that hang.
pub(crate) fn run_tests(command: &mut Command, deadline: Deadline) -> Outcome<()> {
    run_relayed(command, deadline, std::io::stdout(), std::io::stderr())
}

fn run_relayed(
    command: &mut Command,
    deadline: Deadline,
    stdout: impl Write + Send + 'static,
    stderr: impl Write + Send + 'static,
) -> Outcome<()> {
    // The words are looked for below.
    command.env("CARGO_TERM_COLOR", "never");
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let progress = Arc::new(Mutex::new(Progress::default()));
    let relays = [
        child.stdout.take().map(|from| relay(from, stdout, &progress)),
        child.stderr.take().map(|from| relay(from, stderr, &progress)),
    ];
    let result = supervise(command, child, deadline, || {
        progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .to_string()
    });
    // The end of what was said, if nobody who lives on holds the stream.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end && relays.iter().flatten().any(|relay| !relay.is_finished()) {
        thread::sleep(Duration::from_millis(10));
    }
    result
}

/// A group of its own is what can be killed as a whole. It must not read: a terminal stops groups in its background.
fn spawn(command: &mut Command) -> Outcome<Child> {
    command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .context(shown(command))
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn supervise(
    command: &Command,
    mut child: Child,
    deadline: Deadline,
    doing: impl Fn() -> String,
) -> Outcome<()> {
    let shown = shown(command);
    loop {
        if let Some(status) = child.try_wait().context(&shown)? {
            return if status.success() {
                Ok(())
            } else {
                fail(format!("{shown}: {status}"))
            };
        }
        // A signal from the terminal has reached our group only, so it is handed on.
        if interrupt_flag().load(Ordering::Relaxed) {
            end(&mut child, deadline.grace);
            return fail("interrupted");
        }
        if deadline.has_passed() {
            let doing = doing();
            end(&mut child, deadline.grace);
            return fail(format!(
                "{shown}: not done after {} s, killed{doing}",
                deadline.allowed.as_secs_f32()
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Ends a group, and whoever its members have started in other groups.
fn end(child: &mut Child, grace: Duration) {
    let mut started = family(child.id());
    kill_group("TERM", child.id());
    let end = Instant::now() + grace;
    while Instant::now() < end && !matches!(child.try_wait(), Ok(Some(_))) {
        thread::sleep(Duration::from_millis(20));
    }
    // Whoever was started since then, by the child or by an orphan of it.
    let elders: Vec<u32> = started.iter().map(|(pid, _)| *pid).chain([child.id()]).collect();
    started.extend(elders.into_iter().flat_map(family));
    kill_group("KILL", child.id());
    for (pid, at) in started {
        // The number may be another's by now.
        if started_at(pid) == Some(at) {
            kill_process("KILL", pid);
        }
    }
    // Reaped here or not at all; there is nobody to tell if that fails.
    drop(child.wait());
}

/// The descendants of a process, and when each was started.
fn family(root: u32) -> Vec<(u32, u64)> {
    let all = descendants(root).into_iter();
    all.filter_map(|pid| Some((pid, started_at(pid)?))).collect()
}

/// Hands lines on as they come, and learns from them.
fn relay(
    from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    progress: &Arc<Mutex<Progress>>,
) -> JoinHandle<()> {
    let progress = Arc::clone(progress);
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // A closed terminal must not stop the tests.
            drop(to.write_all(&line).and_then(|()| to.flush()));
            progress
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .note(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}

/// What `cargo test` is at, as far as it tells.
#[derive(Debug, Default)]
struct Progress {
    /// The file of tests that runs.
    file: String,
    /// Its tests that libtest has found slow, and that have not ended.
    slow: Vec<String>,
}

impl Progress {
    fn note(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("Running ") || line.starts_with("Doc-tests ") {
            line.clone_into(&mut self.file);
            self.slow.clear();
        } else if let Some(rest) = line.strip_prefix("test ") {
            if let Some((name, _)) = rest.split_once(" has been running for over ") {
                self.slow.push(name.to_owned());
            } else if let Some((name, _)) = rest.split_once(" ... ") {
                self.slow.retain(|slow| slow != name);
            }
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.file.is_empty() {
            write!(f, "; {}", self.file)?;
        }
        if !self.slow.is_empty() {
            write!(f, "; running for over a minute: {}", self.slow.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{arguments, wait_for};

    /// The processes that sleep for so long: the number is what they are known by.
    fn sleepers(number: &str) -> Vec<u32> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|&pid| arguments(pid) == ["sleep", number])
            .collect()
    }

    /// As [`run_tests`], and says nothing: what it reads here would be read by whoever runs these tests, too.
    fn run_silently(script: &str, deadline: Deadline) -> Outcome<()> {
        run_relayed(&mut shell(script), deadline, std::io::sink(), std::io::sink())
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_past_its_deadline_is_killed_with_all_it_started() {
        // `setsid`: in a group of its own, as the servers of the interop checks are.
        let number = format!("3600.{}", std::process::id());
        let script = format!("setsid sleep {number} & sleep {number}");
        // Time for a busy machine to start both.
        let deadline = Deadline::after(Duration::from_secs(8));
        let run = thread::spawn(move || {
            run_visibly(&mut shell(&script), deadline)
                .unwrap_err()
                .to_string()
        });
        wait_for("both", Duration::from_secs(8), || {
            Ok((sleepers(&number).len() == 2).then_some(()))
        })
        .unwrap();
        let error = run.join().unwrap();
        assert!(error.starts_with("sh -c setsid sleep "), "{error}");
        assert!(error.ends_with(": not done after 8 s, killed"), "{error}");
        wait_for("their end", Duration::from_secs(20), || {
            Ok(sleepers(&number).is_empty().then_some(()))
        })
        .unwrap();
    }

    #[test]
    fn what_ends_in_time_is_judged_by_its_exit() {
        let run = |script: &str| run_visibly(&mut shell(script), Deadline::minutes(5));
        assert!(run("exit 0").is_ok());
        let error = run("exit 3").unwrap_err().to_string();
        assert_eq!(error, "sh -c exit 3: exit status: 3");
    }

    #[test]
    fn tests_that_hang_are_named() {
        // What cargo and libtest say, in their order and on their streams.
        let script = "echo '     Running tests/fine.rs (target/debug/deps/fine-1)' >&2
            echo 'test quick ... ok'
            echo '     Running tests/storm.rs (target/debug/deps/storm-2)' >&2
            sleep 0.3
            echo 'test slow has been running for over 60 seconds'
            echo 'test stuck::for_ever has been running for over 60 seconds'
            echo 'test slow ... ok'
            exec sleep 3600";
        // Time for a busy machine to say it all.
        let deadline = Deadline::after(Duration::from_secs(12));
        let error = run_silently(script, deadline).unwrap_err().to_string();
        let end = "not done after 12 s, killed; Running tests/storm.rs (target/debug/deps/storm-2); \
                   running for over a minute: stuck::for_ever";
        assert!(error.ends_with(end), "{error}");
    }

    #[test]
    fn tests_that_end_are_not_waited_for_because_of_a_process_that_holds_their_output() {
        let number = format!("3601.{}", std::process::id());
        let started = Instant::now();
        run_silently(&format!("sleep {number} & exit 0"), Deadline::minutes(50)).unwrap();
        assert!(started.elapsed() < Duration::from_secs(3000));
        for pid in sleepers(&number) {
            kill_process("KILL", pid);
        }
    }
}
