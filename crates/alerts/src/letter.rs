//! What a channel is told at once.

use jiff::Timestamp;

use crate::{AlertId, Condition};

/// Everything a channel has not been told yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Its number, of those to this channel since the process began.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What is told, the gravest first.
    pub notices: Vec<Notice>,
    /// How many more there are than stand in it.
    pub more: usize,
}

impl Letter {
    /// Most notices of a letter: more nobody reads.
    pub(crate) const MOST: usize = 20;

    /// One line for the whole: the gravest notice, and how many others.
    pub fn title(&self) -> String {
        let Some(first) = self.notices.first() else { return "Keygate".to_owned() };
        let others = self.notices.len() - 1 + self.more;
        match others {
            0 => first.title(),
            others => format!("{} (and {others} more)", first.title()),
        }
    }
}

/// Whether something is wrong, or is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// It is wrong.
    Open,
    /// It is over.
    Recovered,
}

impl Phase {
    /// The name in letters: `open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Recovered => "recovered",
        }
    }
}

/// One thing that is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Whether it is wrong or over.
    pub phase: Phase,
    /// What.
    pub condition: Condition,
    /// Since when it is, or was, wrong.
    pub since: Timestamp,
    /// How often it was, since it was told first.
    pub times: u32,
}

impl Notice {
    /// `google: no key can be used`, with `recovered` where it is over.
    pub fn title(&self) -> String {
        match self.phase {
            Phase::Open => self.condition.text.clone(),
            Phase::Recovered => format!("Recovered: {}", self.condition.text),
        }
    }

    pub(crate) fn id(&self) -> &AlertId {
        &self.condition.id
    }
}
