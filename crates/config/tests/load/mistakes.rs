//! What new users get wrong, and what they are told: where, what, and what to do.

use rstest::rstest;

use crate::house::House;

fn refused(yaml: &str) -> String {
    let told = House::with_yaml(yaml).env("GEMINI_KEYS", "k").refused();
    assert!(told.starts_with("the configuration has a problem\n"), "{told}");
    told
}

#[rstest]
#[case::a_list(
    "server: [127.0.0.1:8080]",
    "1:1: `server` must be a mapping of settings\n    write `name: value` lines"
)]
#[case::an_empty_list(
    "limits:\n  per_user: []",
    "2:3: `limits.per_user` must be a mapping of settings\n    write `name"
)]
#[case::a_list_of_providers(
    "providers:\n  - google",
    "1:1: `providers` must be a mapping\n    write `name: value` lines"
)]
#[case::a_text("limits: 5", "1:9: `limits` must be a mapping of settings\n    write `name: value` lines")]
#[case::no_list(
    "clients:\n  tokens: abc",
    "2:11: `clients.tokens` must be a list\n    write its items below it, each after"
)]
#[case::no_blank(
    "server:\n  bind:127.0.0.1:8080",
    "2:3: `server` must be a mapping of settings\n    write a blank after the colon"
)]
#[case::too_deep(
    "server:\n  bind: 127.0.0.1:8080\n    workers: 2",
    "3:12: this is not readable YAML: mapping values"
)]
#[case::too_deep_remedy(
    "server:\n  workers: 2\n    bind: x",
    "\n    write each line as `name: value`, indented alike"
)]
#[case::an_open_quote(
    "server:\n  bind: \"127.0.0.1:8080\nlimits: {}",
    "\n    a quote that is opened before is not closed"
)]
#[case::a_star(
    "server: { cors: { allow_origins: [*] } }",
    "\n    put quotes around a text that begins with *"
)]
#[case::toml("[server]\nbind = \"127.0.0.1:8080\"", "2:1: this is not readable YAML")]
#[case::a_port(
    "server: { bind: '127.0.0.1:99999' }",
    "1:17: `server.bind` must be an IP address and a port up to 65535"
)]
#[case::no_scheme(
    "providers: { google: { base_url: example.com } }",
    "`providers.google.base_url` must be a URL with its scheme"
)]
#[case::a_host_alone(
    "telemetry: { otlp: { endpoint: '127.0.0.1:4317' } }",
    "`telemetry.otlp.endpoint` must be a URL with its scheme\n    for example: https://"
)]
#[case::no_unit(
    "server: { shutdown_grace: 30 }",
    "1:27: `server.shutdown_grace` must be a duration with its unit\n    for example: 500ms, 30s"
)]
#[case::negative("cache: { ttl: -5m }", "1:15: `cache.ttl` must be a duration with its unit")]
#[case::one_scope(
    "clients: { tokens: [{ name: a, sha256: '0000000000000000000000000000000000000000000000000000000000000000', scopes: [chatt] }] }",
    "scopes[0]` must be one of `chat`, "
)]
#[case::one_name_twice(
    "session_keepers: [{name: zalo, url: 'https://a.example', tags: [a]}, {name: zalo, url: 'https://a.example', tags: [b]}]",
    "two session keepers have the same name, `zalo`\n    give each a name of its own"
)]
#[case::an_unset_variable(
    "alerts: { channels: [{ kind: slack, url: env:SLACK_URL }] }",
    "SLACK_URL, which `url` of the alert channel `slack` names, is not set\n    set it in the environment"
)]
#[case::a_folder_of_keys(
    "providers: { google: { keys: ['file:.'] } }",
    "cannot be read: it is a folder\n    name a file in it"
)]
#[case::one_event(
    "alerts: { channels: [{ kind: slack, url: 'https://x.example', events: [pool] }] }",
    "events[0]` must be one of `pool_empty`, "
)]
#[case::a_key_by_another_name(
    "providers: { google: { keys: [{ key: a, secret: b }] } }",
    "`key` is not known to this version\n    a key is its `secret`: write `secret: env:NAME`"
)]
#[case::out_of_line(
    "server:\n  bind: 127.0.0.1:8080\n workers: 2",
    "3:2: this is not readable YAML: while parsing a block mapping, did not find expected key\n    indent it like its neighbours"
)]
#[case::no_colon(
    "server:\n  bind: 127.0.0.1:1\n  workers 2\n",
    "\n    write `name: value`, with a colon and a blank"
)]
#[case::of_a_shell(
    "providers: { google: { keys: ['$GEMINI_KEYS'] } }",
    "is a reference, not a key\n    write env:NAME"
)]
#[case::of_compose(
    "providers: { google: { keys: ['${GEMINI_KEYS}'] } }",
    "is a reference, not a key\n    write env:NAME"
)]
#[case::in_capitals(
    "providers: { google: { keys: ['ENV:GEMINI_KEYS'] } }",
    "is a reference, not a key\n    write env:NAME"
)]
#[case::a_dash_without_a_blank(
    "providers:\n  google:\n    keys:\n      -env:GEMINI_KEYS",
    "4:7: the key `google-1` is a reference, not a key"
)]
#[case::an_example(
    "providers: { google: { keys: ['YOUR_API_KEY'] } }",
    "stands in for a key\n    put a key of your own"
)]
#[case::days(
    "alerts: { rotate_after: 30 }",
    "`alerts.rotate_after` must be a duration with its unit\n    for example: 500ms, 30s, 5m, 1h or 30d"
)]
fn a_mistake_is_told_with_its_place_and_what_to_do(#[case] yaml: &str, #[case] expected: &str) {
    let told = refused(&format!("{yaml}\n"));
    assert!(told.contains(expected), "{expected:?} is not in\n{told}");
    assert!(told.contains("keygate.yaml:"), "{told}");
}

#[rstest]
#[case::of_windows("server:\r\n  workers: x\r\n")]
#[case::after_a_mark("\u{feff}server:\n  workers: x\n")]
#[case::of_windows_after_a_mark("\u{feff}server:\r\n  workers: x\r\n")]
fn lines_are_counted_as_editors_count_them(#[case] yaml: &str) {
    let told = refused(yaml);
    assert!(told.contains("keygate.yaml:2:12: `server.workers` must be a whole number"), "{told}");
    let well = House::with_yaml(&yaml.replace("workers: x", "workers: 3")).env("GEMINI_KEYS", "k");
    assert_eq!(well.loaded().config.server.workers.get(), 3);
}

#[test]
fn a_file_that_is_no_text_in_utf_8_is_told_its_line() {
    let latin = b"server:\n  workers: 2 # d\xe9j\xe0 vu\n";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain("server:\n".bytes().flat_map(|b| [b, 0])).collect();
    for (bytes, line) in [(latin.as_slice(), 2), (wide.as_slice(), 1)] {
        let house = House::new().env("GEMINI_KEYS", "k");
        std::fs::write(house.path().join("keygate.yaml"), bytes).unwrap();
        let told = house.refused();
        let expected = format!(
            "keygate.yaml: the file cannot be read: line {line} is no text in UTF-8\n    save it as UTF-8"
        );
        assert!(told.contains(&expected), "{told}");
    }
}

#[test]
fn a_variable_that_lacks_an_underscore_is_told_and_those_of_others_are_not() {
    let house = House::new().env("GEMINI_KEYS", "k").env("KEYGATE_ADMIN_TOKEN", "0123456789abcdef");
    let house = house.env("KEYGATE_PORT", "tcp://10.0.0.1:80").env("KEYGATE_SERVICE_HOST", "10.0.0.1");
    assert_eq!(house.warnings(), "");
    for name in ["KEYGATE_SERVER__BIND", "KEYGATE_SERVER_BIND"] {
        let warned = House::new().env("GEMINI_KEYS", "k").env(name, "0.0.0.0:1").warnings();
        let expected =
            format!("environment variable {name}: {name} sets nothing; did you mean KEYGATE__SERVER__BIND?");
        assert!(warned.contains(&expected), "{warned}");
    }
    let warned = House::new().env("GEMINI_KEYS", "k").env("KEYGATE_LIMITS_PER_USER_BURST", "5").warnings();
    assert!(warned.contains("KEYGATE__LIMITS__PER_USER__BURST"), "{warned}");
}

#[test]
fn what_would_come_of_a_change_is_read_without_making_it() {
    let house = House::with_yaml("providers: { google: { keys: ['env:SHOP'] } }\n").file(".env", "SHOP=a\n");
    assert_eq!(house.loaded().config.providers[0].keys.len(), 1);
    let dotenv = std::fs::canonicalize(house.path()).unwrap().join(".env");
    let draft = |text: &str| {
        let mut request = house.request();
        request.drafts = [(dotenv.clone(), text.to_owned())].into();
        keygate_config::load(request, &crate::house::catalogue())
    };
    assert_eq!(draft("SHOP=a,b\n").unwrap().config.providers[0].keys.len(), 2);
    let told = draft("SHOP=\n").unwrap_err().to_string();
    assert!(told.contains("keygate.yaml:1:31: No valid API keys found in SHOP"), "{told}");
    assert_eq!(std::fs::read_to_string(dotenv).unwrap(), "SHOP=a\n");
}
