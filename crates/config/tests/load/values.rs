//! What values become.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use keygate_config::{CaptureContent, OtlpProtocol, StoragePlace};
use keygate_domain::{Allowance, PlanName};
use keygate_limits::{Allowed, Overage, Plan, Price, RetryPolicy, UserPolicy};
use keygate_pool::{Budgets, Cooldowns, Overloaded, Policy, ProbePolicy, QueueBounds, Rotation, Strategy};
use rstest::rstest;

use crate::house::House;

#[test]
fn nothing_but_a_key_is_needed() {
    let config = House::new().env("GEMINI_API_KEYS", "k1,k2").loaded().config;
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!((config.server.workers.get(), config.server.max_body), (2, 110 << 20));
    assert_eq!((config.server.max_upload, config.server.public_url), (2 << 30, None));
    assert_eq!(config.limits.per_user, UserPolicy::default());
    assert_eq!(config.limits.user_header, "X-User-Id");
    assert_eq!(config.storage.place, StoragePlace::File("keygate.db".into()));
    let google = &config.providers[0];
    assert_eq!(google.policy, Policy::default());
    assert_eq!(google.retry, RetryPolicy::default());
    assert_eq!(google.base_url.as_str(), "https://generativelanguage.googleapis.com/");
    assert_eq!(google.timeout, Duration::from_mins(2));
}

#[test]
fn every_value_reaches_its_place() {
    let yaml = "
server: { bind: '[::1]:9', workers: 3, max_body: 2MB, max_upload: 3GiB, public_url: 'https://ai.example.com/gateway', shutdown_delay: 2s, shutdown_grace: 5s, status_public: yes, max_connections: 7, request_head_timeout: 1s }
limits: { per_user: { requests_per_minute: 60, burst: 5, max_concurrent: 2 }, user_header: X-Who, max_users: 9, failed_logins_per_minute: 3 }
storage: { url: 'sqlite:///var/lib/keygate/k.db' }
telemetry: { log: { level: off }, otlp: { endpoint: 'http://collector:4318/', protocol: http, sample: 0.25, metrics: { enabled: true, interval: 15s } }, capture_content: { enabled: true, max_bytes: 8KiB } }
providers:
  anam:
    base_url: http://localhost:7777/anam
    strategy: primary_backup
    rotation: { every: 12h, at: '06:30', timezone: America/New_York }
    keys: [{ secret: 'env:A', budgets: { concurrent: 9 } }]
    budgets: { default: { requests_per_minute: 60, min_interval: 2s }, models: { pro: { tokens_per_month: 6000000000 } }, margin: 1s, session_length: 3m }
    cooldowns: { rate_limited: 1s, quota_exhausted: 2s, busy: 3s, group_blocked: 4s, key_forbidden: 5s, overloaded: { at_least: 6s, at_most: 7s } }
    retry: { max_attempts: 4, max_refusals: 5, attempt_timeout: 8s, stream_attempt_timeout: null }
    queue: { max_wait: 10s, max_waiting: 11 }
    probe: { enabled: false, every: 12s, at_most: 13s, per_hour: 14 }
    timeout: 9s
";
    let config = House::with_yaml(yaml).env("A", "a").loaded().config;
    assert_eq!((config.server.max_body, config.server.max_upload), (2_000_000, 3 << 30));
    assert_eq!(config.server.public_url.unwrap().as_str(), "https://ai.example.com/gateway");
    assert!(config.server.status_public);
    assert_eq!((config.server.max_connections.get(), config.server.shutdown_grace.as_secs()), (7, 5));
    assert_eq!(config.server.shutdown_delay.as_secs(), 2);
    assert_eq!(
        config.limits.per_user,
        UserPolicy {
            requests_per_minute: 60,
            burst: 5,
            max_concurrent: 2,
            max_users: 9,
            failed_logins_per_minute: 3
        }
    );
    assert_eq!(config.storage.place, StoragePlace::File("/var/lib/keygate/k.db".into()));
    assert_eq!(config.telemetry.log.level, "off");
    assert_eq!((config.telemetry.otlp.protocol, config.telemetry.otlp.sample), (OtlpProtocol::Http, 0.25));
    assert_eq!(config.telemetry.otlp.metrics_every, Some(Duration::from_secs(15)));
    assert_eq!(config.telemetry.capture_content, Some(CaptureContent { max_bytes: 8192 }));
    let anam = &config.providers[0];
    assert_eq!(anam.base_url.as_str(), "http://localhost:7777/anam");
    let seconds = Duration::from_secs;
    assert_eq!(anam.policy, policy_of_the_example());
    assert_eq!(anam.keys[0].allowance, Allowance { concurrent: Some(9), ..Allowance::default() });
    let retry = RetryPolicy {
        max_attempts: 4,
        max_refusals: 5,
        backoff_at_least: seconds(6),
        backoff_at_most: seconds(7),
        attempt_timeout: Some(seconds(8)),
        stream_attempt_timeout: None,
    };
    assert_eq!(anam.retry, retry);
    assert_eq!(anam.timeout, seconds(9));
}

#[test]
fn content_that_leaves_the_house_is_warned_of_and_so_is_what_has_nowhere_to_go() {
    let with = |yaml: &str| House::with_yaml(yaml).env("GEMINI_API_KEY", "k");
    let sent = with(
        "telemetry: { otlp: { endpoint: 'http://127.0.0.1:4317' }, capture_content: { enabled: true } }\n",
    );
    assert!(
        sent.warnings().contains("prompts and answers go to telemetry.otlp.endpoint"),
        "{}",
        sent.warnings()
    );
    let nowhere =
        with("telemetry: { otlp: { metrics: { enabled: true } }, capture_content: { enabled: true } }\n");
    let config = nowhere.loaded().config;
    assert_eq!((config.telemetry.capture_content, config.telemetry.otlp.metrics_every), (None, None));
    for setting in ["telemetry.capture_content.enabled", "telemetry.otlp.metrics.enabled"] {
        let told = format!("`{setting}` does nothing until telemetry.otlp.endpoint is set");
        assert!(nowhere.warnings().contains(&told), "{}", nowhere.warnings());
    }
    assert_eq!(with("telemetry: { otlp: { endpoint: 'http://127.0.0.1:4317' } }\n").warnings(), "");
}

#[rstest]
#[case("https://proxy.example/gemini", None)]
#[case("http://127.0.0.1:9", None)]
#[case("http://[::1]:9", None)]
#[case("http://sim.localhost:9", None)]
#[case("http://proxy.example", Some("is not https"))]
#[case("http://127.0.0.1.example", Some("is not https"))]
#[case("http://10.0.0.1", Some("is not https"))]
#[case("ftp://127.0.0.1", Some("is not https"))]
#[case("https://me:hunter2@proxy.example", Some("carries a user name or a password"))]
#[case("https://proxy.example/?key=1", Some("has a query or a fragment"))]
#[case("proxy.example", Some("must be a URL with its scheme"))]
#[case("https://", Some("must be a URL"))]
fn keys_go_to_https_or_loopback_only(#[case] url: &str, #[case] refused: Option<&str>) {
    let house = House::with_yaml(&format!("providers: {{google: {{base_url: '{url}'}}}}\n"))
        .env("GEMINI_API_KEY", "k");
    match refused {
        None => assert_eq!(house.provider().base_url.as_str().trim_end_matches('/'), url),
        Some(text) => {
            let told = house.refused();
            assert!(told.contains(&format!("`providers.google.base_url` {text}")), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn providers_come_in_the_order_of_the_catalogue_and_only_when_they_are_on() {
    let names = |house: House| {
        let providers = house.loaded().config.providers;
        providers.iter().map(|provider| provider.adapter.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(House::new().env("ANAM_API_KEY", "a").env("GEMINI_KEYS", "g")), ["google", "anam"]);
    assert_eq!(names(House::new().env("ANAM_API_KEY_12", "a")), ["anam"]);
    assert_eq!(names(House::with_yaml("providers: {anam: {}}\n").env("ANAM_API_KEYS", "a")), ["anam"]);
}

#[rstest]
#[case("round_robin", Strategy::RoundRobin)]
#[case("weighted", Strategy::Weighted)]
#[case("primary_backup", Strategy::PrimaryBackup)]
#[case("least_recently_used", Strategy::LeastRecentlyUsed)]
#[case("health", Strategy::Health)]
#[case("headroom", Strategy::Headroom)]
fn every_strategy_has_its_name(#[case] name: &str, #[case] strategy: Strategy) {
    let yaml = format!("providers: {{google: {{strategy: {name}}}}}\n");
    let google = House::with_yaml(&yaml).env("GEMINI_API_KEY", "k").provider();
    assert_eq!((google.policy.strategy, strategy.as_str()), (strategy, name));
}

#[test]
fn a_rotation_that_leaves_something_open_is_shown_whole() {
    let house =
        House::with_yaml("providers: {google: {rotation: {every: 24h}}}\n").env("GEMINI_API_KEY", "k");
    let midnight = Rotation::new(Duration::from_hours(24), time(0, 0, 0, 0), TimeZone::UTC).unwrap();
    assert_eq!(house.provider().policy.rotation, Some(midnight));
    let shown: Vec<_> = house.loaded().sources;
    for (path, value) in [("every", "24h"), ("at", "00:00"), ("timezone", "UTC")] {
        let path = format!("providers.google.rotation.{path}");
        assert!(shown.iter().any(|one| one.path == path && one.value == value), "{path} in {shown:?}");
    }
}

fn policy_of_the_example() -> Policy {
    let seconds = Duration::from_secs;
    let new_york = TimeZoneDatabase::bundled().get("America/New_York").unwrap();
    Policy {
        strategy: Strategy::PrimaryBackup,
        rotation: Rotation::new(Duration::from_hours(12), time(6, 30, 0, 0), new_york).ok(),
        cooldowns: Cooldowns {
            rate_limited: seconds(1),
            quota_exhausted: seconds(2),
            busy: seconds(3),
            group_blocked: seconds(4),
            key_forbidden: seconds(5),
            overloaded: Overloaded { at_least: seconds(6), at_most: seconds(7) },
        },
        budgets: budgets_of_the_example(),
        queue: QueueBounds { max_wait: seconds(10), max_waiting: 11 },
        probe: ProbePolicy { is_enabled: false, every: seconds(12), at_most: seconds(13), per_hour: 14 },
    }
}

fn budgets_of_the_example() -> Budgets {
    let default = Allowance {
        requests_per_minute: Some(60),
        min_interval: Some(Duration::from_secs(2)),
        ..Allowance::default()
    };
    let pro = Allowance { tokens_per_month: Some(6_000_000_000), ..Allowance::default() };
    Budgets {
        default,
        models: BTreeMap::from([("pro".into(), pro)]),
        margin: Duration::from_secs(1),
        session_length: Duration::from_mins(3),
        ..Budgets::default()
    }
}

#[test]
fn plans_are_read_by_name() {
    let yaml = "
plans:
  default: free
  free: { requests_per_day: 1000, tokens_per_month: 1_000_000 }
  pro: { requests_per_month: 9, tokens_per_day: 8, overage: allow, overage_price: { per_request: 0.5 } }
  idle:
";
    let plans = House::with_yaml(yaml).env("GEMINI_API_KEY", "k").loaded().config.plans;
    let plan = |name: &str| plans.by_name[&PlanName::from(name)];
    let allowed = |requests, tokens| Allowed { requests, tokens };
    assert_eq!(plans.default, Some(PlanName::from("free")));
    assert_eq!(plan("free").day, allowed(Some(1000), None));
    assert_eq!(plan("free").month, allowed(None, Some(1_000_000)));
    assert_eq!(plan("free").overage, Overage::Block);
    assert_eq!((plan("pro").day, plan("pro").month), (allowed(None, Some(8)), allowed(Some(9), None)));
    assert_eq!(plan("pro").overage, Overage::Allow(Price { per_request: 0.5, per_1000_tokens: 0.0 }));
    assert_eq!(plan("idle"), Plan::default());
}

#[test]
fn a_plan_that_is_not_described_is_refused_with_the_name_that_was_meant() {
    let house = House::with_yaml("plans: { default: fre, free: {} }\n").env("GEMINI_API_KEY", "k");
    let told = house.refused();
    assert!(told.contains("`plans.default` names `fre`, which is no plan"), "{told}");
    assert!(told.contains("do you mean `free`?"), "{told}");
    let told =
        House::with_yaml("plans: { free: { requests_per_hour: 1 } }\n").env("GEMINI_API_KEY", "k").refused();
    assert!(told.contains("requests_per_hour"), "{told}");
    let told = House::with_yaml("plans: { free: { overage: maybe } }\n").env("GEMINI_API_KEY", "k").refused();
    assert!(told.contains("block") && told.contains("allow"), "{told}");
}

#[test]
fn a_database_server_is_named_by_its_address_which_is_shown_without_its_password() {
    let url = "postgres://keygate:hunter2@db:5433/keygate?sslmode=verify-full";
    let house = House::with_yaml(&format!("storage: {{ url: '{url}' }}\n"));
    let loaded = house.env("GEMINI_KEYS", "k").loaded();
    let StoragePlace::Server(address) = &loaded.config.storage.place else { panic!("it is a server") };
    assert_eq!((address.expose(), address.expose_password()), (url, Some("hunter2")));
    let shown = loaded.sources.iter().find(|effective| effective.path == "storage.url");
    assert_eq!(shown.map(|shown| shown.value.as_str()), Some("postgres://keygate:***@db:5433/keygate"));
}
