//! What concerns avatars, and pages in browsers.

use std::collections::BTreeMap;

use keygate_config::CorsConfig;
use keygate_domain::GroupId;
use rstest::rstest;

use crate::house::House;

const KEYS: &str = "keys_from_env: false, keys: [{ secret: one, label: a, group: studio }, { secret: two, label: b, group: backup }]";

fn avatars(settings: &str) -> House {
    House::with_yaml(&format!("providers: {{ anam: {{ {KEYS}, {settings} }} }}\n"))
}

#[test]
fn engines_are_the_providers_own_unless_others_are_named() {
    let hosts = |settings: &str| avatars(settings).provider().options.engine_hosts;
    let usual = hosts("timeout: 8s");
    assert!(usual.find("connect-eu.anam.ai").is_some() && usual.find("127.0.0.1:8091").is_none());
    let others = hosts("engine_hosts: ['127.0.0.1:8091', 'engine.example.com']");
    assert!(others.find("connect-eu.anam.ai").is_none() && others.find("127.0.0.1:8091").is_some());
    assert!(hosts("engine_hosts: []").find("connect-eu.anam.ai").is_none());
}

#[test]
fn what_is_kept_has_a_group_and_personas_have_names() {
    let settings = "management_group: backup, personas: { desk: { studio: p1, backup: ' p2 ' } }";
    let options = avatars(settings).provider().options;
    assert_eq!(options.management_group, Some(GroupId::new("backup")));
    let ids = [(GroupId::new("studio"), "p1".to_owned()), (GroupId::new("backup"), "p2".to_owned())];
    assert_eq!(options.personas, BTreeMap::from([("desk".to_owned(), BTreeMap::from(ids))]));
}

#[rstest]
#[case(
    "engine_hosts: ['https://connect.anam.ai']",
    "`providers.anam.engine_hosts` has an entry that is no host"
)]
#[case("engine_hosts: ['10.0.0.1:80']", "`providers.anam.engine_hosts` has an entry that is no host")]
#[case("engine_hosts: ['*']", "`providers.anam.engine_hosts` has an entry that is no host")]
#[case("management_group: third", "`providers.anam.management_group` is the group of no key")]
#[case("personas: { desk: { studio: p1 } }", "does not say what `desk` is called in `backup`")]
#[case("personas: { desk: { studio: p1, backup: '' } }", "has an empty id for `desk`")]
fn what_could_not_work_is_refused(#[case] settings: &str, #[case] expected: &str) {
    let told = avatars(settings).refused();
    assert!(told.contains(expected), "{told}");
}

#[test]
fn personas_need_the_organisation_of_every_key() {
    let yaml = "providers: { anam: { keys: [one], personas: { desk: { studio: p1 } } } }\n";
    let told = House::with_yaml(yaml).refused();
    assert!(told.contains("needs to know the organisation of every key"), "{told}");
}

#[rstest]
#[case("engine_hosts: ['x.example.com']")]
#[case("management_group: a")]
#[case("personas: { desk: { a: p1 } }")]
fn a_provider_without_avatars_takes_none_of_it(#[case] settings: &str) {
    let yaml = format!("providers: {{ google: {{ {settings} }} }}\n");
    let told = House::with_yaml(&yaml).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains("means nothing to this provider"), "{told}");
}

#[test]
fn no_page_may_use_the_gateway_unless_its_origin_is_listed() {
    let cors = |yaml: &str| House::with_yaml(yaml).env("GEMINI_KEYS", "k").loaded().config.server.cors;
    assert_eq!(cors("server: {}\n"), CorsConfig::Nobody);
    assert_eq!(cors("server: { cors: { allow_origins: [] } }\n"), CorsConfig::Nobody);
    assert_eq!(cors("server: { cors: { allow_origins: ['*'] } }\n"), CorsConfig::Everybody);
    let listed =
        "server: { cors: { allow_origins: ['https://app.example.com', 'http://localhost:5173'] } }\n";
    let expected = ["https://app.example.com", "http://localhost:5173"].map(str::to_owned).to_vec();
    assert_eq!(cors(listed), CorsConfig::Origins(expected));
}

#[rstest]
#[case("https://app.example.com/")]
#[case("https://app.example.com/path")]
#[case("app.example.com")]
#[case("https://*.example.com")]
#[case("https://app.example.com:443")]
#[case("file:///x")]
fn what_no_browser_writes_as_an_origin_is_refused(#[case] origin: &str) {
    let yaml = format!("server: {{ cors: {{ allow_origins: ['{origin}'] }} }}\n");
    let told = House::with_yaml(&yaml).env("GEMINI_KEYS", "k").refused();
    assert!(told.contains("which is no origin"), "{told}");
}
