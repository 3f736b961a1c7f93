//! What is wrong with a configuration, where, and what to do about it. No secret ever gets in
//! here: values are described, never quoted.

use std::fmt;
use std::path::PathBuf;

use keygate_domain::ProviderName;

/// Where a value, a problem or a warning comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A position in a file, counted from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column, in characters.
        column: u64,
    },
    /// A whole file.
    WholeFile(PathBuf),
    /// A line of `.env`.
    DotEnv {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
    },
    /// A variable of the process environment.
    Environment(String),
    /// An option of the command line.
    CommandLine(&'static str),
    /// The value that holds when nobody says anything.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::WholeFile(path) => write!(f, "{}", path.display()),
            Self::DotEnv { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine(option) => write!(f, "command line, {option}"),
            Self::Default => f.write_str("built-in default"),
        }
    }
}

/// One thing that keeps the gateway from starting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Default {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}\n    {}", self.what, self.remedy)
    }
}

/// Everything that keeps the gateway from starting, at once; exit code 64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblems(pub Vec<Problem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem")?,
            count => write!(f, "the configuration has {count} problems")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigProblems {}

/// What a warning is about, where somebody has more to say of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum WarningKind {
    /// The same key stands in several places.
    DuplicateKey,
    /// Keys of a provider stand in the YAML itself.
    LiteralKey(ProviderName),
    /// Anything else.
    #[default]
    Other,
}

/// Something an operator should know that does not keep the gateway from starting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What, and what to do about it.
    pub text: String,
    /// What it is about.
    pub kind: WarningKind,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::Default {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.text)
    }
}

/// Collects problems and warnings while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
    blamed: Vec<Vec<String>>,
}

impl Findings {
    pub(crate) fn problem(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        let problem = Problem { place, what: what.into(), remedy: remedy.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// A problem with a setting, remembered so that what follows from it is not told as well.
    pub(crate) fn blame(
        &mut self,
        path: &[String],
        place: Place,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.blamed.push(path.to_vec());
        self.problem(place, what, remedy);
    }

    /// Whether something at or below `path` has been blamed.
    pub(crate) fn is_blamed(&self, path: &[&str]) -> bool {
        self.blamed.iter().any(|blamed| blamed.iter().zip(path).filter(|(a, b)| a == b).count() == path.len())
    }

    /// Whether exactly this has been blamed.
    pub(crate) fn has_blamed(&self, path: &[String]) -> bool {
        self.blamed.iter().any(|blamed| blamed == path)
    }

    pub(crate) fn warn(&mut self, place: Place, text: impl Into<String>) {
        self.warn_of(WarningKind::Other, place, text);
    }

    pub(crate) fn warn_of(&mut self, kind: WarningKind, place: Place, text: impl Into<String>) {
        self.warnings.push(Warning { place, text: text.into(), kind });
    }

    /// The warnings, or all problems in the order of their places.
    pub(crate) fn into_result(mut self) -> Result<Vec<Warning>, ConfigProblems> {
        if self.problems.is_empty() {
            return Ok(self.warnings);
        }
        self.problems.sort();
        Err(ConfigProblems(self.problems))
    }
}
