//! Ephemeral tokens of Live: made with a key, bound to its project.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::error::GoogleError;
use super::generate::body;
use super::prompt::field;
use super::serve::{Gate, framed};
use crate::clock::after;
use crate::wire::{Answer, Call};
use crate::world::Shared;

/// How long a token may start sessions when nothing is asked for.
const NEW_SESSION_WINDOW: Duration = Duration::from_mins(1);
/// Tokens remembered; the oldest is forgotten first.
const MOST_TOKENS: usize = 1000;

struct LiveToken {
    project: String,
    /// `None` is unlimited.
    uses_left: Option<u64>,
    starts_until: Timestamp,
}

/// All tokens by name.
#[derive(Default)]
pub(crate) struct LiveTokens(BTreeMap<String, LiveToken>);

impl LiveTokens {
    /// The project a token opens.
    pub(crate) fn owner(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|token| token.project.as_str())
    }

    /// Takes a use; false when there is none left. A name that is no token costs nothing.
    pub(crate) fn take(&mut self, name: &str, now: Timestamp) -> bool {
        let Some(token) = self.0.get_mut(name) else { return true };
        if token.starts_until <= now || token.uses_left == Some(0) {
            return false;
        }
        token.uses_left = token.uses_left.map(|uses| uses - 1);
        true
    }
}

/// `POST /v1alpha/auth_tokens`
pub(super) fn create(world: &Shared, call: &Call, gate: &Gate<'_>) -> Result<Answer, GoogleError> {
    let body = body(call)?;
    let now = world.clock.now();
    let until = field(&body, "newSessionExpireTime", "new_session_expire_time")
        .and_then(|at| at.as_str()?.parse().ok());
    let uses = body.get("uses").and_then(serde_json::Value::as_u64).unwrap_or(1);
    let name = format!("auth_tokens/{}", uuid::Uuid::now_v7().simple());
    let token = LiveToken {
        project: gate.caller.project.clone(),
        uses_left: (uses > 0).then_some(uses),
        starts_until: until.unwrap_or_else(|| after(now, NEW_SESSION_WINDOW)),
    };
    world.with(|world| {
        let tokens = &mut world.google.tokens.0;
        if tokens.len() >= MOST_TOKENS {
            let oldest =
                tokens.iter().min_by_key(|(_, token)| token.starts_until).map(|(name, _)| name.clone());
            oldest.and_then(|name| tokens.remove(&name));
        }
        tokens.insert(name.clone(), token);
    });
    Ok(framed(Answer::json(200, &json!({"name": name}))))
}
