//! What a running gateway has learned of the keys.

use serde_json::Value;

use super::super::words::{list, plain, word_for};
use super::finding::{Finding, Severity};

/// What a pool's status tells of disabled keys, and of where the configuration and the provider disagree.
pub(super) fn findings(status: &Value) -> Vec<Finding> {
    let provider = plain(&status["provider"]);
    let disabled = list(&status["keys"]).iter().filter(|key| key["state"] == "disabled");
    let disabled = disabled.map(|key| disabled_key(&provider, key));
    let found = list(&status["warnings"]).iter().filter_map(warned).chain(disabled);
    found.map(|finding| Finding { provider: Some(provider.clone()), ..finding }).collect()
}

fn warned(warning: &Value) -> Option<Finding> {
    let (kind, why, remedy) = match warning["kind"].as_str()? {
        "one_project" => (
            "one_project",
            "the provider meters the project: together they have one quota, and rest together",
            "declare the same `group:` for them, and add keys of another project for more quota",
        ),
        "several_projects" => (
            "several_projects",
            "when one of these projects is rate-limited, keys of the others rest for nothing",
            "give each project a `group:` of its own",
        ),
        "declared_apart" => (
            "declared_apart",
            "each is given the budget of a whole project: the second half of it is refused with 429",
            "declare the same `group:` for both",
        ),
        "budget_differs" => (
            "budget_differs",
            "the stricter of the two holds: a budget that is too large is met with 429 until that is learned anew, and \
             one that is too small leaves quota unused",
            "write what the provider states into `budgets:`",
        ),
        _ => return None,
    };
    let (severity, what, remedy) = (Severity::Warning, plain(&warning["text"]), remedy.to_owned());
    Some(Finding { severity, kind, provider: None, what, why, remedy })
}

fn disabled_key(provider: &str, key: &Value) -> Finding {
    let (label, id, reason) = (plain(&key["label"]), plain(&key["id"]), plain(&key["reason"]["text"]));
    let word = word_for(&label, &id);
    if key["reason"]["fault"].is_null() {
        return Finding {
            severity: Severity::Advice,
            kind: "disabled_by_hand",
            provider: None,
            what: format!("{label} is {reason}"),
            why: "it is configured and never used",
            remedy: format!("`keygate keys enable {provider} {word}`, or remove it"),
        };
    }
    Finding {
        severity: Severity::Warning,
        kind: "disabled",
        provider: None,
        what: format!("{label} is disabled: {reason}"),
        why: "the provider refuses it, and the others carry its share",
        remedy: format!(
            "repair it at the provider, or replace it: `keygate keys add {provider} -`, then `keygate keys remove \
             {provider} {word}`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_gateway_tells_is_told_on_with_advice() {
        let status = json!({
            "provider": "google",
            "keys": [
                {"label": "a", "state": "available", "reason": null},
                {"label": "b", "id": "3f2a9c0b1d4e", "state": "disabled", "reason": {"fault": "key_invalid", "text": "API key not valid"}},
                {"label": "c d", "id": "0b1d4e3f2a9c", "state": "disabled", "reason": {"fault": null, "text": "disabled by an operator"}},
            ],
            "warnings": [
                {"kind": "one_project", "text": "keys 1 and 2 are one project: this pool is 1 budget, not 2"},
                {"kind": "budget_differs", "text": "a has requests_per_minute: 9, the provider states 5"},
                {"kind": "from_a_later_version", "text": "?"},
            ],
        });
        let text = findings(&status).iter().map(Finding::as_text).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(text);
    }
}
