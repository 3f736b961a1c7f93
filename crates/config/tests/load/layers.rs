//! Which source wins, and how that is shown.

use keygate_config::{AuthMode, Effective, LogFormat};
use keygate_domain::Right;
use rstest::rstest;

use crate::house::House;

fn shown<'a>(values: &'a [Effective], path: &str) -> (&'a str, String) {
    let value = values.iter().find(|value| value.path == path).unwrap_or_else(|| panic!("no {path}"));
    (value.value.as_str(), value.source.to_string())
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let bind = |house: &House| {
        let loaded = house.loaded();
        let (value, source) = shown(&loaded.sources, "server.bind");
        assert_eq!(value, loaded.config.server.bind.to_string());
        format!("{value} from {source}")
    };
    let house = House::new().env("GEMINI_API_KEY", "k");
    assert_eq!(bind(&house), "127.0.0.1:8080 from built-in default");
    let house = house.file("keygate.yaml", "server:\n  bind: 127.0.0.1:1001\n");
    assert_eq!(bind(&house), "127.0.0.1:1001 from keygate.yaml:2:9");
    let house = house.file(".env", "\nKEYGATE__SERVER__BIND=127.0.0.1:1002\n");
    assert_eq!(bind(&house), "127.0.0.1:1002 from .env:2");
    let house = house.env("KEYGATE__SERVER__BIND", "127.0.0.1:1003");
    assert_eq!(bind(&house), "127.0.0.1:1003 from environment variable KEYGATE__SERVER__BIND");
    let house = house.ask(|request| request.bind = "127.0.0.1:1004".parse().ok());
    assert_eq!(bind(&house), "127.0.0.1:1004 from command line, --bind");
}

#[test]
fn the_file_is_searched_where_the_contract_says() {
    let yaml = |workers: u32| format!("server: {{workers: {workers}}}\n");
    let workers = |house: &House| house.loaded().config.server.workers.get();
    let house = House::new().env("GEMINI_API_KEY", "k");
    assert_eq!((workers(&house), house.loaded().file), (2, None));
    let house = house.file("config/keygate.yaml", &yaml(3));
    assert_eq!(workers(&house), 3);
    let house = house.file("keygate.yaml", &yaml(4));
    assert_eq!(workers(&house), 4);
    let house = house.file("other/mine.yaml", &yaml(5)).ask(|r| r.config = Some("other/mine.yaml".into()));
    assert_eq!(workers(&house), 5);
    assert_eq!(house.loaded().file.unwrap(), house.path().join("other/mine.yaml"));
}

#[rstest]
#[case("AI_RATE_LIMIT_PER_MIN", "7", "limits.per_user.requests_per_minute", "7")]
#[case("LOG_LEVEL", "WARNING", "telemetry.log.level", "warn")]
#[case("RUST_LOG", "info,keygate_pool=trace", "telemetry.log.level", "info,keygate_pool=trace")]
#[case("KEYGATE__TELEMETRY__LOG__LEVEL", "debug", "telemetry.log.level", "debug")]
#[case("KEYGATE__SERVER__MAX_BODY", "1MiB", "server.max_body", "1MiB")]
#[case("KEYGATE__SERVER__STATUS_PUBLIC", "on", "server.status_public", "true")]
#[case("KEYGATE__LIMITS__USER_HEADER", "123", "limits.user_header", "123")]
#[case(
    "KEYGATE__TELEMETRY__OTLP__ENDPOINT",
    "http://127.0.0.1:4317",
    "telemetry.otlp.endpoint",
    "http://127.0.0.1:4317"
)]
#[case("KEYGATE__PROVIDERS__GOOGLE__STRATEGY", "weighted", "providers.google.strategy", "weighted")]
#[case("KEYGATE__PROVIDERS__GOOGLE__TIMEOUT", "90s", "providers.google.timeout", "1m 30s")]
fn variables_set_any_value(#[case] name: &str, #[case] value: &str, #[case] path: &str, #[case] holds: &str) {
    let loaded = House::with_yaml("server: {}\n").env("GEMINI_API_KEY", "k").env(name, value).loaded();
    assert_eq!(shown(&loaded.sources, path), (holds, format!("environment variable {name}")));
}

#[test]
fn named_variables_yield_to_those_that_name_the_setting() {
    let house = House::new()
        .env("GEMINI_API_KEY", "k")
        .env("LOG_LEVEL", "warn")
        .env("RUST_LOG", "error")
        .env("AI_RATE_LIMIT_PER_MIN", "7")
        .env("KEYGATE__LIMITS__PER_USER__REQUESTS_PER_MINUTE", "9");
    let config = house.loaded().config;
    assert_eq!(config.telemetry.log.level, "error");
    assert_eq!(config.limits.per_user.requests_per_minute, 9);
    assert_eq!(config.limits.per_user.burst, 9);
}

#[test]
fn blank_variables_count_as_not_set() {
    let house = House::new()
        .env("GEMINI_API_KEY", "k")
        .env("KEYGATE__SERVER__BIND", "")
        .env("AI_RATE_LIMIT_PER_MIN", " ")
        .env("KEYGATE_ADMIN_TOKEN", "")
        .env("KEYGATE_CLIENT_TOKENS", "")
        .env("ANAM_API_KEY", "");
    let config = house.loaded().config;
    assert_eq!(config.server.bind.port(), 8080);
    assert_eq!(config.clients.admin_token_sha256, None);
    assert_eq!(config.providers.len(), 1);
}

#[test]
fn secrets_are_masked_where_values_are_shown() {
    let sum = "ab".repeat(32);
    let yaml = format!(
        "clients: {{tokens: [{{name: backend, sha256: {sum}, scopes: [chat]}}]}}\nproviders: {{google: {{keys: [literal-key, {{secret: 'env:TEAM', group: g}}]}}}}\n"
    );
    let house = House::with_yaml(&yaml)
        .env("TEAM", "team-key")
        .env("GEMINI_API_KEYS", "listed-one,listed-two")
        .env("KEYGATE_ADMIN_TOKEN", "admin-token-of-an-operator")
        .env("KEYGATE_CLIENT_TOKENS", "client-token-of-a-backend");
    let loaded = house.loaded();
    let printed = format!("{loaded:?}");
    for secret in
        ["literal-key", "team-key", "listed-one", "admin-token", "client-token", sum.as_str(), "171, 171"]
    {
        let told = loaded.sources.iter().any(|value| value.value.contains(secret));
        assert!(!told, "{secret}");
        assert!(secret == "171, 171" || !printed.contains(secret), "{secret}");
    }
    assert_eq!(shown(&loaded.sources, "clients.tokens[0].sha256").0, "***");
    assert_eq!(shown(&loaded.sources, "clients.tokens[1]").0, "*** (env-1)");
    assert_eq!(
        shown(&loaded.sources, "clients.admin_token"),
        ("***", "environment variable KEYGATE_ADMIN_TOKEN".to_owned())
    );
    assert_eq!(shown(&loaded.sources, "clients.auth (resolved)").0, "open: no token is needed");
    assert_eq!(
        shown(&loaded.sources, "providers.google.keys[1]"),
        ("*** (team, group g)", "environment variable TEAM".to_owned())
    );
    assert_eq!(shown(&loaded.sources, "providers.google.keys[3]").0, "*** (gemini-api-keys-2)");
}

#[test]
fn tokens_come_from_yaml_and_from_the_environment() {
    let yaml = format!(
        "clients: {{tokens: [{{name: reader, sha256: {}, scopes: [status, chat]}}]}}\nproviders: {{anam: {{keys: ['env:A']}}}}\n",
        "0f".repeat(32)
    );
    let house = House::with_yaml(&yaml)
        .env("A", "a")
        .env("KEYGATE_CLIENT_TOKENS", "kg_0123456789abcdef, kg_fedcba9876543210,kg_0123456789abcdef")
        .env("KEYGATE_ADMIN_TOKEN", "abc");
    let loaded = house.loaded();
    let tokens = &loaded.config.clients.tokens;
    let names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["reader", "env-1", "env-2"]);
    assert_eq!(tokens[0].sha256, [0x0f; 32]);
    assert_eq!(tokens[0].rights.iter().copied().collect::<Vec<_>>(), [Right::Chat, Right::Status]);
    assert!(tokens[1].rights.contains(&Right::Manage) && !tokens[1].rights.contains(&Right::Admin));
    let admin = loaded.config.clients.admin_token_sha256.unwrap();
    assert_eq!(&admin[..4], &[0xba, 0x78, 0x16, 0xbf]);
    let warnings = house.warnings();
    assert!(warnings.contains("`env-3` is the same as `env-1`"), "{warnings}");
    assert!(warnings.contains("KEYGATE_ADMIN_TOKEN is short enough to be guessed"), "{warnings}");
}

#[rstest]
#[case("127.0.0.1:0", "auto", Some(AuthMode::Open))]
#[case("[::1]:0", "auto", Some(AuthMode::Open))]
#[case("0.0.0.0:0", "auto", Some(AuthMode::Required))]
#[case("[::]:0", "auto", Some(AuthMode::Required))]
#[case("192.168.1.5:0", "auto", Some(AuthMode::Required))]
#[case("127.0.0.1:0", "required", Some(AuthMode::Required))]
#[case("127.0.0.1:0", "open", Some(AuthMode::Open))]
#[case("0.0.0.0:0", "open", None)]
fn the_network_never_goes_without_tokens(
    #[case] bind: &str,
    #[case] auth: &str,
    #[case] mode: Option<AuthMode>,
) {
    let house = House::with_yaml(&format!("clients:\n  auth: {auth}\n"))
        .env("GEMINI_API_KEY", "k")
        .ask(|request| request.bind = bind.parse().ok());
    if let Some(mode) = mode {
        assert_eq!(house.loaded().config.clients.auth, mode);
    } else {
        let told = house.refused();
        assert!(told.contains("keygate.yaml:2:9: `clients.auth` is `open` while other machines"), "{told}");
        let house = house.env("KEYGATE__CLIENTS__ALLOW_OPEN_ON_NETWORK", "true");
        assert_eq!(house.loaded().config.clients.auth, AuthMode::Open);
    }
}

#[test]
fn required_without_any_token_relies_on_the_database() {
    let house =
        House::new().env("GEMINI_API_KEY", "k").ask(|request| request.bind = "0.0.0.0:80".parse().ok());
    assert!(house.loaded().config.clients.relies_on_kept_tokens());
    let house = house.env("KEYGATE_CLIENT_TOKENS", "0123456789abcdef");
    assert!(!house.loaded().config.clients.relies_on_kept_tokens());
}

#[test]
fn sections_may_be_empty_and_anchors_used() {
    let yaml = "
server:
clients:
  tokens:
telemetry:
  log: { format: json }
  otlp:
providers:
  google: &usual
    keys: ['env:G']
    keys_from_env: off
    cooldowns:
    timeout: 45s
  anam:
    <<: *usual
    keys: ['env:A']
";
    let config = House::with_yaml(yaml).env("G", "g").env("A", "a").loaded().config;
    assert_eq!(config.telemetry.log.format, LogFormat::Json);
    let timeouts: Vec<u64> = config.providers.iter().map(|provider| provider.timeout.as_secs()).collect();
    assert_eq!(timeouts, [45, 45]);
}
