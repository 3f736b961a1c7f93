//! Where keys come from.

use keygate_domain::Role;
use rstest::rstest;

use crate::house::House;

#[rstest]
#[case::list(&[("GEMINI_API_KEYS", "k1,k2,k3")], &["k1", "k2", "k3"])]
#[case::short_list(&[("GEMINI_KEYS", "k1,k2")], &["k1", "k2"])]
#[case::single(&[("GEMINI_API_KEY", "k1")], &["k1"])]
#[case::single_as_list(&[("GEMINI_API_KEY", "k1,k2")], &["k1", "k2"])]
#[case::googles_name(&[("GOOGLE_API_KEY", "k1")], &["k1"])]
#[case::spaces_and_empties(&[("GEMINI_API_KEYS", "  k1 ,, k2,\tk3 ,")], &["k1", "k2", "k3"])]
#[case::quotes_left_by_docker(&[("GEMINI_API_KEYS", "\"k1,k2\"")], &["k1", "k2"])]
#[case::numbered(&[("GEMINI_API_KEY_1", "k1"), ("GEMINI_API_KEY_2", "k2")], &["k1", "k2"])]
#[case::ten_after_nine(
    &[("GEMINI_API_KEY_10", "k10"), ("GEMINI_API_KEY_9", "k9"), ("GEMINI_API_KEY_1", "k1")],
    &["k1", "k9", "k10"]
)]
#[case::gaps(&[("GEMINI_API_KEY_7", "k7"), ("GEMINI_API_KEY_4000000000000", "k4")], &["k7", "k4"])]
#[case::unnumbered_first(
    &[("GEMINI_API_KEY_1", "n1"), ("GEMINI_API_KEY", "u"), ("GOOGLE_API_KEY_1", "g1"), ("GOOGLE_API_KEY", "g")],
    &["u", "g", "n1", "g1"]
)]
#[case::all_spellings(
    &[
        ("GOOGLE_API_KEY_2", "8"), ("GOOGLE_API_KEY", "5"), ("GEMINI_API_KEY_3", "7"), ("GEMINI_API_KEY_2", "6"),
        ("GEMINI_API_KEY", "4"), ("GEMINI_KEYS", "3"), ("GEMINI_API_KEYS", "1,2"),
    ],
    &["1", "2", "3", "4", "5", "6", "7", "8"]
)]
#[case::anam_list(&[("ANAM_API_KEYS", "a1,a2")], &["a1", "a2"])]
#[case::anam_single(&[("ANAM_API_KEY", "a1")], &["a1"])]
#[case::anam_numbered(&[("ANAM_API_KEY_2", "a2"), ("ANAM_API_KEY_1", "a1")], &["a1", "a2"])]
#[case::not_a_number(&[("GEMINI_API_KEY_X", "no"), ("GEMINI_API_KEY", "k1")], &["k1"])]
fn every_spelling_of_the_field_is_read(#[case] variables: &[(&str, &str)], #[case] keys: &[&str]) {
    let house = variables.iter().fold(House::new(), |house, (name, value)| house.env(name, value));
    assert_eq!(house.secrets(), keys);
}

#[test]
fn dotenv_holds_keys_too_and_the_environment_wins() {
    let house = House::new()
        .file(".env", "# keys\nexport GEMINI_API_KEY_1='k1'\nGEMINI_API_KEY_2=file # two\n")
        .env("GEMINI_API_KEY_2", "process");
    assert_eq!(house.secrets(), ["k1", "process"]);
}

#[test]
fn dotenv_beside_the_configuration_is_the_second_choice() {
    let second = House::new()
        .file("config/keygate.yaml", "providers: {google: {}}\n")
        .file("config/.env", "GEMINI_API_KEY=beside\n");
    assert_eq!(second.secrets(), ["beside"]);
    let first = second.file(".env", "GEMINI_API_KEY=here\n");
    assert_eq!(first.secrets(), ["here"]);
}

#[test]
fn yaml_entries_come_before_well_known_variables() {
    let yaml = "
providers:
  google:
    keys:
      - file:more/keys.txt
      - { secret: 'env:TEAM_A', label: team-a, group: projects/team-a, weight: 2, role: backup }
      - env:SINGLE
";
    let house = House::with_yaml(yaml)
        .file("more/keys.txt", "\u{feff}# our keys\nf1\n\n  f2  # second\n")
        .env("TEAM_A", "a1,a2")
        .env("SINGLE", "s1")
        .env("GEMINI_API_KEY", "known");
    assert_eq!(house.secrets(), ["f1", "f2", "a1", "a2", "s1", "known"]);
    assert_eq!(house.labels(), ["keys-1", "keys-2", "team-a-1", "team-a-2", "single", "gemini-api-key"]);
    let keys = house.provider().keys;
    assert_eq!(keys[3].group.as_ref().unwrap().as_str(), "projects/team-a");
    assert_eq!((keys[3].weight, keys[3].role), (2, Role::Backup));
    assert_eq!((keys[4].weight, keys[4].role, keys[4].group.is_none()), (1, Role::Primary, true));
}

#[test]
fn keys_from_env_can_be_switched_off() {
    let yaml = "providers: {google: {keys_from_env: no, keys: ['env:MINE']}}\n";
    let house = House::with_yaml(yaml).env("MINE", "m1").env("GEMINI_API_KEY", "other");
    assert_eq!(house.secrets(), ["m1"]);
}

#[test]
fn a_variable_can_set_the_entries() {
    let house = House::new()
        .env("KEYGATE__PROVIDERS__GOOGLE__KEYS", "env:MINE, file:keys.txt")
        .env("MINE", "m1,m2")
        .file("keys.txt", "f1\n");
    assert_eq!(house.secrets(), ["m1", "m2", "f1"]);
}

#[test]
fn a_well_known_variable_named_in_yaml_is_read_once() {
    let yaml = "providers: {google: {keys: ['env:GEMINI_API_KEYS']}}\n";
    let house = House::with_yaml(yaml).env("GEMINI_API_KEYS", "k1,k2");
    assert_eq!(house.secrets(), ["k1", "k2"]);
    assert_eq!(house.warnings(), "");
}

#[test]
fn a_well_known_variable_named_in_yaml_may_be_unset() {
    let yaml = "providers: {google: {keys: ['env:GEMINI_API_KEYS']}}\n";
    assert_eq!(House::with_yaml(yaml).env("GEMINI_API_KEY", "k1").secrets(), ["k1"]);
}

#[test]
fn duplicates_are_dropped_and_told_without_the_key() {
    let house = House::new()
        .env("GEMINI_API_KEYS", "first-key,second-key,first-key")
        .env("GOOGLE_API_KEY", "second-key");
    assert_eq!(house.secrets(), ["first-key", "second-key"]);
    let warnings = house.warnings();
    assert!(
        warnings.contains("`gemini-api-keys-3` (number 3 of its list) is the same as `gemini-api-keys-1`")
    );
    assert!(warnings.contains("environment variable GOOGLE_API_KEY: google: the key `google-api-key`"));
    assert!(!warnings.contains("first-key") && !warnings.contains("second-key"), "{warnings}");
}

#[test]
fn many_duplicates_are_counted() {
    let house = House::new().env("GEMINI_API_KEYS", &["same"; 100].join(","));
    assert_eq!(house.secrets(), ["same"]);
    assert_eq!(house.loaded().warnings.len(), 21);
    assert!(house.warnings().contains("79 more duplicate keys were dropped"));
}

#[test]
fn literal_keys_work_and_warn() {
    let house = House::with_yaml("providers: {google: {keys: [literal-key, 1234567890]}}\n");
    assert_eq!(house.secrets(), ["literal-key", "1234567890"]);
    assert_eq!(house.labels(), ["google-1", "google-2"]);
    assert!(house.warnings().contains("2 of its entries hold a key in plain text"));
    assert!(!house.warnings().contains("literal-key"));
}

#[test]
fn yaml_does_not_make_truth_or_numbers_of_keys() {
    let house = House::with_yaml("providers: {google: {keys: [on, 1.10, 0123, no, 1_000, 0x1F]}}\n");
    assert_eq!(house.secrets(), ["on", "1.10", "0123", "no", "1_000", "0x1F"]);
}

#[test]
fn ten_thousand_keys_are_read_in_order() {
    let many = |prefix: &str| (0..10_000).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
    let variables = (1..=10_000).map(|n| (format!("ANAM_API_KEY_{n}"), format!("numbered-{n}"))).collect();
    let house = House::with_yaml("providers: {google: {keys: ['file:keys.txt']}}\n")
        .file("keys.txt", &many("file-").join("\n"))
        .env("GEMINI_API_KEYS", &many("list-").join(","))
        .envs(variables);
    let providers = house.loaded().config.providers;
    assert_eq!((providers[0].keys.len(), providers[1].keys.len()), (20_000, 10_000));
    assert_eq!(providers[0].keys[10_000].secret.expose(), "list-0");
    assert_eq!(providers[1].keys[9_999].secret.expose(), "numbered-10000");
    assert_eq!(providers[1].keys[9_999].label, "anam-api-key-10000");
}

#[test]
fn ten_thousand_yaml_entries_are_read() {
    let entries: Vec<String> =
        (0..10_000).map(|n| format!("      - {{ secret: literal-{n}, label: key-{n} }}")).collect();
    let house = House::with_yaml(&format!("providers:\n  google:\n    keys:\n{}\n", entries.join("\n")));
    assert_eq!(house.labels().last().unwrap(), "key-9999");
}

#[test]
fn labels_made_up_never_collide() {
    let house = House::with_yaml("providers: {google: {keys: ['file:a/keys.txt', 'file:b/keys.txt']}}\n")
        .file("a/keys.txt", "a1\na2\n")
        .file("b/keys.txt", "b1\nb2\n");
    assert_eq!(house.labels(), ["keys-1", "keys-2", "keys-3", "keys-4"]);
}
