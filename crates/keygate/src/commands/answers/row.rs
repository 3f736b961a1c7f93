//! One row of a file with answers: what it may say, and what is wrong with it.

use keygate_domain::{StoredAnswer, words};
use keygate_provider::Adapter;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// Most phrases of one answer.
const MOST_PHRASES: usize = 100;
/// Longest phrase, in characters.
const MAX_PHRASE_CHARS: usize = 500;
/// Longest reply, in bytes.
const MAX_REPLY_BYTES: usize = 32 * 1024;

/// What a row may say.
const FIELDS: [&str; 7] = ["id", "match", "language", "reply", "provider", "model", "enabled"];

/// Reads a row.
///
/// # Errors
/// The first thing that is wrong with it, in words.
pub(super) fn read(row: &Value, catalogue: &[Adapter]) -> Result<StoredAnswer, String> {
    let row = row.as_object().ok_or("is no row: write `match:` and `reply:`, at least")?;
    if let Some(unknown) = row.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(format!("`{}` is not known; a row has {}", shown(unknown), FIELDS.join(", ")));
    }
    let phrases = phrases(row.get("match").unwrap_or(&Value::Null))?;
    let reply = text(row, "reply")?.ok_or("`reply` is missing")?;
    if reply.len() > MAX_REPLY_BYTES {
        return Err(format!("`reply` is longer than {MAX_REPLY_BYTES} bytes"));
    }
    let language = text(row, "language")?.map(|language| tag(&language)).transpose()?;
    let id = match text(row, "id")? {
        Some(id) => own_id(id)?,
        None => made_id(&phrases, language.as_deref()),
    };
    Ok(StoredAnswer {
        id,
        phrases,
        language,
        reply,
        provider: text(row, "provider")?.map(|name| provider(&name, catalogue)).transpose()?,
        model: text(row, "model")?.map(|name| model(&name)).transpose()?,
        enabled: enabled(row.get("enabled").unwrap_or(&Value::Null))?,
    })
}

/// A field that is a text, or a number that somebody meant as one; nothing if it says nothing.
fn text(row: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    let text = match row.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(format!("`{name}` must be a text: put quotes around it"));
        }
    };
    if text.contains('\0') {
        return Err(format!("`{name}` contains a NUL character"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn phrases(given: &Value) -> Result<Vec<String>, String> {
    let given = given.as_array().map_or(std::slice::from_ref(given), Vec::as_slice);
    let mut phrases = Vec::new();
    for phrase in given {
        let row = Map::from_iter([("match".to_owned(), phrase.clone())]);
        let phrase = text(&row, "match")?.ok_or("`match` is missing or empty")?;
        if phrase.chars().count() > MAX_PHRASE_CHARS {
            return Err(format!("`match` has a phrase of more than {MAX_PHRASE_CHARS} characters"));
        }
        if phrase != StoredAnswer::ANYTHING && words(&phrase).is_empty() {
            return Err(format!("`match` has a phrase without a word: {}", shown(&phrase)));
        }
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    match phrases.len() {
        0 => Err("`match` is missing or empty".to_owned()),
        count if count > MOST_PHRASES => Err(format!("`match` has more than {MOST_PHRASES} phrases")),
        _ => Ok(phrases),
    }
}

fn tag(language: &str) -> Result<String, String> {
    let tag = language.to_ascii_lowercase().replace('_', "-");
    let is_part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = tag.split('-').next().unwrap_or_default();
    let is_tag = (2..=3).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag.split('-').all(is_part);
    if is_tag {
        Ok(tag)
    } else {
        Err(format!("`language` is no language, such as en or pt-br: {}", shown(language)))
    }
}

fn own_id(id: String) -> Result<String, String> {
    let is_id = id.len() <= MAX_ID_BYTES && !id.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_id { Ok(id) } else { Err(format!("`id` may hold at most {MAX_ID_BYTES} bytes and no spaces")) }
}

/// The same phrases in the same language are the same answer, whatever it says.
fn made_id(phrases: &[String], language: Option<&str>) -> String {
    let mut digest = Sha256::new();
    for part in phrases.iter().map(String::as_str).chain([language.unwrap_or_default()]) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.to_lowercase());
    }
    let sum = digest.finalize();
    sum.iter().take(6).fold("a-".to_owned(), |id, byte| id + &format!("{byte:02x}"))
}

fn provider(name: &str, catalogue: &[Adapter]) -> Result<String, String> {
    let found =
        catalogue.iter().find(|adapter| adapter.name.as_str() == name || adapter.aliases.contains(&name));
    let known = || catalogue.iter().map(|adapter| adapter.name.as_str()).collect::<Vec<_>>().join(", ");
    found
        .map(|adapter| adapter.name.as_str().to_owned())
        .ok_or_else(|| format!("`provider` is none that is known ({}): {}", known(), shown(name)))
}

fn model(name: &str) -> Result<String, String> {
    let short = name.strip_prefix("models/").unwrap_or(name);
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    if short.len() <= 256 && short.bytes().all(is_fit) {
        Ok(short.to_owned())
    } else {
        Err(format!("`model` is not the name of a model: {}", shown(name)))
    }
}

fn enabled(value: &Value) -> Result<bool, String> {
    let text = match value {
        Value::Null => return Ok(true),
        Value::Bool(enabled) => return Ok(*enabled),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => String::new(),
    };
    match text.as_str() {
        "" if value.is_string() => Ok(true),
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("`enabled` must be true or false".to_owned()),
    }
}

/// What somebody wrote, on a terminal.
fn shown(text: &str) -> String {
    let plain: String = text.chars().filter(|character| !character.is_control()).take(40).collect();
    format!("\"{plain}\"")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::CATALOGUE;

    #[test]
    fn a_row_is_read_as_it_is_meant() {
        let answer = read(&json!({"match": "opening hours", "reply": "From 8 to 5."}), CATALOGUE).unwrap();
        assert_eq!((answer.phrases.as_slice(), answer.enabled), (&["opening hours".to_owned()][..], true));
        assert_eq!((answer.language.as_deref(), answer.provider.as_deref()), (None, None));
        assert!(answer.id.starts_with("a-"), "{}", answer.id);
        let whole = json!({"id": 7, "match": [" a ", "b", "a"], "language": "pt_BR", "reply": "x", "provider": "gemini",
                           "model": "models/m", "enabled": "no"});
        let answer = read(&whole, CATALOGUE).unwrap();
        assert_eq!((answer.id.as_str(), answer.phrases.join(" ")), ("7", "a b".to_owned()));
        assert_eq!((answer.language.as_deref(), answer.provider.as_deref()), (Some("pt-br"), Some("google")));
        assert_eq!((answer.model.as_deref(), answer.enabled), (Some("m"), false));
    }

    #[test]
    fn the_same_phrases_in_the_same_language_are_the_same_answer() {
        let id = |row: Value| read(&row, CATALOGUE).unwrap().id;
        let one = id(json!({"match": ["Hours", "open"], "language": "en", "reply": "x"}));
        assert_eq!(one, id(json!({"match": ["hours", "open"], "language": "EN", "reply": "y"})));
        assert_ne!(one, id(json!({"match": ["hours", "open"], "language": "id", "reply": "x"})));
        assert_ne!(one, id(json!({"match": ["hoursopen"], "language": "en", "reply": "x"})));
    }

    #[test]
    fn what_is_wrong_with_a_row_is_told() {
        let check = |row: Value, why: &str| {
            let told = read(&row, CATALOGUE).unwrap_err();
            assert!(told.contains(why), "{row}: {told}");
        };
        check(json!("x"), "no row");
        check(json!({"reply": "x"}), "`match` is missing");
        check(json!({"match": [], "reply": "x"}), "`match` is missing");
        check(json!({"match": ["a", ""], "reply": "x"}), "`match` is missing");
        check(json!({"match": "?!", "reply": "x"}), "without a word");
        check(json!({"match": {"a": 1}, "reply": "x"}), "`match` must be a text");
        check(json!({"match": "x".repeat(501), "reply": "x"}), "500 characters");
        check(json!({"match": "a"}), "`reply` is missing");
        check(json!({"match": "a", "reply": " "}), "`reply` is missing");
        check(json!({"match": "a", "reply": "x\u{0}"}), "NUL");
        check(json!({"match": "a", "reply": "x".repeat(40_000)}), "longer than");
        check(json!({"match": "a", "reply": "x", "language": "english"}), "no language");
        check(json!({"match": "a", "reply": "x", "provider": "gogle"}), "google");
        check(json!({"match": "a", "reply": "x", "model": "a b"}), "`model`");
        check(json!({"match": "a", "reply": "x", "enabled": "maybe"}), "true or false");
        check(json!({"match": "a", "reply": "x", "answer": "y"}), "`\"answer\"` is not known");
        check(json!({"id": "a b", "match": "a", "reply": "x"}), "no spaces");
    }
}
