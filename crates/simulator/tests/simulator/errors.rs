//! Every row of the error tables, by script and where the simulator comes to it by itself.

use keygate_simulator::{
    Action, AnamRow, Fault, GoogleKey, GoogleProject, GoogleRow, KeyState, Population, RunningSimulator,
    ScriptedAnswer,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::client::{GENERATE, KEY, Reply, anam, google, populated, post, projects, saying, send, standing};

/// Names of all rows of Gemini, with status, gRPC status and what tells them apart.
const ROWS: [(&str, u16, &str, &str); 43] = [
    ("minute_requests", 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerMinutePerProjectPerModel"),
    ("minute_tokens", 429, "RESOURCE_EXHAUSTED", "GenerateContentPaidTierInputTokensPerModelPerMinute"),
    ("day_requests", 429, "RESOURCE_EXHAUSTED", "GenerateRequestsPerDayPerProjectPerModel"),
    ("day_tokens", 429, "RESOURCE_EXHAUSTED", "InputTokensPerModelPerDay"),
    ("day_and_minute", 429, "RESOURCE_EXHAUSTED", "PerDayPerProjectPerModel"),
    ("not_on_tier", 429, "RESOURCE_EXHAUSTED", "limit: 0, model: gemini-3.8-flash"),
    ("spend_rate", 429, "RESOURCE_EXHAUSTED", "spend-based rate limit"),
    ("prepayment_depleted", 429, "RESOURCE_EXHAUSTED", "prepayment credits are depleted"),
    ("payment_required", 402, "RESOURCE_EXHAUSTED", "prepayment credits are depleted"),
    ("monthly_spending_cap", 429, "RESOURCE_EXHAUSTED", "exceeded its monthly spending cap"),
    ("file_storage", 429, "RESOURCE_EXHAUSTED", "FileStorageBytesPerProject"),
    ("cached_content_storage", 429, "RESOURCE_EXHAUSTED", "TotalCachedContentStorageTokensPerModelFreeTier"),
    ("exhausted_bare", 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    ("key_invalid", 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    ("key_not_found", 400, "INVALID_ARGUMENT", "API Key not found"),
    ("key_expired", 400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."),
    ("multiple_credentials", 400, "INVALID_ARGUMENT", "Multiple authentication credentials received."),
    ("free_tier_country", 400, "FAILED_PRECONDITION", "free tier is not available in your country"),
    ("location_unsupported", 400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    ("unknown_field", 400, "INVALID_ARGUMENT", "Cannot find field."),
    ("input_too_long", 400, "INVALID_ARGUMENT", "exceeds the maximum number of tokens"),
    ("access_token_expected", 401, "UNAUTHENTICATED", "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ("keys_not_supported", 401, "UNAUTHENTICATED", "CREDENTIALS_MISSING"),
    ("key_leaked", 403, "PERMISSION_DENIED", "reported as leaked"),
    (
        "consumer_suspended",
        403,
        "PERMISSION_DENIED",
        "Consumer 'api_key:sim-google-alpha-1' has been suspended.",
    ),
    ("project_denied", 403, "PERMISSION_DENIED", "Your project has been denied access."),
    ("service_disabled", 403, "PERMISSION_DENIED", "SERVICE_DISABLED"),
    ("service_blocked", 403, "PERMISSION_DENIED", "API_KEY_SERVICE_BLOCKED"),
    ("ip_blocked", 403, "PERMISSION_DENIED", "API_KEY_IP_ADDRESS_BLOCKED"),
    ("referrer_blocked", 403, "PERMISSION_DENIED", "API_KEY_HTTP_REFERRER_BLOCKED"),
    ("billing_disabled", 403, "PERMISSION_DENIED", "BILLING_DISABLED"),
    ("consumer_invalid", 403, "PERMISSION_DENIED", "CONSUMER_INVALID"),
    ("unregistered_caller", 403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"),
    ("file_forbidden", 403, "PERMISSION_DENIED", "do not have permission to access the File"),
    ("cache_forbidden", 403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)"),
    ("model_withdrawn", 404, "NOT_FOUND", "no longer available to new users"),
    (
        "model_not_found",
        404,
        "NOT_FOUND",
        "is not found for API version v1beta, or is not supported for generateContent",
    ),
    ("aborted", 409, "ABORTED", "aborted"),
    ("cancelled", 499, "CANCELLED", "cancelled"),
    ("internal", 500, "INTERNAL", "An internal error has occurred."),
    ("overloaded", 503, "UNAVAILABLE", "The model is overloaded."),
    ("high_demand", 503, "UNAVAILABLE", "currently experiencing high demand"),
    ("deadline", 504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
];

fn scripted(simulator: &RunningSimulator, row: &str) {
    let row = serde_json::from_value(json!(row)).unwrap();
    let answer = ScriptedAnswer { row: Some(row), ..ScriptedAnswer::default() };
    simulator.script([Fault::new(Action::Answer(answer))]).unwrap();
}

#[test]
fn every_row_can_be_scripted_on_every_surface() {
    let simulator = standing();
    for (row, status, grpc, tells) in ROWS {
        scripted(&simulator, row);
        let native = post(&simulator, KEY, GENERATE, &saying("hello"));
        assert_eq!((native.status, native.at("/error/status").as_str()), (status, grpc), "{row}");
        assert_eq!(native.at("/error/code"), status.to_string());
        assert!(native.text().contains(tells), "{row}: {}", native.text());
        assert_eq!(native.header("content-type"), Some("application/json; charset=UTF-8"));

        scripted(&simulator, row);
        let body = json!({"model": "gemini-3.8-flash", "messages": []}).to_string();
        let bearer = [("authorization", "Bearer sim-google-alpha-1")];
        let compatible =
            send(simulator.google_url(), "POST", "/v1beta/openai/chat/completions", &bearer, &body);
        assert_eq!((compatible.status, compatible.at("/0/error/status").as_str()), (status, grpc), "{row}");

        scripted(&simulator, row);
        let words = post(&simulator, KEY, "/v1beta/interactions", "{}");
        assert_eq!(words.status, status);
        assert!(
            words.json()["error"]["code"].is_string() && words.json()["error"].get("status").is_none(),
            "{row}"
        );
    }
}

#[test]
fn every_row_can_be_the_state_of_a_key() {
    for (row, status, _, tells) in ROWS {
        let state: KeyState = serde_json::from_value(json!(row)).unwrap();
        let keys = vec![GoogleKey { state, ..GoogleKey::new(KEY) }];
        let simulator = populated(projects(vec![GoogleProject { keys, ..GoogleProject::named("alpha") }]));
        let reply = post(&simulator, KEY, GENERATE, &saying("hello"));
        assert_eq!(reply.status, status, "{row}");
        assert!(reply.text().contains(tells), "{row}: {}", reply.text());
    }
}

#[test]
fn the_states_have_short_names_too() {
    for (name, row) in [
        ("invalid", GoogleRow::KeyInvalid),
        ("expired", GoogleRow::KeyExpired),
        ("leaked", GoogleRow::KeyLeaked),
        ("suspended", GoogleRow::ConsumerSuspended),
    ] {
        assert_eq!(serde_json::from_value::<KeyState>(json!(name)).unwrap(), KeyState::Google(row));
    }
    assert_eq!(serde_json::from_value::<KeyState>(json!("valid")).unwrap(), KeyState::Valid);
}

/// What credentials lead to, on the native and the OpenAI-compatible surface.
#[rstest]
#[case::none(&[], "", 403, 403)]
#[case::header(&[("x-goog-api-key", KEY)], "", 200, 200)]
#[case::query(&[], "?key=sim-google-alpha-1", 200, 200)]
#[case::bearer(&[("authorization", "Bearer sim-google-alpha-1")], "", 401, 200)]
#[case::two(&[("x-goog-api-key", KEY), ("authorization", "Bearer sim-google-alpha-1")], "", 400, 400)]
#[case::twice_the_same(&[("x-goog-api-key", KEY)], "?key=sim-google-alpha-1", 400, 400)]
#[case::unknown(&[("x-goog-api-key", "nobody")], "", 400, 400)]
#[case::access_token(&[], "?access_token=ya29.x", 401, 401)]
fn exactly_one_credential(
    #[case] headers: &[(&str, &str)],
    #[case] query: &str,
    #[case] native: u16,
    #[case] compatible: u16,
) {
    let simulator = standing();
    let ask = |path: &str, body: &str| -> Reply {
        send(simulator.google_url(), "POST", &format!("{path}{query}"), headers, body)
    };
    assert_eq!(ask(GENERATE, &saying("hello")).status, native);
    let body = json!({"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(ask("/v1beta/openai/chat/completions", &body.to_string()).status, compatible);
}

#[rstest]
#[case::unknown_model("/v1/models/gpt-4:generateContent", &saying("x"), 404, "models/gpt-4 is not found for API version v1,")]
#[case::embedding_model_chats("/v1/models/gemini-embedding-001:generateContent", &saying("x"), 404, "not supported for generateContent")]
#[case::chat_model_embeds(
    "/v1/models/gemini-3.8-flash:embedContent",
    "{}",
    404,
    "not supported for embedContent"
)]
#[case::unknown_field(
    "/v1/models/gemini-3.8-flash:generateContent",
    r#"{"contents":[{"parts":[{"text":"x"}]}],"colour":1}"#,
    400,
    "Unknown name \\\"colour\\\": Cannot find field."
)]
#[case::no_contents("/v1/models/gemini-3.8-flash:generateContent", "{}", 400, "contents is not specified")]
#[case::no_json("/v1/models/gemini-3.8-flash:generateContent", "{", 400, "Invalid JSON payload received.")]
fn callers_faults(#[case] path: &str, #[case] body: &str, #[case] status: u16, #[case] tells: &str) {
    let reply = post(&standing(), KEY, path, body);
    assert_eq!(reply.status, status);
    assert!(reply.text().contains(tells), "{}", reply.text());
}

#[test]
fn snake_case_is_as_good_as_camel_case() {
    let body = r#"{"contents":[{"parts":[{"text":"x"}]}],"system_instruction":{"parts":[{"text":"y"}]},"generation_config":{},"tools":[]}"#;
    assert_eq!(post(&standing(), KEY, GENERATE, body).status, 200);
}

#[test]
fn a_withdrawn_model_is_gone_for_one_project_only() {
    let mut population = Population::default();
    population.google.projects[1].withdrawn_models = vec!["gemini-2.5-flash".to_owned()];
    let simulator = populated(population);
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let gone = post(&simulator, "sim-google-beta-1", path, &saying("x"));
    assert_eq!(gone.status, 404);
    assert!(gone.text().contains("no longer available to new users"));
    assert_eq!(post(&simulator, KEY, path, &saying("x")).status, 200);
}

#[test]
fn a_projects_state_meets_all_its_keys() {
    let mut population = Population::default();
    population.google.projects[0].state = KeyState::Google(GoogleRow::BillingDisabled);
    let simulator = populated(population);
    for key in ["sim-google-alpha-1", "sim-google-alpha-2"] {
        assert_eq!(post(&simulator, key, GENERATE, &saying("x")).status, 403);
    }
    assert_eq!(google(&simulator, "sim-google-beta-1", "GET", "/v1/models", "").status, 200);
}

/// Anam's rows: name, status, `error`.
const ANAM_ROWS: [(&str, u16, &str); 17] = [
    ("invalid_body", 400, "Invalid request body"),
    ("missing_api_key", 401, "Missing or invalid API key"),
    ("invalid_api_key", 401, "Invalid API key"),
    ("invalid_session_token", 401, "Invalid session token"),
    ("session_token_expired", 401, "Invalid session token"),
    ("no_plan", 402, "No plan found"),
    ("forbidden", 403, "Forbidden"),
    ("missing_permission", 403, "Forbidden"),
    ("plan_forbids", 403, "Forbidden"),
    ("foreign_persona", 403, "Forbidden"),
    ("resource_not_found", 404, "Not found"),
    ("moderation_refused", 422, "Image rejected by moderation"),
    ("concurrent_sessions", 429, "Concurrent session limit reached"),
    ("spend_cap", 429, "Spend cap reached"),
    ("usage_limit", 429, "Usage limit reached"),
    ("server_error", 500, "Internal server error"),
    ("no_engines", 503, "No engines available"),
];

#[test]
fn every_row_of_anam_can_be_scripted_and_browsers_may_read_it() {
    let simulator = standing();
    for (row, status, error) in ANAM_ROWS {
        let row: AnamRow = serde_json::from_value(json!(row)).unwrap();
        simulator.script([Fault::anam(row)]).unwrap();
        let reply = anam(&simulator, "sim-anam-studio-1", "POST", "/v1/engine/session", "{}");
        assert_eq!((reply.status, reply.json()["error"].clone()), (status, Value::from(error)));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    }
}
