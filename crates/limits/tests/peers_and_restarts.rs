//! Failed logins by address, and restarts by count.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up may panic")]

use std::net::IpAddr;
use std::time::Duration;

use keygate_domain::Moment;
use keygate_limits::{Peers, RestartBudget, TurnedAwayWhy};

fn at(seconds: u64) -> Moment {
    Moment { mono: Duration::from_secs(seconds), wall: "2026-01-01T00:00:00Z".parse().unwrap() }
}

fn peer(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn guessing_is_slowed_down_to_the_rate() {
    let mut peers = Peers::new(10);
    for _ in 0..10 {
        assert!(peers.failed_login(peer("192.0.2.1"), at(0)).is_ok());
    }
    let away = peers.failed_login(peer("192.0.2.1"), at(0)).unwrap_err();
    assert_eq!((away.why, away.retry_after), (TurnedAwayWhy::Peer, Duration::from_secs(6)));
    assert!(peers.failed_login(peer("192.0.2.2"), at(0)).is_ok(), "others are not punished");
    assert!(peers.failed_login(peer("192.0.2.1"), at(6)).is_ok());
}

#[test]
fn one_host_is_one_peer_however_its_address_is_written() {
    let check = |one: &str, other: &str, is_same: bool| {
        let mut peers = Peers::new(1);
        assert!(peers.failed_login(peer(one), at(0)).is_ok());
        assert_eq!(peers.failed_login(peer(other), at(0)).is_err(), is_same, "{one} and {other}");
    };
    check("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true);
    check("2001:db8:1:2::1", "2001:db8:1:3::1", false);
    check("::ffff:192.0.2.1", "192.0.2.1", true);
}

#[test]
fn a_flood_of_addresses_does_not_grow_memory_for_ever() {
    let mut peers = Peers::new(1);
    let address = |n: u32| IpAddr::from(n.to_be_bytes());
    let refused = (0..70_000).filter(|n| peers.failed_login(address(*n), at(0)).is_err()).count();
    assert_eq!(refused, 70_000 - 65_536);
    assert!(peers.failed_login(address(99_999), at(120)).is_ok(), "old failures made room");
    peers.advance(at(300));
    assert!(peers.is_empty());
}

#[test]
fn the_sixth_restart_within_a_minute_is_one_too_many() {
    let mut budget = RestartBudget::default();
    for second in 0..5 {
        assert!(budget.spend(at(second)));
    }
    assert!(!budget.spend(at(59)));
    assert!(budget.spend(at(60)), "the first one is a minute old");
    assert!(!budget.spend(at(60)));
}
