//! What the house notes of itself.

use std::collections::BTreeMap;

use rstest::rstest;

use crate::house::{House, Kind};

fn notes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[rstest]
#[tokio::test]
async fn notes_are_read_as_they_were_kept_topic_by_topic(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    assert!(storage.notes("keys:google").await.unwrap().is_empty());
    storage.note("keys:google", &notes(&[("a", "1"), ("b", "“2” '; DROP TABLE notes;")])).await.unwrap();
    storage.note("keys:anam", &notes(&[("a", "3")])).await.unwrap();
    storage.note("keys:google", &notes(&[("a", "4"), ("c", "5")])).await.unwrap();
    let kept = storage.notes("keys:google").await.unwrap();
    assert_eq!(kept, notes(&[("a", "4"), ("b", "“2” '; DROP TABLE notes;"), ("c", "5")]));
    assert_eq!(storage.notes("keys:anam").await.unwrap(), notes(&[("a", "3")]));
    storage.note("keys:anam", &notes(&[])).await.unwrap();
    assert_eq!(storage.notes("keys:anam").await.unwrap().len(), 1);
    let many: Vec<String> = (0..600).map(|number| format!("key-{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "6")).collect();
    storage.note("many", &notes(&many)).await.unwrap();
    assert_eq!(storage.notes("many").await.unwrap().len(), 600);
}
