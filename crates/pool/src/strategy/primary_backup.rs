//! The first usable primary; without one, the first usable backup.

use keygate_domain::Role;

use super::Rank;
use crate::key_set::KeySet;

/// Which keys are primaries. Nothing moves: a primary that recovers is first again at once.
#[derive(Clone, Debug)]
pub(crate) struct PrimaryBackup {
    primaries: KeySet,
}

impl PrimaryBackup {
    /// How many unusable keys are looked at for those that would have come first.
    const LOOKED_AT: usize = 64;

    pub(super) fn new(roles: impl ExactSizeIterator<Item = Role>) -> Self {
        let mut primaries = KeySet::new(roles.len());
        for (key, role) in roles.enumerate() {
            primaries.set(key, role == Role::Primary);
        }
        Self { primaries }
    }

    pub(super) fn next(&self, usable: &KeySet, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let primary = usable.round(0).find(|key| self.primaries.contains(*key) && wanted(*key));
        primary.or_else(|| usable.round(0).find(|key| wanted(*key)))
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        (u8::from(!self.primaries.contains(key)), key as u128)
    }

    pub(super) fn passed_over<'a>(
        &'a self,
        usable: &'a KeySet,
        chosen: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let limit = self.rank(chosen);
        let end = if self.primaries.contains(chosen) { chosen } else { usize::MAX };
        let before = usable.missing_round(0).take(Self::LOOKED_AT).take_while(move |key| *key < end);
        before.filter(move |key| self.rank(*key) < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_serve_only_while_no_primary_can() {
        let roles = [Role::Backup, Role::Primary, Role::Primary, Role::Backup];
        let order = PrimaryBackup::new(roles.into_iter());
        let mut usable = KeySet::new(4);
        for key in 0..4 {
            usable.set(key, true);
        }
        let mut turns = Vec::new();
        for gone in [1, 2, 0] {
            turns.push(order.next(&usable, |_| true).unwrap());
            usable.set(gone, false);
        }
        turns.push(order.next(&usable, |_| true).unwrap());
        assert_eq!(turns, [1, 2, 0, 3]);
        assert_eq!(order.passed_over(&usable, 3).collect::<Vec<_>>(), [0, 1, 2]);
        usable.set(2, true);
        assert_eq!(order.next(&usable, |_| true), Some(2), "back to a primary at once");
        assert_eq!(order.next(&usable, |key| key == 3), Some(3));
    }
}
