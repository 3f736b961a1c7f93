//! What is told in ways in which nobody expects it (docs/gemini.md).

use serde_json::json;

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path, stream_path};

/// "The user account is limited or disabled": an answer like any other, but for its last word.
#[tokio::test]
async fn an_account_that_is_barred_by_a_finish_reason_is_out() {
    let keys = json!([
        {"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"},
        {"secret": "env:BETA_1", "label": "beta_1", "group": "beta"},
    ]);
    let changes = json!({"providers": {"google": {"keys": keys}}});
    let barred = chat("finish PUP_LIMITED_DISABLED");
    let house = House::open(changes.clone()).await;
    let streamed = Answer::to(house.post(&stream_path(FLASH), &barred)).await;
    streamed.is_providers("google", 200, 1);
    assert!(streamed.text().contains("PUP_LIMITED_DISABLED"), "{streamed:?}");
    let pool = house.google().await;
    assert_eq!((pool.fault("alpha_1"), pool.state("beta_1")), ("group_blocked", "available"), "{pool:?}");
    for _ in 0..2 {
        let next = house.generate(FLASH, "hello").await;
        next.is_providers("google", 200, 1);
        assert_eq!(next.header("x-keygate-key"), pool.id("beta_1"));
    }
    house.close().await;

    // In one piece it is asked of the next project, before anything of it was passed.
    let house = House::open(changes).await;
    Answer::to(house.post(&generate_path(FLASH), &barred)).await.is_refusal(429, "pool_exhausted");
    assert_eq!(house.upstream_requests(), 2);
    let pool = house.google().await;
    assert_eq!((pool.fault("alpha_1"), pool.fault("beta_1")), ("group_blocked", "group_blocked"));
    house.close().await;
}
