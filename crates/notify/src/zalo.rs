//! The tokens of an official account of Zalo (OAuth v4).
//!
//! A refresh token is good for one use. So there is room on the disk before it is used, and what comes for it is
//! on the disk before anybody gets it.

use std::time::Duration;

use jiff::Timestamp;
use keygate_domain::ApiKey;
use keygate_keeper::{OfficialAccount, Outcome};
use serde_json::Value;
use url::form_urlencoded;

use crate::post::{Parcel, Post};
use crate::token_file::{TokenFile, Tokens, expiry};

/// Where tokens are renewed, below the endpoint.
const PATH: &str = "v4/oa/access_token";

/// Answers to a use take as long as they take: one that is given up may have used the token up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an access token is good where the answer does not say: 25 h is what the provider states.
const USUAL_SECONDS: i64 = 90_000;

/// The refresh token was used, or is too old.
const INVALID_REFRESH_TOKEN: i64 = -14014;

/// Gets other tokens and keeps them.
///
/// # Errors
/// What else came of it.
pub(crate) async fn renew(
    post: &Post,
    account: &OfficialAccount,
    timeout: Duration,
    now: Timestamp,
) -> Result<Tokens, Outcome> {
    let file = TokenFile::at(account.token_file.clone());
    let refresh_token = current(&file, account)?;
    match used(post, account, &file, &refresh_token, timeout, now).await {
        Err(Outcome::NeedsLogin) => {
            // Somebody else may have used it meanwhile, and kept what came for it.
            let other = current(&file, account)?;
            if other == refresh_token {
                return Err(Outcome::NeedsLogin);
            }
            used(post, account, &file, &other, timeout, now).await
        }
        renewed => renewed,
    }
}

/// The refresh token to use next: the one that was kept, else the first one.
fn current(file: &TokenFile, account: &OfficialAccount) -> Result<ApiKey, Outcome> {
    let kept = file.read().map_err(|trouble| Outcome::Failed(trouble.to_string()))?;
    let token = kept.map(|tokens| tokens.refresh_token).or_else(|| account.refresh_token.clone());
    token.ok_or(Outcome::NeedsLogin)
}

async fn used(
    post: &Post,
    account: &OfficialAccount,
    file: &TokenFile,
    refresh_token: &ApiKey,
    timeout: Duration,
    now: Timestamp,
) -> Result<Tokens, Outcome> {
    let room = file.prepare().map_err(|trouble| Outcome::Failed(trouble.to_string()))?;
    let base = account.endpoint.as_str().trim_end_matches('/');
    let url = format!("{base}/{PATH}").parse();
    let url = url.map_err(|_no_url| Outcome::Failed("the endpoint is no address".to_owned()))?;
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("refresh_token", refresh_token.expose())
        .append_pair("app_id", &account.app_id)
        .append_pair("grant_type", "refresh_token")
        .finish();
    let parcel = Parcel {
        url: &url,
        content_type: "application/x-www-form-urlencoded",
        headers: vec![("secret_key", account.app_secret.expose().to_owned())],
        body: form.into_bytes(),
        patience: timeout.max(PATIENCE),
    };
    let posted = post.send(parcel).await.map_err(|trouble| Outcome::Failed(trouble.to_string()))?;
    let tokens = understood(&posted.body, now)?;
    room.keep(&tokens).map_err(|trouble| {
        Outcome::Failed(format!("{trouble}; the token in use is spent, and the next one could not be kept"))
    })?;
    Ok(tokens)
}

/// What was answered. Errors come with a status of success, too: only a token is one.
fn understood(body: &[u8], now: Timestamp) -> Result<Tokens, Outcome> {
    let answer: Value = serde_json::from_slice(body)
        .map_err(|_no_json| Outcome::Failed("the OAuth endpoint answered no JSON".to_owned()))?;
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty());
    if let (Some(access), Some(refresh)) = (text("access_token"), text("refresh_token")) {
        let seconds = &answer["expires_in"];
        let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.trim().parse().ok());
        let expires_at = expiry(now, seconds.filter(|seconds| *seconds > 0).unwrap_or(USUAL_SECONDS));
        let (access_token, refresh_token) = (ApiKey::new(access), ApiKey::new(refresh));
        return Ok(Tokens { access_token, refresh_token, expires_at, obtained_at: now });
    }
    let code = answer["error"].as_i64();
    if code == Some(INVALID_REFRESH_TOKEN) {
        return Err(Outcome::NeedsLogin);
    }
    let code = code.map_or_else(|| "no token".to_owned(), |code| format!("error {code}"));
    let name = text("error_name").map(|name| format!(" ({name})")).unwrap_or_default();
    Err(Outcome::Failed(format!("the OAuth endpoint answered {code}{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Tokens, Outcome> {
        understood(body.as_bytes(), Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn tokens_are_read_whatever_the_shape_of_their_time() {
        for (expires_in, at) in [(r#""90000""#, 91_000), ("3600", 4_600), (r#""soon""#, 91_000)] {
            let body = format!(r#"{{"access_token":"a","refresh_token":"r","expires_in":{expires_in}}}"#);
            let tokens = read(&body).unwrap();
            assert_eq!(tokens.expires_at.as_second(), at);
            assert_eq!((tokens.access_token.expose(), tokens.refresh_token.expose()), ("a", "r"));
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let invalid = r#"{"error":-14014,"error_name":"Invalid refresh token"}"#;
        assert_eq!(read(invalid), Err(Outcome::NeedsLogin));
        let other = read(r#"{"error":-14003,"error_name":"Invalid parameter"}"#);
        let words = "the OAuth endpoint answered error -14003 (Invalid parameter)";
        assert_eq!(other, Err(Outcome::Failed(words.to_owned())));
        assert!(matches!(read("<html>"), Err(Outcome::Failed(_))));
        assert!(matches!(read(r#"{"access_token":"a"}"#), Err(Outcome::Failed(_))), "half of it is nothing");
    }
}
