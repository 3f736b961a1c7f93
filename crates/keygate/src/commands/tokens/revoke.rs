//! `keygate tokens revoke`.

use jiff::Timestamp;
use keygate_actors::{audit_entry, clock};
use keygate_domain::{AuditAction, AuditEntry, ClientToken, TokenId};
use serde_json::json;

use crate::cli::RevokeTokens;
use crate::commands::database::{Failure, open, settings, wait_for, whoever_runs_this};
use crate::commands::{print, span};

pub(super) fn run(arguments: &RevokeTokens) -> Result<(), Failure> {
    let settings = settings(&arguments.database)?;
    let now = clock::now().wall;
    let end =
        arguments.delay.as_deref().map_or(Ok(now), |span| span::after(now, span)).map_err(Failure::usage)?;
    let revoked = wait_for(async {
        let storage = open(&settings, false).await?;
        let tokens = meant(storage.tokens().await?, arguments, now)?;
        let ids: Vec<TokenId> = tokens.iter().map(|token| token.id.clone()).collect();
        let entries: Vec<AuditEntry> = tokens.iter().map(|token| entry(token, now, end)).collect();
        storage.revoke_tokens(&ids, end, &entries).await?;
        storage.close().await;
        Ok(tokens)
    })?;
    for token in &revoked {
        // One that ends earlier by itself, or was revoked for an earlier moment, does.
        let end = token.ends_at().map_or(end, |known| known.min(end));
        print::line(&if arguments.database.json {
            json!({"id": token.id.as_str(), "name": token.name, "ends_at": end}).to_string()
        } else if end <= now {
            format!(
                "{} of {} is revoked. A running gateway knows it within two seconds.",
                token.id, token.name
            )
        } else {
            format!("{} of {} ends at {end:.0}.", token.id, token.name)
        });
    }
    Ok(())
}

/// The tokens that are meant and not over yet.
fn meant(
    tokens: Vec<ClientToken>,
    arguments: &RevokeTokens,
    now: Timestamp,
) -> Result<Vec<ClientToken>, Failure> {
    let is_meant = |token: &ClientToken| match (&arguments.id, &arguments.name) {
        (Some(id), _) => token.id.as_str() == id,
        (None, name) => Some(&token.name) == name.as_ref(),
    };
    let (over, live): (Vec<_>, Vec<_>) =
        tokens.into_iter().filter(is_meant).partition(|token| token.is_over(now));
    if !live.is_empty() {
        return Ok(live);
    }
    let told = if over.is_empty() {
        "No such token is in the database: `keygate tokens list` shows them. Those of the YAML file and of \
         KEYGATE_CLIENT_TOKENS are revoked by taking them out there."
    } else {
        "It has ended already."
    };
    Err(Failure::usage(told))
}

fn entry(token: &ClientToken, now: Timestamp, end: Timestamp) -> AuditEntry {
    let when = if end <= now { "at once".to_owned() } else { format!("from {end:.0} on") };
    let details = format!("{} of {}: {when}", token.id, token.name);
    audit_entry(&whoever_runs_this(), AuditAction::TokenRevoked, &details)
}
