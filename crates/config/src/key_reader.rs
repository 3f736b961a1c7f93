//! Gathers the keys of one provider from everywhere they may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keygate_domain::{ApiKey, GroupId, KeyId, KeySpec};
use keygate_provider::Adapter;

use crate::effective::Effective;
use crate::environment::{Environment, Variable};
use crate::files::Files;
use crate::problem::{Findings, Place, WarningKind};
use crate::schema::{KeyEntry, ProviderSection, Reference};

/// No key of any provider is longer, in bytes.
const MAX_KEY_BYTES: usize = 4096;

/// Duplicates told one by one; the rest is counted.
const MAX_DUPLICATES_TOLD: usize = 20;

/// What keys are read from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) files: &'a Files,
}

/// One secret as it was found.
struct Item {
    text: String,
    place: Place,
    /// Its position in a list, from 1, where it is one of several in one place.
    position: Option<usize>,
}

/// Gathers keys in order and keeps count of what was looked at.
pub(crate) struct KeyReader<'a> {
    adapter: &'a Adapter,
    sources: Sources<'a>,
    findings: &'a mut Findings,
    keys: Vec<KeySpec>,
    shown: Vec<Effective>,
    by_id: BTreeMap<KeyId, String>,
    labels: BTreeSet<String>,
    last_number: BTreeMap<String, usize>,
    variables_read: BTreeSet<String>,
    blank: Vec<String>,
    literals: usize,
    duplicates: usize,
    has_failed: bool,
}

/// The keys of a provider, and how they are shown.
pub(crate) struct KeysRead {
    pub(crate) keys: Vec<KeySpec>,
    pub(crate) shown: Vec<Effective>,
    /// Variables that are set and hold nothing.
    pub(crate) blank: Vec<String>,
    /// Whether something about the keys has been told already.
    pub(crate) has_failed: bool,
}

impl<'a> KeyReader<'a> {
    pub(crate) fn new(adapter: &'a Adapter, sources: Sources<'a>, findings: &'a mut Findings) -> Self {
        Self {
            adapter,
            sources,
            findings,
            keys: Vec::new(),
            shown: Vec::new(),
            by_id: BTreeMap::new(),
            labels: BTreeSet::new(),
            last_number: BTreeMap::new(),
            variables_read: BTreeSet::new(),
            blank: Vec::new(),
            literals: 0,
            duplicates: 0,
            has_failed: false,
        }
    }

    /// Reads the entries of the section in order, then the well-known variables.
    pub(crate) fn read(mut self, section: &ProviderSection, place_of: impl Fn(usize) -> Place) -> KeysRead {
        for (index, entry) in section.keys.0.iter().enumerate() {
            if let Some(entry) = entry {
                self.read_entry(entry, &place_of(index));
            }
        }
        if section.keys_from_env.0 {
            self.read_well_known();
        }
        self.tell_totals();
        KeysRead { keys: self.keys, shown: self.shown, blank: self.blank, has_failed: self.has_failed }
    }

    fn read_entry(&mut self, entry: &KeyEntry, place: &Place) {
        match &entry.secret.0 {
            Reference::Variable(name) => self.read_reference(name, entry, place),
            Reference::File(path) => self.read_file(path, entry, place),
            Reference::Literal(secret) => {
                self.literals += 1;
                let base = format!("{}-{}", self.adapter.name, self.literals);
                let items = items_of(secret.expose(), place);
                self.add(&items, &base, entry);
            }
        }
    }

    fn read_reference(&mut self, name: &str, entry: &KeyEntry, place: &Place) {
        let environment = self.sources.environment;
        let spoken = speakable_variable(name);
        match environment.get(name) {
            Some(variable) => self.read_variable(name, variable, entry),
            None if is_well_known(self.adapter, name) => {}
            None => self.fail(
                place.clone(),
                format!("{spoken} is not set"),
                "set it in the environment or in .env, or remove the entry".to_owned(),
            ),
        }
        let is_blank = environment.get(name).is_some() && environment.filled(name).is_none();
        if is_blank && !is_well_known(self.adapter, name) {
            self.fail(
                place.clone(),
                format!("No valid API keys found in {spoken}"),
                "give it a key or a comma list, or remove the entry".to_owned(),
            );
        }
    }

    fn read_variable(&mut self, name: &str, variable: &Variable, entry: &KeyEntry) {
        self.variables_read.insert(name.to_owned());
        let items = items_of(&variable.value, &variable.place);
        if items.is_empty() {
            self.blank.push(name.to_owned());
        }
        self.add(&items, &name.to_ascii_lowercase().replace('_', "-"), entry);
    }

    fn read_file(&mut self, path: &str, entry: &KeyEntry, place: &Place) {
        let path = self.sources.files.config_folder().join(path);
        let shown = self.sources.files.shown(&path);
        let text = match self.sources.files.read_text(&path) {
            Ok(text) => text,
            Err(unreadable) => {
                let usual = "paths start from the folder of the configuration file; correct the path";
                return self.fail(
                    place.clone(),
                    format!("the key file {} cannot be read: {}", shown.display(), unreadable.why),
                    unreadable.remedy.unwrap_or(usual).to_owned(),
                );
            }
        };
        let items = items_of_lines(&text, &shown);
        if items.is_empty() {
            return self.fail(
                place.clone(),
                format!("No valid API keys found in {}", shown.display()),
                "write one key a line, or remove the entry".to_owned(),
            );
        }
        let base =
            path.file_stem().map_or_else(|| "file".to_owned(), |stem| stem.to_string_lossy().into_owned());
        self.add(&items, &base, entry);
    }

    fn read_well_known(&mut self) {
        let environment = self.sources.environment;
        let names = self.adapter.key_variables;
        let unnumbered =
            names.lists.iter().filter_map(|name| environment.get(name).map(|variable| (*name, variable)));
        let numbered = names.numbered.iter().flat_map(|prefix| environment.numbered(prefix));
        for (name, variable) in unnumbered.chain(numbered) {
            if self.variables_read.contains(name) {
                continue;
            }
            let entry = KeyEntry::plain(Reference::Variable(name.to_owned()));
            self.read_variable(name, variable, &entry);
        }
    }

    fn add(&mut self, items: &[Item], base: &str, entry: &KeyEntry) {
        let group = entry.group.0.as_deref().map(GroupId::from);
        for (number, item) in (1..).zip(items) {
            let name =
                entry.label.0.as_deref().map(str::trim).filter(|label| !label.is_empty()).unwrap_or(base);
            let label = if items.len() > 1 { format!("{name}-{number}") } else { name.to_owned() };
            let secret = ApiKey::new(item.text.as_str());
            if !self.is_usable(item, &label) || self.is_duplicate(&secret, item, &label) {
                continue;
            }
            let Some(label) = self.reserve(label, name, entry, item) else { continue };
            self.by_id.insert(secret.id().clone(), label.clone());
            self.show(item, &label, entry);
            let (weight, role) = (entry.weight.0.get(), entry.role.0);
            let allowance = entry.budgets.allowance();
            self.keys.push(KeySpec { secret, label, group: group.clone(), weight, role, allowance });
        }
    }

    /// A label nobody else has; `None` if the operator gave one twice.
    fn reserve(&mut self, label: String, base: &str, entry: &KeyEntry, item: &Item) -> Option<String> {
        if self.labels.insert(label.clone()) {
            return Some(label);
        }
        if entry.label.0.is_some() {
            let named =
                crate::nearest::speakable(&label).map(|label| format!(", `{label}`")).unwrap_or_default();
            self.fail(
                item.place.clone(),
                format!("two keys of `{}` would have the same label{named}", self.adapter.name),
                "give each entry a label of its own".to_owned(),
            );
            return None;
        }
        let last = self.last_number.entry(base.to_owned()).or_insert(1);
        loop {
            *last += 1;
            let label = format!("{base}-{last}");
            if self.labels.insert(label.clone()) {
                return Some(label);
            }
        }
    }

    fn is_usable(&mut self, item: &Item, label: &str) -> bool {
        let is_sendable = item.text.bytes().all(|byte| byte.is_ascii_graphic());
        let (what, remedy) = if !is_sendable {
            ("holds a character that no HTTP header can carry", "check for spaces and line breaks inside it")
        } else if item.text.len() > MAX_KEY_BYTES {
            ("is longer than any key", "write one key a line, or separate keys by commas")
        } else if is_reference(&item.text) {
            (
                "is a reference, not a key",
                "write env:NAME or file:PATH under `keys` of the configuration file",
            )
        } else if is_placeholder(&item.text) {
            ("stands in for a key", "put a key of your own in its place")
        } else {
            return true;
        };
        self.fail(
            item.place.clone(),
            format!("the key `{label}`{} {what}", item.position()),
            remedy.to_owned(),
        );
        false
    }

    fn is_duplicate(&mut self, secret: &ApiKey, item: &Item, label: &str) -> bool {
        let Some(first) = self.by_id.get(secret.id()) else { return false };
        self.duplicates += 1;
        if self.duplicates <= MAX_DUPLICATES_TOLD {
            let position = item.position();
            let text = format!(
                "{}: the key `{label}`{position} is the same as `{first}` and was dropped",
                self.adapter.name
            );
            self.findings.warn_of(WarningKind::DuplicateKey, item.place.clone(), text);
        }
        true
    }

    fn tell_totals(&mut self) {
        let name = self.adapter.name;
        if self.duplicates > MAX_DUPLICATES_TOLD {
            let more = self.duplicates - MAX_DUPLICATES_TOLD;
            let text = format!("{name}: {more} more duplicate keys were dropped");
            self.findings.warn_of(WarningKind::DuplicateKey, Place::Default, text);
        }
        if self.literals > 0 {
            let text = format!(
                "{name}: {} of its entries hold a key in plain text; move it to .env and refer to it by env:NAME",
                self.literals
            );
            self.findings.warn_of(WarningKind::LiteralKey(name), Place::Default, text);
        }
    }

    fn show(&mut self, item: &Item, label: &str, entry: &KeyEntry) {
        let mut value = format!("*** ({label}");
        if let Some(group) = &entry.group.0 {
            value.push_str(", group ");
            value.push_str(group);
        }
        value.push(')');
        let path = format!("providers.{}.keys[{}]", self.adapter.name, self.keys.len());
        self.shown.push(Effective { path, value, source: item.place.clone() });
    }

    fn fail(&mut self, place: Place, what: String, remedy: String) {
        self.has_failed = true;
        self.findings.problem(place, what, remedy);
    }
}

impl Item {
    fn position(&self) -> String {
        self.position.map_or_else(String::new, |position| format!(" (number {position} of its list)"))
    }
}

/// Whether the field keeps keys of this provider in the variable.
fn is_well_known(adapter: &Adapter, name: &str) -> bool {
    let is_numbered = |prefix: &&str| {
        let digits = name.strip_prefix(*prefix).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    adapter.key_variables.lists.contains(&name) || adapter.key_variables.numbered.iter().any(is_numbered)
}

/// Whether a text names where a key is, also as other programs spell that: `$NAME`, `ENV:NAME`, `-env:NAME`.
fn is_reference(text: &str) -> bool {
    let text = text.trim_start_matches('-');
    let begins = |with: &&str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    text.starts_with('$') || ["env:", "file:"].iter().any(begins)
}

/// `YOUR_API_KEY`, `<key>`: what examples have in the place of a key.
fn is_placeholder(text: &str) -> bool {
    let begins = |with: &&str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    text.starts_with('<') || ["your_", "your-"].iter().any(begins)
}

/// A variable's name, unless it could be a secret written in its place.
pub(crate) fn speakable_variable(name: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() <= 64 && name.bytes().all(is_plain) { name } else { "the variable named here" }
}

/// The keys of a comma list. Quotes around the list or a key are what `docker --env-file` leaves.
fn items_of(text: &str, place: &Place) -> Vec<Item> {
    let keys = text.split([',', '\n', '\r']).map(without_quotes).filter(|key| !key.is_empty());
    let mut items: Vec<Item> = (1..)
        .zip(keys)
        .map(|(position, key)| Item { text: key.to_owned(), place: place.clone(), position: Some(position) })
        .collect();
    if let [only] = items.as_mut_slice() {
        only.position = None;
    }
    items
}

/// The keys of a comma list.
pub(crate) fn keys_of_list(text: &str) -> Vec<ApiKey> {
    items_of(text, &Place::Default).into_iter().map(|item| ApiKey::new(item.text)).collect()
}

/// The key that a line of a key file holds.
pub(crate) fn key_of_line(line: &str) -> Option<&str> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let is_comment = line.trim_start().starts_with('#');
    let key = without_quotes(line.split_once(" #").map_or(line, |(key, _)| key));
    (!is_comment && !key.is_empty()).then_some(key)
}

fn without_quotes(key: &str) -> &str {
    key.trim().trim_matches(['"', '\'']).trim()
}

fn items_of_lines(text: &str, shown: &Path) -> Vec<Item> {
    (1..)
        .zip(text.lines())
        .filter_map(|(line, content)| Some((line, key_of_line(content)?)))
        .map(|(line, key)| Item {
            text: key.to_owned(),
            place: Place::File { path: shown.to_owned(), line, column: 1 },
            position: None,
        })
        .collect()
}
