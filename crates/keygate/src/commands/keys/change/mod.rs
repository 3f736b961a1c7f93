//! `keygate keys add`, `remove` and `set`: the keys in `.env` and in key files.

mod file;
mod outcome;
mod secrets;
mod target;

use keygate_config::{KeyHome, KeyHomes, LoadRequest, Loaded, Place, ProviderConfig, read_key_homes};
use keygate_domain::{ApiKey, KeyId};
use keygate_provider::Adapter;

use super::configured::{adapter_called, chosen, places, read};
use super::words::listed;
use crate::cli::{AddKeys, RemoveKeys, Secrets, SetKeys, Site, Source};
use crate::commands::database::Failure;
use crate::exit::Exit;
use crate::wiring;
use file::{Edit, Edited};
use outcome::Change;

/// With which change a configuration is not valid, and what to do then beside what each problem says.
type Attempt = (&'static str, &'static str);

const WITH_THEM: Attempt = ("with these keys", "");
const WITHOUT_THEM: Attempt = (
    "without these keys",
    "\nTake the entry out of the file first; what is left in .env is read by nobody then, and can be deleted.",
);

pub(super) fn add(arguments: &AddKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let AddKeys { provider, secrets, site, json } = arguments;
    let desk = Desk::open(provider, site, catalogue)?;
    let new = secrets::read(&secrets.keys)?;
    let before = desk.ids(&desk.loaded);
    let mut edited = desk.target(secrets)?;
    let held = edited.keys();
    // A key that is configured elsewhere would be dropped as a duplicate.
    let added: Vec<ApiKey> = new.iter().filter(|key| !before.contains(key.id())).cloned().collect();
    edited.hold(&[held, added].concat());
    let edits = desk.write(vec![edited], &new, WITH_THEM)?;
    outcome::tell(&Change { desk: &desk, before, wanted: new, edits, is_json: *json })
}

pub(super) fn set(arguments: &SetKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let SetKeys { provider, secrets, site, json } = arguments;
    let desk = Desk::open(provider, site, catalogue)?;
    let new = secrets::read(&secrets.keys)?;
    let before = desk.ids(&desk.loaded);
    let mut edited = desk.target(secrets)?;
    edited.hold(&new);
    let edits = desk.write(vec![edited], &new, WITH_THEM)?;
    outcome::tell(&Change { desk: &desk, before, wanted: new, edits, is_json: *json })
}

pub(super) fn remove(arguments: &RemoveKeys, catalogue: &'static [Adapter]) -> Result<Exit, Failure> {
    let RemoveKeys { provider, keys, allow_empty, site, json } = arguments;
    let desk = Desk::open(provider, site, catalogue)?;
    let before = desk.ids(&desk.loaded);
    let configured = chosen(&desk.loaded, Some(provider.as_str()), catalogue)?;
    let configured = configured.first().ok_or_else(|| Failure::internal("no provider was chosen"))?;
    let gone = desk.removable(configured, keys)?;
    if gone.len() == before.len() && !allow_empty {
        return Err(Failure::wrong(format!(
            "No key of {name} would be left, and a gateway would refuse that. Add others first, or say --allow-empty; \
             `keygate keys disable {name} {words}` takes it out of use and leaves it configured.",
            name = desk.adapter.name,
            words = keys.join(" ")
        )));
    }
    let mut all_edited = Vec::new();
    for home in desk.written_homes() {
        let mut edited = Edited::open(home)?;
        let held = edited.keys();
        let left: Vec<ApiKey> = held.iter().filter(|key| !gone.contains(key.id())).cloned().collect();
        if left.len() < held.len() {
            edited.hold(&left);
            all_edited.push(edited);
        }
    }
    let edits = desk.write(all_edited, &[], WITHOUT_THEM)?;
    outcome::tell(&Change { desk: &desk, before, wanted: Vec::new(), edits, is_json: *json })
}

/// What a change is made with.
struct Desk<'a> {
    adapter: &'a Adapter,
    catalogue: &'static [Adapter],
    site: &'a Site,
    loaded: Loaded,
    homes: KeyHomes,
}

impl<'a> Desk<'a> {
    fn open(provider: &str, site: &'a Site, catalogue: &'static [Adapter]) -> Result<Self, Failure> {
        let adapter = adapter_called(catalogue, provider)?;
        let loaded = read(site.config.as_deref(), catalogue)?;
        let homes = read_key_homes(request(site), adapter)?;
        Ok(Self { adapter, catalogue, site, loaded, homes })
    }

    /// The place that new keys go to.
    fn target(&self, secrets: &Secrets) -> Result<Edited, Failure> {
        let home = target::choose(&self.homes, self.adapter, secrets.variable.as_deref());
        Edited::open(home.map_err(Failure::wrong)?)
    }

    /// Writes files, unless the configuration would not be valid then or a key of `wanted` not read: then none.
    fn write(
        &self,
        edited: Vec<Edited>,
        wanted: &[ApiKey],
        (how, advice): Attempt,
    ) -> Result<Vec<Edit>, Failure> {
        let drafts = edited.iter().map(Edited::draft).collect();
        let would_be = keygate_config::load(LoadRequest { drafts, ..request(self.site) }, self.catalogue);
        let would_be = would_be
            .map_err(|problems| Failure::wrong(format!("Nothing was changed: {how} {problems}{advice}")))?;
        let ids = self.ids(&would_be);
        if let Some(lost) = wanted.iter().find(|key| !ids.contains(key.id())) {
            return Err(Failure::wrong(format!(
                "Nothing was changed: the key {} would be written and not read. `keygate check` tells which keys are \
                 read, and from where.",
                lost.id()
            )));
        }
        edited.into_iter().filter_map(|edited| edited.save().transpose()).collect()
    }

    /// The ids of the keys of the provider, in order.
    fn ids(&self, loaded: &Loaded) -> Vec<KeyId> {
        let is_meant = |provider: &&ProviderConfig| provider.adapter.name == self.adapter.name;
        let provider = loaded.config.providers.iter().find(is_meant);
        provider.iter().flat_map(|provider| provider.keys.iter().map(|key| key.secret.id().clone())).collect()
    }

    /// The ids of the keys that are named, if all of them stand where they can be removed.
    fn removable(&self, provider: &ProviderConfig, words: &[String]) -> Result<Vec<KeyId>, Failure> {
        let places = places(&self.loaded, provider);
        let mut gone: Vec<KeyId> = Vec::new();
        for word in words {
            let index = position(provider, word).ok_or_else(|| unknown(provider, word))?;
            let key = &provider.keys[index];
            let elsewhere = places.get(&index).and_then(|place| self.why_not_from(place));
            if let Some(why) = elsewhere {
                return Err(Failure::wrong(format!("{} {why}", key.label)));
            }
            if !gone.contains(key.secret.id()) {
                gone.push(key.secret.id().clone());
            }
        }
        Ok(gone)
    }

    /// Why a key that stands there is somebody else's to remove.
    fn why_not_from(&self, place: &Place) -> Option<String> {
        match place {
            Place::Environment(name) => Some(format!(
                "comes from the environment variable {name}, which no command can change: take it out where it is set, \
                 and restart the gateway."
            )),
            Place::File { path, line, .. } if self.is_yaml(path) => {
                Some(format!("stands in {}:{line}: take it out there.", path.display()))
            }
            Place::File { .. }
            | Place::DotEnv { .. }
            | Place::WholeFile(_)
            | Place::CommandLine(_)
            | Place::Default => None,
        }
    }

    fn is_yaml(&self, path: &std::path::Path) -> bool {
        self.loaded.file.as_ref().is_some_and(|file| file.ends_with(path))
    }

    /// Every place that is written by these commands and there already.
    fn written_homes(&self) -> Vec<KeyHome> {
        let in_dotenv =
            self.homes.variables.iter().filter(|home| matches!(home.set_in, Some(Place::DotEnv { .. })));
        let variables = in_dotenv
            .map(|home| KeyHome::Variable { dotenv: self.homes.dotenv.clone(), name: home.name.clone() });
        variables.chain(self.homes.files.iter().cloned().map(KeyHome::File)).collect()
    }
}

fn request(site: &Site) -> LoadRequest {
    wiring::request(&Source { config: site.config.clone(), bind: None, allow_empty: true })
}

/// Where the key stands that a word names: by id, else by label, else by index.
fn position(provider: &ProviderConfig, word: &str) -> Option<usize> {
    let keys = &provider.keys;
    let by_id = keys.iter().position(|key| key.secret.id().as_str() == word);
    let by_label = || keys.iter().position(|key| key.label == word);
    let by_index = || word.parse().ok().filter(|index| *index < keys.len());
    by_id.or_else(by_label).or_else(by_index)
}

fn unknown(provider: &ProviderConfig, word: &str) -> Failure {
    // What was typed may be a key itself.
    let is_a_key = provider.keys.iter().any(|key| key.secret.expose() == word);
    let shown: String = word.chars().take(64).filter(|c| !c.is_control()).collect();
    let what = if is_a_key {
        "Name a key by its id, label or index, not by itself.".to_owned()
    } else {
        let known: Vec<&str> = provider.keys.iter().take(8).map(|key| key.label.as_str()).collect();
        let shown = if shown.len() > 40 { "of this name".to_owned() } else { shown };
        format!("{} has no key {shown}; it has {}.", provider.adapter.name, listed(&known))
    };
    Failure::usage(format!("{what} `keygate keys list --configured` shows all of them."))
}
