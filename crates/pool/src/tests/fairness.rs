//! KP-9 at random: whoever waits, waits in turn.

use std::collections::BTreeMap;

use keygate_domain::Fault;
use proptest::prelude::*;

use super::world::{World, ask, failed_for, seconds, start, user};
use crate::queue::{Line, Queue};
use crate::{Ask, Granted, PoolRefusal};

const LINES: [&str; 3] = ["pro", "flash", "lite"];

#[derive(Clone, Debug)]
enum Step {
    Join {
        who: usize,
        line: usize,
    },
    Leave {
        which: usize,
    },
    /// One ticket is served, of those whose line is open.
    Serve {
        open: [bool; 3],
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..5, 0_usize..3).prop_map(|(who, line)| Step::Join { who, line }),
        1 => (0_usize..20).prop_map(|which| Step::Leave { which }),
        4 => any::<[bool; 3]>().prop_map(|open| Step::Serve { open }),
    ]
}

/// Who waits for what, and whom everybody has seen being served meanwhile.
#[derive(Default)]
struct Record {
    tickets: BTreeMap<u64, (usize, usize)>,
    /// By waiting user, line and the other: how often since the user began to wait in that line,
    /// or was served.
    seen: BTreeMap<(usize, usize, usize), u32>,
}

impl Record {
    fn waits(&self, who: usize, line: usize) -> bool {
        self.tickets.values().any(|one| *one == (who, line))
    }

    fn forget(&mut self, who: usize, line: Option<usize>) {
        self.seen.retain(|(waiting, at, _), _| *waiting != who || line.is_some_and(|line| *at != line));
    }

    fn left(&mut self, number: u64) {
        let Some((who, line)) = self.tickets.remove(&number) else { return };
        if !self.waits(who, line) {
            self.forget(who, Some(line));
        }
    }

    /// Somebody was served; nobody in the line has seen that twice.
    fn served(&mut self, number: u64) {
        let (who, line) = self.tickets[&number];
        let oldest = self.tickets.iter().find(|(_, one)| **one == (who, line));
        assert_eq!(oldest.map(|(number, _)| *number), Some(number), "a user's own requests keep their order");
        self.left(number);
        for other in (0..5).filter(|other| *other != who) {
            if self.waits(other, line) {
                let seen = self.seen.entry((other, line, who)).or_default();
                *seen += 1;
                assert!(*seen < 2, "{other} waits in {line} while {who} is served twice");
            }
        }
        self.forget(who, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_waits_while_another_is_served_twice(steps in prop::collection::vec(step(), 1..120)) {
        let lines = LINES.map(|model| Line::of(&ask(model), None));
        let (mut queue, mut record) = (Queue::default(), Record::default());
        for step in steps {
            match step {
                Step::Join { who, line } => {
                    let ask = Ask { user: user(&who.to_string()), ..ask(LINES[line]) };
                    let number = queue.join(&ask, lines[line].clone(), start(), start(), start());
                    record.tickets.insert(number, (who, line));
                }
                Step::Leave { which } => {
                    let Some(number) = record.tickets.keys().nth(which).copied() else { continue };
                    prop_assert!(queue.leave(number).is_some());
                    record.left(number);
                }
                Step::Serve { open } => {
                    let is_open = |line: &Line| (0..3).any(|at| open[at] && lines[at] == *line);
                    queue.stir();
                    let next = queue.heads(|_, operation| operation.0, start()).into_iter().find(|(_, line)| is_open(line));
                    let Some((head, line)) = next else { continue };
                    prop_assert!(queue.is_turn_of(&line, head.turn));
                    prop_assert!(queue.serve(head.number).is_some());
                    record.served(head.number);
                }
            }
            prop_assert_eq!(queue.len(), record.tickets.len());
            prop_assert_eq!(queue.is_empty(), queue.next_due().is_none());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// A hundred users send bursts of all sizes, in any order, into a queue that cannot hold them.
    #[test]
    fn no_users_share_deviates_by_more_than_one(
        bursts in prop::collection::vec(10_u32..40, 100),
        order in any::<u64>(),
    ) {
        let mut world = World::of(&[("a", "")]);
        world.use_once(&ask("pro"), failed_for(Fault::RateLimited, 2));
        let mut asked: Vec<usize> = bursts.iter().enumerate().flat_map(|(who, count)| vec![who; *count as usize]).collect();
        shuffle(&mut asked, order);
        let mut owners = BTreeMap::new();
        let mut refused = 0;
        for who in asked.iter().copied() {
            let ask = Ask { user: user(&who.to_string()), patience: seconds(60), ..ask("pro") };
            match world.pool.lease(&ask, world.now) {
                Ok(Granted::Wait { ticket, .. }) => drop(owners.insert(ticket, who)),
                Err(PoolRefusal::Resting { .. }) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        refused += world.pool.drain_resolved().len();
        prop_assert_eq!(world.pool.snapshot(world.now).waiting, 1000);
        prop_assert_eq!(refused, asked.len() - 1000);
        world.pass(seconds(5));
        world.pool.advance(world.now);
        let mut shares = [0_u32; 100];
        for resolved in world.pool.drain_resolved() {
            prop_assert!(resolved.outcome.is_ok());
            shares[owners[&resolved.ticket]] += 1;
            // At every moment of the serving, not only at its end.
            let (least, most) = (shares.iter().min(), shares.iter().max());
            prop_assert!(least.zip(most).is_some_and(|(least, most)| most - least <= 1), "{:?}", shares);
        }
        prop_assert_eq!(shares.iter().sum::<u32>(), 1000);
    }
}

fn shuffle(items: &mut [usize], mut seed: u64) {
    for at in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, usize::try_from(seed >> 33).unwrap_or_default() % (at + 1));
    }
}
