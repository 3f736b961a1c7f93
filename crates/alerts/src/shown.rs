//! Alerts as operators see them.

use jiff::Timestamp;
use serde::Serialize;

use crate::{AlertKind, Severity};

/// What is wrong, and how channels fare.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct AlertsShown {
    /// What is wrong, the gravest first.
    pub open: Vec<OpenAlert>,
    /// How many further things are wrong than are kept apart.
    pub left_out: usize,
    /// Who is told.
    pub channels: Vec<ChannelShown>,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OpenAlert {
    /// What it is about.
    pub event: AlertKind,
    /// How soon somebody should look.
    pub severity: Severity,
    /// The provider concerned, if it is one.
    pub provider: Option<String>,
    /// What people call what it is about.
    pub subject: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it was so lately.
    pub times: u32,
    /// The channels that were told.
    pub told: Vec<String>,
}

/// How a channel fares.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChannelShown {
    /// What operators call it.
    pub name: String,
    /// What it is: `webhook`, `slack`, `discord`, `smtp`.
    pub kind: &'static str,
    /// Whether it takes what it is told.
    pub status: ChannelState,
    /// Letters it took since the process began.
    pub sent: u64,
    /// Attempts that failed since the process began.
    pub failed: u64,
    /// Notices that wait for it.
    pub waiting: usize,
    /// When it took one last.
    pub last_success_at: Option<Timestamp>,
    /// When an attempt failed last.
    pub last_failure_at: Option<Timestamp>,
    /// Why.
    pub last_failure: Option<String>,
    /// When it is tried again, while it fails.
    pub retry_at: Option<Timestamp>,
}

/// Whether a channel takes what it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// It was told nothing yet.
    Unused,
    /// It took the last letter.
    Ok,
    /// It did not.
    Failing,
}
