//! The process environment and `.env` as one: the process wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dotenv;
use crate::files::Files;
use crate::problem::{Findings, Place};

/// A variable and where it was set.
#[derive(Clone)]
pub(crate) struct Variable {
    pub(crate) value: String,
    pub(crate) place: Place,
}

/// Every variable by name.
pub(crate) struct Environment {
    variables: BTreeMap<String, Variable>,
    /// The `.env` that was read.
    pub(crate) dotenv: Option<PathBuf>,
}

impl Environment {
    /// Joins the process environment with the first `.env` found: in the working directory, else
    /// beside the configuration file.
    pub(crate) fn read(process: BTreeMap<String, String>, files: &Files, findings: &mut Findings) -> Self {
        let candidates = [files.working_dir.join(".env"), files.config_folder().join(".env")];
        let found = candidates.iter().find(|candidate| files.exists(candidate) && files.is_file(candidate));
        let mut variables = BTreeMap::new();
        if let Some(path) = found {
            variables = dotenv_variables(path, files, findings);
        }
        for (name, value) in process {
            let place = Place::Environment(name.clone());
            variables.insert(name, Variable { value, place });
        }
        let dotenv = found.map(|path| files.shown(path));
        Self { variables, dotenv }
    }

    /// A variable that is set, to something or to nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name)
    }

    /// A variable that is set to something. A blank one counts as not set: that is what
    /// `NAME: ${NAME:-}` makes of a variable nobody set.
    pub(crate) fn filled(&self, name: &str) -> Option<&Variable> {
        self.get(name).filter(|variable| !variable.value.trim().is_empty())
    }

    /// The variables whose names start with `prefix`, by name.
    pub(crate) fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Variable)> {
        self.variables
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, variable)| (name.as_str(), variable))
    }

    /// The numbered variables of a prefix in ascending order of their numbers: 10 after 9.
    pub(crate) fn numbered<'a>(&'a self, prefix: &'a str) -> Vec<(&'a str, &'a Variable)> {
        let mut numbered: Vec<_> = self
            .starting_with(prefix)
            .filter_map(|(name, variable)| Some((number(name.strip_prefix(prefix)?)?, name, variable)))
            .collect();
        numbered.sort_by(|left, right| (left.0, left.1).cmp(&(right.0, right.1)));
        numbered.into_iter().map(|(_, name, variable)| (name, variable)).collect()
    }
}

/// A number of any length as digits without leading zeros, comparable by length and text.
fn number(digits: &str) -> Option<(usize, &str)> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let significant = digits.trim_start_matches('0');
    is_number.then_some((significant.len(), significant))
}

fn dotenv_variables(path: &Path, files: &Files, findings: &mut Findings) -> BTreeMap<String, Variable> {
    let shown = &files.shown(path);
    let text = match files.read_text(path) {
        Ok(text) => text,
        Err(unreadable) => {
            findings.problem(
                Place::WholeFile(shown.to_owned()),
                format!("the file cannot be read: {}", unreadable.why),
                unreadable.remedy.unwrap_or("make it readable, or remove it"),
            );
            return BTreeMap::new();
        }
    };
    let mut variables = BTreeMap::new();
    for assignment in dotenv::parse(shown, &text, findings) {
        let place = Place::DotEnv { path: shown.to_owned(), line: assignment.line };
        let variable = Variable { value: assignment.value, place: place.clone() };
        if variables.insert(assignment.name.clone(), variable).is_some() {
            findings.warn(place, format!("{} is set twice; the last line counts", assignment.name));
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Files {
        Files::find(folder.to_owned(), None)
    }

    #[test]
    fn numbers_ascend_by_value_and_may_have_gaps() {
        let names = ["K_10", "K_9", "K_2", "K_007", "K_x", "K_", "K_99999999999999999999999", "L_1"];
        let process = names.map(|name| (name.to_owned(), "v".to_owned())).into();
        let environment = Environment::read(process, &files(Path::new("/nowhere")), &mut Findings::default());
        let order: Vec<&str> = environment.numbered("K_").into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["K_2", "K_007", "K_9", "K_10", "K_99999999999999999999999"]);
    }

    #[test]
    fn the_process_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "A=file\nB=file\nB=again\n").unwrap();
        let process = [("A".to_owned(), "process".to_owned())].into();
        let mut findings = Findings::default();
        let environment = Environment::read(process, &files(folder.path()), &mut findings);
        assert_eq!(environment.get("A").unwrap().value, "process");
        assert_eq!(environment.get("B").unwrap().value, "again");
        assert!(environment.get("B").unwrap().place.to_string() == ".env:3");
        assert_eq!(findings.into_result().unwrap().len(), 1);
    }
}
