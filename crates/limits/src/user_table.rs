//! The users who are remembered, in little memory: a million of them take less than 100 MiB.
//!
//! Nobody asks for their names in here, so a user is known by 128 bits of a keyed hash: two of a
//! million are the same with a chance of one in 10^26. Records lie in chunks that are never moved,
//! and are found by a table of their places. Those of whom something counts hang together in the
//! order in which the last of it stops counting, which is the order in which it was admitted: who
//! is to be forgotten next is the first of them.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use hashbrown::HashTable;
use keygate_domain::UserId;

use crate::window::Window;

/// Records of a chunk.
const CHUNK: usize = 4096;

/// No place.
const NOWHERE: u32 = u32::MAX;

/// A user, as the table knows them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct UserKey([u64; 2]);

/// Makes keys of users, others in each process: who can choose a name cannot choose its key.
#[derive(Default)]
pub(crate) struct Keyring {
    first: RandomState,
    second: RandomState,
}

impl Keyring {
    pub(crate) fn key_of(&self, user: &UserId) -> UserKey {
        let named = (user.client.as_str(), &*user.name);
        UserKey([self.first.hash_one(named), self.second.hash_one(named)])
    }
}

/// What is known of a user.
pub(crate) struct User {
    key: UserKey,
    pub(crate) window: Window,
    pub(crate) in_flight: u32,
    /// The pace by which bursts were smoothed last: its number and one more, 0 if they were not.
    pub(crate) pace: u32,
    earlier: u32,
    later: u32,
}

impl User {
    fn new(key: UserKey) -> Self {
        Self { key, window: Window::Empty, in_flight: 0, pace: 0, earlier: NOWHERE, later: NOWHERE }
    }

    pub(crate) fn key(&self) -> UserKey {
        self.key
    }

    /// Whether nothing of theirs counts.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.window.used() == 0
    }
}

/// Where a user's record lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(u32);

/// The records.
pub(crate) struct UserTable {
    places: HashTable<u32>,
    chunks: Vec<Vec<User>>,
    /// Places without a user, chained by `later`.
    free: u32,
    first: u32,
    last: u32,
}

impl Default for UserTable {
    fn default() -> Self {
        Self { places: HashTable::new(), chunks: Vec::new(), free: NOWHERE, first: NOWHERE, last: NOWHERE }
    }
}

impl UserTable {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn find(&self, key: UserKey) -> Option<Place> {
        let chunks = &self.chunks;
        self.places.find(key.0[0], |place| user_at(chunks, *place).key == key).copied().map(Place)
    }

    pub(crate) fn get(&self, place: Place) -> &User {
        user_at(&self.chunks, place.0)
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> &mut User {
        self.at(place.0)
    }

    /// A record for somebody who has none.
    pub(crate) fn insert(&mut self, key: UserKey) -> Place {
        let place = self.take_free();
        *self.at(place) = User::new(key);
        let Self { places, chunks, .. } = self;
        places.insert_unique(key.0[0], place, |place| user_at(chunks, *place).key.0[0]);
        Place(place)
    }

    /// Forgets a user. When that was the last, the memory goes too.
    pub(crate) fn remove(&mut self, place: Place) {
        self.unhang(place);
        let key = self.get(place).key;
        if let Ok(found) = self.places.find_entry(key.0[0], |other| *other == place.0) {
            found.remove();
        }
        if self.places.is_empty() {
            *self = Self::default();
            return;
        }
        let free = self.free;
        let user = self.at(place.0);
        user.window = Window::Empty;
        user.later = free;
        self.free = place.0;
    }

    /// Puts a user behind all others: something of theirs was admitted just now.
    pub(crate) fn hang_last(&mut self, place: Place) {
        self.unhang(place);
        let last = self.last;
        self.at(place.0).earlier = last;
        match last {
            NOWHERE => self.first = place.0,
            last => self.at(last).later = place.0,
        }
        self.last = place.0;
    }

    /// Takes a user out of the order: nothing of theirs counts any more.
    pub(crate) fn unhang(&mut self, place: Place) {
        let User { earlier, later, .. } = *self.get(place);
        if earlier == NOWHERE && self.first != place.0 {
            return;
        }
        match earlier {
            NOWHERE => self.first = later,
            earlier => self.at(earlier).later = later,
        }
        match later {
            NOWHERE => self.last = earlier,
            later => self.at(later).earlier = earlier,
        }
        let user = self.at(place.0);
        (user.earlier, user.later) = (NOWHERE, NOWHERE);
    }

    /// The users of whom something counts, who is to be forgotten first at the front.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Place> {
        let some = |place: u32| (place != NOWHERE).then_some(Place(place));
        std::iter::successors(some(self.first), move |place| some(self.get(*place).later))
    }

    /// The moment at which nothing of the first one counts any more.
    pub(crate) fn first_due(&self) -> Option<(Place, Duration)> {
        let first = self.in_order().next()?;
        Some((first, self.get(first).window.newest_leaves().unwrap_or_default()))
    }

    /// All places with a user.
    pub(crate) fn all(&self) -> Vec<Place> {
        self.places.iter().copied().map(Place).collect()
    }

    fn take_free(&mut self) -> u32 {
        if self.free != NOWHERE {
            let place = self.free;
            self.free = self.at(place).later;
            return place;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.len() - 1;
        let place = full + self.chunks[chunk].len();
        self.chunks[chunk].push(User::new(UserKey([0, 0])));
        place as u32
    }

    fn at(&mut self, place: u32) -> &mut User {
        let place = place as usize;
        &mut self.chunks[place / CHUNK][place % CHUNK]
    }
}

fn user_at(chunks: &[Vec<User>], place: u32) -> &User {
    let place = place as usize;
    &chunks[place / CHUNK][place % CHUNK]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> UserKey {
        UserKey([number, number])
    }

    fn order(table: &UserTable) -> Vec<u64> {
        table.in_order().map(|place| table.get(place).key.0[1]).collect()
    }

    #[test]
    fn a_record_is_small() {
        assert_eq!(size_of::<User>(), 48);
    }

    #[test]
    fn users_hang_in_the_order_of_their_last_admission() {
        let mut table = UserTable::default();
        let places: Vec<_> = (0..4).map(|number| table.insert(key(number))).collect();
        for place in &places {
            table.hang_last(*place);
        }
        table.hang_last(places[1]);
        assert_eq!(order(&table), [0, 2, 3, 1]);
        table.hang_last(places[1]);
        assert_eq!(order(&table), [0, 2, 3, 1]);
        table.unhang(places[2]);
        table.unhang(places[2]);
        assert_eq!(order(&table), [0, 3, 1]);
        table.remove(places[0]);
        assert_eq!(order(&table), [3, 1]);
        assert_eq!((table.find(key(0)), table.find(key(2))), (None, Some(places[2])));
        let again = table.insert(key(9));
        assert_eq!(again, places[0], "its place is used again");
        table.hang_last(again);
        assert_eq!(order(&table), [3, 1, 9]);
        for place in [places[1], places[2], places[3], again] {
            table.remove(place);
        }
        assert_eq!((table.len(), table.first_due()), (0, None));
    }

    #[test]
    fn names_of_two_clients_are_two_users() {
        let keyring = Keyring::default();
        let user = |client: &str, name: &str| UserId { client: client.into(), name: name.into() };
        assert_eq!(keyring.key_of(&user("a", "b")), keyring.key_of(&user("a", "b")));
        assert_ne!(keyring.key_of(&user("a", "bc")), keyring.key_of(&user("ab", "c")));
    }
}
