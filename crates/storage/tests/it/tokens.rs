//! Client tokens that are kept.

use jiff::Timestamp;
use keygate_domain::{AuditAction, AuditEntry, ClientToken, ModelList, PlanName, Right, TokenSecret};
use keygate_storage::StorageError;
use rstest::rstest;

use crate::folder::Folder;
use crate::house::{House, Kind};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A token with everything, or with nothing that can be left out.
fn token(number: u8, has_everything: bool) -> ClientToken {
    let sum = TokenSecret::of([number; 32]).sum();
    ClientToken {
        id: ClientToken::id_of(&sum),
        name: format!("client {number}, “né” 🦀 '; DROP TABLE tokens;"),
        sum,
        rights: [Right::Chat, Right::Admin].into(),
        models: has_everything.then(|| ModelList::parse(["gemini-2.5-flash", "gemini-3*"]).unwrap()),
        plan: has_everything.then(|| PlanName::from("free")),
        keeper: has_everything.then(|| "zalo".to_owned()),
        created_at: at(i64::from(number)),
        expires_at: has_everything.then(|| at(2_000_000_000)),
        revoked_at: None,
    }
}

fn entry(id: &str) -> AuditEntry {
    AuditEntry::new(id, 1, "cli:root", AuditAction::TokenCreated, "a token")
}

#[rstest]
#[tokio::test]
async fn a_token_is_read_as_it_was_made_and_each_change_is_seen(
    #[values(Kind::Sqlite, Kind::Postgres)] kind: Kind,
) {
    let house = House::of(kind);
    let storage = house.open().await;
    let before = storage.token_changes().await.unwrap();
    let (whole, bare) = (token(1, true), token(2, false));
    storage.add_token(&whole, &entry("a")).await.unwrap();
    storage.add_token(&bare, &entry("b")).await.unwrap();
    assert_eq!(storage.tokens().await.unwrap(), [whole.clone(), bare.clone()]);
    let after = storage.token_changes().await.unwrap();
    assert_ne!(before, after);

    storage.revoke_tokens(std::slice::from_ref(&whole.id), at(500), &[entry("c")]).await.unwrap();
    let kept = storage.tokens().await.unwrap();
    assert_eq!(kept, [ClientToken { revoked_at: Some(at(500)), ..whole.clone() }, bare]);
    assert_ne!(storage.token_changes().await.unwrap(), after);
    storage.revoke_tokens(std::slice::from_ref(&whole.id), at(900), &[]).await.unwrap();
    assert_eq!(storage.tokens().await.unwrap()[0].revoked_at, Some(at(500)), "an end is never put off");
    storage.revoke_tokens(&[whole.id], at(400), &[]).await.unwrap();
    assert_eq!(storage.tokens().await.unwrap()[0].revoked_at, Some(at(400)));
}

#[rstest]
#[tokio::test]
async fn a_token_that_cannot_be_kept_leaves_no_trace(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    storage.add_token(&token(1, false), &entry("a")).await.unwrap();
    let changes = storage.token_changes().await.unwrap();
    assert!(storage.add_token(&token(1, false), &entry("b")).await.is_err(), "there is one with this id");
    assert_eq!(storage.token_changes().await.unwrap(), changes);
    let verified = storage.verify_audit().await.unwrap().unwrap();
    assert_eq!(verified.number, 1, "nobody made it");
}

#[tokio::test]
async fn the_file_holds_no_token() {
    let folder = Folder::new();
    let storage = folder.open().await.unwrap();
    storage.add_token(&token(7, true), &entry("a")).await.unwrap();
    storage.close().await;
    let secret = TokenSecret::of([7; 32]);
    assert!(!String::from_utf8_lossy(&folder.bytes()).contains(&secret.expose()[3..]));
}

#[rstest]
#[tokio::test]
async fn a_row_that_no_version_wrote_is_named(#[values(Kind::Sqlite, Kind::Postgres)] kind: Kind) {
    let house = House::of(kind);
    let storage = house.open().await;
    storage.add_token(&token(1, false), &entry("a")).await.unwrap();
    house.run("UPDATE tokens SET scopes = 'everything'").await;
    let error = storage.tokens().await.unwrap_err();
    assert!(matches!(error, StorageError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(token(1, false).id.as_str()), "{error}");
}
