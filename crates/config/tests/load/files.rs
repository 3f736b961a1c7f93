//! Which files a configuration came from.

use keygate_config::{Seen, Watcher, read};

use crate::house::{House, catalogue};

/// Whether a change of `path` is noticed by whoever watches what was read.
fn notices(house: &House, path: &str) -> bool {
    let marks = read(house.request(), &catalogue()).marks;
    let mut watcher = Watcher::new(marks);
    let full = house.path().join(path);
    let before = std::fs::read(&full).ok();
    std::fs::create_dir_all(full.parent().unwrap()).unwrap();
    std::fs::write(&full, "# something else than before\n").unwrap();
    let seen = watcher.look(watcher.files().taken_again());
    match before {
        Some(before) => std::fs::write(&full, before).unwrap(),
        None => std::fs::remove_file(&full).unwrap(),
    }
    seen != Seen::Unchanged
}

#[test]
fn every_file_that_has_a_say_is_watched_also_one_that_is_not_there_yet() {
    let yaml = "providers: {google: {keys: [\"file:keys/team.txt\"], keys_from_env: false}}\n";
    let house =
        House::new().file("config/keygate.yaml", yaml).file("config/keys/team.txt", "a-key-of-the-team\n");
    for path in ["config/keygate.yaml", "config/keys/team.txt", "keygate.yaml", ".env", "config/.env"] {
        assert!(notices(&house, path), "{path}");
    }
    assert!(!notices(&house, "config/other.yaml"));
}

#[test]
fn a_key_file_that_cannot_be_read_is_watched_for() {
    let yaml = "providers: {google: {keys: [\"file:team.txt\"], keys_from_env: false}}\n";
    let house = House::with_yaml(yaml);
    assert!(house.refused().contains("team.txt"));
    assert!(notices(&house, "team.txt"));
}
