//! A headless Chromium, spoken to by its DevTools protocol over a pair of pipes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fail::{Context, Outcome, fail};
use crate::process::kill_group;

/// How long it may take to answer: it starts a dozen processes on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it gets to close its files.
const CLOSING: Duration = Duration::from_secs(5);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// Events that came while something else was waited for.
    events: Vec<Value>,
    session: Option<String>,
    last_id: u64,
}

impl Browser {
    /// Starts it with `home` for all it writes, and opens an empty page.
    pub(crate) fn start(home: &Path, log: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(home).context(home.display())?;
        let log = std::fs::File::create(log).context(log.display())?;
        let mut child = Command::new("sh")
            // It reads commands from descriptor 3 and answers on 4.
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >&2", "chromium"])
            .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run"])
            // Root may not use its sandbox, and the page is our own.
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", home.join("profile").display()))
            .arg("about:blank")
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("chromium")?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return fail("chromium has no pipes");
        };
        let (sender, messages) = channel();
        thread::spawn(move || {
            // Each message ends with a zero byte.
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                if let Ok(value) = serde_json::from_slice(&message)
                    && sender.send(value).is_err()
                {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            input,
            messages,
            events: Vec::new(),
            session: None,
            last_id: 0,
        };
        let made = browser.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": made["targetId"], "flatten": true}),
        )?;
        match attached["sessionId"].as_str() {
            Some(session) => browser.session = Some(session.to_owned()),
            None => return fail(format!("no session with the page: {attached}")),
        }
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Calls a method of the protocol and gives its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Outcome<Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).context("chromium")?;
        self.input.flush().context("chromium")?;
        let end = Instant::now() + PATIENCE;
        loop {
            let message = self.receive(end, method)?;
            if message["id"] != id {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].clone());
            } else {
                return fail(format!("{method}: {}", message["error"]));
            }
        }
    }

    /// Loads a page and waits until all of it is there.
    pub(crate) fn open(&mut self, url: &str) -> Outcome<()> {
        let loaded = self.call("Page.navigate", json!({"url": url}))?;
        if let Some(error) = loaded["errorText"].as_str() {
            return fail(format!("{url}: {error}"));
        }
        let end = Instant::now() + PATIENCE;
        let is_load = |message: &Value| message["method"] == "Page.loadEventFired";
        while !self.events.iter().any(is_load) {
            let message = self.receive(end, "the page to load")?;
            self.events.push(message);
        }
        Ok(())
    }

    /// The value of an expression in the page, once it is there if it is a promise.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Outcome<Value> {
        let result = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        )?;
        if result["exceptionDetails"].is_null() {
            return Ok(result["result"]["value"].clone());
        }
        fail(format!("{expression}: {}", result["exceptionDetails"]))
    }

    /// Clicks where the middle of an element is.
    pub(crate) fn click(&mut self, selector: &str) -> Outcome<()> {
        let place = self.evaluate(&format!(
            "(() => {{ const found = document.querySelector('{selector}'); found.scrollIntoView({{block: 'center'}}); \
             const box = found.getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()"
        ))?;
        for kind in ["mousePressed", "mouseReleased"] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}),
            )?;
        }
        Ok(())
    }

    /// Presses a key that has a name.
    pub(crate) fn press(&mut self, key: &str, code: u32) -> Outcome<()> {
        for kind in ["keyDown", "keyUp"] {
            self.call(
                "Input.dispatchKeyEvent",
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}),
            )?;
        }
        Ok(())
    }

    /// A PNG of what the window shows.
    pub(crate) fn screenshot(&mut self) -> Outcome<Vec<u8>> {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}))?;
        match shot["data"].as_str().map(from_base64) {
            Some(Some(bytes)) => Ok(bytes),
            _ => fail("a screenshot that is no base64"),
        }
    }

    /// Everything that went wrong in the page so far: exceptions, what it wrote as warnings and errors, what failed to load.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaint = |event: &Value| {
            let parameters = &event["params"];
            let (is_bad, what) = match event["method"].as_str()? {
                "Runtime.exceptionThrown" => (true, &parameters["exceptionDetails"]),
                "Runtime.consoleAPICalled" => {
                    let kind = parameters["type"].as_str();
                    (matches!(kind, Some("error" | "warning" | "assert")), parameters)
                }
                "Log.entryAdded" => {
                    let level = parameters["entry"]["level"].as_str();
                    (matches!(level, Some("error" | "warning")), &parameters["entry"])
                }
                "Network.loadingFailed" => (true, parameters),
                _ => return None,
            };
            is_bad.then(|| what.to_string())
        };
        self.events.iter().filter_map(complaint).collect()
    }

    /// The addresses of everything that was asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let asked = |event: &Value| {
            (event["method"] == "Network.requestWillBeSent")
                .then(|| event["params"]["request"]["url"].as_str().map(str::to_owned))
                .flatten()
        };
        self.events.iter().filter_map(asked).collect()
    }

    fn receive(&mut self, end: Instant, what: &str) -> Outcome<Value> {
        let left = end.saturating_duration_since(Instant::now());
        match self.messages.recv_timeout(left) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => fail(format!("chromium: no answer to {what}")),
            Err(RecvTimeoutError::Disconnected) => fail(format!("chromium ended before {what}")),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to end, it takes its children along and waits for them; whatever is left is killed.
        self.session = None;
        if self.call("Browser.close", json!({})).is_ok() {
            let end = Instant::now() + CLOSING;
            while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(20));
            }
        }
        kill_group("KILL", self.child.id());
        // Reaped here or not at all; there is nobody to tell if that fails.
        drop(self.child.wait());
    }
}

/// RFC 4648, without line breaks.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        word = word << 6 | u32::from(digit(letter)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let [byte, ..] = (word >> bits).to_le_bytes();
            bytes.push(byte);
            word &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base64("+/8=").unwrap(), [0xfb, 0xff]);
        assert_eq!(from_base64("a-b"), None);
    }
}
