//! What each user may do: an exact minute, a smooth burst inside it, and so many calls at once.

use std::time::Duration;

use keygate_domain::{Moment, UserId, UserLimits};

use crate::smoother::Smoother;
use crate::user_table::{Keyring, Place, UserKey, UserTable};
use crate::window::{WINDOW, Window};
use crate::{Admitted, TurnedAway, TurnedAwayWhy, UserPolicy, UserStanding};

/// What a user is told who has too many calls running: nobody knows when one of them ends.
const WAIT_FOR_A_CALL: Duration = Duration::from_secs(1);

/// How long forgetting may lag behind, so that one wake-up forgets many users.
const FORGET_LAG: Duration = Duration::from_secs(5);

/// The pause between two strides of it, when many are to be forgotten.
const BETWEEN_STRIDES: Duration = Duration::from_millis(5);

/// Most users forgotten at once: others wait for the thread that does it.
const STRIDE: usize = 4096;

/// Most users with running calls that are looked past for one without.
const LOOK_PAST: usize = 64;

/// The quotas of all users.
///
/// Never more than `requests_per_minute` units in any 60 s. A plain GCRA of 20 a minute lets 39
/// through in its first minute, hence a log per user; GCRA only spreads asks inside the window,
/// and only when `burst` is smaller than it: with a burst as large as the window it could
/// never refuse what the window admits.
pub struct UserQuotas {
    policy: UserPolicy,
    keyring: Keyring,
    users: UserTable,
    smoothers: Smoothers,
    latest: Duration,
}

/// A smoother for each pace that any user has. They are as few as there are policies.
#[derive(Default)]
struct Smoothers(Vec<(Pace, Smoother<UserKey>)>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Pace {
    per_minute: u32,
    burst: u32,
}

impl Smoothers {
    /// The number of the policy's smoother, if it smooths; it is made if there is none.
    fn number_of(&mut self, policy: &UserPolicy) -> Option<usize> {
        let pace = Pace::of(policy)?;
        Some(self.position(pace).unwrap_or_else(|| {
            self.0.push((pace, Smoother::new(pace.per_minute, pace.burst)));
            self.0.len() - 1
        }))
    }

    /// The same if there is one.
    fn known(&self, policy: &UserPolicy) -> Option<usize> {
        self.position(Pace::of(policy)?)
    }

    fn position(&self, pace: Pace) -> Option<usize> {
        self.0.iter().position(|(known, _)| *known == pace)
    }

    fn get(&self, number: usize) -> Option<&Smoother<UserKey>> {
        self.0.get(number).map(|(_, smoother)| smoother)
    }

    /// Forgets the burst of a user at a pace, by the number in their record.
    fn forget(&self, pace: u32, key: UserKey) {
        if let Some(smoother) = pace.checked_sub(1).and_then(|number| self.get(number as usize)) {
            smoother.forget(&key);
        }
    }
}

impl Pace {
    /// None where the burst is as large as the minute.
    fn of(policy: &UserPolicy) -> Option<Self> {
        let pace = Self { per_minute: policy.requests_per_minute, burst: policy.burst };
        (pace.burst < pace.per_minute).then_some(pace)
    }
}

impl UserQuotas {
    /// Quotas nobody has used yet.
    pub fn new(policy: UserPolicy) -> Self {
        Self {
            policy: policy.with(UserLimits::default()),
            keyring: Keyring::default(),
            users: UserTable::default(),
            smoothers: Smoothers::default(),
            latest: Duration::ZERO,
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> &UserPolicy {
        &self.policy
    }

    /// Puts another policy in force. Everybody's minute goes on as it was: what was done counts
    /// against a lower limit too, and a higher one gives the difference at once. A burst that was used
    /// up is whole again under another pace only; the minute bounds it.
    pub fn set_policy(&mut self, policy: UserPolicy) {
        self.policy = policy.with(UserLimits::default());
    }

    /// Admits a call that counts `units`, zero for one that uses no key, of a user whose `limits` may
    /// differ from everybody's. Every admitted call must [`leave`](Self::leave) when it ends.
    ///
    /// # Errors
    /// When a limit is met. Nothing is charged then.
    pub fn admit(
        &mut self,
        user: &UserId,
        units: u32,
        limits: UserLimits,
        now: Moment,
    ) -> Result<Admitted, TurnedAway> {
        self.move_to(now);
        let (now, policy) = (self.latest, self.policy.with(limits));
        let key = self.keyring.key_of(user);
        let place = self.users.find(key);
        if place.is_none() {
            self.make_room(&policy)?;
        }
        let pace = self.smoothers.number_of(&policy);
        let smoother = pace.and_then(|pace| self.smoothers.get(pace));
        let nothing = Window::Empty;
        let (window, in_flight) = match place {
            Some(place) => {
                let record = self.users.get_mut(place);
                record.window.slide(now);
                (&record.window, record.in_flight)
            }
            None => (&nothing, 0),
        };
        may_pass(&Asking { window, in_flight, key, units, now }, &policy, smoother)?;
        if let Some(smoother) = smoother {
            // Asked a moment ago under the same clock: it cannot refuse now.
            let taken = smoother.take(&key, units, now);
            debug_assert!(taken.is_ok(), "the smoother changed its mind");
        }
        let place = place.unwrap_or_else(|| self.users.insert(key));
        self.smooth_by(place, pace);
        Ok(self.count(place, units, &policy))
    }

    /// How a user stands, and what would become of a call that counts `units`. Counts nothing and
    /// changes nothing. Whether there is room for one more user shows only when one comes.
    pub fn look(&self, user: &UserId, units: u32, limits: UserLimits, now: Moment) -> UserStanding {
        let (now, policy) = (self.latest.max(now.mono), self.policy.with(limits));
        let key = self.keyring.key_of(user);
        let known = self.users.find(key).map(|place| self.users.get(place));
        let mut window = known.map(|record| record.window.clone()).unwrap_or_default();
        window.slide(now);
        let in_flight = known.map_or(0, |record| record.in_flight);
        let smoother = self.smoothers.known(&policy).and_then(|pace| self.smoothers.get(pace));
        let passes = may_pass(&Asking { window: &window, in_flight, key, units, now }, &policy, smoother);
        UserStanding {
            limit: policy.requests_per_minute,
            used: window.used(),
            window_resets_in: window.oldest_leaves().unwrap_or(now).saturating_sub(now),
            in_flight,
            max_concurrent: policy.max_concurrent,
            turned_away: passes.err(),
        }
    }

    /// Ends a call that was admitted.
    pub fn leave(&mut self, user: &UserId) {
        let Some(place) = self.users.find(self.keyring.key_of(user)) else { return };
        let now = self.latest;
        let record = self.users.get_mut(place);
        record.in_flight = record.in_flight.saturating_sub(1);
        record.window.slide(now);
        if record.is_idle() {
            self.forget(place);
        }
    }

    /// Forgets users nothing of whom counts any more, so many at once that nobody has to wait for it.
    pub fn advance(&mut self, now: Moment) {
        self.move_to(now);
        self.forget_idle();
    }

    /// When [`advance`](Self::advance) would next forget someone.
    pub fn next_wakeup(&self, now: Moment) -> Option<Moment> {
        let (_, due) = self.users.first_due()?;
        let wait = due.saturating_sub(now.mono);
        let is_overdue = due + FORGET_LAG <= now.mono.max(self.latest);
        Some(now.after(if is_overdue { BETWEEN_STRIDES } else { wait.saturating_add(FORGET_LAG) }))
    }

    /// How many users are remembered.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Calls of `user` being served.
    pub fn in_flight(&self, user: &UserId) -> u32 {
        self.users.find(self.keyring.key_of(user)).map_or(0, |place| self.users.get(place).in_flight)
    }

    /// What to go on with after a panic: every user's minute as it was. Calls that were running are not
    /// counted any more, because one of them may have been counted without anyone left to
    /// [`leave`](Self::leave); their leaving must be ignored.
    #[must_use]
    pub fn rebuilt(mut self) -> Self {
        for place in self.users.all() {
            let record = self.users.get_mut(place);
            record.in_flight = 0;
            if record.is_idle() {
                self.forget(place);
            }
        }
        self
    }

    // === details ===

    /// Time never runs backwards in here, whatever order messages arrive in.
    fn move_to(&mut self, now: Moment) {
        self.latest = self.latest.max(now.mono);
    }

    fn make_room(&mut self, policy: &UserPolicy) -> Result<(), TurnedAway> {
        if self.users.len() < policy.max_users {
            return Ok(());
        }
        self.forget_idle();
        if self.users.len() < policy.max_users {
            return Ok(());
        }
        let mut near = self.users.in_order().take(LOOK_PAST).map(|place| self.users.get(place));
        let next = near.find(|record| record.in_flight == 0).and_then(|record| record.window.newest_leaves());
        let free_at = next.unwrap_or(self.latest + WAIT_FOR_A_CALL);
        let retry_after = free_at.saturating_sub(self.latest);
        Err(TurnedAway { retry_after, limit: policy.requests_per_minute, why: TurnedAwayWhy::Full })
    }

    fn forget_idle(&mut self) {
        for _ in 0..STRIDE {
            let Some((place, _)) = self.users.first_due().filter(|(_, due)| *due <= self.latest) else {
                break;
            };
            let record = self.users.get_mut(place);
            record.window.slide(self.latest);
            if record.is_idle() {
                self.forget(place);
            } else {
                // Forgotten when the last of its calls leaves.
                self.users.unhang(place);
            }
        }
    }

    /// A window that is empty has outlived any burst inside it: the burst is as good as new.
    fn forget(&mut self, place: Place) {
        let record = self.users.get(place);
        self.smoothers.forget(record.pace, record.key());
        self.users.remove(place);
    }

    fn smooth_by(&mut self, place: Place, pace: Option<usize>) {
        // There are not so many paces that a number would not fit.
        let number = pace.map_or(0, |pace| pace as u32 + 1);
        let record = self.users.get_mut(place);
        let before = std::mem::replace(&mut record.pace, number);
        if before != number {
            self.smoothers.forget(before, record.key());
        }
    }

    fn count(&mut self, place: Place, units: u32, policy: &UserPolicy) -> Admitted {
        let now = self.latest;
        let record = self.users.get_mut(place);
        record.window.add(units, now);
        record.in_flight += 1;
        let limit = policy.requests_per_minute;
        let admitted = Admitted {
            limit,
            remaining: limit.saturating_sub(record.window.used()),
            window_resets_in: record.window.oldest_leaves().unwrap_or(now).saturating_sub(now),
        };
        if units > 0 {
            self.users.hang_last(place);
        }
        admitted
    }
}

/// Who asks, and for what.
struct Asking<'a> {
    /// What they did, slid to `now`.
    window: &'a Window,
    in_flight: u32,
    key: UserKey,
    units: u32,
    now: Duration,
}

/// Whether a user may make a call. Counts nothing.
fn may_pass(
    asking: &Asking<'_>,
    policy: &UserPolicy,
    smoother: Option<&Smoother<UserKey>>,
) -> Result<(), TurnedAway> {
    let Asking { window, in_flight, key, units, now } = *asking;
    let limit = policy.requests_per_minute;
    let turned_away = |why, retry_after, limit| Err(TurnedAway { retry_after, limit, why });
    if units > limit {
        return turned_away(TurnedAwayWhy::TooLarge, WINDOW, limit);
    }
    let window_wait = window.wait_until_used_is(limit - units, now);
    let burst_wait = smoother.map_or(Duration::ZERO, |smoother| smoother.wait_for(&key, units, now));
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
