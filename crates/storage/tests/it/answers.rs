//! Stored answers: kept, replaced, found by their words.

use keygate_domain::{AnswerSearch, FoundAnswer, Languages, StoredAnswer, ranked, words};
use keygate_storage::Storage;
use rstest::rstest;

use crate::house::{House, Kind};

fn answer(id: &str, phrases: &[&str]) -> StoredAnswer {
    StoredAnswer {
        id: id.to_owned(),
        phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
        language: None,
        reply: format!("the reply of {id}"),
        provider: None,
        model: None,
        enabled: true,
    }
}

async fn with(house: &House, answers: &[StoredAnswer]) -> Storage {
    let storage = house.open().await;
    storage.put_answers(answers).await.unwrap();
    storage
}

async fn find(storage: &Storage, question: &str) -> Vec<FoundAnswer> {
    let search = AnswerSearch {
        words: words(question),
        provider: "google".to_owned(),
        model: Some("flash".to_owned()),
    };
    storage.find_answers(&search).await.unwrap()
}

/// In the order of their use, without what hardly fits.
fn shown(found: &[FoundAnswer]) -> String {
    let ranked = ranked(found.to_vec(), &Languages::default());
    let fitting = ranked.iter().filter(|found| found.score() > 0.2 || found.phrase == StoredAnswer::ANYTHING);
    fitting.map(|found| format!("{} {:.2}", found.id, found.score())).collect::<Vec<_>>().join(", ")
}

#[rstest]
#[tokio::test]
async fn answers_are_put_replaced_and_removed(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let first = StoredAnswer {
        language: Some("vi".to_owned()),
        provider: Some("google".to_owned()),
        model: Some("pro".to_owned()),
        enabled: false,
        ..answer("a", &["giờ mở cửa", "mấy giờ"])
    };
    let storage = with(&house, &[answer("b", &["x"]), first.clone()]).await;
    assert_eq!(storage.answers().await.unwrap(), [first, answer("b", &["x"])]);
    let other = answer("a", &["opening hours"]);
    storage.put_answers(&[other.clone(), other.clone()]).await.unwrap();
    assert_eq!(storage.answers().await.unwrap(), [other, answer("b", &["x"])]);
    assert_eq!(shown(&find(&storage, "mấy giờ").await), "", "the words of what was replaced are gone");
    assert!(storage.remove_answer("a").await.unwrap());
    assert!(!storage.remove_answer("a").await.unwrap());
    assert_eq!(storage.answers().await.unwrap(), [answer("b", &["x"])]);
    assert_eq!(shown(&find(&storage, "opening hours").await), "");
}

#[rstest]
#[tokio::test]
async fn the_share_of_a_phrase_that_is_asked_ranks_it(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = with(
        &house,
        &[
            answer("hours", &["opening hours", "when are you open"]),
            answer("sunday", &["opening hours on Sunday"]),
            answer("price", &["what is the price"]),
        ],
    )
    .await;
    let found = find(&storage, "What are your OPENING hours?").await;
    assert_eq!(shown(&found), "hours 1.00, sunday 0.62");
    assert_eq!(found[0].phrase, "opening hours");
    assert_eq!(shown(&find(&storage, "opening hours on sunday?").await), "sunday 1.00, hours 1.00");
    // What all questions have in common is not enough.
    assert_eq!(shown(&find(&storage, "what is the weather").await), "price 0.43");
    assert_eq!(shown(&find(&storage, "bye").await), "");
    assert_eq!(shown(&find(&storage, "").await), "");
    assert_eq!(shown(&find(&storage, "'; DROP TABLE answers; -- \0 😀").await), "");
}

#[rstest]
#[tokio::test]
async fn what_is_for_others_or_off_is_not_found(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = with(
        &house,
        &[
            StoredAnswer { enabled: false, ..answer("off", &["hours"]) },
            StoredAnswer { provider: Some("anam".to_owned()), ..answer("anam", &["hours"]) },
            StoredAnswer { model: Some("pro".to_owned()), ..answer("pro", &["hours"]) },
            StoredAnswer { model: Some("flash".to_owned()), ..answer("flash", &["hours"]) },
            StoredAnswer { provider: Some("google".to_owned()), ..answer("google", &["hours"]) },
            answer("any", &["*"]),
        ],
    )
    .await;
    assert_eq!(shown(&find(&storage, "hours").await), "flash 1.00, google 1.00, any 0.00");
}

#[rstest]
#[tokio::test]
async fn many_answers_are_searched_within_bounds(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let many: Vec<StoredAnswer> = (0..2000)
        .map(|number| answer(&format!("a{number:04}"), &[&format!("topic{number} of the shop")]))
        .collect();
    let storage = with(&house, &many).await;
    let found = find(&storage, "tell me of the shop, and of topic1234").await;
    assert_eq!(found.len(), 50);
    assert_eq!((found[0].id.as_str(), found[0].score() > 0.99), ("a1234", true));
}

#[rstest]
#[tokio::test]
async fn a_command_writes_beside_a_gateway(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let gateway = house.open().await;
    let command = house.join().await;
    command.put_answers(&[answer("a", &["hours"])]).await.unwrap();
    assert_eq!(shown(&find(&gateway, "hours").await), "a 1.00");
    command.close().await;
    gateway.close().await;
    let alone = house.join().await;
    assert_eq!(alone.answers().await.unwrap().len(), 1);
}
