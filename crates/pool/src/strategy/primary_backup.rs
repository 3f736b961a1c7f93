//! The first usable primary; without one, the first usable backup.

use keygate_domain::Role;

use super::Rank;
use crate::key_set::KeySet;
use crate::order::Order;

/// Which keys are primaries, and where the order begins. Nothing moves by use: a primary that
/// recovers is first again at once.
#[derive(Clone, Debug)]
pub(crate) struct PrimaryBackup {
    primaries: KeySet,
    usable_primaries: KeySet,
    usable_backups: KeySet,
    order: Order,
    size: usize,
}

impl PrimaryBackup {
    /// How many unusable keys are looked at for those that would have come first.
    const LOOKED_AT: usize = 64;

    pub(super) fn new(roles: impl ExactSizeIterator<Item = Role>) -> Self {
        let size = roles.len();
        let mut primaries = KeySet::new(size);
        for (key, role) in roles.enumerate() {
            primaries.set(key, role == Role::Primary);
        }
        let (usable_primaries, usable_backups) = (KeySet::new(size), KeySet::new(size));
        Self { primaries, usable_primaries, usable_backups, order: Order::default(), size }
    }

    pub(super) fn start_at(&mut self, order: Order) {
        self.order = order;
    }

    pub(super) fn set_usable(&mut self, key: usize, usable: bool) {
        if self.primaries.contains(key) {
            self.usable_primaries.set(key, usable);
        } else {
            self.usable_backups.set(key, usable);
        }
    }

    pub(super) fn next(&self, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let mut primaries = self.usable_primaries.round(self.order.start(Role::Primary));
        let mut backups = self.usable_backups.round(self.order.start(Role::Backup));
        primaries.find(|key| wanted(*key)).or_else(|| backups.find(|key| wanted(*key)))
    }

    pub(super) fn rank(&self, key: usize) -> Rank {
        let is_backup = !self.primaries.contains(key);
        let start = self.order.start(if is_backup { Role::Backup } else { Role::Primary });
        let ahead = if key >= start { key - start } else { key + self.size - start };
        (u8::from(is_backup), ahead as u128)
    }

    pub(super) fn passed_over<'a>(
        &'a self,
        usable: &'a KeySet,
        chosen: usize,
    ) -> impl Iterator<Item = usize> + 'a {
        let start = self.order.start(Role::Primary);
        let limit = self.rank(chosen);
        // Before a primary stand only those between the start and itself, before a backup all primaries.
        let is_primary = self.primaries.contains(chosen);
        let end = if is_primary { chosen } else { self.size };
        let round = if is_primary { 0 } else { start };
        let missing = usable.missing_between(start, end).chain(usable.missing_between(0, round));
        missing.take(Self::LOOKED_AT).filter(move |key| self.rank(*key) < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_usable(roles: &[Role]) -> PrimaryBackup {
        let mut order = PrimaryBackup::new(roles.iter().copied());
        (0..roles.len()).for_each(|key| order.set_usable(key, true));
        order
    }

    #[test]
    fn backups_serve_only_while_no_primary_can() {
        let mut order = all_usable(&[Role::Backup, Role::Primary, Role::Primary, Role::Backup]);
        let mut usable = KeySet::new(4);
        (0..4).for_each(|key| assert!(usable.set(key, true)));
        let mut turns = Vec::new();
        for gone in [1, 2, 0] {
            turns.push(order.next(|_| true).unwrap());
            order.set_usable(gone, false);
            usable.set(gone, false);
        }
        turns.push(order.next(|_| true).unwrap());
        assert_eq!(turns, [1, 2, 0, 3]);
        assert_eq!(order.passed_over(&usable, 3).collect::<Vec<_>>(), [0, 1, 2]);
        order.set_usable(2, true);
        assert_eq!(order.next(|_| true), Some(2), "back to a primary at once");
        assert_eq!(order.next(|key| key == 3), Some(3));
    }
}
