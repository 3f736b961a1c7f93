//! What a token of the YAML file may say of its client, and what commands read of a configuration.

use keygate_config::{LoadRequest, StoragePlace, read_database};
use keygate_domain::{ModelName, UserLimits};

use crate::house::House;

fn with_token(rest: &str) -> House {
    let token = format!("{{name: shop, sha256: {}, {rest}}}", "0f".repeat(32));
    House::with_yaml(&format!("clients:\n  tokens:\n    - {token}\n")).env("GEMINI_API_KEY", "k")
}

#[test]
fn models_and_limits_are_read() {
    let rest =
        "models: [gemini-2.5-flash, 'gemini-3*'], limits: {requests_per_minute: 60, max_concurrent: 4}";
    let loaded = with_token(rest).loaded();
    let token = &loaded.config.clients.tokens[0];
    let limits = UserLimits { requests_per_minute: Some(60), burst: None, max_concurrent: Some(4) };
    assert_eq!(token.limits, limits);
    let models = token.models.as_ref().unwrap();
    assert!(
        models.admits(&ModelName::from("gemini-3.8-pro"))
            && !models.admits(&ModelName::from("gemini-2.5-pro"))
    );
    let loaded = with_token("scopes: [chat], models: null, limits: null").loaded();
    let token = &loaded.config.clients.tokens[0];
    assert_eq!((&token.models, token.limits), (&None, UserLimits::default()));
}

#[test]
fn what_cannot_be_is_told_at_its_place() {
    let told = with_token("models: [a b]").refused();
    assert!(told.contains("keygate.yaml:3") && told.contains("`a b` is no name of a model"), "{told}");
    let told = with_token("models: []").refused();
    assert!(told.contains("a token without models can ask none"), "{told}");
    let told = with_token("limits: {burst: 0}").refused();
    assert!(told.contains("`clients.tokens[0].limits.burst` must be a whole number of at least 1"), "{told}");
}

#[test]
fn commands_need_none_of_the_keys_to_find_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "storage: {url: 'sqlite://house.db'}
providers: {google: {keys: ['env:NOT_SET', 'file:not-there'], budgets: {models: {gemini-x: {requests_per_day: 1}}}}}
";
    std::fs::write(folder.path().join("keygate.yaml"), yaml).unwrap();
    let request = LoadRequest { working_dir: folder.path().to_owned(), ..LoadRequest::default() };
    let settings = read_database(request.clone()).unwrap();
    assert_eq!(settings.storage.place, StoragePlace::File("house.db".into()));
    assert!(settings.models.contains("gemini-x") && settings.models.contains("gemini-3.8-flash"));
    std::fs::write(folder.path().join("keygate.yaml"), "storage: {url: 'house.db'}\n").unwrap();
    let told = read_database(request).unwrap_err().to_string();
    assert!(told.contains("keygate.yaml:1") && told.contains("storage.url"), "{told}");
}
