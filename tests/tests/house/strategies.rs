//! Which key serves, by the strategy that the file names.

use keygate_tests::sim::{GoogleRow, KeyState};
use serde_json::json;

use super::stage::{FLASH, House, states};

const ALL: [&str; 3] = ["sim-google-alpha-1", "sim-google-alpha-2", "sim-google-beta-1"];
const LABELS: [&str; 3] = ["alpha_1", "alpha_2", "beta_1"];

async fn with(strategy: &str) -> House {
    let rotation = json!({"every": "24h", "at": "00:00", "timezone": "America/New_York"});
    House::open(json!({"providers": {"google": {"strategy": strategy, "rotation": rotation}}})).await
}

#[tokio::test]
async fn what_takes_turns_is_even() {
    for strategy in ["least_recently_used", "headroom"] {
        let house = with(strategy).await;
        for _ in 0..6 {
            house.generate(FLASH, "hello").await.is_providers("google", 200, 1);
            // The lease has to be back before the next one: turns are counted, not time.
            house.google().await;
        }
        assert_eq!(ALL.map(|key| house.asked(key)), [2, 2, 2], "{strategy}");
        house.close().await;
    }
}

#[tokio::test]
async fn a_key_that_failed_is_told_as_less_healthy_than_the_others() {
    let house = with("health").await;
    let no_such_key = KeyState::Google(GoogleRow::KeyInvalid);
    house.sim.declare(states(&ALL.map(|key| (key, no_such_key)))).expect("known keys");
    let whole = house.google().await;
    assert_eq!(LABELS.map(|label| whole.key(label)["health"].as_u64()), [Some(100); 3]);
    house.generate(FLASH, "hello").await.took("google", 3);
    let failed = house.google().await;
    for label in LABELS {
        // 80, and whatever time gave back since.
        let health = failed.key(label)["health"].as_u64().expect("a score");
        assert!((80..100).contains(&health), "{label}: {health}");
    }
    house.close().await;
}
