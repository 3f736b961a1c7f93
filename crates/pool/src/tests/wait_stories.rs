//! Waiting for a key, told as stories.

use keygate_domain::{Allowance, Fault, Spend, Verdict};

use super::world::{World, a_session, ask, failed, failed_for, seconds, served, session, spec, start, user};
use crate::{Ask, Budgets, Granted, KeyPool, Policy, PoolRefusal, QueueBounds, Resolved, Ticket, TriedHow};

fn patient(model: &str, name: &str) -> Ask {
    Ask { user: user(name), patience: seconds(60), ..ask(model) }
}

impl World {
    fn waits(&mut self, ask: &Ask) -> Ticket {
        match self.pool.lease(ask, self.now) {
            Ok(Granted::Wait { ticket, .. }) => ticket,
            other => panic!("no wait: {other:?}"),
        }
    }

    /// What was resolved, the pool left alone until it asks to be woken.
    fn wake(&mut self) -> Vec<Resolved> {
        let due = self.pool.next_wakeup().expect("something to do");
        self.now = self.now.max(due);
        self.resolved()
    }

    fn resolved(&mut self) -> Vec<Resolved> {
        self.pool.advance(self.now);
        self.pool.drain_resolved()
    }

    /// One key, and a queue of this size.
    fn queueing(queue: QueueBounds) -> Self {
        let policy = Policy { queue, ..Policy::default() };
        Self { pool: KeyPool::new(1, vec![spec("a", None)], policy, 42, start()), now: start() }
    }

    fn bounded(max_waiting: usize) -> Self {
        Self::queueing(QueueBounds { max_waiting, ..QueueBounds::default() })
    }

    fn rest_all(&mut self, model: &str, rest: u64) {
        for _ in 0..self.states().len() {
            self.use_once(&ask(model), failed_for(Fault::RateLimited, rest));
        }
    }
}

fn granted(resolved: &[Resolved]) -> Vec<Ticket> {
    let granted = resolved.iter().filter(|one| matches!(one.outcome, Ok(Granted::Lease(_))));
    granted.map(|one| one.ticket).collect()
}

fn refusals(resolved: Vec<Resolved>) -> Vec<(Ticket, PoolRefusal)> {
    resolved.into_iter().filter_map(|one| Some((one.ticket, one.outcome.err()?))).collect()
}

#[test]
fn whoever_waits_gets_the_key_the_moment_it_is_back() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    let promised = world.now.after(seconds(2));
    let ticket = world.waits(&patient("pro", "ada"));
    assert_eq!(world.pool.snapshot(world.now).waiting, 1);
    let resolved = world.wake();
    assert!(world.now >= promised && promised.until(world.now) < seconds(1), "not before, not much later");
    assert_eq!(granted(&resolved), [ticket]);
    assert_eq!(world.pool.snapshot(world.now).waiting, 0);
    assert!(world.resolved().is_empty(), "once");
}

#[test]
fn nobody_waits_for_what_comes_too_late() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 4);
    let hasty = Ask { patience: seconds(3), ..patient("pro", "ada") };
    assert!(world.wait(&hasty) >= 4.0, "the earliest moment, not the longest wait");
    world.waits(&patient("pro", "ada"));
    world.rest_all("flash", 30);
    assert!(world.wait(&patient("flash", "ada")) >= 30.0);
}

#[test]
fn what_no_time_cures_is_not_waited_for() {
    let mut world = World::of(&[("a", "")]);
    world.use_once(&ask("pro"), failed(Fault::KeyInvalid));
    assert!(matches!(world.refused(&patient("pro", "ada")), PoolRefusal::Disabled { .. }));
}

#[test]
fn a_rest_that_grows_too_long_ends_the_wait_at_once_with_the_honest_time() {
    let mut world = World::of(&[("a", "")]);
    let late = world.lease(&ask("pro"));
    world.rest_all("pro", 2);
    let ticket = world.waits(&patient("pro", "ada"));
    world.settle(&late, failed_for(Fault::RateLimited, 40));
    let refused = refusals(world.resolved());
    let [(of, PoolRefusal::Resting { retry_after, .. })] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(*of, ticket);
    assert!(*retry_after >= seconds(40));
}

#[test]
fn a_key_that_is_taken_out_ends_the_wait_for_it() {
    let mut world = World::of(&[("a", "")]);
    let late = world.lease(&ask("pro"));
    world.rest_all("pro", 2);
    world.waits(&patient("pro", "ada"));
    world.settle(&late, failed(Fault::KeyInvalid));
    let refused = refusals(world.resolved());
    assert!(matches!(refused[..], [(_, PoolRefusal::Disabled { .. })]), "{refused:?}");
}

#[test]
fn a_reset_an_enabling_and_a_freed_session_serve_those_who_wait() {
    let mut world = World::of(&[("a", "g")]);
    world.rest_all("pro", 3);
    let waiting = world.waits(&patient("pro", "ada"));
    world.pool.reset(None, world.now);
    assert_eq!(granted(&world.pool.drain_resolved()), [waiting]);

    let open = Ask { user: user("ada"), patience: seconds(60), ..session() };
    world.use_once(&session(), failed_for(Fault::Busy, 3));
    let waiting = world.waits(&open);
    world.pool.session_ended(&"g".into(), &a_session("s"), world.now);
    assert_eq!(granted(&world.pool.drain_resolved()), [waiting]);
}

#[test]
fn a_request_that_was_refused_for_a_busy_group_is_served_when_a_session_ends() {
    let mut world = World::of(&[("a", "g")]);
    let mine = world.lease(&session());
    world.pass(seconds(1));
    let tried = vec![world.tried(&mine, TriedHow::Refused)];
    world.settle(&mine, failed_for(Fault::Busy, 3));
    let again = world.waits(&Ask { tried, user: user("ada"), patience: seconds(60), ..session() });
    world.pass(seconds(1));
    world.pool.session_ended(&"g".into(), &a_session("s"), world.now);
    assert_eq!(granted(&world.pool.drain_resolved()), [again]);
}

#[test]
fn who_waits_for_a_resting_model_holds_up_nobody_else() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 4);
    let pro = world.waits(&patient("pro", "ada"));
    world.lease(&patient("flash", "ada"));
    world.rest_all("flash", 1);
    let flash = world.waits(&patient("flash", "bob"));
    assert_eq!(granted(&world.wake()), [flash], "it came later, but what it waits for is free");
    while world.pool.snapshot(world.now).waiting > 0 {
        let resolved = world.wake();
        assert!(granted(&resolved).iter().all(|ticket| *ticket == pro));
    }
}

#[test]
fn users_take_turns_and_one_users_requests_keep_their_order() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    let eager: Vec<_> = (0..4).map(|_| world.waits(&patient("pro", "eager"))).collect();
    let late: Vec<_> = (0..2).map(|_| world.waits(&patient("pro", "late"))).collect();
    let order = granted(&world.wake());
    assert_eq!(order, [eager[0], late[0], eager[1], late[1], eager[2], eager[3]]);
}

#[test]
fn a_request_that_was_refused_its_keys_waits_without_holding_up_others() {
    let mut world = World::of(&[("a", "ga"), ("b", "gb")]);
    let mine = world.lease(&ask("pro"));
    world.settle(&mine, failed_for(Fault::RateLimited, 4));
    let other = world.lease(&ask("pro"));
    world.settle(&other, failed_for(Fault::RateLimited, 2));
    // Refused by `b` after its rest began; only `a` is left for it.
    let tried = vec![world.tried(&other, TriedHow::Refused)];
    world.pass(seconds(1));
    let again = world.waits(&Ask { tried, ..patient("pro", "ada") });
    let fresh = world.waits(&patient("pro", "bob"));
    let first = granted(&world.wake());
    assert!(first.contains(&fresh), "{first:?}");
    assert!(first.contains(&again), "what refused it has passed");
}

#[test]
fn a_newcomer_does_not_overtake_those_who_wait_for_the_same() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    let waiting = world.waits(&patient("pro", "ada"));
    world.pass(seconds(10));
    let newcomer = world.lease(&patient("pro", "bob"));
    let resolved = world.pool.drain_resolved();
    let [Resolved { ticket, outcome: Ok(Granted::Lease(first)) }] = &resolved[..] else {
        panic!("{resolved:?}")
    };
    assert_eq!(*ticket, waiting);
    assert!(first.id.number < newcomer.id.number);
}

#[test]
fn who_leaves_is_not_served_and_takes_no_key() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    let (gone, stays) = (world.waits(&patient("pro", "ada")), world.waits(&patient("pro", "bob")));
    assert!(world.pool.leave(gone, world.now));
    assert!(!world.pool.leave(gone, world.now), "once");
    let of_another_life = Ticket { life: stays.life + 1, ..stays };
    assert!(!world.pool.leave(of_another_life, world.now));
    assert_eq!(granted(&world.wake()), [stays]);
    assert!(!world.pool.leave(stays, world.now), "too late");
    assert_eq!(world.pool.snapshot(world.now).ledger.in_flight, 1);
}

#[test]
fn a_full_queue_refuses_with_the_honest_time() {
    let mut world = World::bounded(2);
    world.rest_all("pro", 3);
    for _ in 0..2 {
        world.waits(&patient("pro", "ada"));
    }
    let wait = world.wait(&patient("pro", "ada"));
    assert!((3.0..4.5).contains(&wait), "{wait}");
}

#[test]
fn a_full_queue_makes_room_for_a_user_who_has_less_of_it() {
    let mut world = World::bounded(4);
    world.rest_all("pro", 3);
    let eager: Vec<_> = (0..4).map(|_| world.waits(&patient("pro", "eager"))).collect();
    let first = world.waits(&patient("pro", "late"));
    let second = world.waits(&patient("pro", "late"));
    let given_up = refusals(world.pool.drain_resolved());
    assert_eq!(given_up.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [eager[3], eager[2]]);
    assert!(given_up.iter().all(|(_, refusal)| matches!(refusal, PoolRefusal::Resting { .. })));
    world.refused(&patient("pro", "late"));
    assert_eq!(granted(&world.wake()), [eager[0], first, eager[1], second]);
}

#[test]
fn with_no_time_or_no_room_to_wait_nobody_does() {
    for queue in [
        QueueBounds { max_wait: seconds(0), ..QueueBounds::default() },
        QueueBounds { max_waiting: 0, ..QueueBounds::default() },
    ] {
        let mut world = World::queueing(queue);
        world.rest_all("pro", 1);
        assert!(world.wait(&patient("pro", "ada")) >= 1.0);
    }
}

#[test]
fn explaining_disturbs_nobody_who_waits() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    let ticket = world.waits(&patient("pro", "ada"));
    assert!(world.pool.explain(&patient("pro", "bob"), world.now).wait.is_some());
    assert_eq!(world.pool.snapshot(world.now).waiting, 1);
    world.pass(seconds(10));
    assert!(world.pool.explain(&patient("pro", "bob"), world.now).answer.is_ok());
    assert_eq!(granted(&world.resolved()), [ticket], "time passed for who waits, too");
}

#[test]
fn a_lease_from_the_queue_is_settled_like_any_other() {
    let mut world = World::of(&[("a", "")]);
    world.rest_all("pro", 2);
    world.waits(&patient("pro", "ada"));
    let resolved = world.wake();
    let [Resolved { outcome: Ok(Granted::Lease(lease)), .. }] = &resolved[..] else { panic!("{resolved:?}") };
    world.settle(lease, served());
    let ledger = world.pool.snapshot(world.now).ledger;
    assert_eq!((ledger.attempts, ledger.settled, ledger.in_flight), (2, 2, 0));
}

/// A key whose group has this allowance, and a queue of long patience.
fn limited(allowance: Allowance) -> World {
    let queue = QueueBounds { max_wait: seconds(600), ..QueueBounds::default() };
    let budgets = Budgets { default: allowance, ..Budgets::default() };
    let policy = Policy { budgets, queue, ..Policy::default() };
    World { pool: KeyPool::new(1, vec![spec("a", None)], policy, 42, start()), now: start() }
}

fn wanting(input_tokens: u64, name: &str) -> Ask {
    let estimate = Spend { requests: 1, input_tokens, output_tokens: 0 };
    Ask { estimate, patience: seconds(600), ..patient("pro", name) }
}

#[test]
fn a_large_request_is_served_when_the_window_has_room_and_small_ones_do_not_overtake_it() {
    let mut world = limited(Allowance { input_tokens_per_minute: Some(100), ..Allowance::default() });
    let first = world.lease(&wanting(60, "ada"));
    world.settle(&first, Verdict::Served(wanting(60, "ada").estimate));
    let large = world.waits(&wanting(80, "bob"));
    let promised = world.now.after(seconds(60));
    world.pass(seconds(1));
    let small = world.waits(&wanting(10, "cleo"));
    let resolved = world.wake();
    assert_eq!(granted(&resolved), [large, small], "in the order they came");
    assert!(world.now >= promised && promised.until(world.now) < seconds(1), "as soon as there is room");
}

#[test]
fn whose_user_has_waited_for_longer_is_looked_at_before_those_who_came_earlier() {
    let mut world = limited(Allowance { input_tokens_per_minute: Some(100), ..Allowance::default() });
    let first = world.lease(&wanting(60, "ada"));
    world.settle(&first, Verdict::Served(wanting(60, "ada").estimate));
    let on_flash = |name| Ask { model: Some("flash".into()), ..wanting(80, name) };
    let taken = world.lease(&on_flash("ada"));
    world.settle(&taken, Verdict::Served(on_flash("ada").estimate));
    world.waits(&on_flash("bob"));
    world.waits(&wanting(80, "cleo"));
    let small = world.waits(&wanting(10, "bob"));
    let asked_at = world.now;
    assert_eq!(granted(&world.wake()), [small], "there is room for it, and it is bob's turn");
    assert_eq!(world.now, asked_at);
}

#[test]
fn what_was_not_used_serves_those_who_wait_at_once() {
    let mut world = limited(Allowance { input_tokens_per_minute: Some(100), ..Allowance::default() });
    let first = world.lease(&wanting(90, "ada"));
    let waiting = world.waits(&wanting(50, "bob"));
    world.settle(&first, Verdict::Unsent);
    assert_eq!(granted(&world.pool.drain_resolved()), [waiting]);
}

#[test]
fn one_request_a_second_is_shared_evenly_among_bursts() {
    let mut world = limited(Allowance { min_interval: Some(seconds(1)), ..Allowance::default() });
    let taken = world.lease(&wanting(1, "nobody"));
    world.settle(&taken, Verdict::Abandoned);
    let bursts = [("ada", 12), ("bob", 3), ("cleo", 7)];
    let mut owners = std::collections::BTreeMap::new();
    for (name, count) in bursts {
        for _ in 0..count {
            owners.insert(world.waits(&wanting(1, name)), name);
        }
    }
    let mut served: Vec<&str> = Vec::new();
    while served.len() < 22 {
        let resolved = world.wake();
        assert!(resolved.len() <= 1, "one a second: {resolved:?}");
        for one in resolved {
            served.push(owners[&one.ticket]);
            let Ok(Granted::Lease(lease)) = one.outcome else { panic!("{one:?}") };
            world.settle(&lease, Verdict::Abandoned);
        }
    }
    assert_eq!(served[..9], ["ada", "bob", "cleo"].repeat(3));
    assert_eq!(served[9..17], ["ada", "cleo"].repeat(4));
    assert!(served[17..].iter().all(|name| *name == "ada"));
}
