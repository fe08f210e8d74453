//! The directory all peers of one run share: configuration, certificates, logs, scene.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fail::{Context, Outcome, fail};
use crate::install::set_mode;
use crate::picture::Picture;
use crate::process::run_ok;
use crate::scene;

/// A scratch directory that the test user can read, removed on drop unless kept.
#[derive(Debug)]
pub(crate) struct Lab {
    root: PathBuf,
    keep: bool,
}

/// A self-signed server certificate on disk.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// SHA-256 of the certificate, lower-case hex.
    pub(crate) sha256: String,
    /// SHA-256 of its SubjectPublicKeyInfo, lower-case hex.
    pub(crate) key_sha256: String,
}

impl Lab {
    /// Makes the directory and the scene in it.
    pub(crate) fn new(keep: bool) -> Outcome<Self> {
        let root = std::env::temp_dir().join(format!("ironrdp-lab-{}", std::process::id()));
        fs::create_dir(&root).context(root.display())?;
        let lab = Self { root, keep };
        set_mode(&lab.root, 0o755)?;
        for parent in lab.root.ancestors().skip(1) {
            let mode = fs::metadata(parent)
                .context(parent.display())?
                .permissions()
                .mode();
            if mode & 0o001 == 0 {
                return fail(format!(
                    "{} is closed to the test user; point TMPDIR at a directory that is open all the way up",
                    parent.display()
                ));
            }
        }
        for (name, mode) in [
            ("out", 0o1777),
            ("ready", 0o1777),
            ("home", 0o700),
            ("log", 0o755),
        ] {
            let directory = lab.path(name);
            fs::create_dir(&directory).context(directory.display())?;
            set_mode(&directory, mode)?;
        }
        scene::picture().save(&lab.path("scene.png"))?;
        lab.write_script("scene.sh", &scene::script(&lab.root))?;
        Ok(lab)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    /// Writes a configuration file and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).context(path.display())?;
        Ok(path)
    }

    /// Writes an executable script and gives its path.
    pub(crate) fn write_script(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let path = self.write(name, text)?;
        set_mode(&path, 0o755)?;
        Ok(path)
    }

    /// Makes a self-signed certificate for localhost.
    pub(crate) fn certificate(&self, name: &str) -> Outcome<Certificate> {
        let key = self.path(&format!("{name}-key.pem"));
        let certificate = self.path(&format!("{name}-cert.pem"));
        run_ok(
            Command::new("openssl")
                .args([
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650",
                ])
                .args(["-subj", "/CN=localhost"])
                .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
            Duration::from_secs(60),
        )?;
        let sha256 = sha256_of("openssl x509 -in \"$0\" -outform der", &certificate)?;
        let key_sha256 = sha256_of(
            "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform der",
            &certificate,
        )?;
        Ok(Certificate {
            certificate,
            key,
            sha256,
            key_sha256,
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("kept {}", self.root.display());
        } else if let Err(error) = fs::remove_dir_all(&self.root) {
            eprintln!("warning: {} stays behind: {error}", self.root.display());
        }
    }
}

/// SHA-256, lower-case hex, of what a shell pipeline prints about a file.
pub(crate) fn sha256_of(pipeline: &str, file: &Path) -> Outcome<String> {
    let finished = run_ok(
        Command::new("sh")
            .arg("-c")
            .arg(format!("{pipeline} | sha256sum"))
            .arg(file),
        Duration::from_secs(20),
    )?;
    let text = String::from_utf8_lossy(&finished.stdout).into_owned();
    match text.split_whitespace().next() {
        Some(hex) if hex.len() == 64 => Ok(hex.to_owned()),
        _ => fail(format!("no digest of {}: {text}", file.display())),
    }
}

/// Picture of an X root window.
pub(crate) fn root_window(display: &str, authority: Option<&Path>) -> Outcome<Picture> {
    let mut command = Command::new("import");
    command
        .args(["-silent", "-window", "root", "-depth", "8", "ppm:-"])
        .env("DISPLAY", display);
    if let Some(authority) = authority {
        command.env("XAUTHORITY", authority);
    }
    Picture::from_ppm(&run_ok(&mut command, Duration::from_secs(20))?.stdout)
}
