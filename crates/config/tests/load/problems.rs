//! What is told when something is wrong: everything at once, with its place and a remedy.

use keygate_config::Place;
use rstest::rstest;

use crate::house::House;

#[test]
fn no_provider_names_every_place_looked_at() {
    let told = House::new().refused();
    assert!(told.contains("GEMINI_KEYS not set in environment. Format: 'key1,key2,key3'"), "{told}");
    assert!(told.contains("ANAM_API_KEYS not set in environment. Format: 'key1,key2,key3'"), "{told}");
    for place in [
        "`providers.google.keys`",
        "GEMINI_API_KEYS",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY_1…N",
        "there is no .env",
        "--allow-empty",
    ] {
        assert!(told.contains(place), "{place} in {told}");
    }
}

#[rstest]
#[case("GEMINI_KEYS", "")]
#[case("GEMINI_KEYS", " , ,")]
#[case("GEMINI_API_KEYS", "\"\"")]
fn a_variable_that_holds_nothing_is_named(#[case] name: &str, #[case] value: &str) {
    let sentence = format!("No valid API keys found in {name}");
    let told = House::with_yaml("providers: {google: {}}\n").env(name, value).refused();
    assert!(told.contains(&sentence), "{told}");
    let told = House::new().env(name, value).refused();
    assert!(told.contains(&sentence), "{told}");
}

#[test]
fn a_configured_provider_without_a_key_is_a_problem_at_its_place() {
    let house = House::with_yaml("providers:\n  google:\n    strategy: weighted\n").env("ANAM_API_KEY", "a");
    let told = house.refused();
    assert!(told.contains("keygate.yaml:2:3: google: GEMINI_KEYS not set in environment."), "{told}");
    let house = house.ask(|request| request.allow_empty = true);
    assert!(house.loaded().config.providers[0].keys.is_empty());
    assert!(house.warnings().contains("the provider is unavailable until it has a key"));
}

#[test]
fn nothing_at_all_can_be_allowed() {
    let house = House::new().ask(|request| request.allow_empty = true);
    assert!(house.loaded().config.providers.is_empty());
    assert!(house.warnings().contains("no provider is configured"));
}

#[test]
fn several_problems_of_all_kinds_come_out_at_once() {
    let yaml = "
server:
  bindd: 127.0.0.1:1
  workers: many
  max_body: 110
clients:
  auth: opened
cluster: { redis_url: x }
limits:
  per_user: { burst: 0 }
telemetry: { otlp: { sample: 2 } }
providers:
  google:
    strategy: weigthed
    base_url: http://example.com
    retry: { max_attempts: -1 }
    keys: ['env:NOT_THERE', { label: x }]
  gemini: {}
  gogle: {}
";
    let house = House::with_yaml(yaml)
        .file(".env", "OK=1\nnot a line\n")
        .env("KEYGATE__SERVER__SHUTDOWN_GRACE", "soon")
        .env("KEYGATE__SERVERR__BIND", "127.0.0.1:1");
    let told = house.refused();
    for expected in [
        "the configuration has 17 problems",
        "keygate.yaml:3:3: `bindd` is not known to this version\n    did you mean `bind`?",
        "keygate.yaml:4:12: `server.workers` must be a whole number of at least 1\n    for example: 20",
        "keygate.yaml:5:13: `server.max_body` must be a size with its unit\n    for example: 64KiB",
        "keygate.yaml:7:9: `clients.auth` must be one of `auto`, `required`, `open`\n    did you mean `open`?",
        "keygate.yaml:8:1: `cluster` is not known to this version\n    remove it; known here: `server`",
        "keygate.yaml:10:22: `limits.per_user.burst` must be a whole number of at least 1",
        "keygate.yaml:11:30: `telemetry.otlp.sample` must be a number from 0 to 1",
        "keygate.yaml:14:15: `providers.google.strategy` must be one of `round_robin`, `weighted`, `primary_backup`, `least_recently_used`, `health`, `headroom`\n    did you mean `weighted`?",
        "keygate.yaml:15:15: `providers.google.base_url` is not https",
        "keygate.yaml:16:28: `providers.google.retry.max_attempts` must be",
        "keygate.yaml:17:12: NOT_THERE is not set",
        "keygate.yaml:17:29: `providers.google.keys[1]` lacks `secret`",
        "keygate.yaml:18:3: `gemini` is called `google` in the configuration\n    call it `google`",
        "keygate.yaml:19:3: `gogle` is not a provider this version knows\n    did you mean `google`?",
        ".env:2: the line is not NAME=value",
        "environment variable KEYGATE__SERVER__SHUTDOWN_GRACE: `server.shutdown_grace` must be a duration with its unit\n    for example: 500ms, 30s, 5m, 1h or 30d",
        "environment variable KEYGATE__SERVERR__BIND: `serverr` is not known to this version\n    did you mean `server`?",
    ] {
        assert!(told.contains(expected), "{expected:?} is missing in\n{told}");
    }
}

#[rstest]
#[case("cluster: { redis_url: null }", "`cluster`")]
#[case("telemetry: { spans: true }", "`spans`")]
#[case("providers: { google: { budgets: { default: { requests_per_hour: 5 } } } }", "`requests_per_hour`")]
fn what_has_no_effect_is_refused(#[case] yaml: &str, #[case] name: &str) {
    let told = House::with_yaml(&format!("{yaml}\n")).env("GEMINI_API_KEY", "k").refused();
    assert!(
        told.contains(&format!("{name} is not known to this version\n    remove it; known here:")),
        "{told}"
    );
    assert!(told.starts_with("the configuration has a problem\n"), "{told}");
}

#[rstest]
#[case("limits: { requests_per_minute: 5 }", "write it further in, in `limits.per_user`")]
#[case("providers: { google: { max_wait: 5s } }", "write it further in, in `providers.google.queue`")]
#[case("providers: { google: { key: 'env:GEMINI_KEYS' } }", "did you mean `keys`?")]
#[case("server: { strategy: weighted }", "write it in `providers.<name>`")]
fn a_setting_in_a_wrong_place_is_told_the_right_one(#[case] yaml: &str, #[case] remedy: &str) {
    let told = House::with_yaml(&format!("{yaml}\n")).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains("is not known to this version") && told.contains(remedy), "{told}");
}

#[rstest]
#[case("server:\n\tbind: 127.0.0.1:8080", "indent with spaces, not with tabs")]
#[case("server:\n   bind: 127.0.0.1:8080\n  workers: 2", "indent it like its neighbours")]
#[case("plans: { default: gold, free: { requests_per_day: 5 } }", "described under `plans`: `free`")]
#[case("plans: { default: gold }", "describe it under `plans`, or leave `default` out")]
fn the_remedy_fits_the_mistake(#[case] yaml: &str, #[case] remedy: &str) {
    let told = House::with_yaml(&format!("{yaml}\n")).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains(remedy), "{told}");
}

#[rstest]
#[case("strategy: random")]
#[case("strategy: least_used")]
#[case("strategy: Health")]
fn strategies_that_do_not_exist_are_refused(#[case] line: &str) {
    let told =
        House::with_yaml(&format!("providers: {{google: {{{line}}}}}\n")).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains("must be one of `round_robin`, `weighted`, `primary_backup`"), "{told}");
}

#[rstest]
#[case("server: 5", "`server` must be a mapping of settings")]
#[case("server: { workers: 257 }", "`server.workers` is more than 256")]
#[case("server: { workers: null }", "`server.workers` must be a whole number of at least 1")]
#[case("server: { workers: [1] }", "`server.workers` must be a whole number of at least 1")]
#[case("server: { max_body: 10B }", "`server.max_body` is not between 1KiB and 4GiB")]
#[case("server: { max_upload: 10B }", "`server.max_upload` is not between 1KiB and 64GiB")]
#[case(
    "server: { public_url: 'ftp://ai.example' }",
    "`server.public_url` is not a plain http or https address"
)]
#[case(
    "server: { public_url: 'https://u:p@ai.example' }",
    "`server.public_url` is not a plain http or https address"
)]
#[case("server: { bind: 8080 }", "`server.bind` must be an IP address and a port")]
#[case("server: { request_head_timeout: 0s }", "leaves no time at all")]
#[case("limits: { user_header: 'X User' }", "is not the name of a header")]
#[case("limits: { user_header: Authorization }", "carries something else already")]
#[case("clients: { tokens: {} }", "`clients.tokens` must be a list")]
#[case("clients: { tokens: [{ name: a, sha256: abc }] }", "`clients.tokens[0].sha256` must be a SHA-256 sum")]
#[case("clients: { tokens: [{ name: a }] }", "`clients.tokens[0]` lacks `sha256`")]
#[case("telemetry: { log: { level: loud } }", "`telemetry.log.level` must be a log level")]
#[case("telemetry: { otlp: { endpoint: 'ftp://x' } }", "is neither http nor https")]
#[case(
    "telemetry: { otlp: { metrics: { interval: 100ms } } }",
    "`telemetry.otlp.metrics.interval` is not between 1s and 1h"
)]
#[case(
    "telemetry: { metrics: false, otlp: { metrics: { enabled: true } } }",
    "`telemetry.otlp.metrics.enabled` sends what is not counted"
)]
#[case(
    "telemetry: { capture_content: { max_bytes: 2MiB } }",
    "`telemetry.capture_content.max_bytes` is not between 1KiB and 1MiB"
)]
#[case("telemetry: { capture_content: on }", "`telemetry.capture_content` must be a mapping")]
#[case("providers: []", "`providers` must be a mapping")]
#[case("providers: { google: { keys: {} } }", "`providers.google.keys` must be a list of keys")]
#[case("providers: { google: { keys: [''] } }", "`providers.google.keys[0]` must be a key")]
#[case(
    "providers: { google: { keys: [{ secret: 'env:' }] } }",
    "`providers.google.keys[0].secret` must be a reference"
)]
#[case(
    "providers: { google: { keys: [{ secret: 'env:GEMINI_KEYS', weight: 0 }] } }",
    "keys[0].weight` must be"
)]
#[case("providers: { google: { timeout: 0s } }", "`providers.google.timeout` is no time at all")]
#[case(
    "providers: { google: { cooldowns: { rate_limited: 0s } } }",
    "cooldowns.rate_limited` is no time at all"
)]
#[case(
    "providers: { google: { cooldowns: { overloaded: { at_least: 31s } } } }",
    "has at_least above at_most"
)]
#[case("providers: { google: { probe: { every: 900ms } } }", "probe.every` is shorter than a second")]
#[case("providers: { google: { probe: { at_most: 9m } } }", "has every above at_most")]
#[case("providers: { google: { probe: { per_hour: 3601 } } }", "probe.per_hour` is more than one a second")]
#[case("providers: { google: { keys: ['file:none.txt'] } }", "the key file none.txt cannot be read")]
#[case(
    "providers: { google: { keys: [{ secret: a, label: x }, { secret: b, label: x }] } }",
    "the same label, `x`"
)]
fn one_problem_is_told_once(#[case] yaml: &str, #[case] expected: &str) {
    let told = House::with_yaml(&format!("{yaml}\n")).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains(expected), "{told}");
    assert!(told.starts_with("the configuration has a problem\n  keygate.yaml:1:"), "{told}");
}

#[rstest]
#[case::unsendable("providers: { google: { keys: ['my secret-key'] } }")]
#[case::in_an_unknown_field("providers: { google: { keys: [{ AIzaSecret-key: x }] } }")]
#[case::as_a_name("AIzaSecret-key: {}")]
#[case::as_a_provider("providers: { AIzaSecret-key: { strategyy: x } }")]
#[case::in_place_of_a_list("providers: { google: { cooldowns: AIzaSecret-key } }")]
#[case::as_a_url("providers: { google: { base_url: AIzaSecret-key } }")]
#[case::as_a_strategy("providers: { google: { strategy: AIzaSecret-key } }")]
#[case::as_a_variable("providers: { google: { keys: ['env:AIzaSecret-key'] } }")]
#[case::in_broken_yaml("providers: { google: { keys: [AIzaSecret-key }")]
#[case::as_a_broken_quote("providers: { google: { keys: ['AIzaSecret-key }")]
#[case::as_an_alias("providers: { google: { keys: [*AIzaSecret-key] } }")]
#[case::given_twice("{ AIzaSecret-key: 1, AIzaSecret-key: 2 }")]
fn a_secret_in_the_wrong_place_is_never_told(#[case] yaml: &str) {
    let house = House::with_yaml(&format!("{yaml}\n")).env("GEMINI_KEYS", "k");
    let problems = house.load().map(|loaded| loaded.config).unwrap_err();
    for printed in [problems.to_string(), format!("{problems:?}")] {
        assert!(!printed.to_lowercase().contains("secret-key"), "{printed}");
        assert!(printed.contains("keygate.yaml"), "{printed}");
    }
}

#[test]
fn keys_that_cannot_be_sent_are_named_by_position() {
    let house = House::new().env("GEMINI_API_KEYS", "good,bad one,good2,file:keys.txt");
    let told = house.refused();
    assert!(told.contains(
        "environment variable GEMINI_API_KEYS: the key `gemini-api-keys-2` (number 2 of its list) holds"
    ));
    assert!(told.contains("`gemini-api-keys-4` (number 4 of its list) is a reference, not a key"), "{told}");
    let told =
        House::with_yaml("providers: {google: {keys: ['file:k.txt']}}\n").file("k.txt", "a\nb c\n").refused();
    assert!(told.contains("k.txt:2:1: the key `k-2` holds a character"), "{told}");
}

#[test]
fn problems_of_a_list_keep_their_positions() {
    let yaml = "
clients:
  tokens:
    - { name: a, sha256: short }
    - { name: b }
    - { name: c, sha256: short, scopes: [chat, everything] }
providers:
  google:
    keys: [{ label: x }, { secret: 'env:NOT_THERE' }, { secret: 'env:GEMINI_KEYS', role: second }]
";
    let told = House::with_yaml(yaml).env("GEMINI_KEYS", "k").refused();
    for expected in [
        "the configuration has 7 problems",
        "keygate.yaml:4:26: `clients.tokens[0].sha256` must be",
        "keygate.yaml:5:7: `clients.tokens[1]` lacks `sha256`",
        "keygate.yaml:6:26: `clients.tokens[2].sha256` must be",
        "keygate.yaml:6:48: `clients.tokens[2].scopes[1]` must be one of `chat`",
        "keygate.yaml:9:12: `providers.google.keys[0]` lacks `secret`",
        "keygate.yaml:9:36: NOT_THERE is not set",
        "keygate.yaml:9:90: `providers.google.keys[2].role` must be one of `primary`, `backup`",
    ] {
        assert!(told.contains(expected), "{expected:?} is missing in\n{told}");
    }
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let told = House::new().ask(|request| request.config = Some("mine.yaml".into())).refused();
    assert!(told.contains("mine.yaml: the file cannot be read: No such file"), "{told}");
}

#[test]
fn places_can_be_matched_on() {
    let problems = House::with_yaml("servr: {}\n").env("GEMINI_KEYS", "k").load().unwrap_err();
    let expected = Place::File { path: "keygate.yaml".into(), line: 1, column: 1 };
    assert_eq!(problems.0[0].place, expected);
    assert_eq!(problems.0[0].remedy, "did you mean `server`?");
}

#[rstest]
#[case("{ every: 5h }", "keygate.yaml:3:24: `providers.google.rotation.every` neither divides a day evenly")]
#[case(
    "{ every: 0s }",
    "keygate.yaml:3:24: `providers.google.rotation.every` is not between 1h and 366 days"
)]
#[case("{ every: daily }", "keygate.yaml:3:24: `providers.google.rotation.every` must be a duration")]
#[case(
    "{ at: \"03:00\" }",
    "keygate.yaml:3:5: `providers.google.rotation` does not say how often\n    add `every`"
)]
#[case("{ every: 24h, at: noon }", "keygate.yaml:3:33: `providers.google.rotation.at` must be a time of day")]
#[case(
    "{ every: 24h, timezone: New York }",
    "keygate.yaml:3:39: `providers.google.rotation.timezone` must be a time zone"
)]
fn a_rotation_that_cannot_be_is_told_with_its_place(#[case] rotation: &str, #[case] expected: &str) {
    let yaml = format!("providers:\n  google:\n    rotation: {rotation}\n");
    let told = House::with_yaml(&yaml).env("GEMINI_API_KEY", "k").refused();
    assert!(told.contains(expected), "{expected:?} is missing in\n{told}");
}

#[test]
fn an_address_of_a_database_that_cannot_be_is_refused_without_its_password() {
    for url in ["postgres://keygate:hunter2@db:none/keygate", "postgres://db/keygate?password=hunter2"] {
        let yaml = format!("storage:\n  url: {url}\n");
        let told = House::with_yaml(&yaml).env("GEMINI_KEYS", "k").refused();
        assert!(told.contains("keygate.yaml:2") && told.contains("postgres://user:password@host"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let told = House::with_yaml("storage: { url: keygate.db }\n").env("GEMINI_KEYS", "k").refused();
    assert!(told.contains("sqlite://keygate.db"), "{told}");
}
