//! Something that is wrong at a moment.

use serde::{Deserialize, Serialize};

use crate::AlertKind;

/// What makes two conditions the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct AlertId {
    /// What it is about.
    pub kind: AlertKind,
    /// Which one: `google/3f2a…`, `database`.
    pub of: String,
}

/// Something that is wrong. Its words name keys by label, never by their secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Condition {
    /// What makes it the same as another.
    pub id: AlertId,
    /// The provider concerned, if it is one.
    pub provider: Option<String>,
    /// What people call what it is about: the label of a key, a group, a bot.
    pub subject: String,
    /// How far it has come; one that comes further is told again.
    pub level: u8,
    /// What is wrong, in one sentence.
    pub text: String,
    /// What to do about it, in one sentence.
    pub remedy: String,
}

impl Condition {
    /// Longest text, in characters: providers' words end up in here.
    const LONGEST: usize = 400;

    /// A condition of the house itself.
    pub fn of_house(kind: AlertKind, subject: &str, text: &str, remedy: &str) -> Self {
        Self {
            id: AlertId { kind, of: bounded(subject) },
            provider: None,
            subject: bounded(subject),
            level: 0,
            text: bounded(text),
            remedy: remedy.to_owned(),
        }
    }

    /// A condition of a provider's pool; `of` tells it from others of its kind there.
    pub(crate) fn of_provider(
        kind: AlertKind,
        provider: &str,
        of: &str,
        subject: &str,
        text: &str,
        remedy: &str,
    ) -> Self {
        let id = AlertId { kind, of: bounded(&format!("{provider}/{of}")) };
        let provider = Some(provider.to_owned());
        Self { id, provider, ..Self::of_house(kind, subject, text, remedy) }
    }
}

/// In one line, and not longer than anybody reads.
pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(Condition::LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
