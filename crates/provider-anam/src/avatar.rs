//! The token for an avatar session, asked for in the gateway's own words.

use bytes::Bytes;
use http::Method;
use keygate_domain::ErrorKind;
use keygate_provider::{CallRejected, OwnCall};
use serde_json::{Map, Value, json};

use crate::routes::MINT_PATH;

/// What belongs beside the persona in a mint: Anam's name, and the gateway's.
const BESIDE: [(&str, &str); 4] = [
    ("clientLabel", "client_label"),
    ("sessionOptions", "session_options"),
    ("expiresIn", "expires_in"),
    ("environment", "environment"),
];

/// What is the gateway's own in a wish.
const OURS: [&str; 2] = ["user_id", "userId"];

/// The mint for the avatar that `wish` describes: by `persona` (an object, or the id or name of a persona),
/// by `persona_id`, by Anam's `personaConfig`, or by the fields of a persona themselves.
///
/// # Errors
/// `BadRequest` when there is none of them.
pub(crate) fn mint(wish: &Value) -> Result<OwnCall, CallRejected> {
    let Value::Object(wish) = wish else { return Err(no_persona()) };
    let mut body = Map::new();
    body.insert("personaConfig".to_owned(), persona(wish).ok_or_else(no_persona)?);
    for (name, ours) in BESIDE {
        if let Some(value) = wish.get(name).or_else(|| wish.get(ours)).filter(|value| !value.is_null()) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    let body = Bytes::from(Value::Object(body).to_string());
    Ok(OwnCall { method: Method::POST, path: MINT_PATH.to_owned(), query: None, body })
}

fn persona(wish: &Map<String, Value>) -> Option<Value> {
    let first =
        |names: [&str; 2]| names.into_iter().find_map(|name| wish.get(name)).filter(|it| !it.is_null());
    if let Some(persona) = first(["personaConfig", "persona_config"]).or_else(|| wish.get("persona")) {
        return match persona {
            Value::Object(fields) if !fields.is_empty() => Some(persona.clone()),
            Value::String(id) if !id.is_empty() => Some(json!({ "personaId": id })),
            Value::Object(_)
            | Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_) => None,
        };
    }
    if let Some(id) = first(["personaId", "persona_id"]) {
        return id.as_str().filter(|id| !id.is_empty()).map(|id| json!({ "personaId": id }));
    }
    let is_beside = |name: &str| BESIDE.iter().any(|(anams, ours)| name == *anams || name == *ours);
    let fields = wish.iter().filter(|(name, _)| !is_beside(name) && !OURS.contains(&name.as_str()));
    let fields: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

fn no_persona() -> CallRejected {
    CallRejected::new(
        ErrorKind::BadRequest,
        "the body must say which avatar: {\"persona\": {\"avatarId\": …, \"voiceId\": …}} or \
         {\"persona_id\": \"…\"}",
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(json!({"persona": {"avatarId": "a"}}), json!({"personaConfig": {"avatarId": "a"}}))]
    #[case(json!({"persona": "p1"}), json!({"personaConfig": {"personaId": "p1"}}))]
    #[case(json!({"persona_id": "p1", "user_id": "u"}), json!({"personaConfig": {"personaId": "p1"}}))]
    #[case(json!({"personaId": "p1"}), json!({"personaConfig": {"personaId": "p1"}}))]
    #[case(json!({"personaConfig": {"name": "x"}, "clientLabel": "lab"}), json!({"personaConfig": {"name": "x"}, "clientLabel": "lab"}))]
    #[case(json!({"avatarId": "a", "voiceId": "v", "client_label": "lab", "user_id": "u", "session_options": {"videoQuality": "high"}}),
        json!({"personaConfig": {"avatarId": "a", "voiceId": "v"}, "clientLabel": "lab", "sessionOptions": {"videoQuality": "high"}}))]
    fn a_wish_becomes_a_mint(#[case] wish: Value, #[case] expected: Value) {
        let call = mint(&wish).unwrap();
        assert_eq!((call.method, call.path.as_str()), (Method::POST, "/v1/auth/session-token"));
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({}))]
    #[case(json!([]))]
    #[case(json!("p1"))]
    #[case(json!({"persona": ""}))]
    #[case(json!({"persona": 7}))]
    #[case(json!({"persona": {}}))]
    #[case(json!({"persona_id": 7}))]
    #[case(json!({"user_id": "u", "client_label": "lab"}))]
    fn a_wish_without_an_avatar_is_none(#[case] wish: Value) {
        assert_eq!(mint(&wish).unwrap_err().kind, ErrorKind::BadRequest);
    }
}
