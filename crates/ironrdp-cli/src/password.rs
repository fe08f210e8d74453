//! Where the password comes from, in this order: the command line, a file descriptor, the environment, the terminal.

use std::env::VarError;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};

use crate::exit::{Exit, Failure};

/// The variable that is looked at.
const VARIABLE: &str = "IRONRDP_PASSWORD";

/// Longest password read from a descriptor, in bytes. Windows takes 127 characters at most; an endless stream must not fill
/// the memory.
const MAX_BYTES: u64 = 4096;

/// Twenty letters that nobody can guess.
pub(crate) fn random() -> Result<String, Failure> {
    let mut bytes = [0; 20];
    getrandom::getrandom(&mut bytes).map_err(Failure::local)?;
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}

/// Finds the password for `user`.
pub(crate) fn find(
    argument: Option<String>,
    descriptor: Option<u32>,
    user: &str,
    server: &impl std::fmt::Display,
) -> Result<String, Failure> {
    if let Some(password) = argument {
        return Ok(password);
    }
    if let Some(number) = descriptor {
        return open(number)
            .and_then(read_line)
            .map_err(|error| Failure::new(Exit::Usage, format!("--password-fd {number}: {error}")));
    }
    match std::env::var(VARIABLE) {
        Ok(password) => return Ok(password),
        Err(VarError::NotPresent) => {}
        Err(VarError::NotUnicode(_)) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{VARIABLE} is not valid UTF-8"),
            ));
        }
    }
    // Without a person at a terminal a prompt would hang a script, or eat its input.
    if !io::stdin().is_terminal() {
        return Err(
            Failure::new(Exit::Usage, "no password, and no terminal to ask for it")
                .hint(format!("set {VARIABLE}, or give --password-fd N")),
        );
    }
    rpassword::prompt_password(format!("Password for {user} at {server}: "))
        .map_err(|error| Failure::new(Exit::Local, format!("password prompt: {error}")))
}

/// Opens a descriptor that was inherited. By its path, since taking over a bare number is unsafe code.
fn open(number: u32) -> io::Result<File> {
    File::open(format!("/dev/fd/{number}"))
}

fn read_line(file: impl io::Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if u64::try_from(line.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "longer than a password can be",
        ));
    }
    let text =
        str::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not valid UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_ends_at_the_line_feed_and_may_have_blanks() {
        assert_eq!(read_line(&b" two words \r\nmore\n"[..]).unwrap(), " two words ");
        assert_eq!(read_line(&b"no line feed"[..]).unwrap(), "no line feed");
        assert_eq!(read_line(&b""[..]).unwrap(), "");
        assert_eq!(read_line(&b"\n"[..]).unwrap(), "");
    }

    #[test]
    fn an_endless_or_binary_password_is_refused() {
        assert!(read_line(io::repeat(b'x')).is_err());
        assert!(read_line(&[0xff, 0xfe][..]).is_err());
    }
}
