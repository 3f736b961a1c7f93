//! Which key the order begins with.
//!
//! `rotation` moves the first key to the end, primaries among themselves and backups among
//! themselves: were they moved together, the primary before a row of backups would serve for as
//! many turns as there are backups, and wear would not be spread.

use keygate_domain::Role;

use crate::key::Key;

/// The position from which the first primary is looked for, and the first backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Order {
    primaries: usize,
    backups: usize,
}

impl Order {
    /// From where on, round, the keys of a role are to be taken.
    pub(crate) fn start(self, role: Role) -> usize {
        match role {
            Role::Primary => self.primaries,
            Role::Backup => self.backups,
        }
    }

    /// The first key of a role.
    pub(crate) fn first(self, role: Role, keys: &[Key]) -> Option<usize> {
        self.of_role(role, keys).next()
    }

    /// The first key of all: a primary if there is one.
    pub(crate) fn lead(self, keys: &[Key]) -> Option<usize> {
        self.first(Role::Primary, keys).or_else(|| self.first(Role::Backup, keys))
    }

    /// Lets the order begin with this key among those of its role.
    pub(crate) fn begin_with(&mut self, key: usize, keys: &[Key]) {
        match keys[key].role {
            Role::Primary => self.primaries = key,
            Role::Backup => self.backups = key,
        }
    }

    /// Moves the first key of each role to the end, `times` times over. True if that moves any.
    pub(crate) fn rotate(&mut self, keys: &[Key], times: u64) -> bool {
        let mut moved = false;
        for role in [Role::Primary, Role::Backup] {
            let count = keys.iter().filter(|key| key.role == role).count() as u64;
            let steps = times.checked_rem(count).unwrap_or_default() as usize;
            let first = self.of_role(role, keys).nth(steps).filter(|_| steps > 0);
            if let Some(first) = first {
                self.begin_with(first, keys);
                moved = true;
            }
        }
        moved
    }

    /// The same order for other keys: each role begins with the first of its keys that is still one
    /// of it, wherever that stands by now.
    pub(crate) fn carried_over(
        self,
        before: &[Key],
        now: &[Key],
        moved: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let mut order = Self::default();
        for role in [Role::Primary, Role::Backup] {
            let stays = |key| moved(key).filter(|key| now.get(*key).is_some_and(|key| key.role == role));
            if let Some(first) = self.of_role(role, before).find_map(stays) {
                order.begin_with(first, now);
            }
        }
        order
    }

    fn of_role(self, role: Role, keys: &[Key]) -> impl Iterator<Item = usize> + '_ {
        let start = self.start(role);
        (start..keys.len()).chain(0..start).filter(move |key| keys[*key].role == role)
    }
}

#[cfg(test)]
mod tests {
    use keygate_domain::{ApiKey, KeySpec};

    use super::*;

    fn keys(roles: &[Role]) -> Vec<Key> {
        let spec = |role: &Role| KeySpec {
            secret: ApiKey::new("secret".to_owned()),
            label: String::new(),
            group: None,
            weight: 1,
            role: *role,
            allowance: keygate_domain::Allowance::default(),
        };
        roles.iter().map(|role| Key::new(spec(role), 0)).collect()
    }

    #[test]
    fn each_role_rotates_by_itself() {
        use Role::{Backup, Primary};
        let keys = keys(&[Backup, Primary, Backup, Primary, Backup]);
        let mut order = Order::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push((order.first(Primary, &keys).unwrap(), order.first(Backup, &keys).unwrap()));
            assert!(order.rotate(&keys, 1));
        }
        assert_eq!(seen, [(1, 0), (3, 2), (1, 4), (3, 0)]);
        let mut at_once = Order::default();
        assert!(at_once.rotate(&keys, 3 + 6_000_000_000));
        assert_eq!((at_once.first(Primary, &keys), at_once.first(Backup, &keys)), (Some(3), Some(0)));
        assert_eq!(at_once.lead(&keys), Some(3));
    }

    #[test]
    fn with_one_key_or_none_nothing_moves() {
        for (keys, lead) in [(keys(&[]), None), (keys(&[Role::Backup]), Some(0))] {
            let mut order = Order::default();
            assert!(!order.rotate(&keys, 5));
            assert_eq!(order.lead(&keys), lead);
        }
    }
}
