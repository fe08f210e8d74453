//! `cargo xtask interop`: the client against servers nobody here wrote, and against servers that misbehave.

mod certificates;
mod failures;
mod gallery;
mod nla;
mod own_server;
mod pictures;
mod probes;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::client::Client;
use crate::fail::{Context, Failure, Outcome, fail};
use crate::install;
use crate::lab::Lab;
use crate::picture::{Difference, Picture};
use crate::workspace;

pub(crate) use report::{Report, Row, Verdict};

/// How `cargo xtask interop` was called.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Only checks with one of these in their name.
    pub(crate) only: Vec<String>,
    /// None with one of these in their name: each is told and counted as skipped.
    pub(crate) without: Vec<String>,
    /// Keep configuration, logs and pictures of the run.
    pub(crate) keep: bool,
    /// Build and run the release profile.
    pub(crate) release: bool,
}

/// What a check saw that passed.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) negotiated: String,
    pub(crate) compared: String,
}

/// Result of one check.
pub(crate) enum Finding {
    Passed(Evidence),
    Skipped(String),
}

impl Finding {
    pub(crate) fn passed(negotiated: impl Into<String>, compared: impl Into<String>) -> Outcome<Self> {
        Ok(Self::Passed(Evidence {
            negotiated: negotiated.into(),
            compared: compared.into(),
        }))
    }
}

impl Options {
    /// Whether the client made of other people's crates is needed, which takes minutes to build.
    pub(crate) fn wants_published_client(&self) -> bool {
        own_server::PUBLISHED.iter().any(|name| {
            let is_in = |part: &String| name.contains(part.as_str());
            (self.only.is_empty() || self.only.iter().any(is_in)) && !self.without.iter().any(is_in)
        })
    }
}

/// One run: what the checks share and what they found.
pub(crate) struct Run {
    pub(crate) lab: Lab,
    pub(crate) client: Client,
    only: Vec<String>,
    without: Vec<String>,
    artifacts: PathBuf,
    report: Report,
}

impl Run {
    /// Whether any check of these was asked for; servers are started only then.
    pub(crate) fn wants(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.wants_one(name))
    }

    fn wants_one(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// The part of its name that leaves a check out.
    pub(crate) fn left_out_by(&self, name: &str) -> Option<String> {
        self.without
            .iter()
            .find(|part| name.contains(part.as_str()))
            .cloned()
    }

    /// Runs one check, if asked for, and notes the result.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce(&mut Self) -> Outcome<Finding>) {
        if !self.wants_one(name) {
            return;
        }
        let started = Instant::now();
        let found = match self.left_out_by(name) {
            Some(part) => Ok(Finding::Skipped(format!("left out by --without {part}"))),
            None => check(self),
        };
        let verdict = match found {
            Ok(Finding::Passed(evidence)) => Verdict::Passed(evidence),
            Ok(Finding::Skipped(reason)) => Verdict::Skipped(reason),
            Err(error) => Verdict::Failed(error.to_string()),
        };
        self.report.add(Row {
            name: name.to_owned(),
            seconds: started.elapsed().as_secs_f32(),
            verdict,
        });
    }

    /// Notes that a server did not start: each of its checks has failed.
    pub(crate) fn fail_all(&mut self, names: &[String], error: &Failure) {
        for name in names {
            self.check(name, |_| fail(format!("no server: {error}")));
        }
    }

    /// A fresh file for the picture of a check.
    pub(crate) fn picture_file(&self, name: &str) -> PathBuf {
        self.lab.path(&format!("{}.png", file_name(name)))
    }

    /// Judges a comparison: every compared pixel must agree; the pictures of one that does not are kept.
    pub(crate) fn judge(
        &self,
        name: &str,
        ours: &Picture,
        truth: &Picture,
        difference: &Difference,
    ) -> Outcome<String> {
        if difference.differing == 0 {
            return Ok(format!(
                "{} pixels, largest gap {}",
                difference.compared, difference.largest
            ));
        }
        let folder = self.keep_pictures(
            name,
            &[("ours", ours), ("truth", truth), ("diff", &difference.map)],
        )?;
        let place = difference
            .bounds
            .map(|area| format!("x {}..{} y {}..{}", area.left, area.right, area.top, area.bottom))
            .unwrap_or_default();
        fail(format!(
            "{} of {} pixels differ ({place}, largest gap {}); see {folder}",
            difference.differing, difference.compared, difference.largest
        ))
    }

    /// Saves a file of a check that is to be looked at whether or not it passes, and says where.
    pub(crate) fn keep_file(&self, name: &str, bytes: &[u8]) -> Outcome<String> {
        fs::create_dir_all(&self.artifacts).context(self.artifacts.display())?;
        let path = self.artifacts.join(name);
        fs::write(&path, bytes).context(path.display())?;
        Ok(format!("interop-out/{name}"))
    }

    /// Saves pictures of a failed check and says where.
    pub(crate) fn keep_pictures(&self, name: &str, pictures: &[(&str, &Picture)]) -> Outcome<String> {
        fs::create_dir_all(&self.artifacts).context(self.artifacts.display())?;
        for (kind, picture) in pictures {
            picture.save(&self.artifacts.join(format!("{}-{kind}.png", file_name(name))))?;
        }
        Ok(format!("interop-out/{}-*.png", file_name(name)))
    }
}

fn file_name(name: &str) -> String {
    name.replace('/', "-")
}

/// Copies of the programs under test, as they are now: a build in the minutes to come would put others in their place.
fn keep(lab: &Lab, program: &Path) -> Outcome<PathBuf> {
    let from = program.parent().unwrap_or(Path::new("."));
    let to = lab.path("bin");
    fs::create_dir_all(to.join("examples")).context(to.display())?;
    let name = program.file_name().map(PathBuf::from).unwrap_or_default();
    for part in [&name, &PathBuf::from("examples/concurrent")] {
        fs::copy(from.join(part), to.join(part)).context(part.display())?;
    }
    Ok(to.join(name))
}

/// Runs the checks; the servers, the packages and the client must be there already.
pub(crate) fn run(options: &Options, program: &Path) -> Outcome<()> {
    let artifacts = workspace::root().join("interop-out");
    if artifacts.exists() {
        // What an earlier run left would be taken for this one's.
        fs::remove_dir_all(&artifacts).context(artifacts.display())?;
    }
    install::user(install::USER)?;
    let lab = Lab::new(options.keep)?;
    let client = Client::new(keep(&lab, program)?, lab.path("home"));
    let mut run = Run {
        lab,
        client,
        only: options.only.clone(),
        without: options.without.clone(),
        artifacts,
        report: Report::default(),
    };
    let groups: [fn(&mut Run) -> Outcome<()>; 12] = [
        failures::run,
        certificates::run,
        pictures::weston,
        pictures::shadow,
        pictures::xrdp,
        nla::gnome,
        nla::xfreerdp,
        nla::kerberos,
        own_server::xfreerdp,
        own_server::rdesktop,
        own_server::published,
        gallery::run,
    ];
    let ended = groups.iter().try_for_each(|group| group(&mut run));
    run.report.print();
    if run.report.failed() > 0 {
        run.save_logs();
    }
    ended?;
    // A name that has changed would leave out nothing, and nobody would know.
    for part in &options.without {
        if !run.report.has(part) {
            return fail(format!("--without {part}: no check of this run has such a name"));
        }
    }
    run.report.conclude()
}

impl Run {
    /// Keeps the servers' logs of a run with failures.
    fn save_logs(&self) {
        let copied = fs::create_dir_all(&self.artifacts).and_then(|()| {
            for entry in fs::read_dir(self.lab.path("log"))? {
                let entry = entry?;
                fs::copy(entry.path(), self.artifacts.join(entry.file_name()))?;
            }
            Ok(())
        });
        match copied {
            Ok(()) => eprintln!("pictures and server logs are in interop-out/"),
            Err(error) => eprintln!("warning: server logs not kept: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_client_is_built_for_its_own_checks_only() {
        let wants = |only: &[&str]| {
            let only = only.iter().map(|part| (*part).to_owned()).collect();
            let options = Options {
                only,
                ..Options::default()
            };
            options.wants_published_client()
        };
        assert!(wants(&[]) && wants(&["own-"]) && wants(&["gallery", "own-published/type"]));
        assert!(!wants(&["gallery", "own-xfreerdp"]));
    }
}
