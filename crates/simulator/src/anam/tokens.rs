//! Session tokens: JWTs that carry a persona and an organisation for an hour.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::rows::AnamRow;

/// How long a token is good for when nothing is asked for.
const LIFETIME: Duration = Duration::from_hours(1);
/// Tokens remembered; the oldest is forgotten first.
const MOST_TOKENS: usize = 10_000;

/// What a token stands for.
#[derive(Clone, Debug)]
pub(crate) struct SessionToken {
    pub(crate) organization: String,
    pub(crate) key_id: String,
    /// The body it was minted with.
    pub(crate) body: Value,
    pub(crate) expires: Timestamp,
}

/// All tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    known: BTreeMap<String, SessionToken>,
    order: VecDeque<String>,
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    account_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// Mints a token for the organisation with this id.
    pub(crate) fn mint(&mut self, token: SessionToken, account_id: &str, now: Timestamp) -> String {
        let is_stateful = token.body.pointer("/personaConfig/personaId").is_some();
        let claims = Claims {
            account_id,
            kind: if is_stateful { "stateful" } else { "ephemeral" },
            jti: uuid::Uuid::now_v7().to_string(),
            iat: now.as_second(),
            exp: token.expires.as_second(),
        };
        let text = jwt(&claims);
        if self.order.len() >= MOST_TOKENS {
            self.order.pop_front().and_then(|oldest| self.known.remove(&oldest));
        }
        self.order.push_back(text.clone());
        self.known.insert(text.clone(), token);
        text
    }

    /// The organisation a token belongs to.
    pub(crate) fn owner(&self, token: &str) -> Option<&str> {
        self.known.get(token).map(|token| token.organization.as_str())
    }

    /// The token, if it is one of ours and still good.
    pub(crate) fn redeem(&self, token: &str, now: Timestamp) -> Result<SessionToken, AnamRow> {
        let token = self.known.get(token).ok_or(AnamRow::InvalidSessionToken)?;
        if token.expires <= now { Err(AnamRow::SessionTokenExpired) } else { Ok(token.clone()) }
    }
}

/// `expiresIn` of a mint: `1h`, `12h`, `1d`, `2d`, `3d`, `1w`, `2w`. `None` for anything else.
pub(crate) fn lifetime(asked: Option<&Value>) -> Option<Duration> {
    let hours = match asked.map(Value::as_str) {
        None => return Some(LIFETIME),
        Some(Some("1h")) => 1,
        Some(Some("12h")) => 12,
        Some(Some("1d")) => 24,
        Some(Some("2d")) => 48,
        Some(Some("3d")) => 72,
        Some(Some("1w")) => 168,
        Some(Some("2w")) => 336,
        Some(_) => return None,
    };
    Some(Duration::from_hours(hours))
}

/// Whether a bearer has the three parts of a JWT.
pub(crate) fn is_jwt(text: &str) -> bool {
    text.split('.').count() == 3
}

fn jwt(claims: &Claims<'_>) -> String {
    let part = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let header = part(serde_json::to_vec(&Header { alg: "HS256", typ: "JWT" }).unwrap_or_default());
    let payload = part(serde_json::to_vec(claims).unwrap_or_default());
    let signature = part(Sha256::digest(format!("simulated {header}.{payload}").as_bytes()).to_vec());
    format!("{header}.{payload}.{signature}")
}
