//! Child processes that cannot outlive us or our patience: daemons in groups of their own, commands with deadlines.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::fail::{Context, Failure, Outcome, fail};

/// How long a daemon gets between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(3);

/// How long past its deadline the output of a command that has ended may stay open.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// Turns SIGINT, SIGTERM and SIGHUP into a flag, so that every daemon is stopped by its owner's drop.
pub(crate) fn catch_signals() -> Outcome<()> {
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register(signal, Arc::clone(interrupt_flag())).context("signal handler")?;
    }
    Ok(())
}

/// The flag that a signal, or the end of standard input, raises.
pub(crate) fn interrupt_flag() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| Arc::new(AtomicBool::new(false)))
}

/// Sleeps, or fails at once when we were told to stop.
pub(crate) fn pause(time: Duration) -> Outcome<()> {
    let end = Instant::now() + time;
    loop {
        if interrupt_flag().load(Ordering::Relaxed) {
            return fail("interrupted");
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// Polls `probe` until it gives something; `what` names it in the error.
pub(crate) fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe()? {
            return Ok(found);
        }
        if Instant::now() >= end {
            return fail(format!("{what}: nothing after {} s", deadline.as_secs_f32()));
        }
        pause(Duration::from_millis(50))?;
    }
}

/// A server in a process group of its own; dropping it ends the whole group.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` with its output, both streams, in `log`.
    pub(crate) fn spawn(name: &str, command: &mut Command, log: &Path) -> Outcome<Self> {
        let out = File::create(log).context(log.display())?;
        let err = out.try_clone().context(log.display())?;
        command.stdout(out).stderr(err);
        Self::spawn_with_streams(name, command, log)
    }

    /// Starts `command` with the streams it has been given; `log` is the file shown when it dies.
    pub(crate) fn spawn_with_streams(name: &str, command: &mut Command, log: &Path) -> Outcome<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .context(name)?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of the log when the process has ended.
    pub(crate) fn check_alive(&mut self) -> Outcome<()> {
        match self.child.try_wait().context(&self.name)? {
            None => Ok(()),
            Some(status) => fail(format!(
                "{} ended ({status}); its log:\n{}",
                self.name,
                self.log_tail()
            )),
        }
    }

    /// Waits until the process listens on `port`.
    ///
    /// Looks at the kernel's socket table instead of connecting: freerdp-shadow and weston would count a client.
    pub(crate) fn wait_for_port(&mut self, port: u16, deadline: Duration) -> Outcome<()> {
        let what = format!("{} to listen on port {port}", self.name);
        let log = self.log.clone();
        wait_for(&what, deadline, || {
            self.check_alive()?;
            Ok(is_listening(port).then_some(()))
        })
        .map_err(|error| Failure::new(format!("{error}; its log:\n{}", tail(&log))))
    }

    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// Ends the process group: SIGTERM, a short grace, SIGKILL.
    pub(crate) fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            // Its children may live on in the group, which keeps the number from being used again.
            kill_group("KILL", self.child.id());
            return;
        }
        kill_group("TERM", self.child.id());
        let end = Instant::now() + TERM_GRACE;
        while Instant::now() < end && !matches!(self.child.try_wait(), Ok(Some(_))) {
            thread::sleep(Duration::from_millis(20));
        }
        kill_group("KILL", self.child.id());
        // Reaped here or not at all; there is nobody to tell if that fails.
        drop(self.child.wait());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last lines of a log, indented.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    shown.iter().map(|line| format!("    {line}\n")).collect()
}

/// Sends `signal` to a process group. A group that is gone already is what we wanted.
pub(crate) fn kill_group(signal: &str, group: u32) {
    kill(signal, &format!("-{group}"));
}

/// Sends `signal` to one process.
pub(crate) fn kill_process(signal: &str, pid: u32) {
    kill(signal, &pid.to_string());
}

fn kill(signal: &str, target: &str) {
    // `kill` is the shell's own command: no unsafe code for a system call, and no package needed.
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" -- \"$1\"", signal, target])
        .stderr(Stdio::null())
        .status();
    drop(sent);
}

/// Every living descendant of `root`, children before grandchildren.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if let Some((parent, state)) = parent_and_state(pid)
            && state != 'Z'
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut queue = vec![root];
    while let Some(pid) = queue.pop() {
        for &child in children.get(&pid).into_iter().flatten() {
            found.push(child);
            queue.push(child);
        }
    }
    found
}

/// Arguments of a living process; empty when it is gone.
pub(crate) fn arguments(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\0')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// When a living process was started, in clock ticks since boot: with its number, who it is.
pub(crate) fn started_at(pid: u32) -> Option<u64> {
    stat_fields(pid)?.split_whitespace().nth(19)?.parse().ok()
}

/// What `/proc` says of a process after its name, from the third field on.
fn stat_fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, even ")": what follows the last one is regular.
    Some(stat.rsplit_once(')')?.1.to_owned())
}

fn parent_and_state(pid: u32) -> Option<(u32, char)> {
    let fields = stat_fields(pid)?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.next()?.parse().ok()?, state))
}

/// Whether anything in our network namespace listens on a TCP port: looks into the kernel's tables.
pub(crate) fn is_listening(port: u16) -> bool {
    /// `TCP_LISTEN`.
    const LISTENS: &str = "0A";
    let matches = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1).and_then(|address| address.rsplit(':').next());
        local.and_then(|hex| u16::from_str_radix(hex, 16).ok()) == Some(port)
            && fields.nth(1) == Some(LISTENS)
    };
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .iter()
        .any(|table| fs::read_to_string(table).is_ok_and(|text| text.lines().skip(1).any(matches)))
}

/// A loopback port that nobody uses now.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("free loopback port")?;
    Ok(listener.local_addr().context("free loopback port")?.port())
}

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) elapsed: Duration,
}

/// Runs a command to its end, or kills its group and fails at the deadline.
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Outcome<Finished> {
    run_with(command.stderr(Stdio::piped()), deadline)
}

/// Like [`run`], with standard error in a file, where it can be read while the command runs.
pub(crate) fn run_logged(command: &mut Command, log: &Path, deadline: Duration) -> Outcome<Finished> {
    let file = File::create(log).context(log.display())?;
    let finished = run_with(command.stderr(file), deadline)
        .map_err(|error| Failure::new(format!("{error}; its log:\n{}", tail(log))))?;
    let bytes = fs::read(log).context(log.display())?;
    Ok(Finished {
        stderr: String::from_utf8_lossy(&bytes).into_owned(),
        ..finished
    })
}

fn run_with(command: &mut Command, deadline: Duration) -> Outcome<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context(&name)?;
    let stdout = child.stdout.take().map(read_all);
    let stderr = child.stderr.take().map(read_all);
    let status = loop {
        if let Some(status) = child.try_wait().context(&name)? {
            break status;
        }
        let late = started.elapsed() > deadline;
        if late || interrupt_flag().load(Ordering::Relaxed) {
            kill_group("KILL", child.id());
            drop(child.wait());
            let stderr = stderr
                .and_then(|reader| said(reader, OUTPUT_GRACE))
                .unwrap_or_default();
            let why = if late {
                "not finished in time"
            } else {
                "interrupted"
            };
            return fail(format!(
                "{name}: {why}, killed after {:.1} s; stderr: {}",
                started.elapsed().as_secs_f32(),
                String::from_utf8_lossy(&stderr).trim()
            ));
        }
        thread::sleep(Duration::from_millis(10));
    };
    let elapsed = started.elapsed();
    let all_said = |reader: Option<thread::JoinHandle<_>>| {
        let patience = deadline.saturating_sub(started.elapsed()) + OUTPUT_GRACE;
        let bytes = reader.map_or(Some(Vec::new()), |reader| said(reader, patience));
        if bytes.is_none() {
            kill_group("KILL", child.id());
        }
        bytes.ok_or_else(|| {
            Failure::new(format!(
                "{name}: ended ({status}), but somebody it started holds its output"
            ))
        })
    };
    let stdout = all_said(stdout)?;
    let stderr = all_said(stderr)?;
    Ok(Finished {
        status,
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        elapsed,
    })
}

/// Like [`run`], and a nonzero exit is a failure too.
pub(crate) fn run_ok(command: &mut Command, deadline: Duration) -> Outcome<Finished> {
    let finished = run(command, deadline)?;
    if finished.status.success() {
        return Ok(finished);
    }
    let name = command.get_program().to_string_lossy().into_owned();
    fail(format!("{name}: {}: {}", finished.status, finished.stderr.trim()))
}

fn read_all(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A stream cut short still tells what came before the cut.
        drop(stream.read_to_end(&mut bytes));
        bytes
    })
}

/// All that was read; nothing where somebody still holds the other end.
fn said(reader: thread::JoinHandle<Vec<u8>>, patience: Duration) -> Option<Vec<u8>> {
    let end = Instant::now() + patience;
    while !reader.is_finished() {
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
    reader.join().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_past_its_deadline_is_killed() {
        let started = Instant::now();
        let error = run(Command::new("sleep").arg("600"), Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("not finished in time"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(600));
    }

    #[test]
    fn a_command_that_leaves_its_output_to_another_is_not_waited_for_without_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & exit 0"]);
        let error = run(&mut command, Duration::from_millis(200)).unwrap_err();
        // On a busy machine the shell itself may be the late one.
        let said = error.to_string();
        assert!(
            said.contains("holds its output") || said.contains("not finished in time"),
            "{said}"
        );
    }

    #[test]
    fn a_daemon_takes_its_whole_group_along() {
        let log = std::env::temp_dir().join(format!("xtask-daemon-{}", std::process::id()));
        let mut daemon =
            Daemon::spawn("sh", Command::new("sh").args(["-c", "sleep 61 & sleep 61"]), &log).unwrap();
        let children = wait_for("the children", Duration::from_secs(20), || {
            let found = descendants(daemon.pid());
            Ok((found.len() == 2).then_some(found))
        })
        .unwrap();
        daemon.stop();
        wait_for("their end", Duration::from_secs(20), || {
            let left = children
                .iter()
                .filter(|&&pid| matches!(parent_and_state(pid), Some((_, state)) if state != 'Z'));
            Ok((left.count() == 0).then_some(()))
        })
        .unwrap();
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_listening_port_is_seen_without_connecting_to_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_listening(port));
        // Nobody is counted as a client, not even us.
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
        drop(listener);
        assert!(!is_listening(port));
    }
}
