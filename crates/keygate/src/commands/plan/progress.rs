//! How far a plan is: one line on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use keygate_planner::Step;

/// The line, written over again and again.
pub(super) struct Line {
    is_shown: bool,
    span: Duration,
    last: String,
}

impl Line {
    pub(super) fn new(span: Duration) -> Self {
        Self { is_shown: io::stderr().is_terminal(), span, last: String::new() }
    }

    pub(super) fn show(&mut self, step: Step) {
        if !self.is_shown {
            return;
        }
        let text = match step {
            Step::Rehearsing(at) => {
                let percent = at.as_secs_f64() / self.span.as_secs_f64().max(f64::MIN_POSITIVE) * 100.0;
                format!("rehearsing {percent:.0} %")
            }
            Step::Searching(tried) => format!("searching the smallest quota: {tried} tried"),
        };
        if text != self.last {
            write(&text);
            self.last = text;
        }
    }

    pub(super) fn clear(&mut self) {
        if self.is_shown && !self.last.is_empty() {
            write("");
        }
    }
}

fn write(text: &str) {
    let _ = write!(io::stderr().lock(), "\r{text:<48}\r");
}
