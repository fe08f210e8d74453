//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};

use crate::output;

const WIDTH: usize = 40;

/// One thing that takes its time, counted.
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    done: usize,
    told: usize,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: usize) -> Self {
        Self {
            what,
            total,
            done: 0,
            told: 0,
            terminal: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn step(&mut self) {
        self.done += 1;
        // A tenth is worth a line; on a terminal a fortieth of the bar is worth drawing.
        let pieces = if self.terminal { WIDTH } else { 10 };
        let piece = self.done * pieces / self.total.max(1);
        if piece > self.told || self.done == self.total {
            self.told = piece;
            self.tell();
        }
    }

    fn tell(&self) {
        let Self {
            what, total, done, ..
        } = self;
        if !self.terminal {
            return output::note(&format!("{what}: {done}/{total}"));
        }
        let filled = done * WIDTH / total.max(&1);
        let (bar, rest) = ("#".repeat(filled), ".".repeat(WIDTH.saturating_sub(filled)));
        let end = if done == total { "\n" } else { "" };
        // Nobody to tell if the terminal has gone.
        drop(write!(
            io::stderr(),
            "\r{what:<10} [{bar}{rest}] {done}/{total}{end}"
        ));
    }
}
