//! Sessions that outlive the answers that opened them: each end frees its own place, once.

use keygate_domain::{Allowance, Fault, OpenedSession};

use super::world::{self, World, a_session, failed_for, seconds, served, session, spec};
use crate::budget::Budgets;
use crate::{Ask, KeyPool, Lease, Policy};

fn starting() -> Ask {
    Ask { estimate: keygate_domain::Spend { requests: 1, ..Default::default() }, ..session() }
}

/// One organisation with `places`, where a session counts for ten minutes.
fn studio(places: u32) -> World {
    let default = Allowance { concurrent: Some(places.into()), ..Allowance::default() };
    let policy = Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() };
    World {
        pool: KeyPool::new(1, vec![spec("a", Some("org"))], policy, 42, world::start()),
        now: world::start(),
    }
}

fn start(world: &mut World, name: &str) -> Lease {
    let lease = world.lease(&starting());
    world.opened(&lease, name);
    world.settle(&lease, served());
    lease
}

fn end(world: &mut World, name: &str) {
    world.pool.session_ended(&"org".into(), &a_session(name), world.now);
}

#[test]
fn a_session_that_is_stopped_twice_frees_one_place() {
    let mut world = studio(2);
    start(&mut world, "one");
    start(&mut world, "two");
    world.refused(&starting());
    end(&mut world, "one");
    end(&mut world, "one");
    start(&mut world, "three");
    world.refused(&starting());
}

#[test]
fn a_session_that_outlives_its_time_frees_nobody_elses_place() {
    let mut world = studio(1);
    start(&mut world, "long");
    world.pass(seconds(601));
    start(&mut world, "next");
    world.refused(&starting());
    end(&mut world, "long");
    world.refused(&starting());
    end(&mut world, "next");
    start(&mut world, "third");
}

#[test]
fn a_session_nobody_opened_here_frees_no_place() {
    let mut world = studio(1);
    start(&mut world, "one");
    end(&mut world, "stranger");
    world.refused(&starting());
}

#[test]
fn a_place_is_freed_while_its_group_is_known_to_be_busy() {
    let mut world = studio(2);
    start(&mut world, "one");
    let busy = world.lease(&starting());
    world.settle(&busy, failed_for(Fault::Busy, 30));
    world.refused(&starting());
    end(&mut world, "stranger");
    world.refused(&starting());
    end(&mut world, "one");
    start(&mut world, "two");
}

#[test]
fn a_session_counts_as_long_as_its_start_says() {
    let mut world = studio(1);
    let lease = world.lease(&starting());
    let opened = OpenedSession { session: a_session("brief"), longest: Some(seconds(90)) };
    world.pool.session_opened(lease.id, opened, world.now);
    world.settle(&lease, served());
    let wait = world.wait(&starting());
    assert!((89.0..91.0).contains(&wait), "{wait}");
}

#[test]
fn a_lease_that_was_the_session_leaves_none_behind() {
    let mut world = studio(1);
    let lease = world.lease(&starting());
    let opened = OpenedSession { session: a_session("live"), longest: Some(seconds(0)) };
    world.pool.session_opened(lease.id, opened, world.now);
    world.refused(&starting());
    world.settle(&lease, served());
    start(&mut world, "next");
}

#[test]
fn a_start_that_failed_leaves_no_session_behind() {
    let mut world = studio(1);
    let lease = world.lease(&starting());
    world.settle(&lease, failed_for(Fault::ServerError, 1));
    start(&mut world, "next");
}

#[test]
fn sessions_keep_their_names_over_a_restart() {
    let mut world = studio(2);
    start(&mut world, "one");
    start(&mut world, "two");
    let (spent, state) = (world.pool.spent(), world.pool.state());
    let text = serde_json::to_string(&spent).expect("it can be kept");
    let spent = serde_json::from_str(&text).expect("it can be read");
    let default = Allowance { concurrent: Some(2), ..Allowance::default() };
    let policy = Policy { budgets: Budgets { default, ..Budgets::default() }, ..Policy::default() };
    world.pool = KeyPool::restore(2, vec![spec("a", Some("org"))], policy, 7, &state, world.now);
    world.pool.remember_spent(&spent);
    world.refused(&starting());
    end(&mut world, "two");
    start(&mut world, "three");
    world.refused(&starting());
}

#[test]
fn what_earlier_versions_kept_of_sessions_is_read() {
    let mut world = studio(1);
    let ends = world.now.after(seconds(300)).wall;
    let text = format!(
        r#"{{"meters":[{{"group":"org","bucket":"start_session","counters":[{{"metric":"concurrent","used":{{"sessions":["{ends}"]}}}}]}}]}}"#
    );
    let bucket = crate::buckets::Buckets::default().of(None, starting().operation);
    let text = text.replace("start_session", bucket.as_str());
    world.pool.remember_spent(&serde_json::from_str(&text).expect("it can be read"));
    let wait = world.wait(&starting());
    assert!((299.0..301.0).contains(&wait), "{wait}");
}
