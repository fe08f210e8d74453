//! The table at the end, and a line as each check ends.

use super::Evidence;
use crate::fail::{Outcome, fail};

/// How a check ended.
pub(crate) enum Verdict {
    Passed(Evidence),
    Failed(String),
    Skipped(String),
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) seconds: f32,
    pub(crate) verdict: Verdict,
}

impl Row {
    fn cells(&self) -> [&str; 4] {
        match &self.verdict {
            Verdict::Passed(evidence) => [&self.name, "passed", &evidence.negotiated, &evidence.compared],
            Verdict::Failed(error) => [&self.name, "FAILED", "", error.lines().next().unwrap_or_default()],
            Verdict::Skipped(reason) => [&self.name, "skipped", "", reason],
        }
    }
}

/// All results so far.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Notes a result and tells it at once.
    pub(crate) fn add(&mut self, row: Row) {
        let (word, detail) = match &row.verdict {
            Verdict::Passed(_) => ("passed", ""),
            Verdict::Failed(error) => ("FAILED", error.as_str()),
            Verdict::Skipped(reason) => ("skipped", reason.as_str()),
        };
        eprintln!("{word:7} {:5.1} s  {}  {detail}", row.seconds, row.name);
        self.rows.push(row);
    }

    pub(crate) fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    /// Whether any check so far has this in its name.
    pub(crate) fn has(&self, part: &str) -> bool {
        self.rows.iter().any(|row| row.name.contains(part))
    }

    fn count(&self, which: impl Fn(&Verdict) -> bool) -> usize {
        self.rows.iter().filter(|row| which(&row.verdict)).count()
    }

    /// Prints the table on standard output.
    pub(crate) fn print(&self) {
        println!("{}", self.table());
    }

    fn table(&self) -> String {
        let head = ["check", "result", "negotiated", "compared"];
        let mut widths = head.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row.cells()) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: [&str; 4]| {
            let [a, b, c, d] = cells;
            let [wa, wb, wc, _] = widths;
            format!("{a:wa$}  {b:wb$}  {c:wc$}  {d}\n")
        };
        let mut text = line(head);
        text.push_str(&format!("{}\n", "-".repeat(widths.iter().sum::<usize>() + 6)));
        for row in &self.rows {
            text.push_str(&line(row.cells()));
        }
        text
    }

    fn summary(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.count(|verdict| matches!(verdict, Verdict::Passed(_))),
            self.failed(),
            self.count(|verdict| matches!(verdict, Verdict::Skipped(_)))
        )
    }

    /// Prints the count; a failure, or nothing having run at all, is a failure of the task.
    pub(crate) fn conclude(&self) -> Outcome<()> {
        println!("{}", self.summary());
        if self.rows.is_empty() {
            return fail("no check has such a name");
        }
        if self.failed() > 0 {
            return fail(format!("{} interop checks failed", self.failed()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict) -> Row {
        Row {
            name: "peer/check".to_owned(),
            seconds: 0.0,
            verdict,
        }
    }

    #[test]
    fn a_failure_fails_the_task_and_a_skip_does_not() {
        let mut report = Report::default();
        report.add(row(Verdict::Passed(Evidence::default())));
        report.add(row(Verdict::Skipped("no such depth".to_owned())));
        assert_eq!(report.summary(), "1 passed, 0 failed, 1 skipped");
        assert!(report.conclude().is_ok());
        report.add(row(Verdict::Failed("wrong\nmore".to_owned())));
        assert_eq!(report.summary(), "1 passed, 1 failed, 1 skipped");
        assert!(report.conclude().is_err());
        let table = report.table();
        assert!(
            table.contains("FAILED") && table.contains("wrong") && !table.contains("more"),
            "{table}"
        );
    }

    #[test]
    fn a_run_of_nothing_is_a_failure() {
        assert!(Report::default().conclude().is_err());
    }
}
