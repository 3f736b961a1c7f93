//! Which group serves what no resource decides.

use keygate_domain::{Binding, GroupId, Placement, Resource};

use super::world::*;
use crate::{Ask, PoolRefusal};

fn placed(placement: Placement) -> Ask {
    Ask { placement, ..listing() }
}

fn settled(group: Option<&str>) -> Ask {
    placed(Placement::Settled(group.map(GroupId::new)))
}

fn two() -> World {
    World::of(&[("a", "studio"), ("b", "backup")])
}

fn bound(world: &mut World, name: &str, group: &str) -> Resource {
    let resource = Resource::new("persona", name);
    let binding = Binding { resource: resource.clone(), lifetime: seconds(60), keepsake: None };
    world.pool.bind(&group.into(), &"app".into(), binding, world.now);
    resource
}

#[test]
fn a_named_group_serves_alone() {
    let mut world = two();
    let ask = placed(Placement::In("backup".into()));
    assert_eq!(world.serve(&ask, 3), ["b", "b", "b"]);
}

#[test]
fn a_group_that_is_not_there_is_said_to_be_unknown() {
    let mut world = two();
    for ask in [placed(Placement::In("third".into())), settled(Some("third"))] {
        let resource = Resource::new("group", "third");
        assert_eq!(world.refused(&ask), PoolRefusal::Unknown { resource });
    }
}

#[test]
fn what_one_group_keeps_is_served_by_the_one_that_is_set_for_it() {
    let mut world = two();
    assert_eq!(world.serve(&settled(Some("backup")), 2), ["b", "b"]);
    assert_eq!(world.refused(&settled(None)), PoolRefusal::Undecided);
    let mut alone = World::of(&[("a1", "studio"), ("a2", "studio")]);
    assert_eq!(alone.serve(&settled(None), 2).len(), 2, "there is nothing to decide");
}

#[test]
fn the_owner_comes_before_what_is_set_but_not_before_what_is_asked() {
    let mut world = two();
    let persona = bound(&mut world, "p", "studio");
    let naming = |ask: Ask| Ask { references: vec![persona.clone()], ..ask };
    assert_eq!(world.serve(&naming(settled(Some("backup"))), 2), ["a", "a"]);
    assert_eq!(world.serve(&naming(settled(None)), 2), ["a", "a"]);
    assert_eq!(world.serve(&naming(placed(Placement::In("studio".into()))), 2), ["a", "a"]);
    let refused = world.refused(&naming(placed(Placement::In("backup".into()))));
    assert_eq!(refused, PoolRefusal::Conflict { first: Resource::new("group", "backup"), second: persona });
}

#[test]
fn a_named_group_that_rests_is_waited_for() {
    let mut world = two();
    let ask = placed(Placement::In("backup".into()));
    world.hit("b", &listing(), failed_for(keygate_domain::Fault::RateLimited, 5));
    assert!(world.wait(&ask) >= 5.0);
    assert_eq!(world.serve(&listing(), 1), ["a"]);
}
