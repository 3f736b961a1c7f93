//! `keygate keys explain`.

use comfy_table::Table;
use serde_json::Value;
use url::form_urlencoded::{self, byte_serialize};

use super::words::{list, plain, span, table};
use crate::cli::ExplainKeys;
use crate::commands::gateway::Gateway;
use crate::commands::{moment, print};
use crate::exit::Exit;

pub(super) fn run(arguments: &ExplainKeys) -> Exit {
    let explained = Gateway::find(&arguments.gateway).and_then(|gateway| gateway.get(&question(arguments)));
    match explained {
        Ok(explained) if arguments.json => print::line(&format!("{explained:#}")),
        Ok(explained) => print::line(&as_text(&explained)),
        Err(no_answer) => {
            print::remark(&no_answer.text);
            return no_answer.exit;
        }
    }
    Exit::Done
}

fn question(arguments: &ExplainKeys) -> String {
    let ExplainKeys { provider, model, operation, tokens, user, client, gateway: _, json: _ } = arguments;
    let tokens = tokens.map(|tokens| tokens.to_string());
    let asked =
        [("model", model), ("operation", operation), ("tokens", &tokens), ("user", user), ("client", client)];
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    let provider: String = byte_serialize(provider.as_bytes()).collect();
    format!("/api/{provider}/explain?{}", query.finish())
}

fn as_text(told: &Value) -> String {
    let mut lines = vec![asked(told), answer(told)];
    lines.extend(user(&told["user"]));
    lines.extend(queue(&told["queue"]));
    lines.extend(list(&told["breakers"]).iter().map(breaker));
    lines.push(keys(told).to_string());
    lines.join("\n")
}

/// `google generate_content gemini-2.5-flash (round_robin, 2026-07-01T12:00:00Z)`.
fn asked(told: &Value) -> String {
    let model = match told["model"].as_str() {
        Some(model) if told["bucket"] == model => format!(" {}", plain(&told["model"])),
        Some(_) => format!(" {}, counted as {}", plain(&told["model"]), plain(&told["bucket"])),
        None => String::new(),
    };
    let [provider, operation, strategy] =
        ["provider", "operation", "strategy"].map(|field| plain(&told[field]));
    format!("{provider} {operation}{model} ({strategy}, {})", moment::told(&told["at"]))
}

fn answer(told: &Value) -> String {
    let answer = &told["answer"];
    let text = plain(&answer["text"]);
    let when = answer["retry_after"].as_u64().map(span);
    match (answer["outcome"].as_str(), when) {
        (Some("key"), _) => {
            let key = list(&told["keys"]).iter().find(|key| key["id"] == answer["key"]);
            let name = key.map_or_else(|| plain(&answer["key"]), |key| plain(&key["label"]));
            format!("A request gets the key {name}: {text}.")
        }
        (Some("wait"), Some(when)) => {
            format!("A request waits for a key: {text}; the first is free in {when}.")
        }
        (_, Some(when)) => format!("A request is refused: {text}; it makes sense again in {when}."),
        (_, None) => format!("A request is refused: {text}."),
    }
}

fn user(user: &Value) -> Option<String> {
    let name = user["user"].as_str().map(|_| plain(&user["user"]))?;
    let refused = if user["is_admitted"] == false {
        let when = user["retry_after"].as_u64().map(span).unwrap_or_default();
        format!(" A request is refused before any key is looked at, for another {when}.")
    } else {
        String::new()
    };
    Some(format!(
        "The user {name} of {} has {} of {} requests a minute left, and {} of {} running.{refused}",
        plain(&user["client"]),
        user["remaining"],
        user["limit"],
        user["running"],
        user["max_concurrent"]
    ))
}

fn queue(queue: &Value) -> Option<String> {
    let waiting = queue["waiting"].as_u64().filter(|waiting| *waiting > 0)?;
    let ahead = queue["ahead"].as_u64().unwrap_or_default();
    Some(format!("Waiting for a key: {waiting}, of which {ahead} want the same."))
}

fn breaker(breaker: &Value) -> String {
    let what = breaker["model"].as_str().unwrap_or("the whole provider");
    let (fault, reason) = (plain(&breaker["fault"]), plain(&breaker["reason"]));
    // A connection that breaks gives no reason.
    let why = if reason.is_empty() { fault } else { format!("{fault}, {reason}") };
    format!(
        "A breaker stands before {what}: {} since {}: {why}.",
        plain(&breaker["state"]),
        moment::told(&breaker["since"])
    )
}

fn keys(told: &Value) -> Table {
    let header = ["turn", "key", "id", "group", "usable", "why not", "back in", "left of the budgets"];
    let mut table = table(header);
    for key in list(&told["keys"]) {
        let reason = &key["reason"];
        table.add_row([
            key["turn"].as_u64().map(|turn| turn.to_string()).unwrap_or_default(),
            plain(&key["label"]),
            plain(&key["id"]),
            plain(&key["group"]),
            if key["is_usable"] == true { "yes" } else { "no" }.to_owned(),
            if reason.is_null() { String::new() } else { plain(&reason["text"]) },
            reason["remaining"].as_u64().map(span).unwrap_or_default(),
            list(&key["budgets"]).iter().map(budget).collect::<Vec<_>>().join("\n"),
        ]);
    }
    table
}

/// `requests_per_day 1200 of 1500, runs out 2026-07-01T18:20:00Z`.
fn budget(budget: &Value) -> String {
    let metric = plain(&budget["metric"]);
    let left = match budget["remaining"].as_u64() {
        Some(remaining) => format!("{remaining} of {}", budget["limit"]),
        None => format!("{} ms", budget["limit"]),
    };
    if budget["runs_out_at"].is_null() {
        return format!("{metric} {left}");
    }
    format!("{metric} {left}, runs out {}", moment::told(&budget["runs_out_at"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_a_refusal_and_a_user_without_requests_are_told_in_sentences() {
        let told = |outcome: &str, retry_after: Option<u64>| {
            answer(&json!({"answer": {"outcome": outcome, "text": "no key", "retry_after": retry_after}}))
        };
        assert_eq!(told("wait", Some(3)), "A request waits for a key: no key; the first is free in 3 s.");
        assert_eq!(told("refused", Some(61)), "A request is refused: no key; it makes sense again in 61 s.");
        assert_eq!(told("refused", None), "A request is refused: no key.");
        let standing = json!({
            "user": "ada", "client": "shop", "is_admitted": false, "retry_after": 12, "limit": 20, "remaining": 0,
            "running": 1, "max_concurrent": 16,
        });
        let text = user(&standing).unwrap();
        assert!(text.contains("0 of 20") && text.contains("for another 12 s"), "{text}");
        assert_eq!(user(&Value::Null), None);
    }

    #[test]
    fn budgets_are_told_by_what_is_left() {
        let day = json!({"metric": "requests_per_day", "limit": 9, "remaining": 4, "runs_out_at": "later"});
        assert_eq!(budget(&day), "requests_per_day 4 of 9, runs out later");
        let at = "2026-07-01T18:20:00.123456789Z";
        let told = json!({"provider": "google", "operation": "embed", "strategy": "health", "at": at});
        assert_eq!(asked(&told), "google embed (health, 2026-07-01T18:20:00Z)");
        assert_eq!(
            budget(&json!({"metric": "min_interval", "limit": 250, "remaining": null})),
            "min_interval 250 ms"
        );
    }
}
