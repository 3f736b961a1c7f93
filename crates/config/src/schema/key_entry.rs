//! One entry of `providers.<name>.keys`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use keygate_domain::{ApiKey, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::AllowanceSection;
use crate::setting::{Scalar, Setting};

/// Where the secrets of an entry are.
#[derive(Clone, Debug)]
pub(crate) enum Reference {
    /// A variable holding a key or a comma list.
    Variable(String),
    /// A file holding a key a line.
    File(String),
    /// The secret itself.
    Literal(ApiKey),
}

impl Scalar for Reference {
    const EXPECTED: &'static str = "a reference to keys, such as env:NAME or file:PATH";

    fn read(text: &str) -> Option<Self> {
        let reference = if let Some(name) = text.strip_prefix("env:") {
            Self::Variable(name.trim().to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path.trim().to_owned())
        } else {
            Self::Literal(ApiKey::new(text))
        };
        (!matches!(text, "" | "env:" | "file:")).then_some(reference)
    }

    fn shown(&self) -> serde_json::Value {
        match self {
            Self::Variable(name) => format!("env:{name}").into(),
            Self::File(path) => format!("file:{path}").into(),
            Self::Literal(_) => "***".into(),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "description": "`env:NAME` (a key or a comma list) or `file:PATH` (one key a line).",
            "examples": ["env:GEMINI_API_KEYS", "file:keys.txt"],
        })
    }
}

/// An entry: where its secrets are, and what is said of them.
#[derive(Clone, Debug, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Key")]
pub(crate) struct KeyEntry {
    /// `env:NAME` (a key or a comma list) or `file:PATH` (one key a line).
    pub(crate) secret: Setting<Reference>,
    /// What operators call it. Without it: the name of the variable or file. Several keys of one
    /// reference are numbered.
    #[serde(default)]
    pub(crate) label: Setting<Option<String>>,
    /// The quota group it belongs to: keys of one Google Cloud project or Anam organisation share
    /// their limits. Without it: a group of its own.
    #[serde(default)]
    pub(crate) group: Setting<Option<String>>,
    /// Its share under `weighted`, at least 1.
    #[serde(default = "weight_of_one")]
    pub(crate) weight: Setting<NonZeroU32>,
    /// Its rank under `primary_backup`: `primary` or `backup`.
    #[serde(default)]
    pub(crate) role: Setting<Role>,
    /// Limits of its quota group, number by number before those of the provider.
    #[serde(default)]
    pub(crate) budgets: AllowanceSection,
}

fn weight_of_one() -> Setting<NonZeroU32> {
    Setting(NonZeroU32::MIN)
}

impl KeyEntry {
    /// An entry of which nothing is said but where its secrets are.
    pub(crate) fn plain(secret: Reference) -> Self {
        Self {
            secret: Setting(secret),
            label: Setting(None),
            group: Setting(None),
            weight: weight_of_one(),
            role: Setting::default(),
            budgets: AllowanceSection::default(),
        }
    }
}

/// All entries; an item that is empty is none. One text stands for a comma list, which is how a variable can set it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyEntries(pub(crate) Vec<Option<KeyEntry>>);

impl Serialize for KeyEntries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = KeyEntries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys, such as [\"env:NAME\"]")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<KeyEntries, E> {
        let references = text.split(',').filter_map(|item| Reference::read(item.trim()));
        Ok(KeyEntries(references.map(|reference| Some(KeyEntry::plain(reference))).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<KeyEntries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = items.next_element::<Option<EntryForm>>()? {
            entries.push(entry.map(|EntryForm(entry)| entry));
        }
        Ok(KeyEntries(entries))
    }
}

/// An entry as a text or as an object.
struct EntryForm(KeyEntry);

impl<'de> Deserialize<'de> for EntryForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = EntryForm;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key, such as env:NAME or {secret: env:NAME, label: team-a}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EntryForm, E> {
        let reference = Reference::read(text.trim());
        reference
            .map(|reference| EntryForm(KeyEntry::plain(reference)))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Other("a text"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<EntryForm, A::Error> {
        KeyEntry::deserialize(MapAccessDeserializer::new(entries)).map(EntryForm)
    }
}

impl JsonSchema for KeyEntries {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Keys".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = Reference::schema();
        let object = generator.subschema_for::<KeyEntry>();
        json_schema!({ "type": "array", "items": { "anyOf": [text, object] } })
    }
}
