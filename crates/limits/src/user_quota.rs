//! What each user may do: an exact minute, a smooth burst inside it, and so many calls at once.

use std::collections::BTreeSet;
use std::time::Duration;

use indexmap::IndexMap;
use keygate_domain::{Moment, UserId};

use crate::smoother::Smoother;
use crate::window::{WINDOW, Window};
use crate::{Admitted, TurnedAway, TurnedAwayWhy, UserPolicy, UserStanding};

/// What a user is told who has too many calls running: nobody knows when one of them ends.
const WAIT_FOR_A_CALL: Duration = Duration::from_secs(1);

/// How long forgetting may lag behind, so that one wake-up forgets many users.
const FORGET_LAG: Duration = Duration::from_secs(5);

/// The quotas of all users.
///
/// Never more than `requests_per_minute` units in any 60 s. A plain GCRA of 20 a minute lets 39
/// through in its first minute, hence a log per user; GCRA only spreads asks inside the window,
/// and only when `burst` is smaller than it: with a burst as large as the window it could
/// never refuse what the window admits.
pub struct UserQuotas {
    policy: UserPolicy,
    users: IndexMap<UserId, User>,
    /// When to look whether a user can be forgotten. Refreshed lazily: an entry may be early, or
    /// of a user who is busy again; one without an entry is busy and gets it when they leave.
    idle_by: BTreeSet<(Duration, UserId)>,
    smoother: Option<Smoother<UserId>>,
    latest: Duration,
}

#[derive(Default)]
struct User {
    window: Window,
    in_flight: u32,
    /// Whether `idle_by` holds an entry.
    is_watched: bool,
}

impl User {
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.window.used() == 0
    }
}

impl UserQuotas {
    /// Quotas nobody has used yet.
    pub fn new(policy: UserPolicy) -> Self {
        let policy = UserPolicy { requests_per_minute: policy.requests_per_minute.max(1), ..policy };
        let smooths = policy.burst < policy.requests_per_minute;
        let smoother = smooths.then(|| Smoother::new(policy.requests_per_minute, policy.burst));
        Self { policy, users: IndexMap::new(), idle_by: BTreeSet::new(), smoother, latest: Duration::ZERO }
    }

    /// The policy in force.
    pub fn policy(&self) -> &UserPolicy {
        &self.policy
    }

    /// Puts another policy in force. Everybody's minute goes on as it was: what was done counts
    /// against a lower limit too, and a higher one gives the difference at once.
    pub fn set_policy(&mut self, policy: UserPolicy) {
        let fresh = Self::new(policy);
        let pace = |policy: &UserPolicy| (policy.requests_per_minute, policy.burst);
        // Bursts that were used up are whole again under another pace only; the minute bounds them.
        if pace(&fresh.policy) != pace(&self.policy) {
            self.smoother = fresh.smoother;
        }
        self.policy = fresh.policy;
    }

    /// Admits a call that counts `units`, zero for one that uses no key. Every admitted call
    /// must [`leave`](Self::leave) when it ends.
    ///
    /// # Errors
    /// When a limit is met. Nothing is charged then.
    pub fn admit(&mut self, user: &UserId, units: u32, now: Moment) -> Result<Admitted, TurnedAway> {
        self.move_to(now);
        self.make_room_for(user)?;
        let now = self.latest;
        let (policy, smoother) = (&self.policy, self.smoother.as_ref());
        let record = self.users.entry(user.clone()).or_default();
        record.window.slide(now);
        let admitted = admit_to(record, user, units, policy, smoother, now);
        watch(record, user, &mut self.idle_by, now);
        admitted
    }

    /// How a user stands, and what would become of a call that counts `units`. Counts nothing and
    /// changes nothing. Whether there is room for one more user shows only when one comes.
    pub fn look(&self, user: &UserId, units: u32, now: Moment) -> UserStanding {
        let now = self.latest.max(now.mono);
        let known = self.users.get(user);
        let mut window = known.map(|record| record.window.clone()).unwrap_or_default();
        window.slide(now);
        let in_flight = known.map_or(0, |record| record.in_flight);
        let (policy, smoother) = (&self.policy, self.smoother.as_ref());
        let passes = may_pass(&window, in_flight, user, units, policy, smoother, now);
        UserStanding {
            limit: self.policy.requests_per_minute,
            used: window.used(),
            window_resets_in: window.oldest_leaves().unwrap_or(now).saturating_sub(now),
            in_flight,
            max_concurrent: self.policy.max_concurrent,
            turned_away: passes.err(),
        }
    }

    /// Ends a call that was admitted.
    pub fn leave(&mut self, user: &UserId) {
        if let Some(record) = self.users.get_mut(user) {
            record.in_flight = record.in_flight.saturating_sub(1);
            watch(record, user, &mut self.idle_by, self.latest);
        }
    }

    /// Forgets users nothing of whom counts any more.
    pub fn advance(&mut self, now: Moment) {
        self.move_to(now);
        while let Some((due, user)) = self.idle_by.pop_first() {
            if due > self.latest {
                self.idle_by.insert((due, user));
                break;
            }
            self.forget_or_watch_on(&user);
        }
    }

    /// When [`advance`](Self::advance) would next forget someone.
    pub fn next_wakeup(&self, now: Moment) -> Option<Moment> {
        let (due, _) = self.idle_by.first()?;
        Some(now.after(due.saturating_sub(now.mono).saturating_add(FORGET_LAG)))
    }

    /// How many users are remembered.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Calls of `user` being served.
    pub fn in_flight(&self, user: &UserId) -> u32 {
        self.users.get(user).map_or(0, |record| record.in_flight)
    }

    /// What to go on with after a panic: every user's minute as it was, everything derived from
    /// it anew. Calls that were running are not counted any more, because one of them may have
    /// been counted without anyone left to [`leave`](Self::leave); their leaving must be ignored.
    #[must_use]
    pub fn rebuilt(mut self) -> Self {
        self.idle_by.clear();
        for (user, record) in &mut self.users {
            self.idle_by.insert((self.latest, user.clone()));
            record.is_watched = true;
            record.in_flight = 0;
        }
        self
    }

    // === details ===

    /// Time never runs backwards in here, whatever order messages arrive in.
    fn move_to(&mut self, now: Moment) {
        self.latest = self.latest.max(now.mono);
    }

    fn make_room_for(&mut self, user: &UserId) -> Result<(), TurnedAway> {
        if self.users.len() < self.policy.max_users || self.users.contains_key(user) {
            return Ok(());
        }
        let Some(free_at) = self.forget_one() else { return Ok(()) };
        let retry_after = free_at.saturating_sub(self.latest);
        Err(TurnedAway { retry_after, limit: self.policy.requests_per_minute, why: TurnedAwayWhy::Full })
    }

    /// Forgets one idle user; if there is none, says when there will be.
    fn forget_one(&mut self) -> Option<Duration> {
        while let Some((due, user)) = self.idle_by.pop_first() {
            if self.forget_or_watch_on(&user) {
                return None;
            }
            let is_exact = self.idle_by.contains(&(due, user));
            if is_exact && due > self.latest {
                return Some(due);
            }
        }
        Some(self.latest + WAIT_FOR_A_CALL)
    }

    /// True if the user was forgotten.
    fn forget_or_watch_on(&mut self, user: &UserId) -> bool {
        let latest = self.latest;
        let Some(record) = self.users.get_mut(user) else { return false };
        record.is_watched = false;
        record.window.slide(latest);
        if !record.is_idle() {
            watch(record, user, &mut self.idle_by, latest);
            return false;
        }
        self.users.swap_remove(user);
        // A window that is empty has outlived any burst inside it: the cell is as good as new.
        if let Some(smoother) = &self.smoother {
            smoother.forget(user);
        }
        true
    }
}

/// Puts a user who has nothing in flight on the list of those to be forgotten.
fn watch(record: &mut User, user: &UserId, idle_by: &mut BTreeSet<(Duration, UserId)>, latest: Duration) {
    if record.is_watched || record.in_flight > 0 {
        return;
    }
    record.is_watched = true;
    idle_by.insert((record.window.newest_leaves().unwrap_or(latest), user.clone()));
}

fn admit_to(
    record: &mut User,
    user: &UserId,
    units: u32,
    policy: &UserPolicy,
    smoother: Option<&Smoother<UserId>>,
    now: Duration,
) -> Result<Admitted, TurnedAway> {
    may_pass(&record.window, record.in_flight, user, units, policy, smoother, now)?;
    if let Some(smoother) = smoother {
        // Asked a moment ago under the same clock: it cannot refuse now.
        let taken = smoother.take(user, units, now);
        debug_assert!(taken.is_ok(), "the smoother changed its mind");
    }
    record.window.add(units, now);
    record.in_flight += 1;
    let limit = policy.requests_per_minute;
    Ok(Admitted {
        limit,
        remaining: limit - record.window.used(),
        window_resets_in: record.window.oldest_leaves().unwrap_or(now).saturating_sub(now),
    })
}

/// Whether a user whose window has slid may make a call. Counts nothing.
fn may_pass(
    window: &Window,
    in_flight: u32,
    user: &UserId,
    units: u32,
    policy: &UserPolicy,
    smoother: Option<&Smoother<UserId>>,
    now: Duration,
) -> Result<(), TurnedAway> {
    let limit = policy.requests_per_minute;
    let turned_away = |why, retry_after, limit| Err(TurnedAway { retry_after, limit, why });
    if units > limit {
        return turned_away(TurnedAwayWhy::TooLarge, WINDOW, limit);
    }
    let window_wait = window.wait_until_used_is(limit - units, now);
    let burst_wait = smoother.map_or(Duration::ZERO, |smoother| smoother.wait_for(user, units, now));
    // Both must admit, so the honest moment is the later one, whichever is named.
    let wait = window_wait.max(burst_wait);
    if window_wait > Duration::ZERO {
        return turned_away(TurnedAwayWhy::Window, wait, limit);
    }
    if burst_wait > Duration::ZERO {
        return turned_away(TurnedAwayWhy::Burst, wait, limit);
    }
    if in_flight >= policy.max_concurrent {
        return turned_away(TurnedAwayWhy::Concurrent, WAIT_FOR_A_CALL, policy.max_concurrent);
    }
    Ok(())
}
