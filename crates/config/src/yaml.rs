//! The YAML file as a tree of texts that know their place.
//!
//! Scalars are kept as they are written: what `on`, `1.10` or `012` means is decided by the
//! setting it is written for, not by the spelling (the Norway problem).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Empty, Tag, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::problem::{Place, Problem};

/// The configuration file.
#[derive(Debug)]
pub(crate) struct YamlFile {
    path: PathBuf,
    root: Node,
}

#[derive(Debug)]
struct Node {
    line: u64,
    column: u64,
    content: Content,
}

enum Content {
    Nothing,
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Entry>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A text may be a secret.
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        })
    }
}

#[derive(Debug)]
struct Entry {
    line: u64,
    column: u64,
    value: Node,
}

impl YamlFile {
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let options = serde_saphyr::options! { with_snippet: false, emit_comments: false };
        let parsed: Spanned<Parsed> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| syntax_problem(path, &error))?;
        let root = Node::from_parsed(parsed, text);
        match root.content {
            Content::Map(_) | Content::Nothing => Ok(Self { path: path.to_owned(), root }),
            Content::Text(_) | Content::List(_) => Err(Problem {
                place: Place::File { path: path.to_owned(), line: root.line, column: root.column },
                what: "the file is not a mapping of sections".to_owned(),
                remedy: "write sections such as `server:` and `providers:`".to_owned(),
            }),
        }
    }

    pub(crate) fn whole(&self) -> Place {
        Place::WholeFile(self.path.clone())
    }

    pub(crate) fn to_dict(&self) -> Dict {
        self.root.to_value().into_dict().unwrap_or_default()
    }

    /// Where the nearest existing ancestor of `path` is written: the value of a list item or of a
    /// scalar, the name of anything else.
    pub(crate) fn place(&self, path: &[String]) -> Place {
        let mut node = &self.root;
        let mut at = (node.line, node.column);
        for segment in path {
            match &node.content {
                Content::Map(entries) => {
                    let Some(entry) = entries.get(segment) else { break };
                    node = &entry.value;
                    at = match node.content {
                        Content::Text(_) => (node.line, node.column),
                        Content::Nothing | Content::List(_) | Content::Map(_) => (entry.line, entry.column),
                    };
                }
                Content::List(items) => {
                    let Some(item) = segment.parse().ok().and_then(|index: usize| items.get(index)) else {
                        break;
                    };
                    node = item;
                    at = (node.line, node.column);
                }
                Content::Nothing | Content::Text(_) => break,
            }
        }
        Place::File { path: self.path.clone(), line: at.0.max(1), column: at.1.max(1) }
    }

    /// Where the name itself is written, for names that are wrong.
    pub(crate) fn name_place(&self, path: &[String]) -> Place {
        let mut node = &self.root;
        for (depth, segment) in path.iter().enumerate() {
            match &node.content {
                Content::Map(entries) => {
                    let Some(entry) = entries.get(segment) else { break };
                    if depth + 1 == path.len() {
                        return Place::File {
                            path: self.path.clone(),
                            line: entry.line,
                            column: entry.column,
                        };
                    }
                    node = &entry.value;
                }
                Content::List(items) => {
                    let Some(item) = segment.parse().ok().and_then(|index: usize| items.get(index)) else {
                        break;
                    };
                    node = item;
                }
                Content::Nothing | Content::Text(_) => break,
            }
        }
        self.place(path)
    }
}

impl Node {
    fn from_parsed(parsed: Spanned<Parsed>, text: &str) -> Self {
        let content = match parsed.value {
            Parsed::Nothing => Content::Nothing,
            Parsed::Text(text) => Content::Text(text),
            Parsed::Typed(canonical) => {
                Content::Text(written(text, parsed.defined).map_or(canonical, str::to_owned))
            }
            Parsed::List(items) => {
                Content::List(items.into_iter().map(|item| Self::from_parsed(item, text)).collect())
            }
            Parsed::Map(entries) => Content::Map(
                entries.into_iter().map(|(name, value)| Entry::from_parsed(name, value, text)).collect(),
            ),
        };
        Self { line: parsed.referenced.line(), column: parsed.referenced.column(), content }
    }

    fn to_value(&self) -> Value {
        match &self.content {
            Content::Nothing => Value::Empty(Tag::Default, Empty::None),
            Content::Text(text) => Value::from(text.as_str()),
            Content::List(items) => Value::from(items.iter().map(Self::to_value).collect::<Vec<_>>()),
            Content::Map(entries) => Value::Dict(
                Tag::Default,
                entries.iter().map(|(name, entry)| (name.clone(), entry.value.to_value())).collect(),
            ),
        }
    }
}

impl Entry {
    fn from_parsed(name: Spanned<String>, value: Spanned<Parsed>, text: &str) -> (String, Self) {
        let (line, column) = (name.referenced.line(), name.referenced.column());
        (name.value, Self { line, column, value: Node::from_parsed(value, text) })
    }
}

/// A scalar as it is written in the file.
fn written(text: &str, at: Location) -> Option<&str> {
    let start = usize::try_from(at.span().byte_offset()?).ok()?;
    let length = usize::try_from(at.span().byte_len()?).ok()?;
    let written = text.get(start..start.checked_add(length)?)?.trim();
    (!written.is_empty()).then_some(written)
}

/// What to do about words of the parser's, which speak of its grammar.
fn remedy_for(message: &str) -> &'static str {
    let remedies = [
        ("tabs", "indent with spaces, not with tabs"),
        ("mapping values", "write each line as `name: value`, indented alike, and texts with `: ` in quotes"),
        ("quoted scalar", "a quote that is opened before is not closed: close it"),
        ("alias", "put quotes around a text that begins with * or &"),
        ("expected key", "indent it like its neighbours: settings of one section begin in one column"),
        ("simple key expected", "write `name: value`, with a colon and a blank"),
        ("unclosed bracket", "close what is opened here"),
        ("<document start>", "write YAML: `server:`, and its settings further in below it"),
    ];
    let known = remedies.iter().find(|(words, _)| message.contains(words));
    known.map_or("check indentation, quotes and colons around here", |(_, remedy)| remedy)
}

fn syntax_problem(path: &Path, error: &serde_saphyr::Error) -> Problem {
    let place = error.location().map_or_else(
        || Place::WholeFile(path.to_owned()),
        |at| Place::File { path: path.to_owned(), line: at.line(), column: at.column() },
    );
    let error = error.without_snippet();
    let (what, remedy) = if matches!(error, serde_saphyr::Error::DuplicateMappingKey { .. }) {
        ("a name is given twice in one mapping".to_owned(), "keep one of them")
    } else if matches!(error, serde_saphyr::Error::UnknownAnchor { .. }) {
        ("an alias names an anchor that does not exist".to_owned(), "define the anchor before its use")
    } else if matches!(error, serde_saphyr::Error::MultipleDocuments { .. }) {
        ("the file holds several documents".to_owned(), "keep one, without a second `---`")
    } else if let serde_saphyr::Error::ExternalMessage { msg, .. } = error {
        // The parser speaks of its grammar, never of the file's content.
        (format!("this is not readable YAML: {msg}"), remedy_for(msg))
    } else {
        ("this is not readable YAML".to_owned(), remedy_for(""))
    };
    Problem { place, what, remedy: remedy.to_owned() }
}

/// A node as the YAML library hands it out.
enum Parsed {
    Nothing,
    Text(String),
    /// A plain scalar the library took for a number or a truth value, and its canonical text.
    Typed(String),
    List(Vec<Spanned<Parsed>>),
    Map(Vec<(Spanned<String>, Spanned<Parsed>)>),
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Nothing)
    }

    fn visit_none<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parsed, E> {
        Ok(Parsed::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Typed(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Parsed::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parsed, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Parsed::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    fn value_of(scalar: &str) -> Option<String> {
        let file = YamlFile::parse(Path::new("k.yaml"), &format!("# ü\na: {scalar} # x\nb: 1\n")).unwrap();
        file.to_dict().get("a").unwrap().as_str().map(str::to_owned)
    }

    #[rstest]
    #[case("on", "on")]
    #[case("no", "no")]
    #[case("1.10", "1.10")]
    #[case("012", "012")]
    #[case("0x1F", "0x1F")]
    #[case("1_000", "1_000")]
    #[case("-5", "-5")]
    #[case("1e3", "1e3")]
    #[case("true", "true")]
    #[case("'null'", "null")]
    #[case("\"20\"", "20")]
    #[case("110MiB", "110MiB")]
    fn scalars_stay_as_they_are_written(#[case] scalar: &str, #[case] kept: &str) {
        assert_eq!(value_of(scalar).as_deref(), Some(kept));
    }

    #[rstest]
    #[case("null")]
    #[case("~")]
    #[case("")]
    fn nothing_is_nothing(#[case] scalar: &str) {
        assert_eq!(value_of(scalar), None);
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let text = "a: &a {x: on, y: 1.10}\nb:\n  <<: *a\n  y: 3\n";
        let dict = YamlFile::parse(Path::new("k.yaml"), text).unwrap().to_dict();
        let value = Value::from(dict);
        assert_eq!(value.find_ref("b.x").unwrap().as_str(), Some("on"));
        assert_eq!(value.find_ref("b.y").unwrap().as_str(), Some("3"));
    }

    #[rstest]
    #[case("server.bind", "k.yaml:2:9")]
    #[case("server.missing", "k.yaml:1:1")]
    #[case("list.1", "k.yaml:5:5")]
    #[case("list.1.deep", "k.yaml:5:5")]
    #[case("server", "k.yaml:1:1")]
    fn places_point_at_the_value_or_its_nearest_parent(#[case] at: &str, #[case] place: &str) {
        let text = "server:\n  bind: x\nlist:\n  - one\n  - two\n";
        let file = YamlFile::parse(Path::new("k.yaml"), text).unwrap();
        assert_eq!(file.place(&path(at)).to_string(), place);
    }

    #[rstest]
    #[case("a: 1\na: 2\n", "k.yaml:2:1: a name is given twice")]
    #[case("a: [1\nb: 2\n", "k.yaml:2:")]
    #[case("- a\n", "k.yaml:1:1: the file is not a mapping")]
    #[case("a: *x\n", "k.yaml:1:4: an alias names")]
    #[case("a: 1\n---\nb: 1\n", "several documents")]
    fn unreadable_files_say_where(#[case] text: &str, #[case] expected: &str) {
        let problem = YamlFile::parse(Path::new("k.yaml"), text).unwrap_err().to_string();
        assert!(problem.contains(expected), "{problem}");
    }

    #[test]
    fn an_empty_file_says_nothing() {
        let file = YamlFile::parse(Path::new("k.yaml"), "# only a comment\n").unwrap();
        assert!(file.to_dict().is_empty());
    }
}
