//! A traffic, request by request, through the real limiter and pool to a provider that counts.
//!
//! The steps are those of `journey::serve`: limiter, key, provider, verdict, retry plan.

mod asking;
mod outcome;
mod sessions;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::{
    Access, Allowance, ClientId, Failure, Fault, GroupId, Moment, Operation, Placement, Replay, Resource,
    Spend, UserId, UserLimits, Verdict,
};
use keygate_limits::{Next, Reach, RetryPlan, UserQuotas};
use keygate_pool::{Ask, KeyPool, Lease, Ticket, Tried, TriedHow};

use crate::agenda::{Agenda, Due};
use crate::dice::Dice;
use crate::hands::{Hands, Request, Stage};
use crate::provider::{Admitted, Provider};
use crate::scenario::Members;
use crate::tally::{End, Stop, Tally};
use crate::{Arrival, Report, Scenario, Traffic, Window};

const GENERATE: Operation = Operation("generate_content");
const START_SESSION: Operation = Operation(Scenario::SESSIONS);

/// How much longer than its deadline a lease may be held; as in the gateway.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// A machine that wants to be woken at once again has made no progress; as with the actors' alarm.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Requests between two looks of whoever watches.
const LOOK_EVERY: u64 = 4096;

/// How far a rehearsal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Since the plan's beginning.
    pub at: Duration,
    /// Requests that got no key so far; see [`Report::refused`].
    pub refused: u64,
}

/// Runs a scenario. `watch` is called now and then and may end the run before its time.
pub fn rehearse(
    scenario: &Scenario,
    traffic: &dyn Traffic,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Report {
    run(scenario, traffic, scenario.window(), watch).report()
}

/// Runs a part of a scenario.
pub(crate) fn run<'a>(
    scenario: &'a Scenario,
    traffic: &'a dyn Traffic,
    window: Window,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Rehearsal<'a> {
    let mut rehearsal = Rehearsal::new(scenario, traffic, window);
    let arrivals = traffic.arrivals().skip_while(|arrival| arrival.at < window.from);
    for (number, arrival) in (0_u64..).zip(arrivals.take_while(|arrival| arrival.at < window.until)) {
        if number.is_multiple_of(LOOK_EVERY) && watch(rehearsal.progress()).is_break() {
            break;
        }
        rehearsal.pass_until(arrival.at);
        rehearsal.arrive(arrival, number);
    }
    rehearsal.pass_until(Duration::MAX);
    rehearsal
}

/// A run, under way and when it is over.
pub(crate) struct Rehearsal<'a> {
    scenario: &'a Scenario,
    window: Window,
    start: Moment,
    /// Since the plan's beginning.
    at: Duration,
    now: Moment,
    pool: KeyPool,
    quotas: UserQuotas,
    provider: Provider,
    dice: Dice,
    agenda: Agenda,
    hands: Hands,
    waiting: BTreeMap<Ticket, usize>,
    /// Requests that ask the pool next, without time passing.
    asking: Vec<usize>,
    /// Sessions that run, by the place that their end names.
    sessions: Vec<(usize, Admitted, Resource)>,
    /// Places that are used again.
    free_sessions: Vec<usize>,
    users: Vec<UserId>,
    groups: Vec<GroupId>,
    /// The group of each key.
    group_of_key: Vec<usize>,
    buckets: Vec<String>,
    /// What each bucket's requests ask for, to be filled in.
    asks: Vec<Ask>,
    /// What stood in the way of a bucket when that was looked for last, and until when it does.
    known_stops: Vec<Option<(Moment, Stop)>>,
    pub(crate) tally: Tally,
}

impl<'a> Rehearsal<'a> {
    fn new(scenario: &'a Scenario, traffic: &dyn Traffic, window: Window) -> Self {
        // Monotonic time has a past, as that of a gateway has.
        let start = Moment { mono: Duration::from_hours(1), wall: scenario.starts };
        let now = start.after(window.from);
        let policy = &scenario.policy;
        let Members { groups, own, group_of_key } = scenario.members();
        let models = scenario.buckets(traffic.models());
        let grant = |own: &Allowance, model| scenario.grant(*own, model);
        let grants: Vec<Vec<Allowance>> =
            own.iter().map(|own| models.iter().map(|model| grant(own, *model)).collect()).collect();
        let client = ClientId::from("plan");
        let named = |name: &Arc<str>| UserId { client: client.clone(), name: Arc::clone(name) };
        Self {
            scenario,
            window,
            start,
            at: window.from,
            now,
            pool: KeyPool::new(1, scenario.keys.clone(), policy.clone(), scenario.seed, now),
            quotas: UserQuotas::new(scenario.per_user),
            provider: Provider::new(&grants, policy.budgets.day, policy.budgets.month, now.wall),
            dice: Dice::new(scenario.seed, 3),
            agenda: Agenda::default(),
            hands: Hands::default(),
            waiting: BTreeMap::new(),
            asking: Vec::new(),
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            users: traffic.users().iter().map(named).collect(),
            group_of_key,
            buckets: models
                .iter()
                .map(|model| model.map_or(Scenario::SESSIONS, |model| model.as_str()).to_owned())
                .collect(),
            asks: models
                .iter()
                .map(|model| Ask {
                    operation: if model.is_some() { GENERATE } else { START_SESSION },
                    model: model.cloned(),
                    opens_session: model.is_none(),
                    references: Vec::new(),
                    placement: Placement::Any,
                    client: client.clone(),
                    user: UserId { client: client.clone(), name: "".into() },
                    access: Access::Token,
                    tried: Vec::new(),
                    estimate: Spend { requests: 1, input_tokens: 0, output_tokens: 0 },
                    patience: scenario.timeout,
                    hold: scenario.timeout + LEASE_MARGIN,
                })
                .collect(),
            known_stops: vec![None; models.len()],
            groups,
            tally: Tally::new(scenario.zone.clone()),
        }
    }

    fn progress(&self) -> Progress {
        Progress { at: self.at, refused: self.tally.refused() }
    }

    // === time ===

    /// Lets everything happen that is due until `at`.
    fn pass_until(&mut self, at: Duration) {
        loop {
            let due = self.agenda.next();
            let wakeup = self.next_wakeup();
            let Some(next) = [due, wakeup].into_iter().flatten().min().filter(|next| *next <= at) else {
                break;
            };
            self.move_to(next);
            if due == Some(next) {
                if let Some(due) = self.agenda.pop() {
                    self.happen(due);
                }
            } else {
                self.pool.advance(self.now);
            }
            self.see_to_askers();
        }
        if at < Duration::MAX {
            self.move_to(at);
        }
    }

    /// When the pool has something to do for those who wait; all else it catches up with by itself.
    fn next_wakeup(&self) -> Option<Duration> {
        if self.waiting.is_empty() {
            return None;
        }
        let due = self.pool.next_wakeup()?.mono.saturating_sub(self.start.mono);
        Some(if due <= self.at { self.at + SHORTEST_WAIT } else { due })
    }

    fn move_to(&mut self, at: Duration) {
        if at > self.at {
            self.at = at;
            self.now = self.start.after(at);
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Ends(place) => self.end(place),
            Due::SessionEnds(place) => self.end_session(place),
            Due::TriesAgain(place) => self.asking.push(place),
            Due::HangsUp(place, number) => self.hang_up(place, number),
        }
    }

    // === the way of a request ===

    fn arrive(&mut self, arrival: Arrival, number: u64) {
        self.tally.came(self.at, self.now.wall);
        // Drawn for each request, whatever becomes of it: two runs differ by nothing else.
        let service = self.scenario.latency.mul_f64(self.dice.exponential());
        let user = &self.users[arrival.user as usize];
        if let Err(turned_away) = self.quotas.admit(user, 1, UserLimits::default(), self.now) {
            self.tally.turned_away(turned_away.why);
            return;
        }
        let patience = self.scenario.patience.unwrap_or(Duration::MAX).min(self.scenario.timeout);
        let request = Request {
            number,
            arrival,
            came: self.now,
            service,
            ends_by: self.at.saturating_add(patience),
            tried: Vec::new(),
            plan: None,
            stage: Stage::Asking,
            waited: Duration::ZERO,
        };
        let place = self.hands.take(request);
        self.asking.push(place);
        self.see_to_askers();
    }

    fn send(&mut self, place: usize, lease: &Lease) {
        let Some(request) = self.hands.get(place) else { return };
        let (arrival, group) = (request.arrival, self.group_of_key[lease.index]);
        let bucket = self.bucket_of(&arrival);
        match self.provider.admit(group, bucket, arrival.input_tokens, self.now) {
            Ok(admitted) => self.serve(place, lease, group, admitted),
            Err(violation) => {
                self.tally.provider_429s += 1;
                let failure = violation.failure(self.scenario.session_length.is_some());
                self.pool.settle(lease.id, Verdict::Failed(failure.clone()), self.now);
                self.retry(place, lease, &failure);
            }
        }
    }

    fn serve(&mut self, place: usize, lease: &Lease, group: usize, admitted: Admitted) {
        let at = self.at;
        let Some(request) = self.hands.get_mut(place) else { return };
        let answered = at.saturating_add(request.service);
        let is_in_time = answered <= request.ends_by;
        request.stage = Stage::Served { lease: lease.id, group, admitted, is_in_time };
        self.agenda.note(answered.min(request.ends_by), Due::Ends(place));
        let waited = request.waited;
        if !waited.is_zero() {
            self.tally.waits.add(waited);
        }
    }

    fn retry(&mut self, place: usize, lease: &Lease, failure: &Failure) {
        let scenario = self.scenario;
        let replay = if scenario.session_length.is_some() { Replay::OnlyIfRefused } else { Replay::Safe };
        let Some(request) = self.hands.get_mut(place) else { return };
        let (came, number) = (request.came, request.number);
        let plan = request.plan.get_or_insert_with(|| {
            Box::new(RetryPlan::new(scenario.retry, replay, came.after(scenario.timeout), number))
        });
        let next = plan.after(failure, Reach::Answered, self.now);
        let (key, group) = (lease.key.id().clone(), lease.group.clone());
        request.tried.push(Tried { key, group, at: self.now, how: TriedHow::Refused });
        match next {
            Next::Again { pause } if pause.is_zero() => self.asking.push(place),
            Next::Again { pause } => self.agenda.note(self.at + pause, Due::TriesAgain(place)),
            Next::GiveUp(_) => self.finish(place, End::RefusedByProvider),
        }
    }

    fn end(&mut self, place: usize) {
        let Some(request) = self.hands.get(place) else { return };
        let Stage::Served { lease, group, admitted, is_in_time } = request.stage else { return };
        let arrival = request.arrival;
        let session = self.scenario.session_length.filter(|_| is_in_time);
        match session {
            Some(length) => self.begin_session(lease, group, admitted, length),
            None => self.provider.ended(admitted, self.now.mono),
        }
        if !is_in_time {
            let is_deadline = self.scenario.patience.is_none_or(|patience| patience >= self.scenario.timeout);
            let timeout = Verdict::Failed(Failure::of(Fault::Timeout));
            self.pool.settle(lease, if is_deadline { timeout } else { Verdict::Abandoned }, self.now);
            return self.finish(place, End::TimedOut);
        }
        let spend = self.spend(&arrival);
        self.provider.answered(admitted, spend.output_tokens);
        self.pool.settle(lease, Verdict::Served(spend), self.now);
        self.finish(place, End::Served);
    }

    fn hang_up(&mut self, place: usize, number: u64) {
        let Some(request) = self.hands.get(place).filter(|request| request.number == number) else { return };
        let Stage::Waiting { ticket, .. } = request.stage else { return };
        self.waiting.remove(&ticket);
        self.pool.leave(ticket, self.now);
        self.finish(place, End::HungUp);
    }

    fn finish(&mut self, place: usize, end: End) {
        let Some(request) = self.hands.done(place) else { return };
        self.quotas.leave(&self.users[request.arrival.user as usize]);
        self.tally.ended(end, self.at, self.now.wall);
    }
}
