//! What Prometheus is told of requests, keys and the house.

use keygate_tests::sim::{Action, Fault, GoogleRow, ScriptedAnswer};
use keygate_tests::{configuration, eventually, simulator};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::answer::Answer;
use super::scrape::Scrape;
use super::stage::{FLASH, House, chat, generate_path};
use super::stalling::{Reply, Stalling};
use super::wire;

const GOOGLE: (&str, &str) = ("provider", "google");

const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin");

fn answer_with(row: GoogleRow) -> Fault {
    Fault::new(Action::Answer(ScriptedAnswer { row: Some(row.into()), ..ScriptedAnswer::default() }))
}

#[tokio::test]
async fn requests_attempts_and_tokens_are_counted_as_the_ledger_counts_them() {
    let house = House::before(simulator(), json!({}), &[ADMIN]).await;
    house.sim.script([answer_with(GoogleRow::KeyInvalid)]).expect("a valid script");
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    assert_eq!(Answer::to(house.stream("stream 3")).await.status, 200);
    assert_eq!(Answer::to(house.openai("hello")).await.status, 200);
    assert_eq!(house.generate("gemini-none", "hello").await.status, 404);
    house.google().await;

    let told = Scrape::until(&house, "keygate_requests_running", &[GOOGLE], 0.0).await;
    let ok = |operation| [GOOGLE, ("operation", operation), ("status", "200")];
    told.tells("keygate_requests_total", &ok("generate_content"), 3.0);
    told.tells("keygate_requests_total", &[GOOGLE, ("status", "404")], 1.0);
    told.tells("keygate_requests_total", &[GOOGLE], 6.0);
    told.tells("gemini_requests_total", &[("status", "success")], 5.0);
    told.tells("gemini_requests_total", &[("status", "error")], 1.0);
    told.tells("gemini_available_keys", &[], 2.0);
    told.tells("keygate_keys", &[GOOGLE, ("state", "disabled")], 1.0);
    told.tells("keygate_keys", &[("provider", "anam"), ("state", "available")], 2.0);
    told.tells("keygate_upstream_attempts_total", &[GOOGLE, ("fault", "none")], 5.0);
    told.tells("keygate_upstream_attempts_total", &[GOOGLE, ("fault", "key_invalid")], 1.0);
    told.tells("keygate_upstream_attempts_total", &[GOOGLE, ("fault", "caller")], 1.0);
    told.tells("keygate_upstream_429_total", &[GOOGLE], 0.0);
    told.tells("keygate_request_duration_seconds_count", &[GOOGLE], 6.0);
    told.tells("keygate_overhead_seconds_count", &[GOOGLE], 6.0);
    told.tells("keygate_first_byte_seconds_count", &[GOOGLE], 1.0);
    told.tells("keygate_key_available", &[GOOGLE], 2.0);
    told.tells("keygate_pool_up", &[GOOGLE], 1.0);
    told.tells("keygate_storage_up", &[], 3.0);

    let usage = eventually("the ledger has every attempt", async || {
        let usage = Answer::to(house.get("/api/usage?group_by=model").bearer_auth(ADMIN.1)).await.json();
        (usage["total"]["attempts"] == 7).then_some(usage)
    })
    .await;
    for (kind, column) in [("input", "input_tokens"), ("output", "output_tokens")] {
        let ledger = usage["total"][column].as_f64().expect("a sum");
        assert!(ledger > 0.0, "{usage}");
        told.tells("keygate_tokens_total", &[GOOGLE, ("model", FLASH), ("type", kind)], ledger);
        let sum = told.value("gen_ai_client_token_usage_sum", &[("gen_ai_token_type", kind)]);
        assert_eq!(sum, Some(ledger), "{kind}");
    }
    let served =
        [("gen_ai_provider_name", "gcp.gemini"), ("gen_ai_request_model", FLASH), ("error_type", "")];
    told.tells("gen_ai_client_operation_duration_seconds_count", &served, 5.0);
    house.close().await;
}

#[tokio::test]
async fn the_gateways_own_time_is_without_the_providers() {
    let house = House::open(json!({})).await;
    let slow = std::time::Duration::from_millis(1500);
    house.sim.script([Fault::new(Action::Pass).delay(slow)]).expect("a valid script");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    let told = Scrape::until(&house, "keygate_requests_running", &[GOOGLE], 0.0).await;
    let whole = told.value("keygate_request_duration_seconds_sum", &[GOOGLE]).expect("a sum");
    let own = told.value("keygate_overhead_seconds_sum", &[GOOGLE]).expect("a sum");
    let upstream = told.value("keygate_upstream_duration_seconds_sum", &[GOOGLE]).expect("a sum");
    assert!(whole >= 1.5 && upstream >= 1.5 && own < 0.75, "{whole} {upstream} {own}");
    house.close().await;
}

#[tokio::test]
async fn rate_limits_waits_and_refusals_have_numbers_of_their_own() {
    let house = House::open(json!({
        "limits": {"per_user": {"requests_per_minute": 2}},
        "providers": {"google": {"keys": [{"secret": "env:ALPHA_1", "label": "alpha_1"}]}},
    }))
    .await;
    let retry = Some(std::time::Duration::from_secs(1));
    let row = Some(GoogleRow::MinuteRequests.into());
    let refusal = ScriptedAnswer { row, retry, ..ScriptedAnswer::default() };
    house.sim.script([Fault::new(Action::Answer(refusal))]).expect("a valid script");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200, "it waits for the key");
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    house.generate(FLASH, "hello").await.is_refusal(429, "user_limited");

    let told = Scrape::until(&house, "keygate_requests_running", &[GOOGLE], 0.0).await;
    told.tells("keygate_upstream_429_total", &[GOOGLE], 1.0);
    told.tells("keygate_upstream_attempts_total", &[GOOGLE, ("fault", "rate_limited")], 1.0);
    told.tells("keygate_refusals_total", &[GOOGLE, ("reason", "user_limited")], 1.0);
    told.tells("gemini_requests_total", &[("status", "rate_limited")], 1.0);
    told.tells("keygate_queue_wait_seconds_count", &[GOOGLE], 1.0);
    assert!(told.value("keygate_queue_wait_seconds_sum", &[GOOGLE]).is_some_and(|sum| sum >= 1.0));
    house.close().await;
}

#[tokio::test]
async fn a_stream_counts_while_it_runs_and_a_caller_that_leaves_is_told_apart() {
    let begun =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"candidates\": []}\r\n\r\n";
    let upstream = Stalling::start(move |_, _| Reply::Stall(begun.as_bytes().to_vec())).await;
    let house =
        House::before(simulator(), json!({"providers": {"google": {"base_url": upstream.url}}}), &[]).await;
    let mut caller = wire::connect(&house.gateway).await;
    let body = chat("hello").to_string();
    let head =
        "POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1\r\nhost: gateway\r\n";
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    caller.write_all(request.as_bytes()).await.expect("written");
    Scrape::until(&house, "keygate_streams_running", &[GOOGLE], 1.0).await;
    drop(caller);
    drop(upstream);
    let told = Scrape::until(&house, "keygate_streams_running", &[GOOGLE], 0.0).await;
    told.tells("keygate_requests_running", &[GOOGLE], 0.0);
    house.close().await;
}

#[tokio::test]
async fn users_are_no_labels_and_nor_are_models_that_nobody_served() {
    let house = House::open(json!({})).await;
    for number in 0..20 {
        let request = house.post(&generate_path(&format!("made-up-{number}")), &chat("hello"));
        let answer = Answer::to(request.header("x-user-id", format!("somebody-{number}"))).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    let page = Answer::to(house.get("/metrics")).await.text();
    for word in ["made-up", "somebody", "sim-google-"] {
        assert!(!page.contains(word), "{word} is on the page");
    }
    house.close().await;
}

#[tokio::test]
async fn a_traced_request_is_the_exemplar_of_its_range() {
    let nobody = json!({"telemetry": {"otlp": {"endpoint": "http://127.0.0.1:9"}}});
    let house = House::open(nobody).await;
    let (traced, untraced) = ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737");
    for (trace, flag) in [(traced, "01"), (untraced, "00")] {
        let request = house.post(&generate_path(FLASH), &chat("hello"));
        let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-{flag}"));
        assert_eq!(Answer::to(request).await.status, 200);
    }
    let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let page = eventually("both requests are counted", async || {
        let page = Answer::to(house.get("/metrics").header("accept", accept)).await;
        page.text().contains("gemini_requests_total{status=\"success\"} 2").then_some(page)
    })
    .await;
    assert_eq!(page.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = page.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let told = |line: &&str| line.contains(&format!("# {{trace_id=\"{traced}\"}}"));
    let exemplar = text.lines().find(told).expect("the traced request");
    assert!(exemplar.starts_with("keygate_request_duration_seconds_bucket{"), "{exemplar}");
    assert!(!text.contains(untraced));
    house.close().await;
}

#[tokio::test]
async fn metrics_can_be_switched_off() {
    let house = House::open(json!({"telemetry": {"metrics": false}})).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    let answer = Answer::to(house.get("/metrics")).await;
    answer.is_refusal(404, "not_found");
    answer.says_house("telemetry.metrics");
    house.close().await;
}

#[tokio::test]
async fn a_configuration_that_is_refused_is_counted() {
    let house = House::open(json!({})).await;
    Scrape::of(&house).await.tells("keygate_config_up", &[], 1.0);
    house.gateway.write("keygate.yaml", "providers: {google: {kees: 1}}\n");
    let told = Scrape::until(&house, "keygate_config_up", &[], 0.0).await;
    told.tells("keygate_config_reloads_total", &[("result", "refused")], 1.0);
    let valid = configuration(house.sim.endpoints(), &json!({"limits": {"per_user": {"burst": 7}}}));
    house.gateway.write("keygate.yaml", &valid);
    let told = Scrape::until(&house, "keygate_config_up", &[], 1.0).await;
    told.tells("keygate_config_reloads_total", &[("result", "applied")], 1.0);
    house.close().await;
}
