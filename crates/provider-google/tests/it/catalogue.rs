//! The entry in the catalogue.

use keygate_domain::{ApiKey, Redactor};
use keygate_provider_google::ADAPTER;

#[test]
fn the_entry_says_where_keys_come_from() {
    let variables = ADAPTER.key_variables;
    assert_eq!(ADAPTER.name.as_str(), "google");
    assert_eq!(ADAPTER.aliases, ["gemini"]);
    assert_eq!(variables.canonical, "GEMINI_KEYS");
    assert_eq!(variables.lists, ["GEMINI_API_KEYS", "GEMINI_KEYS", "GEMINI_API_KEY", "GOOGLE_API_KEY"]);
    assert_eq!(variables.numbered, ["GEMINI_API_KEY_", "GOOGLE_API_KEY_"]);
}

#[test]
fn both_formats_of_keys_are_redacted_unknown_and_previewed_by_their_prefix() {
    let redactor = Redactor::new([], ADAPTER.key_shapes).unwrap();
    for key in [format!("AIza{}", "x".repeat(35)), format!("AQ.{}", "y-_".repeat(15))] {
        let text = format!("Consumer 'api_key:{key}' has been suspended");
        let scrubbed = redactor.scrub_text(&text);
        assert!(!scrubbed.contains(&key[..6]), "{scrubbed}");
        assert_eq!(scrubbed.len(), text.len());
    }
    let preview = |key: &str| ApiKey::new(key).preview(ADAPTER.public_key_prefixes);
    assert_eq!(preview("AIzaSyMadeUp"), "AIzaSy...");
    assert_eq!(preview("AQ.made-up"), "AQ....");
}
