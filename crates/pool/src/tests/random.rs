//! Random pools, and random things that happen to them.

use std::time::Duration;

use keygate_domain::{Access, Failure, Fault, Hint, KeySpec, Metric, Reset, Role, Scope, Verdict};
use proptest::prelude::*;

use super::world::{served, spec};
use crate::Strategy as Order;

pub(super) const MODELS: [Option<&str>; 4] = [None, Some("pro"), Some("flash"), Some("pro-latest")];
pub(super) const OPERATIONS: [&str; 2] = ["generate_content", "start_session"];
pub(super) const CLIENTS: [&str; 2] = ["app", "other"];
pub(super) const FILES: [&str; 3] = ["f", "g", "h"];

#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) model: usize,
    pub(super) operation: usize,
    pub(super) opens_session: bool,
    pub(super) files: Vec<usize>,
    pub(super) client: usize,
    pub(super) user: usize,
    pub(super) patience: u64,
    pub(super) access: Access,
    pub(super) goes_on: bool,
    pub(super) hold: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Lease(Wanted),
    Settle { which: usize, verdict: Verdict },
    SettleAgain,
    SettleForeign { which: usize },
    Wait(Duration),
    WaitAsPromised,
    Reset(Option<Vec<usize>>),
    Disable(usize),
    Enable(usize),
    Bind { file: usize, owner: usize, client: usize, lifetime: u64, is_law: bool },
    SlotFreed(usize),
    Leave(usize),
    Restart,
    Reload(Vec<KeySpec>, Order),
}

pub(super) fn wanted() -> impl Strategy<Value = Wanted> {
    (
        0..MODELS.len(),
        0..OPERATIONS.len(),
        any::<bool>(),
        prop_oneof![3 => Just(vec![]), 2 => prop::collection::vec(0..FILES.len(), 1..3)],
        prop_oneof![4 => Just(0_usize), 1 => Just(1)],
        prop_oneof![
            8 => Just(Access::Token),
            1 => Just(Access::OwnCredential),
            1 => Just(Access::Reference),
            1 => Just(Access::ReferenceAlone),
        ],
        any::<bool>(),
        1_u64..600,
        (0_usize..3, prop_oneof![1 => Just(0_u64), 2 => 0_u64..120_000]),
    )
        .prop_map(|(model, operation, opens_session, files, client, access, goes_on, hold, who)| {
            let (user, patience) = who;
            Wanted { model, operation, opens_session, files, client, user, patience, access, goes_on, hold }
        })
}

pub(super) fn hint() -> impl Strategy<Value = Hint> {
    let after = prop::option::weighted(0.7, (0_u64..90_000).prop_map(Duration::from_millis));
    let resets = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Reset::Midnight("America/Los_Angeles"))),
        1 => Just(Some(Reset::MonthEnd("UTC"))),
    ];
    let metric = prop_oneof![Just(Metric::Unnamed), Just(Metric::RequestsPerMinute)];
    let bucket = prop_oneof![4 => Just(None), 1 => Just(Some("pro")), 1 => Just(Some("pro-3.1"))];
    let names_project = prop::bool::weighted(0.2);
    (after, resets, prop::bool::weighted(0.3), metric, bucket, prop::bool::weighted(0.2), names_project)
        .prop_map(|(retry_after, resets, doubles, metric, bucket, needs_human, names_project)| Hint {
            // Whose is known when it is known which key was used.
            group: names_project.then(|| "the key's".into()),
            retry_after,
            resets,
            doubles_up_to: doubles.then(|| Duration::from_mins(2)),
            metric,
            limit: Some(15),
            bucket: bucket.map(Into::into),
            needs_human,
            reason: "said so",
            ..Hint::default()
        })
}

pub(super) fn verdict() -> impl Strategy<Value = Verdict> {
    let fault = prop_oneof![
        Just(Fault::RateLimited),
        Just(Fault::QuotaExhausted),
        Just(Fault::GroupBlocked),
        Just(Fault::KeyInvalid),
        Just(Fault::KeyForbidden),
        Just(Fault::Busy),
        Just(Fault::Overloaded),
        Just(Fault::Poison),
    ];
    let scope = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Scope::Key)),
        1 => Just(Some(Scope::GroupRoute)),
    ];
    let failed = (fault, scope, hint()).prop_map(|(fault, scope, hint)| {
        let failure = Failure::of(fault).hinting(hint);
        let usual = failure.scope;
        Verdict::Failed(failure.at(scope.unwrap_or(usual)))
    });
    prop_oneof![
        3 => Just(served()),
        5 => failed,
        1 => Just(Verdict::Abandoned),
        1 => Just(Verdict::Unsent),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let some_keys = prop::option::of(prop::collection::vec(0_usize..6, 1..3));
    prop_oneof![
        10 => wanted().prop_map(Step::Lease),
        10 => (0_usize..8, verdict()).prop_map(|(which, verdict)| Step::Settle { which, verdict }),
        1 => Just(Step::SettleAgain),
        1 => (0_usize..8).prop_map(|which| Step::SettleForeign { which }),
        4 => (0_u64..120_000).prop_map(|millis| Step::Wait(Duration::from_millis(millis))),
        1 => (0_u64..100_000).prop_map(|seconds| Step::Wait(Duration::from_secs(seconds))),
        3 => Just(Step::WaitAsPromised),
        1 => some_keys.prop_map(Step::Reset),
        1 => (0_usize..6).prop_map(Step::Disable),
        1 => (0_usize..6).prop_map(Step::Enable),
        3 => (0..FILES.len(), 0_usize..6, prop::bool::weighted(0.2), 0_u64..5000, any::<bool>()).prop_map(
            |(file, owner, other, lifetime, is_law)| Step::Bind {
                file, owner, client: usize::from(other), lifetime, is_law
            }
        ),
        1 => (0_usize..6).prop_map(Step::SlotFreed),
        1 => (0_usize..4).prop_map(Step::Leave),
        1 => Just(Step::Restart),
        2 => (other_specs(), order()).prop_map(|(specs, order)| Step::Reload(specs, order)),
    ]
}

pub(super) fn specs() -> impl Strategy<Value = Vec<KeySpec>> {
    let one = (0_usize..6, 1_u32..6, any::<bool>());
    prop::collection::vec(one, 1..6).prop_map(|keys| {
        let numbered = keys.into_iter().enumerate();
        numbered
            .map(|(number, (group, weight, is_backup))| {
                let group = [None, None, None, Some("p1"), Some("p2"), Some("projects/1")][group];
                let mut spec = spec(&format!("k{number}"), group);
                spec.weight = weight;
                spec.role = if is_backup { Role::Backup } else { Role::Primary };
                spec
            })
            .collect()
    })
}

/// The same verdict, naming the project whose the key really is, whatever the configuration says.
pub(super) fn truly_named(mut verdict: Verdict, label: &str) -> Verdict {
    if let Verdict::Failed(Failure { hint: Hint { group: Some(name), .. }, .. }) = &mut verdict {
        let number: usize = label[1..].parse().unwrap();
        *name = format!("projects/{}", number / 2 % 3).as_str().into();
    }
    verdict
}

/// What an operator may make of the keys: some stay, in another place or group, some go, some come.
fn other_specs() -> impl Strategy<Value = Vec<KeySpec>> {
    let order = Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle();
    (specs(), order).prop_map(|(specs, order)| {
        let numbered = specs.into_iter().zip(order);
        numbered
            .map(|(changed, number)| {
                let key = spec(&format!("k{number}"), None);
                KeySpec { secret: key.secret, label: key.label, ..changed }
            })
            .collect()
    })
}

pub(super) fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::RoundRobin),
        Just(Order::Weighted),
        Just(Order::PrimaryBackup),
        Just(Order::LeastRecentlyUsed),
        Just(Order::Health),
        Just(Order::Headroom),
    ]
}
