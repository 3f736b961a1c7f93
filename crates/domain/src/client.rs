//! What a client may do, and how much of it: the profile that travels with each of its requests.

use std::fmt;
use std::sync::Arc;

use crate::{ModelName, PlanName, Right};

/// What is known of a client beside its name. Made when tokens are read, shared by its requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientProfile {
    /// What its token allows.
    pub rights: Vec<Right>,
    /// The models it may name; all of them without a list.
    pub models: Option<ModelList>,
    /// The plan its users are on, if it is not the one of everybody.
    pub plan: Option<PlanName>,
    /// The limits of each of its users, where they differ from everybody's.
    pub limits: UserLimits,
    /// The session keeper whose bot it is.
    pub keeper: Option<Arc<str>>,
}

impl ClientProfile {
    /// A profile with these rights and nothing special.
    pub fn with_rights(rights: &[Right]) -> Self {
        Self { rights: rights.to_vec(), ..Self::default() }
    }

    /// Whether what needs `right` is allowed. The right of operators includes every other.
    pub fn may(&self, right: Right) -> bool {
        self.rights.contains(&right) || self.rights.contains(&Right::Admin)
    }

    /// Whether this model may be named.
    pub fn may_use(&self, model: &ModelName) -> bool {
        self.models.as_ref().is_none_or(|models| models.admits(model))
    }
}

/// Models that may be named: exact names, or beginnings of names with a `*` behind them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelList(Arc<[Pattern]>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pattern {
    Exactly(String),
    StartingWith(String),
}

/// A text that is no name of a model.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no name of a model, nor the beginning of one with a single * at its end")]
pub struct InvalidModel(String);

impl ModelList {
    /// Longest name of a model, in bytes.
    const LONGEST: usize = 128;

    /// Reads a list. The prefix `models/` is taken off, as it is off the names in requests.
    ///
    /// # Errors
    /// [`InvalidModel`] names the first that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidModel> {
        names.into_iter().map(Pattern::parse).collect::<Result<Vec<_>, _>>().map(|all| Self(all.into()))
    }

    /// Whether `model` is on it.
    pub fn admits(&self, model: &ModelName) -> bool {
        let model = model.as_str();
        self.0.iter().any(|pattern| match pattern {
            Pattern::Exactly(name) => name == model,
            Pattern::StartingWith(beginning) => model.starts_with(beginning.as_str()),
        })
    }

    /// The names without a `*`.
    pub fn exact_names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|pattern| match pattern {
            Pattern::Exactly(name) => Some(name.as_str()),
            Pattern::StartingWith(_) => None,
        })
    }

    /// Each as it is written.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, InvalidModel> {
        let text = text.trim();
        let name = text.strip_prefix("models/").unwrap_or(text);
        let (name, is_beginning) = name.strip_suffix('*').map_or((name, false), |start| (start, true));
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b',' | b'`');
        let is_name = name.len() <= ModelList::LONGEST && name.bytes().all(is_plain);
        match (is_name, is_beginning) {
            (true, true) => Ok(Self::StartingWith(name.to_owned())),
            (true, false) if !name.is_empty() => Ok(Self::Exactly(name.to_owned())),
            _ => {
                let shown = text.chars().filter(|c| !c.is_control()).take(ModelList::LONGEST).collect();
                Err(InvalidModel(shown))
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::StartingWith(beginning) => write!(f, "{beginning}*"),
        }
    }
}

impl fmt::Display for ModelList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

/// Limits of each user of a client, where they differ from everybody's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct UserLimits {
    /// Requests in any 60 seconds.
    pub requests_per_minute: Option<u32>,
    /// Requests at once. Where only `requests_per_minute` is given: as many.
    pub burst: Option<u32>,
    /// Requests that run at the same time.
    pub max_concurrent: Option<u32>,
}

impl UserLimits {
    /// These, and where they say nothing, `other`. A burst belongs to the rate it was written with.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let has_own_rate = self.requests_per_minute.is_some();
        Self {
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
            burst: if has_own_rate { self.burst } else { self.burst.or(other.burst) },
            max_concurrent: self.max_concurrent.or(other.max_concurrent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_admits_exact_names_and_beginnings() {
        let list = ModelList::parse(["gemini-2.5-flash", " models/gemini-3*"]).unwrap();
        let check = |model: &str, admitted: bool| {
            assert_eq!(list.admits(&ModelName::from(model)), admitted, "{model}");
        };
        check("gemini-2.5-flash", true);
        check("gemini-2.5-flash-lite", false);
        check("gemini-3.8-pro", true);
        check("gemini-2.5-pro", false);
        assert_eq!(list.to_string(), "gemini-2.5-flash, gemini-3*");
        assert!(ModelList::parse(["*"]).unwrap().admits(&ModelName::from("anything")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in ["", "a b", "gemini-*-pro", "**", "a,b", "models/"] {
            assert!(ModelList::parse([wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn own_limits_come_before_those_of_the_plan() {
        let limits = |requests_per_minute, burst, max_concurrent| UserLimits {
            requests_per_minute,
            burst,
            max_concurrent,
        };
        let plan = limits(Some(60), Some(10), Some(4));
        assert_eq!(limits(None, None, None).or(plan), plan);
        assert_eq!(limits(Some(90), None, None).or(plan), limits(Some(90), None, Some(4)));
        assert_eq!(limits(None, Some(5), Some(1)).or(plan), limits(Some(60), Some(5), Some(1)));
    }
}
