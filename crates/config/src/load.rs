//! The way in: from files, environment and command line to a valid configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use keygate_provider::Adapter;

use crate::build::{self, Judge};
use crate::config::{AnswersConfig, Config, StorageConfig};
use crate::effective::{Effective, effective_values};
use crate::environment::Environment;
use crate::files::Files;
use crate::key_reader::Sources;
use crate::layers::Layers;
use crate::misspelled;
use crate::problem::{ConfigProblems, Findings, Place, Problem, Warning};
use crate::schema::Sections;
use crate::watch::FileMarks;
use crate::yaml::YamlFile;

/// What a configuration is read from. The process environment is handed in, so that reading is
/// the same in a test and in the binary.
#[derive(Clone, Default)]
pub struct LoadRequest {
    /// The file named by `--config`; without it `keygate.yaml`, then `config/keygate.yaml` in the
    /// working directory, then no file.
    pub config: Option<PathBuf>,
    /// The address of `--bind`.
    pub bind: Option<SocketAddr>,
    /// The process environment; it wins over `.env`.
    pub environment: BTreeMap<String, String>,
    /// Where relative paths start from and `.env` is looked for first.
    pub working_dir: PathBuf,
    /// Whether providers without a key, and no provider at all, are accepted with a warning.
    pub allow_empty: bool,
    /// Texts that are read in the place of files, by the path behind links: to find out what would come of a change.
    pub drafts: BTreeMap<PathBuf, String>,
}

/// A configuration, and how it came to be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
    /// Every value that holds and where it came from, secrets masked.
    pub sources: Vec<Effective>,
    /// The configuration file that was read, if there was one.
    pub file: Option<PathBuf>,
}

/// A configuration as it was read, and the files it came from.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What came of it.
    pub outcome: Result<Loaded, ConfigProblems>,
    /// The files looked at, as they were just before: when one differs, reading again may come
    /// to something else.
    pub marks: FileMarks,
}

/// Reads the configuration.
///
/// # Errors
/// [`ConfigProblems`] with everything that is wrong, each with its place and a remedy.
pub fn load(request: LoadRequest, catalogue: &[Adapter]) -> Result<Loaded, ConfigProblems> {
    read(request, catalogue).outcome
}

/// Reads the configuration, and says from which files, also when they hold none that is valid.
pub fn read(request: LoadRequest, catalogue: &[Adapter]) -> Reading {
    let mut files = Files::find(request.working_dir.clone(), request.config.as_deref());
    files.drafts.clone_from(&request.drafts);
    let outcome = read_from(&files, request, catalogue);
    Reading { outcome, marks: files.marks() }
}

/// Reads only where the gateway listens, and where that is said: for commands that speak to a running one, and need not be
/// able to read its keys.
///
/// # Errors
/// [`ConfigProblems`] when the file cannot be read, or the section `server` is not valid.
pub fn read_bind(request: LoadRequest) -> Result<(SocketAddr, Place), ConfigProblems> {
    let files = Files::find(request.working_dir, request.config.as_deref());
    let mut findings = Findings::default();
    let file = read_file(&files).map_err(|problem| ConfigProblems(vec![problem]))?;
    let environment = Environment::read(request.environment, &files, &mut findings);
    let mut layers = Layers::new(file, &environment, request.bind);
    let sections: Sections = layers.take(&mut findings);
    if findings.is_blamed(&["server"]) {
        findings.into_result()?;
    }
    let place = layers.source(&["server".to_owned(), "bind".to_owned()]);
    Ok((sections.server.bind.0, place))
}

/// A variable as a gateway started from here would read it: from the process environment, else from `.env`.
pub fn read_variable(request: LoadRequest, name: &str) -> Option<String> {
    let files = Files::find(request.working_dir, request.config.as_deref());
    let environment = Environment::read(request.environment, &files, &mut Findings::default());
    environment.filled(name).map(|variable| variable.value.clone())
}

/// What a command that works on the database has to know: neither keys nor anything secret, which it need
/// not be able to read.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Where the database is.
    pub storage: StorageConfig,
    /// The models that the configuration names.
    pub models: BTreeSet<String>,
    /// The plans there are.
    pub plans: BTreeSet<String>,
    /// The names of the session keepers.
    pub keepers: BTreeSet<String>,
    /// How stored answers are used.
    pub answers: AnswersConfig,
}

/// Reads only what concerns the database and what is kept in it.
///
/// # Errors
/// [`ConfigProblems`] when the file cannot be read, or one of these sections is not valid.
pub fn read_database(request: LoadRequest) -> Result<DatabaseSettings, ConfigProblems> {
    let files = Files::find(request.working_dir, request.config.as_deref());
    let mut findings = Findings::default();
    let file = read_file(&files).map_err(|problem| ConfigProblems(vec![problem]))?;
    let environment = Environment::read(request.environment, &files, &mut findings);
    let mut layers = Layers::new(file, &environment, request.bind);
    let sections: Sections = layers.take(&mut findings);
    let mut judge = Judge {
        layers: &layers,
        sources: Sources { environment: &environment, files: &files },
        allow_empty: true,
        findings: &mut findings,
    };
    let storage = build::storage(&sections.storage, &mut judge);
    let plans = build::plans(&sections.plans, &mut judge).by_name.into_keys();
    let plans = plans.map(|name| name.to_string()).collect();
    let answers = build::answers(&sections.answers);
    if ["storage", "plans", "answers"].iter().any(|section| findings.is_blamed(&[section])) {
        findings.into_result()?;
    }
    let budgets = sections.providers.values().flat_map(|provider| provider.budgets.models.keys());
    let models = budgets.cloned().chain([sections.assistant.model.0.clone()]).collect();
    let keepers = sections.session_keepers.iter().flatten();
    let keepers = keepers.map(|keeper| keeper.name.0.trim().to_owned()).collect();
    Ok(DatabaseSettings { storage, models, plans, keepers, answers })
}

fn read_from(files: &Files, request: LoadRequest, catalogue: &[Adapter]) -> Result<Loaded, ConfigProblems> {
    let mut findings = Findings::default();
    let file = read_file(files).map_err(|problem| ConfigProblems(vec![problem]))?;
    let environment = Environment::read(request.environment, files, &mut findings);
    let mut layers = Layers::new(file, &environment, request.bind);
    let mut sections: Sections = layers.take(&mut findings);
    misspelled::warn(&environment, &mut findings);
    let mut judge = Judge {
        layers: &layers,
        sources: Sources { environment: &environment, files },
        allow_empty: request.allow_empty,
        findings: &mut findings,
    };
    let (config, shown) = build::config(&mut sections, catalogue, &mut judge);
    let warnings = findings.into_result()?;
    let mut sources = effective_values(&sections, &layers);
    sources.extend(shown);
    sources.sort_by_cached_key(|value| order_of(&value.path));
    Ok(Loaded { config, warnings, sources, file: files.config.clone() })
}

pub(crate) fn read_file(files: &Files) -> Result<Option<YamlFile>, Problem> {
    let Some(path) = &files.config else { return Ok(None) };
    let shown = files.shown(path);
    let usual = "correct --config, or leave it out to use ./keygate.yaml or ./config/keygate.yaml";
    let text = files.read_text(path).map_err(|unreadable| Problem {
        place: Place::WholeFile(shown.clone()),
        what: format!("the file cannot be read: {}", unreadable.why),
        remedy: unreadable.remedy.unwrap_or(usual).to_owned(),
    })?;
    YamlFile::parse(&shown, &text).map(Some)
}

/// Sorts `keys[10]` after `keys[9]`.
fn order_of(path: &str) -> (String, usize) {
    let (name, rest) = path.split_once('[').unwrap_or((path, ""));
    let number = rest.split(']').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    (name.to_owned(), number)
}
