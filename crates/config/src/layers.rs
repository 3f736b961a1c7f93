//! Laying the sources over each other, and taking typed sections out of the result.
//!
//! The typed step stops at its first problem; so the offending value is noted, taken out, and the
//! step repeated until nothing is wrong. What remains is judged further, which is how several
//! problems come out at once.

use figment::error::{Actual, Kind};
use figment::value::{Dict, Empty, Map, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::Deserialize;

use crate::elsewhere::{further_in, only_home, sections_among};
use crate::environment::{Environment, Variable};
use crate::nearest::{listed, nearest, speakable};
use crate::problem::{Findings, Place};
use crate::setting::SUCH_AS;
use crate::yaml::YamlFile;

/// What the names of variables for any setting begin with.
pub(crate) const PREFIX: &str = "KEYGATE__";

/// More problems than this help nobody.
const MAX_PROBLEMS: usize = 100;

/// Variables with names of their own, the weaker first, and what they set.
const NAMED: [(&str, &[&str]); 3] = [
    ("AI_RATE_LIMIT_PER_MIN", &["limits", "per_user", "requests_per_minute"]),
    ("LOG_LEVEL", &["telemetry", "log", "level"]),
    ("RUST_LOG", &["telemetry", "log", "level"]),
];

/// One source of values.
struct Layer {
    name: String,
    dict: Dict,
}

impl Layer {
    fn of_one(name: String, path: &[&str], value: Value) -> Self {
        let nest = |inner, name: &&str| Value::from(Dict::from([((*name).to_owned(), inner)]));
        let dict = path.iter().rev().fold(value, nest).into_dict().unwrap_or_default();
        Self { name, dict }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone()).source(Source::Custom(self.name.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// Which layer a value came from, by the layer's name.
#[derive(Clone)]
enum Origin {
    File,
    Elsewhere(Place),
}

/// All layers, merged.
pub(crate) struct Layers {
    figment: Figment,
    origins: Vec<(String, Origin)>,
    merged: Value,
    file: Option<YamlFile>,
}

impl Layers {
    /// Lays file, environment and command line over each other, the last the strongest.
    pub(crate) fn new(
        file: Option<YamlFile>,
        environment: &Environment,
        bind: Option<std::net::SocketAddr>,
    ) -> Self {
        let mut layers = Self {
            figment: Figment::new(),
            origins: Vec::new(),
            merged: Value::from(Dict::new()),
            file: None,
        };
        if let Some(file) = file {
            let name = file.whole().to_string();
            layers.lay(Layer { name, dict: file.to_dict() }, Origin::File);
            layers.file = Some(file);
        }
        layers.lay_environment(environment);
        if let Some(bind) = bind {
            let place = Place::CommandLine("--bind");
            let value = Value::from(bind.to_string());
            layers
                .lay(Layer::of_one(place.to_string(), &["server", "bind"], value), Origin::Elsewhere(place));
        }
        layers.merged = merged(&layers.figment);
        layers
    }

    fn lay_environment(&mut self, environment: &Environment) {
        for (name, path) in NAMED {
            if let Some(variable) = environment.filled(name) {
                self.lay_variable(name, path, variable);
            }
        }
        for (name, variable) in environment.starting_with(PREFIX) {
            let path = name[PREFIX.len()..].to_ascii_lowercase();
            let segments: Vec<&str> = path.split("__").collect();
            if !variable.value.trim().is_empty() {
                self.lay_variable(name, &segments, variable);
            }
        }
    }

    fn lay_variable(&mut self, name: &str, path: &[&str], variable: &Variable) {
        let value = Value::from(variable.value.trim());
        let layer = Layer::of_one(name.to_owned(), path, value);
        self.lay(layer, Origin::Elsewhere(variable.place.clone()));
    }

    fn lay(&mut self, layer: Layer, origin: Origin) {
        self.origins.push((layer.name.clone(), origin));
        self.figment = std::mem::take(&mut self.figment).merge(layer);
    }

    /// The typed sections. Every value that does not fit is a problem and its default stands in.
    pub(crate) fn take<T: for<'de> Deserialize<'de> + Default>(&mut self, findings: &mut Findings) -> T {
        for path in lists_for_sections(&self.merged) {
            self.report(&path, &Kind::InvalidType(Actual::Seq, "struct".to_owned()), findings);
            take_out(&mut self.merged, &path);
        }
        for _ in 0..MAX_PROBLEMS {
            let error = match T::deserialize(&self.merged) {
                Ok(sections) => return sections,
                Err(error) => error,
            };
            let mut path = error.path.clone();
            if findings.has_blamed(&path) {
                // The hole that an item left is no item either: the list goes.
                path.pop();
            } else {
                self.report(&path, &error.kind, findings);
            }
            if !take_out(&mut self.merged, &path) {
                break;
            }
        }
        T::default()
    }

    /// Where the value at `path`, or the nearest thing around it, was set.
    pub(crate) fn place(&self, path: &[String]) -> Place {
        (0..=path.len()).rev().find_map(|depth| self.own_place(&path[..depth])).unwrap_or(Place::Default)
    }

    /// Where exactly this value was set; `Default` if nobody set it.
    pub(crate) fn source(&self, path: &[String]) -> Place {
        self.own_place(path).unwrap_or(Place::Default)
    }

    fn own_place(&self, path: &[String]) -> Option<Place> {
        match self.origin(path)? {
            Origin::File => self.file.as_ref().map(|file| file.place(path)),
            Origin::Elsewhere(place) => Some(place.clone()),
        }
    }

    fn origin(&self, path: &[String]) -> Option<&Origin> {
        let metadata = self.figment.get_metadata(find(&self.merged, path)?.tag())?;
        self.origins.iter().find(|(name, _)| *name == metadata.name).map(|(_, origin)| origin)
    }

    pub(crate) fn name_place(&self, path: &[String]) -> Place {
        match (self.origin(path), &self.file) {
            (Some(Origin::File), Some(file)) => file.name_place(path),
            _ => self.place(path),
        }
    }

    /// What a value of another shape must be, and what to do.
    fn wanted<'e>(&self, path: &[String], expected: &'e str) -> (&'e str, String) {
        let (noun, example) = expected.split_once(SUCH_AS).unwrap_or((expected, ""));
        let noun = match noun {
            "a sequence" => "a list",
            "a map" => "a mapping",
            _ if noun.starts_with("struct") => "a mapping of settings",
            _ => noun,
        };
        let text = find(&self.merged, path).and_then(Value::as_str);
        let remedy = match noun {
            _ if !example.is_empty() => format!("for example: {example}"),
            "a list" => "write its items below it, each after `- `, or as [one, two]".to_owned(),
            _ if !noun.starts_with("a mapping") => {
                "correct the value, or remove it to take the default".to_owned()
            }
            _ if text.is_some_and(|text| text.contains(':')) => {
                "write a blank after the colon: `name: value`".to_owned()
            }
            _ => "write `name: value` lines below it, further in than it".to_owned(),
        };
        (noun, remedy)
    }

    fn report(&self, path: &[String], kind: &Kind, findings: &mut Findings) {
        let setting = dotted(path);
        let (what, remedy) = match kind {
            Kind::UnknownField(name, known) => {
                let (what, remedy) = unknown(name, known, path);
                return findings.blame(path, self.name_place(path), what, remedy);
            }
            Kind::UnknownVariant(name, choices) => {
                let remedy = nearest(name, choices.iter().copied())
                    .map_or("choose one of them".to_owned(), |meant| format!("did you mean `{meant}`?"));
                (format!("`{setting}` must be one of {}", listed(choices.iter().copied())), remedy)
            }
            Kind::MissingField(name) => {
                let missing: Vec<&str> = path.iter().map(String::as_str).chain([name.as_ref()]).collect();
                if findings.is_blamed(&missing) {
                    return;
                }
                (format!("`{setting}` lacks `{name}`"), format!("add `{name}: …` to it"))
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
                let (noun, remedy) = self.wanted(path, expected);
                (format!("`{setting}` must be {noun}"), remedy)
            }
            Kind::Message(_)
            | Kind::InvalidLength(..)
            | Kind::DuplicateField(_)
            | Kind::ISizeOutOfRange(_)
            | Kind::USizeOutOfRange(_)
            | Kind::Unsupported(_)
            | Kind::UnsupportedKey(..) => (
                format!("`{setting}` cannot be understood"),
                "correct the value, or remove it to take the default".to_owned(),
            ),
        };
        findings.blame(path, self.place(path), what, remedy);
    }
}

/// Where lists stand in the places of sections: they would be taken for their settings, in order.
fn lists_for_sections(merged: &Value) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    collect_lists(merged, &mut Vec::new(), &mut lists);
    if lists.is_empty() { lists } else { sections_among(lists) }
}

fn collect_lists(value: &Value, path: &mut Vec<String>, lists: &mut Vec<Vec<String>>) {
    if value.as_array().is_some() {
        lists.push(path.clone());
    }
    for (name, inner) in value.as_dict().into_iter().flatten() {
        path.push(name.clone());
        collect_lists(inner, path, lists);
        path.pop();
    }
}

/// What to say of a name nobody knows.
fn unknown(name: &str, known: &[&'static str], path: &[String]) -> (String, String) {
    let spoken = speakable(name).map_or("this name".to_owned(), |name| format!("`{name}`"));
    let around = &path[..path.len().saturating_sub(1)];
    let is_key =
        known.contains(&"secret") && ["key", "env", "file", "value", "api_key", "token"].contains(&name);
    let remedy = if is_key {
        "a key is its `secret`: write `secret: env:NAME`".to_owned()
    } else if let Some(home) = further_in(name, around) {
        format!("write it further in, in `{home}`")
    } else if let Some(meant) = nearest(name, known.iter().copied()) {
        format!("did you mean `{meant}`?")
    } else if let Some(home) = only_home(name) {
        format!("write it in `{home}`")
    } else {
        format!("remove it; known here: {}", listed(known.iter().copied()))
    };
    (format!("{spoken} is not known to this version"), remedy)
}

/// `providers.google.keys[0].label`.
pub(crate) fn dotted(path: &[String]) -> String {
    if path.is_empty() {
        return "the file".to_owned();
    }
    path.iter().fold(String::new(), |dotted, segment| {
        let name = speakable(segment).unwrap_or("…");
        match segment.parse::<usize>() {
            Ok(index) => format!("{dotted}[{index}]"),
            Err(_) if dotted.is_empty() => name.to_owned(),
            Err(_) => format!("{dotted}.{name}"),
        }
    })
}

fn merged(figment: &Figment) -> Value {
    let profiles = figment.data().unwrap_or_default();
    Value::from(profiles.into_iter().next().map(|(_, dict)| dict).unwrap_or_default())
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| {
        if let Value::Dict(_, entries) = value {
            return entries.get(segment);
        }
        value.as_array()?.get(segment.parse::<usize>().ok()?)
    })
}

fn find_mut<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, segment| {
        if let Value::Dict(_, entries) = value {
            return entries.get_mut(segment);
        }
        let Value::Array(_, items) = value else { return None };
        items.get_mut(segment.parse::<usize>().ok()?)
    })
}

/// Takes a value out. An item of a list leaves a hole, so that the others keep their positions.
fn take_out(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let Some(parent) = find_mut(value, parents) else { return false };
    if let Value::Dict(_, entries) = parent {
        return entries.remove(last).is_some();
    }
    let Value::Array(_, items) = parent else { return false };
    let item = last.parse().ok().and_then(|index: usize| items.get_mut(index));
    item.map(|item| *item = Value::Empty(item.tag(), Empty::None)).is_some()
}
