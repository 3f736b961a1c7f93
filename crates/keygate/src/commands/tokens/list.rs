//! `keygate tokens list`.

use comfy_table::{Table, presets};
use jiff::Timestamp;
use keygate_actors::clock;
use keygate_domain::{ClientToken, PlanName};
use serde_json::{Value, json};

use crate::cli::Database;
use crate::commands::database::{Failure, open, settings, wait_for};
use crate::commands::{moment, print};

pub(super) fn run(database: &Database) -> Result<(), Failure> {
    let settings = settings(database)?;
    let tokens = wait_for(async {
        let storage = open(&settings, false).await?;
        let tokens = storage.tokens().await?;
        storage.close().await;
        Ok(tokens)
    })?;
    let now = clock::now().wall;
    if database.json {
        let told: Vec<Value> = tokens.iter().map(|token| as_json(token, now)).collect();
        print::line(&format!("{:#}", Value::from(told)));
    } else if tokens.is_empty() {
        print::line(
            "There are no tokens in the database. Make one with `keygate tokens create --name NAME`.",
        );
    } else {
        print::line(&as_table(&tokens, now));
    }
    Ok(())
}

fn as_table(tokens: &[ClientToken], now: Timestamp) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_header(["id", "name", "state", "scopes", "models", "plan", "created", "ends"]);
    for token in tokens {
        let plan = token.plan.as_ref().map_or("", PlanName::as_str).to_owned();
        let models = token.models.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
        let end = token.ends_at().map_or_else(|| "never".to_owned(), moment::shown);
        table.add_row([
            token.id.to_string(),
            token.name.clone(),
            state(token, now).to_owned(),
            scopes(token).join(", "),
            models,
            plan,
            moment::shown(token.created_at),
            end,
        ]);
    }
    table.to_string()
}

fn as_json(token: &ClientToken, now: Timestamp) -> Value {
    json!({
        "id": token.id.as_str(),
        "name": token.name,
        "state": state(token, now),
        "scopes": scopes(token),
        "models": token.models.as_ref().map(|models| models.names().collect::<Vec<_>>()),
        "plan": token.plan.as_ref().map(PlanName::as_str),
        "keeper": token.keeper,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    })
}

fn scopes(token: &ClientToken) -> Vec<&'static str> {
    token.rights.iter().map(|right| right.as_str()).collect()
}

fn state(token: &ClientToken, now: Timestamp) -> &'static str {
    match (token.revoked_at, token.expires_at) {
        (Some(revoked), _) if revoked <= now => "revoked",
        (_, Some(end)) if end <= now => "expired",
        (Some(_), _) => "ending",
        (None, _) => "valid",
    }
}
