//! What a generating request says, and what the simulated model replies.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

/// Most events of one stream.
const MOST_PIECES: usize = 10_000;
/// Characters of the user's text that are said back.
const MOST_ECHOED_CHARS: usize = 2000;
/// What an image, a file or another part that is not text counts.
const TOKENS_OF_MEDIA: u64 = 258;

/// A request, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Prompt {
    /// The text of the last turn of the user.
    pub(crate) text: String,
    pub(crate) tokens: u64,
    /// `files/…` ids named anywhere.
    pub(crate) files: Vec<String>,
    /// `cachedContents/…` id named.
    pub(crate) cache: Option<String>,
    /// Stores that a tool is to search.
    pub(crate) stores: Vec<String>,
    /// The token of an answer that is to be gone on with.
    pub(crate) continuation: Option<String>,
}

impl Prompt {
    /// Reads `contents`, `systemInstruction` and `cachedContent`, in either spelling.
    pub(crate) fn of(body: &Value) -> Self {
        let mut prompt = Self::default();
        let contents = body.get("contents").map(listed).unwrap_or_default();
        for content in &contents {
            prompt.take(content);
        }
        for name in ["systemInstruction", "system_instruction"] {
            body.get(name).iter().for_each(|content| prompt.take(content));
        }
        if let Some(last) = contents.iter().rfind(|content| is_users(content)) {
            prompt.text = text_of(last);
        }
        prompt.cache = field(body, "cachedContent", "cached_content").and_then(Value::as_str).map(bare_cache);
        let continuation = field(body, "continuationToken", "continuation_token");
        prompt.continuation = continuation.and_then(Value::as_str).map(str::to_owned);
        for tool in body.get("tools").map(listed).unwrap_or_default() {
            let names = field(tool, "fileSearch", "file_search")
                .and_then(|search| field(search, "fileSearchStoreNames", "file_search_store_names"));
            prompt.stores.extend(
                names
                    .map(listed)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|name| Some(name.as_str()?.to_owned())),
            );
        }
        prompt.tokens = prompt.tokens.max(1);
        prompt
    }

    fn take(&mut self, content: &Value) {
        if let Some(text) = content.as_str() {
            self.tokens += tokens_of(text);
        }
        for part in parts_of(content) {
            match part.get("text").and_then(Value::as_str) {
                Some(text) => self.tokens += tokens_of(text),
                None => self.tokens += TOKENS_OF_MEDIA,
            }
            let file =
                field(part, "fileData", "file_data").and_then(|file| field(file, "fileUri", "file_uri"));
            self.files.extend(file.and_then(Value::as_str).and_then(file_id));
        }
    }
}

/// A token per four characters, at least one for any text.
pub(crate) fn tokens_of(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

/// A field in either spelling of proto3 JSON.
pub(crate) fn field<'a>(value: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    value.get(camel).or_else(|| value.get(snake))
}

fn listed(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

fn parts_of(content: &Value) -> Vec<&Value> {
    content.get("parts").map(listed).unwrap_or_default()
}

fn is_users(content: &Value) -> bool {
    content.get("role").and_then(Value::as_str).is_none_or(|role| role == "user")
}

/// All text of a content, joined.
pub(crate) fn text_of(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    parts_of(content).iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("")
}

/// `https://…/v1beta/files/abc` or `files/abc` → `abc`. Other URIs name no file of ours.
fn file_id(uri: &str) -> Option<String> {
    let (_, id) = uri.rsplit_once("files/")?;
    Some(id.split(['?', ':']).next().unwrap_or(id).to_owned())
}

fn bare_cache(name: &str) -> String {
    name.strip_prefix("cachedContents/").unwrap_or(name).to_owned()
}

/// What the model says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reply {
    /// The text, in the pieces a stream sends.
    pub(crate) pieces: Vec<String>,
    /// Real time between two pieces.
    pub(crate) pause: Option<Duration>,
    pub(crate) thoughts: u64,
    pub(crate) finish: String,
    /// Why the prompt was blocked; there are no candidates then.
    pub(crate) blocked: Option<String>,
    /// The token to go on with, where this is not all.
    pub(crate) continuation: Option<String>,
}

impl Reply {
    /// The reply to a text. It says the text back, unless the text begins with a direction:
    /// `stream 50` (so many events), `stream 50 every 20ms`, `think 12` (so many tokens of thought),
    /// `finish SAFETY` (that reason), `block SAFETY` (a blocked prompt); and `continue 3` is answered in so many
    /// hops.
    pub(crate) fn to(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().take(5).collect();
        let said = Self::saying(text);
        match words.as_slice() {
            ["stream", count] => Self { pieces: numbered(count).unwrap_or(said.pieces), ..Self::saying("") },
            ["stream", count, "every", pause] => {
                let pause = pause.parse::<SignedDuration>().ok().and_then(|pause| pause.try_into().ok());
                Self { pieces: numbered(count).unwrap_or(said.pieces), pause, ..Self::saying("") }
            }
            ["think", count, ..] => Self { thoughts: count.parse().unwrap_or(0), ..said },
            ["finish", reason] => Self { finish: (*reason).to_owned(), ..said },
            ["block", reason] => Self { pieces: Vec::new(), blocked: Some((*reason).to_owned()), ..said },
            _ => said,
        }
    }

    fn saying(text: &str) -> Self {
        let echoed: String = text.chars().take(MOST_ECHOED_CHARS).collect();
        Self {
            pieces: vec!["You ".to_owned(), "said: ".to_owned(), echoed],
            finish: "STOP".to_owned(),
            ..Self::default()
        }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }
}

fn numbered(count: &str) -> Option<Vec<String>> {
    let count = count.parse::<usize>().ok().filter(|count| *count > 0)?.min(MOST_PIECES);
    Some((1..=count).map(|number| format!("event {number} of {count}\n")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_text_of_the_user_and_every_reference_is_read() {
        let prompt = Prompt::of(&json!({
            "contents": [
                {"role": "user", "parts": [{"text": "first"}, {"fileData": {"fileUri": "https://h/v1beta/files/abc"}}]},
                {"role": "user", "parts": [{"text": "last"}, {"file_data": {"file_uri": "files/def"}}]},
                {"role": "model", "parts": [{"text": "answer"}]},
            ],
            "cached_content": "cachedContents/c1",
        }));
        assert_eq!(prompt.text, "last");
        assert_eq!(prompt.files, ["abc", "def"]);
        assert_eq!(prompt.cache.as_deref(), Some("c1"));
        assert_eq!(prompt.tokens, 2 + 1 + 2 + 2 * TOKENS_OF_MEDIA);
    }

    #[test]
    fn directions_change_the_reply() {
        assert_eq!(Reply::to("hello").text(), "You said: hello");
        assert_eq!(Reply::to("stream 50").pieces.len(), 50);
        assert_eq!(Reply::to("stream 2 every 20ms").pause, Some(Duration::from_millis(20)));
        assert_eq!(Reply::to("stream of thought").text(), "You said: stream of thought");
        assert_eq!(Reply::to("think 12 hard").thoughts, 12);
        assert_eq!(Reply::to("finish SAFETY").finish, "SAFETY");
        assert_eq!(Reply::to("block OTHER").blocked.as_deref(), Some("OTHER"));
    }
}
