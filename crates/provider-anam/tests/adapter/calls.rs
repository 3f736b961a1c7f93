//! A caller's request → what Anam gets.

use http::Method;
use http::header::AUTHORIZATION;
use keygate_domain::{Access, ApiKey, ErrorKind, Right};
use keygate_provider::Grant;
use keygate_provider_anam::ADAPTER;
use rstest::rstest;

use crate::asking::{Asked, MARK, START_BODY, anam, session_token, wire};

fn upstream(asked: &Asked) -> String {
    let key = ApiKey::new("pool-key-1");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let intent = asked.understood().unwrap();
    wire(&anam().request(&intent, &asked.inbound(), &grant))
}

#[test]
fn a_mint_goes_out_under_the_pool_key() {
    let body = r#"{"personaConfig":{"name":"Cara","avatarId":"a"}}"#;
    let asked = Asked::post("/v1/auth/session-token", body)
        .bearer("kg_client")
        .header("content-type", "application/json")
        .header("accept", "*/*")
        .header("user-agent", "curl/8");
    assert_eq!(
        upstream(&asked),
        format!(
            "POST /v1/auth/session-token\naccept: */*\nauthorization: Bearer pool-key-1\n\
             content-type: application/json\nuser-agent: curl/8\n\n{{\"clientLabel\":\"{MARK}\",{}",
            &body[1..]
        )
    );
}

#[test]
fn nothing_else_of_the_caller_goes_out() {
    let asked = Asked::post("/v1/auth/session-token", "{}")
        .query("key=kg_client&region=eu&access_token=t")
        .bearer("kg_client")
        .bearer("kg_second")
        .header("cookie", "session=1")
        .header("x-anam-target-url", "https://api.anam.ai/v1/auth/session-token")
        .header("x-api-key", "kg_client")
        .header("x-upload-token", "t")
        .header("x-user-id", "u1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("host", "gateway.example")
        .header("content-length", "2")
        .header("connection", "keep-alive")
        .header("accept-encoding", "gzip");
    assert_eq!(
        upstream(&asked),
        format!(
            "POST /v1/auth/session-token?region=eu\nauthorization: Bearer pool-key-1\n\n{{\"clientLabel\":\"{MARK}\"}}"
        )
    );
}

#[test]
fn a_start_by_gateway_token_goes_out_under_the_pool_key_with_a_label_and_its_body_untouched() {
    let asked =
        Asked::post("/v1/engine/session", r#"{ "personaConfig": {"avatarId":"a"} }"#).bearer("kg_client");
    assert_eq!(
        upstream(&asked),
        format!(
            "POST /v1/engine/session\nauthorization: Bearer pool-key-1\n\n\
             {{\"clientLabel\":\"{MARK}\", \"personaConfig\": {{\"avatarId\":\"a\"}} }}"
        )
    );
}

#[test]
fn a_start_by_session_token_goes_out_under_that_token() {
    let token = session_token("org-1");
    assert_eq!(
        upstream(&Asked::start_by(&token)),
        format!(
            "POST /v1/engine/session\nauthorization: Bearer {token}\ncontent-type: application/json\n\n{START_BODY}"
        )
    );
}

#[test]
fn polls_and_stops_go_out_under_the_pool_key() {
    let concurrency = Asked::new(Method::GET, "/v1/sessions/concurrency").bearer("kg_client");
    assert_eq!(upstream(&concurrency), "GET /v1/sessions/concurrency\nauthorization: Bearer pool-key-1\n\n");
    let stop = Asked::post("/v1/sessions/0b1c-7/stop", "");
    assert_eq!(upstream(&stop), "POST /v1/sessions/0b1c-7/stop\nauthorization: Bearer pool-key-1\n\n");
}

#[test]
fn the_credential_is_marked_as_one() {
    let key = ApiKey::new("pool-key-1");
    let asked = Asked::new(Method::GET, "/v1/sessions/concurrency");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let request = anam().request(&asked.understood().unwrap(), &asked.inbound(), &grant);
    assert!(request.headers[AUTHORIZATION].is_sensitive());
    assert!(!format!("{request:?}").contains("pool-key-1"));
}

#[test]
fn a_key_that_cannot_stand_in_a_header_is_left_out() {
    let key = ApiKey::new("broken\r\nx-evil: 1");
    let asked = Asked::new(Method::GET, "/v1/sessions/concurrency");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let request = anam().request(&asked.understood().unwrap(), &asked.inbound(), &grant);
    assert!(request.headers.is_empty());
}

/// What each route means for the pool, the limiter and the retry plan.
#[rstest]
#[case(Asked::post("/v1/auth/session-token", "{}"), "mint_session_token Safe opens=false units=1 []")]
#[case(Asked::post("/v1/engine/session", "{}"), "start_session OnlyIfRefused opens=true units=1 []")]
#[case(
    Asked::new(Method::GET, "/v1/sessions/concurrency"),
    "session_concurrency Safe opens=false units=0 []"
)]
#[case(Asked::post("/v1/sessions/s1/stop", ""), "stop_session Safe opens=false units=0 [session/s1]")]
#[case(
    Asked::post("/v1/auth/session-token", r#"{"personaConfig":{"personaId":"p1"}}"#),
    "mint_session_token Safe opens=false units=1 [persona/p1]"
)]
#[case(
    Asked::post("/v1/engine/session", r#"{"personaConfig":{"toolIds":["t1"]}}"#),
    "start_session OnlyIfRefused opens=true units=1 [tool/t1]"
)]
fn a_route_says_what_it_wants(#[case] asked: Asked, #[case] expected: &str) {
    let intent = asked.understood().unwrap();
    let references: Vec<String> = intent.references.iter().map(ToString::to_string).collect();
    let summary = format!(
        "{} {:?} opens={} units={} [{}]",
        intent.operation,
        intent.replay,
        intent.opens_session,
        intent.user_units,
        references.join(" ")
    );
    assert_eq!(summary, expected);
    assert_eq!((intent.right, intent.access), (Right::Avatar, Access::Token));
}

#[test]
fn a_session_token_is_the_callers_own_credential_where_a_session_starts_and_nowhere_else() {
    let token = session_token("org-1");
    let start = Asked::start_by(&token).understood().unwrap();
    assert_eq!(start.access, Access::OwnCredential);
    let [reference] = &start.references[..] else { panic!("{:?}", start.references) };
    assert_eq!((reference.kind, reference.name.len()), ("session_token", 64));
    assert!(!format!("{start:?}").contains(&token));

    for asked in [
        Asked::post("/v1/auth/session-token", "{}").bearer(&token),
        Asked::new(Method::GET, "/v1/sessions/concurrency").bearer(&token),
        Asked::post("/v1/sessions/s1/stop", "").bearer(&token),
    ] {
        assert_eq!(asked.understood().unwrap().access, Access::Token, "{}", asked.path);
        assert!(!upstream(&asked).contains(&token), "{}", asked.path);
    }
}

#[test]
fn a_start_by_session_token_looks_at_the_token_only() {
    let body = r#"{"personaConfig":{"personaId":"p1"}}"#;
    let asked = Asked::post("/v1/engine/session", body).bearer(&session_token("org-1"));
    let kinds: Vec<_> = asked.understood().unwrap().references.iter().map(|found| found.kind).collect();
    assert_eq!(kinds, ["session_token"]);
}

#[rstest]
#[case("3", Some(3.0))]
#[case("0.5", Some(0.5))]
#[case("0", None)]
#[case("-1", None)]
#[case("NaN", None)]
#[case("soon", None)]
#[case("1e300", None)]
fn the_callers_patience_is_heeded(#[case] value: &str, #[case] seconds: Option<f64>) {
    let asked = Asked::new(Method::GET, "/v1/sessions/concurrency").header("x-server-timeout", value);
    assert_eq!(asked.understood().unwrap().caller_deadline.map(|wait| wait.as_secs_f64()), seconds);
}

#[rstest]
#[case::unserved(Method::GET, "/v1/dreams", ErrorKind::NotFound, "POST /v1/engine/session")]
#[case::presets(Method::GET, "/v1/personas/presets", ErrorKind::NotFound, "retired")]
#[case::a_preset(Method::GET, "/v1/personas/presets/leo", ErrorKind::NotFound, "retired")]
#[case::put_list(Method::PUT, "/v1/personas", ErrorKind::MethodNotAllowed, "use GET or POST")]
#[case::post_item(Method::POST, "/v1/llms/l1", ErrorKind::MethodNotAllowed, "use GET or PUT or DELETE")]
#[case::item_dots(Method::DELETE, "/v1/personas/..", ErrorKind::BadRequest, "an id consists of")]
#[case::item_slash(Method::DELETE, "/v1/tools/a%2fb", ErrorKind::BadRequest, "an id consists of")]
#[case::metrics_read(Method::GET, "/v1/metrics/client", ErrorKind::NotFound, "served below /anam")]
#[case::other_version(Method::POST, "/v2/engine/session", ErrorKind::NotFound, "POST /v1/engine/session")]
#[case::no_version(Method::POST, "/None/engine/session", ErrorKind::NotFound, "api_version")]
#[case::root(Method::GET, "/", ErrorKind::NotFound, "served below /anam")]
#[case::empty(Method::GET, "", ErrorKind::NotFound, "served below /anam")]
#[case::get_mint(Method::GET, "/v1/auth/session-token", ErrorKind::MethodNotAllowed, "use POST")]
#[case::put_start(Method::PUT, "/v1/engine/session", ErrorKind::MethodNotAllowed, "use POST")]
#[case::post_poll(Method::POST, "/v1/sessions/concurrency", ErrorKind::MethodNotAllowed, "use GET")]
#[case::delete_stop(Method::DELETE, "/v1/sessions/s1/stop", ErrorKind::MethodNotAllowed, "use POST")]
#[case::dot_dot(Method::POST, "/v1/sessions/../stop", ErrorKind::BadRequest, "an id consists of")]
#[case::escaped_dots(Method::POST, "/v1/sessions/%2e%2e/stop", ErrorKind::BadRequest, "an id consists of")]
#[case::escaped_slash(Method::POST, "/v1/sessions/a%2Fb/stop", ErrorKind::BadRequest, "an id consists of")]
#[case::empty_id(Method::POST, "/v1/sessions//stop", ErrorKind::BadRequest, "an id consists of")]
#[case::control(Method::POST, "/v1/sessions/a\nb/stop", ErrorKind::BadRequest, "an id consists of")]
#[case::deeper(Method::POST, "/v1/sessions/a/b/stop", ErrorKind::NotFound, "served below /anam")]
#[case::climbing(
    Method::POST,
    "/v1/sessions/../auth/session-token",
    ErrorKind::NotFound,
    "served below /anam"
)]
#[case::escaped_route(Method::POST, "/v1/engine%2Fsession", ErrorKind::NotFound, "served below /anam")]
#[case::trailing(Method::POST, "/v1/engine/session/", ErrorKind::NotFound, "served below /anam")]
#[case::backslash(Method::POST, "/v1\\engine\\session", ErrorKind::NotFound, "served below /anam")]
fn whatever_is_not_served_is_rejected(
    #[case] method: Method,
    #[case] path: &'static str,
    #[case] kind: ErrorKind,
    #[case] told: &str,
) {
    let rejected = Asked::new(method, path).understood().unwrap_err();
    assert_eq!(rejected.kind, kind, "{}", rejected.message);
    assert!(rejected.message.contains(told), "{}", rejected.message);
}

#[test]
fn no_path_is_claimed_without_the_prefix() {
    assert!(!anam().claims("/v1/engine/session"));
    assert_eq!(ADAPTER.name.as_str(), "anam");
}

#[rstest]
#[case(None, 8.0)]
#[case(Some("3"), 3.0)]
#[case(Some("60"), 8.0)]
fn a_start_never_takes_longer_than_its_sdk_waits(#[case] asked: Option<&str>, #[case] seconds: f64) {
    let start = Asked::post("/v1/engine/session", "{}");
    let start = asked.map_or(start.clone(), |value| start.header("x-server-timeout", value));
    assert_eq!(start.understood().unwrap().caller_deadline.map(|wait| wait.as_secs_f64()), Some(seconds));
}

#[test]
fn what_browsers_report_is_answered_here() {
    let answered = |method: &Method, path: &str| anam().answers_alone(method, path);
    assert_eq!(answered(&Method::POST, "/v1/metrics/client"), Some(204));
    assert_eq!(answered(&Method::GET, "/v1/metrics/client"), None);
    assert_eq!(answered(&Method::POST, "/v1/engine/session"), None);
}

/// What is explained before anybody asks: starts first, and each operation once.
#[test]
fn operations_are_known_by_their_names() {
    let known = ADAPTER.operations;
    assert!(known[0].opens_session && known[0].operation.0 == "start_session");
    assert!(known[1..].iter().all(|known| !known.opens_session && !known.takes_model));
    let names: std::collections::BTreeSet<_> = known.iter().map(|known| known.operation).collect();
    assert_eq!(names.len(), known.len());
}
