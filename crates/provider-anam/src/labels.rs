//! Labels: how a session is found whose start was never answered.
//!
//! A session has no name before its start is answered, but it has the `clientLabel` of the start or of the token's
//! mint, and sessions can be searched by that (facts/anam.md A5). So both are marked with a word of the request's
//! own, behind whatever the caller calls them.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use keygate_domain::{Access, Intent, Keepsake, Resource};
use keygate_provider::{Inbound, LostStart, OwnCall};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::routes::{MINT_SESSION_TOKEN, SESSION, SESSIONS_PATH, START_SESSION, START_TIMEOUT};

const FIELD: &str = "clientLabel";

/// What every mark begins with.
const PREFIX: &str = "kg-";

/// How much longer than a start may take it is waited until its answer is known here.
const MARGIN: Duration = Duration::from_secs(2);

/// The mark of a request.
fn mark(request_id: &str) -> String {
    let digest = Sha256::digest(request_id.as_bytes());
    digest[..8].iter().fold(PREFIX.to_owned(), |mut mark, byte| {
        // Writing to a String cannot fail.
        let _ = write!(mark, "{byte:02x}");
        mark
    })
}

/// The body with the mark of its request, if that starts a session or will. A session that is started with a
/// token is called as that was minted.
pub(crate) fn marked(intent: &Intent, inbound: &Inbound<'_>, body: Bytes) -> Bytes {
    let starts = intent.operation == START_SESSION && intent.access == Access::Token;
    if starts || intent.operation == MINT_SESSION_TOKEN { with_mark(inbound, body) } else { body }
}

/// The body with the mark of the request, in the place of any other mark. Every other byte stays as it is where
/// the caller gave no label.
pub(crate) fn with_mark(inbound: &Inbound<'_>, body: Bytes) -> Bytes {
    let mark = mark(inbound.request_id);
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body) else { return body };
    let label = match fields.get(FIELD) {
        None => return before_all_others(&format!("\"{FIELD}\":\"{mark}\""), fields.is_empty(), body),
        Some(Value::Null) => mark,
        Some(Value::String(given)) => {
            let others = given.split(' ').filter(|word| !is_mark(word));
            others.chain([mark.as_str()]).collect::<Vec<_>>().join(" ")
        }
        // The caller's mistake, for Anam to tell.
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => return body,
    };
    fields.insert(FIELD.to_owned(), Value::String(label));
    Bytes::from(Value::Object(fields).to_string())
}

/// An object with one member more.
fn before_all_others(member: &str, is_only_one: bool, object: Bytes) -> Bytes {
    let Some(opens) = object.iter().position(|byte| *byte == b'{') else { return object };
    let (head, rest) = object.split_at(opens + 1);
    let comma: &[u8] = if is_only_one { b"" } else { b"," };
    Bytes::from([head, member.as_bytes(), comma, rest].concat())
}

/// The mark alone, as a body.
pub(crate) fn only_mark(inbound: &Inbound<'_>) -> Bytes {
    with_mark(inbound, Bytes::from_static(b"{}"))
}

/// How to look for the session of a start that was not answered: by the mark of its token where it was started
/// with that, else by its own.
pub(crate) fn lost_start(intent: &Intent, request_id: &str, kept: Option<&Keepsake>) -> Option<LostStart> {
    if intent.operation != START_SESSION {
        return None;
    }
    let label = match kept {
        Some(kept) => mark_in(kept.bytes())?,
        None => mark(request_id),
    };
    let query = Some(format!("search={label}&perPage=100"));
    let search = OwnCall { method: Method::GET, path: SESSIONS_PATH.to_owned(), query, body: Bytes::new() };
    Some(LostStart { label, search, settles_in: START_TIMEOUT + MARGIN })
}

/// The sessions of a list that bear a label and have not ended. The search is Anam's and may find more.
pub(crate) fn running(label: &str, list: &[u8]) -> Option<Vec<Resource>> {
    let list: Value = serde_json::from_slice(list).ok()?;
    let is_meant = |session: &&Value| {
        let name = session.get(FIELD).and_then(Value::as_str).unwrap_or_default();
        name.split(' ').any(|word| word == label) && session.get("endTime").is_none_or(Value::is_null)
    };
    let sessions = list.get("data")?.as_array()?.iter().filter(is_meant);
    let ids = sessions.filter_map(|session| session.get("id")?.as_str());
    Some(ids.map(|id| Resource::new(SESSION, id)).collect())
}

fn mark_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get(FIELD)?.as_str()?.split(' ').find(|word| is_mark(word)).map(str::to_owned)
}

fn is_mark(word: &str) -> bool {
    let digits = word.strip_prefix(PREFIX);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use keygate_provider::Origin;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// printf order-17 | sha256sum
    const MARK: &str = "kg-72a90ea3da8b5dd0";

    fn sent(body: &str) -> String {
        let inbound = Inbound {
            method: &Method::POST,
            path: "/v1/engine/session",
            query: None,
            headers: &HeaderMap::new(),
            body: &Bytes::new(),
            origin: Origin::INSIDE,
            request_id: "order-17",
        };
        String::from_utf8(with_mark(&inbound, Bytes::from(body.to_owned())).to_vec()).unwrap()
    }

    #[rstest]
    #[case::none(r#" { "a": 1.0 }"#, r#" {"clientLabel":"MARK", "a": 1.0 }"#)]
    #[case::empty("{}", r#"{"clientLabel":"MARK"}"#)]
    #[case::null(r#"{"clientLabel":null}"#, r#"{"clientLabel":"MARK"}"#)]
    #[case::callers(r#"{"clientLabel":"my lab"}"#, r#"{"clientLabel":"my lab MARK"}"#)]
    #[case::earlier(r#"{"clientLabel":"lab kg-0123456789abcdef"}"#, r#"{"clientLabel":"lab MARK"}"#)]
    #[case::inner(r#"{"a":{"clientLabel":"x"}}"#, r#"{"clientLabel":"MARK","a":{"clientLabel":"x"}}"#)]
    #[case::number(r#"{"clientLabel":7}"#, r#"{"clientLabel":7}"#)]
    #[case::array("[]", "[]")]
    #[case::nothing("", "")]
    #[case::html("<html>", "<html>")]
    fn a_body_is_marked_behind_what_its_caller_calls_it(#[case] body: &str, #[case] expected: &str) {
        assert_eq!(sent(body), expected.replace("MARK", MARK));
        let read = |body: &str| serde_json::from_str::<Value>(body).ok();
        assert_eq!(read(&sent(&sent(body))), read(&sent(body)), "once is enough");
    }

    #[test]
    fn what_runs_under_a_label_is_found_in_a_list() {
        let session =
            |id: &str, label: &str, ended: Value| json!({"id": id, "clientLabel": label, "endTime": ended});
        let list = json!({"data": [
            session("a", &format!("lab {MARK}"), Value::Null),
            session("b", MARK, Value::Null),
            session("over", MARK, json!("2026-11-20T12:00:00Z")),
            session("longer", &format!("{MARK}0"), Value::Null),
            {"id": "nameless", "clientLabel": null},
        ], "meta": {}});
        let found = running(MARK, list.to_string().as_bytes()).unwrap();
        let found: Vec<&str> = found.iter().map(|session| &*session.name).collect();
        assert_eq!(found, ["a", "b"]);
        assert_eq!(running(MARK, b"<html>"), None);
        assert_eq!(running(MARK, b"{}"), None, "an answer without a list says nothing");
    }
}
