//! What providers state of limits and tiers, and where the configuration disagrees.

use std::time::Duration;

use keygate_domain::{Failure, Fault, Hint, Metric, Tier, Verdict};

use super::merge_stories::{limited, noticed, one, per_minute, stating, undeclared, warnings};
use super::world::*;
use crate::{KeyPool, Policy, PoolEvent};

#[test]
fn a_tier_is_shown_and_survives() {
    let mut world = undeclared(&["a"]);
    let hint = Hint { tier: Some(Tier::Free), retry_after: Some(seconds(1)), ..Hint::default() };
    for _ in 0..2 {
        world.use_once(&ask("m"), Verdict::Failed(Failure::of(Fault::RateLimited).hinting(hint.clone())));
        world.pass(seconds(3));
    }
    let told = world.events().into_iter().filter(|event| matches!(event, PoolEvent::TierLearned { .. }));
    assert_eq!(told.count(), 1);
    let keys = vec![spec("a", None)];
    let pool = KeyPool::restore(2, keys, Policy::default(), 7, &world.pool.state(), world.now);
    assert_eq!(pool.snapshot(world.now).keys[0].tier, Some(Tier::Free));
}

#[test]
fn a_budget_that_is_not_what_the_provider_states_is_warned_of_until_it_agrees() {
    let mut world = limited(&[("a", Some("g"))], per_minute(60));
    world.use_once(&one("m"), stating(Metric::RequestsPerMinute, 15, None));
    let differs = "g has requests_per_minute: 60 for m, the provider states 15";
    assert_eq!((noticed(&mut world), warnings(&world)), (vec![differs.to_owned()], vec![differs.to_owned()]));
    world.pass(seconds(100));
    world.use_once(&one("m"), stating(Metric::RequestsPerMinute, 15, None));
    assert_eq!(noticed(&mut world), Vec::<String>::new(), "told once");

    let limits = &world.pool.snapshot(world.now).keys[0].stated_limits;
    let limit = &limits[0];
    assert_eq!((limits.len(), limit.limit, limit.times, limit.configured), (1, 15, 2, Some(60)));
    assert_eq!(limit.confidence, 75);

    world.pool.reload(vec![spec("a", Some("g"))], per_minute(10), world.now);
    assert_eq!(
        noticed(&mut world),
        ["g has requests_per_minute: 10 for m, the provider states 15"],
        "less than granted is worth a word, too"
    );
    world.pool.reload(vec![spec("a", Some("g"))], per_minute(15), world.now);
    assert_eq!((noticed(&mut world).len(), warnings(&world).len()), (0, 0));

    world.pass(Duration::from_hours(24));
    world.use_once(&one("m"), stating(Metric::RequestsPerMinute, 1000, None));
    let events = world.events();
    let changed =
        |event: &&PoolEvent| matches!(event, PoolEvent::LimitLearned { limit: 1000, before: Some(15), .. });
    assert_eq!(events.iter().filter(changed).count(), 1, "{events:?}");
    assert_eq!(warnings(&world), ["g has requests_per_minute: 15 for m, the provider states 1000"]);
    world.pool.reset(None, world.now);
    assert_eq!(warnings(&world).len(), 0, "a reset forgets what was stated");
}

#[test]
fn of_two_stated_limits_the_later_word_holds_for_both() {
    let mut world = undeclared(&["a", "c"]);
    world.hit("a", &one("m"), stating(Metric::RequestsPerMinute, 2, Some("projects/1")));
    world.pass(seconds(90));
    world.hit("c", &one("m"), stating(Metric::RequestsPerMinute, 5, Some("projects/1")));
    world.pass(seconds(90));
    assert_eq!(world.serve(&one("m"), 5).len(), 5);
    world.refused(&one("m"));
}
