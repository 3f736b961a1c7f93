//! The bodies of Gemini's errors, word for word where a real capture is known.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::GoogleError;
use super::rows::{Family, Scene};
use crate::config::Tier;
use crate::quota::{QuotaKind, Violation};

const SERVICE: &str = "generativelanguage.googleapis.com";

pub(super) const MULTIPLE_CREDENTIALS: &str =
    "Multiple authentication credentials received. Please pass only one.";
pub(super) const FREE_TIER_COUNTRY: &str = "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.";
pub(super) const LOCATION_UNSUPPORTED: &str = "User location is not supported for the API use.";
pub(super) const KEY_LEAKED: &str = "Your API key was reported as leaked. Please use another API key.";
pub(super) const PROJECT_DENIED: &str = "Your project has been denied access. Please contact support.";
pub(super) const UNREGISTERED_CALLER: &str = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
pub(super) const INTERNAL: &str = "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting";
pub(super) const OVERLOADED: &str = "The model is overloaded. Please try again later.";
pub(super) const HIGH_DEMAND: &str = "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.";
pub(super) const DEADLINE: &str = "Deadline expired before operation could complete.";

/// 429 of the limits named.
pub(super) fn quota(kinds: &[QuotaKind], limit: u64, scene: &Scene) -> GoogleError {
    let violation = |kind: &QuotaKind| Violation { kind: *kind, limit, retry_after: scene.retry };
    let violations: Vec<Violation> = kinds.iter().map(violation).collect();
    quota_exceeded(&violations, scene.retry, scene)
}

pub(super) fn exhausted(message: &str) -> GoogleError {
    GoogleError::new(429, "RESOURCE_EXHAUSTED", message)
}

pub(super) fn spend_rate(scene: &Scene) -> GoogleError {
    exhausted("You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit for your account's billing history and tier.")
        .detail(json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []}))
        .detail(retry_info(scene.retry))
}

pub(super) fn prepayment_depleted(http: u16) -> GoogleError {
    let message = "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.";
    GoogleError { http, word: "payment_required", ..exhausted(message) }
}

pub(super) fn monthly_spending_cap() -> GoogleError {
    let message = "Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend to manage your project spend cap.";
    GoogleError { word: "quota_exceeded", ..exhausted(message) }
}

pub(super) fn cached_content_storage(bucket: &str) -> GoogleError {
    exhausted(&format!(
        "TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for model {bucket}: limit=0, requested=4096"
    ))
}

pub(super) fn file_storage(limit: u64) -> GoogleError {
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: {SERVICE}/file_storage_bytes, limit: {limit}"
    );
    exhausted(&message).detail(json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{
            "quotaMetric": format!("{SERVICE}/file_storage_bytes"),
            "quotaId": "FileStorageBytesPerProject",
            "quotaValue": limit.to_string(),
        }],
    }))
}

pub(super) fn key_invalid(message: &str) -> GoogleError {
    let error = GoogleError { word: "authentication", ..GoogleError::invalid(message) };
    error.info("API_KEY_INVALID", &json!({"service": SERVICE})).detail(
        json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message}),
    )
}

pub(super) fn failed_precondition(message: &str) -> GoogleError {
    GoogleError::new(400, "FAILED_PRECONDITION", message)
}

/// 400 for a field of the request nobody knows.
pub(super) fn unknown_field(name: &str) -> GoogleError {
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.");
    GoogleError::invalid(message.clone()).detail(json!({
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"description": message}],
    }))
}

pub(super) fn input_too_long(limit: u64) -> GoogleError {
    let count = limit.saturating_add(1);
    GoogleError::invalid(format!(
        "The input token count ({count}) exceeds the maximum number of tokens allowed ({limit})."
    ))
}

pub(super) fn access_token_expected(scene: &Scene) -> GoogleError {
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
    let metadata = json!({"method": method(scene), "service": SERVICE});
    GoogleError::new(401, "UNAUTHENTICATED", message).info("ACCESS_TOKEN_TYPE_UNSUPPORTED", &metadata)
}

pub(super) fn keys_not_supported(scene: &Scene) -> GoogleError {
    let message = "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that assert a principal. See https://cloud.google.com/docs/authentication";
    let metadata = json!({"method": method(scene), "service": SERVICE});
    GoogleError::new(401, "UNAUTHENTICATED", message).info("CREDENTIALS_MISSING", &metadata)
}

pub(super) fn denied(message: &str) -> GoogleError {
    GoogleError::new(403, "PERMISSION_DENIED", message)
}

pub(super) fn consumer_suspended(scene: &Scene) -> GoogleError {
    let message = format!("Permission denied: Consumer 'api_key:{}' has been suspended.", scene.key);
    denied(&message).info("CONSUMER_SUSPENDED", &of_consumer(scene))
}

pub(super) fn consumer_invalid(scene: &Scene) -> GoogleError {
    let message = format!("Permission denied: Consumer 'projects/{}' is invalid.", scene.project_number);
    denied(&message).info("CONSUMER_INVALID", &of_consumer(scene))
}

pub(super) fn service_blocked(scene: &Scene) -> GoogleError {
    let method = method(scene);
    let mut metadata = of_consumer(scene);
    metadata["methodName"] = json!(method);
    metadata["apiName"] = json!(SERVICE);
    denied(&format!("Requests to this API {SERVICE} method {method} are blocked."))
        .info("API_KEY_SERVICE_BLOCKED", &metadata)
}

pub(super) fn ip_blocked(scene: &Scene) -> GoogleError {
    denied("The provided API key has an IP address restriction. The originating IP address of the call (203.0.113.7) violates this restriction.")
        .info("API_KEY_IP_ADDRESS_BLOCKED", &of_consumer(scene))
}

pub(super) fn referrer_blocked(scene: &Scene) -> GoogleError {
    denied("Requests from referer <empty> are blocked.")
        .info("API_KEY_HTTP_REFERRER_BLOCKED", &of_consumer(scene))
}

pub(super) fn billing_disabled(scene: &Scene) -> GoogleError {
    let project = &scene.project_number;
    let page = format!("https://console.developers.google.com/billing/enable?project={project}");
    denied(&format!("This API method requires billing to be enabled. Please enable billing on project #{project} by visiting {page} then retry."))
        .info("BILLING_DISABLED", &of_consumer(scene))
}

pub(super) fn service_disabled(scene: &Scene) -> GoogleError {
    let project = &scene.project_number;
    let page = format!("https://console.developers.google.com/apis/api/{SERVICE}/overview?project={project}");
    let message = format!(
        "Generative Language API has not been used in project {project} before or it is disabled. Enable it by visiting {page} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    denied(&message).info("SERVICE_DISABLED", &of_consumer(scene)).detail(json!({
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [{"description": "Google developers console API activation", "url": page}],
    }))
}

pub(super) fn file_forbidden(id: &str) -> GoogleError {
    denied(&format!("You do not have permission to access the File {id} or it may not exist."))
}

pub(super) fn model_withdrawn(model: &str) -> GoogleError {
    not_found(format!(
        "This model models/{model} is no longer available to new users. Please update your code to use a newer model for the latest features and improvements."
    ))
}

pub(super) fn model_not_found(scene: &Scene) -> GoogleError {
    let name = scene.rpc.rsplit('.').next().unwrap_or_default();
    let method = name.get(..1).unwrap_or_default().to_ascii_lowercase() + name.get(1..).unwrap_or_default();
    let (model, version) = (&scene.model, &scene.version);
    not_found(format!(
        "models/{model} is not found for API version {version}, or is not supported for {method}. Call ListModels to see the list of available models and their supported methods."
    ))
}

fn not_found(message: String) -> GoogleError {
    GoogleError { word: "model_not_found", ..GoogleError::new(404, "NOT_FOUND", message) }
}

/// The full name of the method called.
fn method(scene: &Scene) -> String {
    format!("google.ai.generativelanguage.{}.{}", scene.version, scene.rpc)
}

fn of_consumer(scene: &Scene) -> Value {
    json!({"service": SERVICE, "consumer": format!("projects/{}", scene.project_number)})
}

/// The 429 of broken limits. `shown` is the wait it names, exact in the message and cut to whole
/// seconds in `RetryInfo`.
pub(super) fn quota_exceeded(violations: &[Violation], shown: Duration, scene: &Scene) -> GoogleError {
    let mut message = String::from(
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. ",
    );
    let mut listed = Vec::new();
    for violation in violations {
        let (id, metric) = quota_names(violation.kind, scene.family, scene.tier);
        let (limit, bucket) = (violation.limit, &scene.bucket);
        // Writing to a string cannot fail.
        let _ = write!(
            message,
            "\n* Quota exceeded for metric: {SERVICE}/{metric}, limit: {limit}, model: {bucket}"
        );
        listed.push(json!({
            "quotaMetric": format!("{SERVICE}/{metric}"),
            "quotaId": id,
            "quotaDimensions": {"location": "global", "model": bucket},
            "quotaValue": limit.to_string(),
        }));
    }
    let _ = write!(message, "\nPlease retry in {}.{:09}s.", shown.as_secs(), shown.subsec_nanos());
    let is_daily = violations.iter().any(|violation| violation.kind.is_per_day());
    let word = if is_daily { "quota_exceeded" } else { "rate_limit_exceeded" };
    GoogleError { word, ..GoogleError::new(429, "RESOURCE_EXHAUSTED", message) }
        .detail(json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": listed}))
        .detail(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }],
        }))
        .detail(retry_info(shown))
}

fn retry_info(shown: Duration) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", shown.as_secs())})
}

fn quota_names(kind: QuotaKind, family: Family, tier: Tier) -> (&'static str, &'static str) {
    use Family::{Embed, Generate};
    use QuotaKind::{RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute};
    match (kind, family, tier) {
        (RequestsPerMinute, Generate, Tier::Free) => {
            ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "generate_content_free_tier_requests")
        }
        (RequestsPerMinute, Generate, Tier::Paid) => {
            ("GenerateRequestsPerMinutePerProjectPerModel", "generate_requests_per_model")
        }
        (RequestsPerDay, Generate, Tier::Free) => {
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "generate_content_free_tier_requests")
        }
        (RequestsPerDay, Generate, Tier::Paid) => {
            ("GenerateRequestsPerDayPerProjectPerModel", "generate_requests_per_model_per_day")
        }
        (TokensPerMinute, _, Tier::Free) => (
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "generate_content_free_tier_input_token_count",
        ),
        (TokensPerMinute, _, Tier::Paid) => (
            "GenerateContentPaidTierInputTokensPerModelPerMinute",
            "generate_content_paid_tier_input_token_count",
        ),
        (TokensPerDay, _, Tier::Free) => (
            "GenerateContentInputTokensPerModelPerDay-FreeTier",
            "generate_content_free_tier_input_token_count",
        ),
        (TokensPerDay, _, Tier::Paid) => (
            "GenerateContentPaidTierInputTokensPerModelPerDay",
            "generate_content_paid_tier_input_token_count",
        ),
        (RequestsPerMinute, Embed, Tier::Free) => {
            ("EmbedContentRequestsPerMinutePerProjectPerModel-FreeTier", "embed_content_free_tier_requests")
        }
        (RequestsPerMinute, Embed, Tier::Paid) => {
            ("EmbedContentRequestsPerMinutePerProjectPerModel", "embed_content_paid_tier_requests")
        }
        (RequestsPerDay, Embed, Tier::Free) => {
            ("EmbedContentRequestsPerDayPerProjectPerModel-FreeTier", "embed_content_free_tier_requests")
        }
        (RequestsPerDay, Embed, Tier::Paid) => {
            ("EmbedContentRequestsPerDayPerProjectPerModel", "embed_content_paid_tier_requests")
        }
    }
}
