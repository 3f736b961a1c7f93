//! Asks bots to renew their sessions, or renews them and hands them over.

use std::time::Duration;

use jiff::Timestamp;
use keygate_keeper::{KeeperKind, KeeperSettings, OfficialAccount, Outcome};
use keygate_upstream::ClientUnusable;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::post::{Parcel, Post, Posted};
use crate::token_file::{TokenFile, Tokens};
use crate::{SendTrouble, zalo};

/// Why a bot is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshCall {
    /// Names the call, so that a bot knows one that comes twice.
    pub id: String,
    /// `rate_limited`, `quota_exhausted` or `scheduled`.
    pub reason: String,
    /// Whose limit was met, if one was.
    pub provider: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a bot answers.
#[derive(Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Alive,
    Refreshed,
    NeedsLogin,
}

/// Asks bots. It never leaves its thread, like the HTTP client in it.
#[derive(Clone)]
pub struct BotCaller {
    post: Post,
}

impl BotCaller {
    /// A caller of this thread.
    ///
    /// # Errors
    /// When the platform has no usable certificate store.
    pub fn new() -> Result<Self, ClientUnusable> {
        Post::new().map(|post| Self { post })
    }

    /// Has a session renewed.
    pub async fn renew(&self, keeper: &KeeperSettings, call: &RefreshCall) -> Outcome {
        match &keeper.kind {
            KeeperKind::Http => {
                let credentials = keeper.credentials.as_ref().map(|credentials| credentials.to_json());
                self.ask(keeper, call, credentials).await.unwrap_or_else(|trouble| failed(&trouble))
            }
            KeeperKind::ZaloOa(account) => self.renew_and_hand_over(keeper, account, call).await,
        }
    }

    /// When the token of an official account is to be renewed by itself; at once if there is none.
    pub fn due_in(keeper: &KeeperSettings, now: Timestamp) -> Option<Duration> {
        let KeeperKind::ZaloOa(account) = &keeper.kind else { return None };
        let tokens = TokenFile::at(account.token_file.clone()).read().ok().flatten();
        Some(tokens.map_or(Duration::ZERO, |tokens| tokens.good_for(now)))
    }

    async fn renew_and_hand_over(
        &self,
        keeper: &KeeperSettings,
        account: &OfficialAccount,
        call: &RefreshCall,
    ) -> Outcome {
        let tokens = match zalo::renew(&self.post, account, keeper.timeout, call.at).await {
            Ok(tokens) => tokens,
            Err(outcome) => return outcome,
        };
        let again_in = Some(tokens.good_for(call.at));
        match self.ask(keeper, call, Some(handed_over(&tokens))).await {
            Ok(Outcome::Failed(why)) => Outcome::Failed(format!("the token is renewed and kept, but {why}")),
            Ok(Outcome::NeedsLogin) => Outcome::NeedsLogin,
            Ok(_) => Outcome::Refreshed { again_in },
            Err(trouble) => Outcome::Failed(format!("the token is renewed and kept, but {trouble}")),
        }
    }

    async fn ask(
        &self,
        keeper: &KeeperSettings,
        call: &RefreshCall,
        credentials: Option<Value>,
    ) -> Result<Outcome, SendTrouble> {
        let mut body = json!({
            "event": "session.refresh",
            "id": call.id,
            "reason": call.reason,
            "provider": call.provider,
            "at": call.at.to_string(),
        });
        if let (Some(credentials), Some(fields)) = (credentials, body.as_object_mut()) {
            fields.insert("credentials".to_owned(), credentials);
        }
        let body = body.to_string().into_bytes();
        let parcel = Parcel::json(&keeper.url, body, keeper.timeout).signed(keeper.secret.as_ref(), call.at);
        let host = keeper.url.host_str().unwrap_or_default();
        self.post.send(parcel).await.map(|posted| understood(host, &posted))
    }
}

fn handed_over(tokens: &Tokens) -> Value {
    json!({ "access_token": tokens.access_token.expose(), "expires_at": tokens.expires_at.to_string() })
}

fn failed(trouble: &SendTrouble) -> Outcome {
    Outcome::Failed(trouble.to_string())
}

/// What a bot's answer means.
fn understood(host: &str, posted: &Posted) -> Outcome {
    match posted.status.as_u16() {
        200 => match serde_json::from_slice(&posted.body) {
            Ok(Answer { status: Status::Alive }) => Outcome::Alive,
            Ok(Answer { status: Status::Refreshed }) => Outcome::Refreshed { again_in: None },
            Ok(Answer { status: Status::NeedsLogin }) => Outcome::NeedsLogin,
            Err(_) => Outcome::Failed(format!(
                "{host} answered 200 without a status of alive, refreshed or needs_login"
            )),
        },
        202 => Outcome::Accepted,
        409 => Outcome::Busy,
        401 => Outcome::Failed(format!(
            "{host} does not take the signature; is the secret the same on both sides?"
        )),
        _ => Outcome::Failed(SendTrouble::of_answer(host, posted.status, &posted.body).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn the_answers_of_bots_are_understood() {
        let check = |status: u16, body: &'static str, expected: &str| {
            let posted =
                Posted { status: StatusCode::from_u16(status).unwrap(), body: body.as_bytes().into() };
            assert_eq!(understood("bot", &posted).as_str(), expected, "{status} {body}");
        };
        check(200, r#"{"status":"alive"}"#, "alive");
        check(200, r#"{"status":"refreshed","more":1}"#, "refreshed");
        check(200, r#"{"status":"needs_login"}"#, "needs_login");
        check(200, r#"{"status":"fine"}"#, "failed");
        check(200, "", "failed");
        check(202, "", "accepted");
        check(409, "", "busy");
        check(401, "", "failed");
        check(302, "", "failed");
        check(500, "", "failed");
    }
}
