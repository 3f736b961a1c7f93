//! Rows about keys, projects and what they may see: 400, 401, 403 and 404.
//!
//! Messages are compared by their beginning, see [`Case::says`].

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Metric, RetryAdvice, Scope};

use super::row::{Case, Row};
use super::waits;

/// Between two looks at a project whose API was switched off: Google asks for some minutes after
/// switching it on.
const SWITCHED_ON: Duration = Duration::from_mins(15);

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "key_invalid",
        matches: is_key_invalid,
        judge: |case| key_invalid(case, "the key is not valid, not found or expired"),
    },
    Row {
        id: "two_credentials",
        matches: |case| case.status(&[400]) && case.says("multiple authentication credentials"),
        judge: |case| gateway_bug(case, "the gateway sent two credentials: this is a bug of the gateway"),
    },
    Row {
        id: "free_tier_country",
        matches: |case| {
            case.status(&[400])
                && case.code(&["FAILED_PRECONDITION"])
                && case.says("gemini api free tier is not available")
        },
        judge: |case| {
            barred(case, None, true, "the free tier is not available in the country of this gateway")
        },
    },
    Row {
        id: "location",
        matches: |case| {
            case.status(&[400])
                && case.code(&["FAILED_PRECONDITION"])
                && case.says("user location is not supported")
        },
        // No key can change where the gateway stands; one other may be routed another way.
        judge: |case| {
            let hint = case.hint("the provider does not serve the country of this gateway");
            let hint = Hint { may_be_providers: true, ..hint };
            Failure::of(Fault::Unreachable).hinting(hint).retrying(RetryAdvice::Once)
        },
    },
    // Before `oauth_expected`: its message goes on with the same words.
    Row {
        id: "oauth_only_route",
        matches: |case| {
            case.status(&[401])
                && (case.says("api keys are not supported") || case.reason(&["CREDENTIALS_MISSING"]))
        },
        judge: |case| caller(case, "the route takes no API key at all"),
    },
    Row {
        id: "oauth_expected",
        matches: is_oauth_expected,
        judge: |case| key_invalid(case, "the key is not accepted as an API key (any more)"),
    },
    Row {
        id: "unknown_401",
        matches: |case| case.status(&[401]) && case.code(&["UNAUTHENTICATED"]),
        // The only credential was ours, so the answer is not for the caller.
        judge: |case| {
            Failure::of(Fault::KeyForbidden).hinting(case.hint("the key was refused as a credential"))
        },
    },
    // Before all other 403s: these repeat a name of the caller's.
    Row {
        id: "resource_missing",
        matches: |case| {
            case.status(&[403])
                && (case.says("you do not have permission to access the ")
                    || case.says("cachedcontent not found"))
        },
        judge: |case| {
            Failure::of(Fault::AffinityLost)
                .hinting(case.hint("the file or cache is gone or belongs to another project"))
        },
    },
    Row {
        id: "leaked",
        matches: |case| case.status(&[403]) && case.mentions("reported as leaked"),
        judge: |case| key_invalid(case, "the key was reported as leaked: replace it"),
    },
    Row {
        id: "suspended",
        matches: is_suspended,
        judge: |case| barred(case, Some(waits::DAY), true, "the project is suspended or denied access"),
    },
    Row {
        id: "service_disabled",
        matches: |case| {
            case.status(&[403])
                && (case.reason(&["SERVICE_DISABLED"])
                    || case.says("generative language api has not been used in project"))
        },
        judge: |case| {
            barred(case, Some(SWITCHED_ON), false, "the Gemini API is not switched on in the project")
        },
    },
    Row {
        id: "billing_disabled",
        matches: |case| case.status(&[403]) && case.reason(&["BILLING_DISABLED"]),
        judge: |case| barred(case, None, true, "billing is switched off for the project"),
    },
    Row {
        id: "consumer_invalid",
        matches: |case| case.status(&[403]) && case.reason(&["CONSUMER_INVALID", "USER_PROJECT_DENIED"]),
        judge: |case| barred(case, None, true, "the project of the key is gone or cannot be used"),
    },
    Row {
        id: "service_blocked",
        matches: |case| case.status(&[403]) && case.reason(&["API_KEY_SERVICE_BLOCKED"]),
        judge: |case| restricted(case, Scope::KeyRoute, "the key may not be used for this method"),
    },
    Row {
        id: "place_blocked",
        matches: |case| {
            case.status(&[403])
                && case.reason(&[
                    "API_KEY_IP_ADDRESS_BLOCKED",
                    "API_KEY_HTTP_REFERRER_BLOCKED",
                    "API_KEY_ANDROID_APP_BLOCKED",
                    "API_KEY_IOS_APP_BLOCKED",
                ])
        },
        judge: |case| restricted(case, Scope::Key, "the key is restricted to other addresses, pages or apps"),
    },
    Row {
        id: "no_credential",
        matches: |case| case.status(&[403]) && case.says("method doesn't allow unregistered callers"),
        judge: |case| gateway_bug(case, "the request went out without a key: this is a bug of the gateway"),
    },
    // Before `gone_for_new_users`: this message starts with the caller's own model name.
    Row {
        id: "model_unknown",
        matches: |case| case.status(&[404]) && case.mentions("is not found for api version"),
        judge: |case| caller(case, "the provider has no such model"),
    },
    Row {
        id: "gone_for_new_users",
        matches: |case| case.status(&[404]) && case.mentions("no longer available to new users"),
        judge: gone_for_new_users,
    },
    // Whose project it is not in is told the same as whose it was, and deleted.
    Row {
        id: "entity_missing",
        matches: |case| case.status(&[404]) && case.code(&["NOT_FOUND", "not_found"]),
        judge: |case| {
            Failure::of(Fault::AffinityLost)
                .hinting(case.hint("what was asked for is gone or belongs to another project"))
        },
    },
];

fn is_key_invalid(case: &Case<'_>) -> bool {
    let is_said =
        ["api key not valid", "api key not found", "api key expired"].iter().any(|start| case.says(start));
    case.status(&[400, 401, 403]) && (is_said || case.reason(&["API_KEY_INVALID"]))
}

fn is_oauth_expected(case: &Case<'_>) -> bool {
    case.status(&[401])
        && (case.mentions("expected oauth 2 access token")
            || case.reason(&["ACCESS_TOKEN_TYPE_UNSUPPORTED", "ACCESS_TOKEN_EXPIRED"])
            || case.code(&["authentication"]))
}

fn is_suspended(case: &Case<'_>) -> bool {
    let is_said = case.says("your project has been denied access")
        || (case.says("permission denied: consumer") && case.mentions("has been suspended"));
    case.status(&[403]) && (is_said || case.reason(&["CONSUMER_SUSPENDED"]))
}

fn key_invalid(case: &Case<'_>, reason: &'static str) -> Failure {
    Failure::of(Fault::KeyInvalid).hinting(Hint { needs_human: true, ..case.hint(reason) })
}

fn restricted(case: &Case<'_>, scope: Scope, reason: &'static str) -> Failure {
    let hint = Hint { needs_human: true, ..case.hint(reason) };
    Failure::of(Fault::KeyForbidden).at(scope).hinting(hint)
}

fn barred(
    case: &Case<'_>,
    retry_after: Option<Duration>,
    needs_human: bool,
    reason: &'static str,
) -> Failure {
    Failure::of(Fault::GroupBlocked).hinting(Hint { retry_after, needs_human, ..case.hint(reason) })
}

/// Whatever is wrong, neither the caller nor a key can mend it, and asking again cannot help.
fn gateway_bug(case: &Case<'_>, reason: &'static str) -> Failure {
    Failure::of(Fault::ServerError).hinting(case.hint(reason)).retrying(RetryAdvice::Never)
}

fn caller(case: &Case<'_>, reason: &'static str) -> Failure {
    Failure::of(Fault::Caller).hinting(case.hint(reason))
}

/// Older projects still serve the model.
fn gone_for_new_users(case: &Case<'_>) -> Failure {
    let hint = case.hint("the model is no longer available to projects as new as this one");
    let hint = Hint { retry_after: Some(waits::DAY), metric: Metric::Tier, ..hint };
    Failure::of(Fault::RateLimited).hinting(hint)
}
