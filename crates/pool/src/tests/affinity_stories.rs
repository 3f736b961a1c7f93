//! What a project owns is served by that project.

use bytes::Bytes;
use keygate_domain::{Access, Binding, Fault, Keepsake, Resource, Verdict};

use super::world::*;
use crate::{Ask, Granted, PoolEvent, PoolRefusal, Skip, TriedHow, Whose};

fn file(name: &str) -> Resource {
    Resource::new("file", name)
}

fn bind(world: &mut World, name: &str, group: &str, client: &str, keepsake: Option<&'static [u8]>) {
    let keepsake = keepsake.and_then(|bytes| Keepsake::new(Bytes::from_static(bytes)));
    let binding = Binding { resource: file(name), lifetime: seconds(3600), keepsake };
    world.pool.bind(&group.into(), &client.into(), binding, world.now);
}

fn naming(names: &[&str]) -> Ask {
    Ask { references: names.iter().map(|name| file(name)).collect(), ..ask("pro") }
}

fn two_groups() -> World {
    World::of(&[("a1", "p1"), ("b", "p2"), ("a2", "p1")])
}

#[test]
fn only_the_owners_keys_serve_a_file() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "app", None);
    let mut labels = world.serve(&naming(&["f"]), 20);
    labels.sort();
    labels.dedup();
    assert!(!labels.contains(&"b".to_owned()), "{labels:?}");
    world.hit("a1", &naming(&["f"]), failed_for(Fault::RateLimited, 60));
    let wait = world.wait(&naming(&["f"]));
    assert!((60.0..=66.0).contains(&wait), "it waits for the owner: {wait}");
    assert_eq!(world.serve(&ask("pro"), 1), ["b"]);
}

#[test]
fn a_bound_request_takes_turns_within_its_group_without_moving_the_others() {
    let mut world = World::of(&[("a", "p1"), ("b", "p2"), ("c", "p3")]);
    bind(&mut world, "f", "p1", "app", None);
    let mut free = Vec::new();
    for _ in 0..3 {
        assert_eq!(world.serve(&naming(&["f"]), 1), ["a"]);
        free.extend(world.serve(&ask("pro"), 1));
    }
    assert_eq!(free, ["a", "b", "c"]);
}

#[test]
fn a_resource_that_is_gone_binds_nobody() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "app", None);
    world.pass(seconds(3600));
    let mut labels = world.serve(&naming(&["f"]), 3);
    labels.sort();
    assert_eq!(labels, ["a1", "a2", "b"]);
}

#[test]
fn another_clients_file_is_not_served() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "somebody else", None);
    assert_eq!(world.refused(&naming(&["f"])), PoolRefusal::Foreign { resource: file("f") });
}

#[test]
fn files_of_two_owners_do_not_mix() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "app", None);
    bind(&mut world, "g", "p2", "app", None);
    let refusal = world.refused(&naming(&["f", "unknown", "g"]));
    assert_eq!(refusal, PoolRefusal::Conflict { first: file("f"), second: file("g") });
}

#[test]
fn what_can_be_made_again_prefers_its_owner_and_falls_back() {
    let mut world = two_groups();
    bind(&mut world, "f", "p2", "app", Some(b"mint"));
    for _ in 0..3 {
        let lease = world.lease(&naming(&["f"]));
        assert_eq!((&*lease.label, lease.away.is_some()), ("b", false));
    }
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    let mut labels = Vec::new();
    for _ in 0..2 {
        let lease = world.lease(&naming(&["f"]));
        let away = lease.away.expect("another group needs the keepsake");
        assert_eq!(away.bytes(), &Bytes::from_static(b"mint"));
        labels.push(lease.label.to_string());
    }
    labels.sort();
    assert_eq!(labels, ["a1", "a2"], "elsewhere it goes round");
}

#[test]
fn a_failing_owner_is_left_if_the_resource_can_be_made_again() {
    let mut world = two_groups();
    bind(&mut world, "f", "p2", "app", Some(b"mint"));
    let lease = world.lease(&naming(&["f"]));
    world.settle(&lease, failed(Fault::Overloaded));
    let again = Ask { tried: vec![world.tried(&lease, TriedHow::Failed)], ..naming(&["f"]) };
    let second = world.lease(&again);
    assert_eq!((second.group.as_str(), second.away.is_some()), ("p1", true));
}

#[test]
fn a_law_beside_a_preference_is_a_law() {
    let mut world = two_groups();
    bind(&mut world, "f", "p2", "app", Some(b"mint"));
    bind(&mut world, "g", "p2", "app", None);
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.wait(&naming(&["f", "g"]));
}

#[test]
fn a_credential_of_the_callers_own_is_passed_if_nobody_knows_it() {
    let mut world = two_groups();
    let own = Ask { access: Access::OwnCredential, client: "anonymous".into(), ..naming(&["token"]) };
    assert!(matches!(world.pool.lease(&own, world.now), Ok(Granted::NotOurs)));
    assert_eq!(world.pool.explain(&own, world.now).answer, Ok(None));
    bind(&mut world, "token", "p2", "app", Some(b"mint"));
    assert_eq!(&*world.lease(&own).label, "b", "holding it is the right to use it");
}

#[test]
fn who_shows_only_a_name_must_name_what_was_made_here() {
    let mut world = two_groups();
    let named = Ask { access: Access::Reference, client: "anonymous".into(), ..naming(&["upload"]) };
    assert_eq!(world.refused(&named), PoolRefusal::Unknown { resource: file("upload") });
    bind(&mut world, "upload", "p2", "app", None);
    let lease = world.lease(&named);
    assert_eq!((&*lease.label, lease.on_behalf_of), ("b", Some("app".into())));
}

#[test]
fn what_needs_no_key_goes_on_whatever_the_keys_of_its_group_do() {
    let mut world = two_groups();
    let about = |name| Ask { access: Access::ReferenceAlone, client: "anonymous".into(), ..naming(&[name]) };
    assert_eq!(world.refused(&about("s")), PoolRefusal::Unknown { resource: file("s") });
    bind(&mut world, "s", "p2", "app", None);
    bind(&mut world, "t", "gone", "app", None);
    world.hit("b", &ask("pro"), failed(Fault::KeyInvalid));
    for (name, group) in [("s", "p2"), ("t", "gone")] {
        let granted = world.pool.lease(&about(name), world.now);
        assert!(matches!(&granted, Ok(Granted::Pass(of)) if of.as_str() == group), "{granted:?}");
        assert_eq!(world.pool.explain(&about(name), world.now).answer, Ok(None));
    }
    assert_eq!(world.pool.snapshot(world.now).ledger.in_flight, 0, "nothing was leased");
}

#[test]
fn an_owner_that_left_the_pool_leaves_its_resources_unserved() {
    let mut world = two_groups();
    bind(&mut world, "f", "gone", "app", None);
    bind(&mut world, "g", "gone", "app", Some(b"mint"));
    let refusal = world.refused(&naming(&["f"]));
    assert_eq!(refusal, PoolRefusal::Disabled { last_fault: Fault::AffinityLost });
    assert!(world.lease(&naming(&["g"])).away.is_some());
}

#[test]
fn explaining_a_bound_request_names_the_owner() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "app", None);
    let decision = world.pool.explain(&naming(&["f"]), world.now);
    assert_eq!(decision.bound_to, Some("p1".into()));
    let skips: Vec<_> = decision.keys.iter().map(|key| key.skip).collect();
    assert_eq!(skips, [None, Some(Skip::NotOwner), None]);
}

#[test]
fn too_many_bindings_push_the_oldest_out_and_say_so() {
    let mut world = two_groups();
    for number in 0..50_001 {
        bind(&mut world, &number.to_string(), "p1", "app", None);
    }
    assert_eq!(world.events(), [PoolEvent::BindingsEvicted { count: 1 }]);
    world.hit("a1", &naming(&["1"]), failed_for(Fault::RateLimited, 60));
    world.wait(&naming(&["1"]));
    assert_eq!(world.use_once(&naming(&["0"]), Verdict::Unsent), "b", "forgotten, so anybody's");
}

#[test]
fn a_bound_request_is_promised_the_end_of_the_owners_longest_rest() {
    let mut world = two_groups();
    bind(&mut world, "f", "p1", "app", None);
    let (minute, all) = (world.lease(&naming(&["f"])), world.lease(&naming(&["f"])));
    world.settle(&all, failed_for(Fault::GroupBlocked, 500));
    world.settle(&minute, failed_for(Fault::RateLimited, 20));
    let wait = world.wait(&naming(&["f"]));
    assert!((500.0..=550.0).contains(&wait), "{wait}");
}

#[test]
fn what_was_found_is_anybodys_and_keeps_its_group() {
    let mut world = two_groups();
    let found = |name: &str| Binding { resource: file(name), lifetime: seconds(3600), keepsake: None };
    world.pool.find(&"p2".into(), found("old"), world.now);
    let stranger = Ask { client: "stranger".into(), ..naming(&["old"]) };
    for ask in [naming(&["old"]), stranger] {
        assert_eq!(world.serve(&ask, 2), ["b", "b"]);
        assert!(world.lease(&ask).is_owners);
    }
    assert!(!world.lease(&naming(&["unheard of"])).is_owners);
    bind(&mut world, "mine", "p1", "app", None);
    world.pool.find(&"p2".into(), found("mine"), world.now);
    assert_eq!(&*world.lease(&naming(&["mine"])).group.to_string(), "p1", "what is known stays as it is");
}

#[test]
fn what_is_gone_binds_nobody_and_leaves_no_row() {
    let mut world = two_groups();
    bind(&mut world, "f", "p2", "app", None);
    let mut state = world.pool.state();
    world.pool.unbind(&"p1".into(), &file("f"), world.now);
    assert_eq!(world.serve(&naming(&["f"]), 1), ["b"], "only its group can say that it is gone");
    world.pool.unbind(&"p2".into(), &file("f"), world.now);
    assert!(world.pool.save_changes(&mut state));
    assert_eq!(state, world.pool.state());
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    assert_ne!(world.serve(&naming(&["f"]), 1), ["b"]);
}

#[test]
fn a_part_is_asked_of_its_group_alone() {
    let mut world = two_groups();
    let part = |group: &str| Ask { references: vec![Resource::part_of(&group.into())], ..ask("pro") };
    assert_eq!(world.serve(&part("p2"), 2), ["b", "b"]);
    world.hit("b", &ask("pro"), failed_for(Fault::RateLimited, 60));
    world.wait(&part("p2"));
    assert_eq!(world.refused(&part("gone")), PoolRefusal::Disabled { last_fault: Fault::AffinityLost });
}

#[test]
fn lists_are_put_together_from_the_groups_that_have_something() {
    let mut world = World::of(&[("a1", "p1"), ("b", "p2"), ("a2", "p1"), ("c", "p3")]);
    bind(&mut world, "f", "p3", "app", None);
    bind(&mut world, "g", "p1", "app", None);
    bind(&mut world, "h", "p2", "somebody else", None);
    let found = Binding { resource: file("i"), lifetime: seconds(3600), keepsake: None };
    world.pool.find(&"p2".into(), found, world.now);
    let client = "app".into();
    assert_eq!(world.pool.groups_having("file", None, world.now), ["p1", "p2", "p3"].map(Into::into));
    assert_eq!(world.pool.groups_having("file", Some(&client), world.now), ["p1", "p3"].map(Into::into));
    assert!(world.pool.groups_having("cache", Some(&client), world.now).is_empty());
    let whose = world.pool.whose(&["f", "h", "i", "j"].map(file), &client, world.now);
    assert_eq!(whose, [Whose::Own, Whose::Others, Whose::Nobodys, Whose::Nobodys]);
}
