//! A million users within a minute, in less than 100 MiB. A program of its own: its memory is this alone.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up may panic")]

use std::time::Duration;

use keygate_domain::{ClientId, Moment, UserId, UserLimits};
use keygate_limits::{UserPolicy, UserQuotas};

const MEBIBYTE: u64 = 1024 * 1024;

/// The most memory this process ever had.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024
}

fn at(micros: u64) -> Moment {
    let start = Moment { mono: Duration::ZERO, wall: "2026-01-01T00:00:00Z".parse().unwrap() };
    start.after(Duration::from_micros(micros))
}

#[test]
fn a_million_users_take_less_than_100_mib_and_are_forgotten() {
    let client = ClientId::from("shop");
    let user = |number: u64| UserId {
        client: client.clone(),
        name: format!("{number:08x}-6c1f-4e0a-9a53-1f0c7d2b9e44").into(),
    };
    // Smoothed bursts cost something too.
    let policy = UserPolicy { burst: 5, ..UserPolicy::default() };
    assert_eq!(policy.max_users, 1_000_000);
    let mut quotas = UserQuotas::new(policy);
    let before = peak_bytes();
    for number in 0..1_000_000 {
        let user = user(number);
        quotas.admit(&user, 1, UserLimits::default(), at(number)).unwrap();
        quotas.leave(&user);
    }
    let taken = peak_bytes() - before;
    assert_eq!(quotas.users(), 1_000_000);
    assert!(taken < 100 * MEBIBYTE, "{} MiB", taken / MEBIBYTE);
    assert!(quotas.admit(&user(1_000_000), 1, UserLimits::default(), at(1_000_000)).is_err(), "one too many");

    let mut now = at(62_000_000);
    let mut strides = 0;
    while let Some(then) = quotas.next_wakeup(now) {
        quotas.advance(then);
        (now, strides) = (then, strides + 1);
    }
    assert_eq!(quotas.users(), 0);
    assert!(strides > 100, "forgotten a few thousand at a time: {strides}");
}
