//! Where the keys of a provider can be changed: variables of `.env`, and key files. The text in which they hold
//! other keys is made here; reading and writing the files is somebody else's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keygate_domain::{ApiKey, KeyId};
use keygate_provider::Adapter;

use crate::dotenv;
use crate::environment::Environment;
use crate::files::Files;
use crate::key_reader::{key_of_line, keys_of_list};
use crate::layers::Layers;
use crate::load::{LoadRequest, read_file};
use crate::problem::{ConfigProblems, Findings, Place};
use crate::schema::{ProviderSection, Reference, Sections};

/// What keys of one provider are read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyHomes {
    /// The `.env` that is read, or the one that would be.
    pub dotenv: PathBuf,
    /// The variables that are looked at, in order; numbered ones only where they are set.
    pub variables: Vec<VariableHome>,
    /// The key files that the YAML names, in order.
    pub files: Vec<PathBuf>,
    /// Whether the well-known variables are read.
    pub reads_well_known: bool,
}

/// A variable that keys are read from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VariableHome {
    /// Its name.
    pub name: String,
    /// Where it is set to something, or to nothing; the process environment wins over `.env`.
    pub set_in: Option<Place>,
    /// Whether it is one of many with numbers, which are meant for a key each.
    pub is_numbered: bool,
}

/// A place that holds keys and can be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyHome {
    /// A variable of a `.env`.
    Variable {
        /// The file.
        dotenv: PathBuf,
        /// The variable.
        name: String,
    },
    /// A file with a key a line.
    File(PathBuf),
}

impl KeyHome {
    /// The file that holds it.
    pub fn path(&self) -> &Path {
        match self {
            Self::Variable { dotenv, name: _ } => dotenv,
            Self::File(path) => path,
        }
    }

    /// The keys that it holds in `text`, which is that of its file.
    pub fn keys(&self, text: &str) -> Vec<ApiKey> {
        match self {
            Self::Variable { dotenv, name } => {
                let lines = dotenv::parse(dotenv, text, &mut Findings::default());
                let value = lines.into_iter().rev().find(|line| line.name == *name).map(|line| line.value);
                value.map(|value| keys_of_list(&value)).unwrap_or_default()
            }
            Self::File(_) => text.lines().filter_map(key_of_line).map(ApiKey::new).collect(),
        }
    }

    /// The text in which it holds exactly these keys, and everything else is as in `text`: comments, order, quotes,
    /// line ends. Lines of a key file that stay are not touched.
    pub fn holding(&self, text: &str, keys: &[ApiKey]) -> String {
        match self {
            Self::Variable { dotenv: _, name } => {
                let list: Vec<&str> = keys.iter().map(ApiKey::expose).collect();
                dotenv::with_variable(text, name, &list.join(","))
            }
            Self::File(_) => key_lines(text, keys),
        }
    }
}

fn key_lines(text: &str, keys: &[ApiKey]) -> String {
    // What is wanted and has no line yet; the second line of a key goes with those that are not wanted.
    let mut missing: BTreeSet<&KeyId> = keys.iter().map(ApiKey::id).collect();
    let mut lines = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if key_of_line(line).is_none_or(|key| missing.remove(ApiKey::new(key).id())) {
            lines.push_str(line);
        }
    }
    let end = dotenv::line_end(text);
    for key in keys.iter().filter(|key| missing.remove(key.id())) {
        if !lines.is_empty() && !lines.ends_with('\n') {
            lines.push_str(end);
        }
        lines.push_str(key.expose());
        lines.push_str(end);
    }
    lines
}

/// Reads where the keys of a provider can be changed; none of the keys need be valid.
///
/// # Errors
/// [`ConfigProblems`] when the YAML or its section `providers` is not valid.
pub fn read_key_homes(request: LoadRequest, adapter: &Adapter) -> Result<KeyHomes, ConfigProblems> {
    let is_named = request.config.is_some();
    let files = Files::find(request.working_dir, request.config.as_deref());
    let mut findings = Findings::default();
    let file = read_file(&files).map_err(|problem| ConfigProblems(vec![problem]))?;
    let environment = Environment::read(request.environment, &files, &mut findings);
    let sections: Sections = Layers::new(file, &environment, request.bind).take(&mut findings);
    if findings.is_blamed(&["providers"]) {
        findings.into_result()?;
    }
    let section = sections.providers.get(adapter.name.as_str()).cloned().unwrap_or_default();
    // Beside a file that was named is where a gateway finds it from whatever folder it is started in.
    let usual = if is_named { files.config_folder() } else { &files.working_dir };
    let dotenv = environment.dotenv.as_ref().map(|shown| files.working_dir.join(shown));
    Ok(KeyHomes {
        dotenv: dotenv.unwrap_or_else(|| usual.join(".env")),
        variables: variables(&section, adapter, &environment),
        files: key_files(&section, &files),
        reads_well_known: section.keys_from_env.0,
    })
}

fn key_files(section: &ProviderSection, files: &Files) -> Vec<PathBuf> {
    let references = section.keys.0.iter().flatten().map(|entry| &entry.secret.0);
    let paths = references.filter_map(|reference| match reference {
        Reference::File(path) => Some(files.config_folder().join(path)),
        Reference::Variable(_) | Reference::Literal(_) => None,
    });
    paths.collect()
}

fn variables(section: &ProviderSection, adapter: &Adapter, environment: &Environment) -> Vec<VariableHome> {
    let names = &adapter.key_variables;
    let references = section.keys.0.iter().flatten().filter_map(|entry| match &entry.secret.0 {
        Reference::Variable(name) => Some((name.as_str(), false)),
        Reference::File(_) | Reference::Literal(_) => None,
    });
    let lists = names.lists.iter().map(|name| (*name, false));
    let numbered = names.numbered.iter().flat_map(|prefix| environment.numbered(prefix));
    let well_known = lists.chain(numbered.map(|(name, _)| (name, true)));
    let well_known = well_known.filter(|_| section.keys_from_env.0);
    let mut homes: Vec<VariableHome> = Vec::new();
    for (name, is_numbered) in references.chain(well_known) {
        if homes.iter().all(|home| home.name != name) {
            let set_in = environment.get(name).map(|variable| variable.place.clone());
            homes.push(VariableHome { name: name.to_owned(), set_in, is_numbered });
        }
    }
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &[&str]) -> Vec<ApiKey> {
        text.iter().map(|key| ApiKey::new(*key)).collect()
    }

    #[test]
    fn a_variable_holds_other_keys_and_the_file_is_as_it_was() {
        let home = KeyHome::Variable { dotenv: ".env".into(), name: "KEYS".to_owned() };
        let before = "# keys\r\nexport KEYS = \"a, b\" # two\r\nOTHER=1";
        assert_eq!(home.keys(before), keys(&["a", "b"]));
        let after = home.holding(before, &keys(&["a", "b", "c"]));
        assert_eq!(after, "# keys\r\nexport KEYS = \"a,b,c\" # two\r\nOTHER=1");
        assert_eq!(home.keys(&after), keys(&["a", "b", "c"]));
    }

    #[test]
    fn lines_of_a_key_file_that_stay_are_not_touched() {
        let home = KeyHome::File("keys.txt".into());
        let before = "# team a\n  a # Ada\n\n# team b\nb\na\n# end";
        assert_eq!(home.keys(before), keys(&["a", "b", "a"]));
        assert_eq!(home.holding(before, &keys(&["c", "a"])), "# team a\n  a # Ada\n\n# team b\n# end\nc\n");
        assert_eq!(home.holding("", &keys(&["a", "b"])), "a\nb\n");
    }
}
