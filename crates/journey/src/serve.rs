//! The request's way. The numbered comments are the list of docs/architecture.md §5: steps 1 and 2 are the
//! front's, 7 to 9 an attempt's, 10 is `settle`'s. Step 5 has no code here: the pool resolves the intent's
//! references as it leases; answers that are given again are looked up in `resorts`. Step 12 goes on inside the
//! answer's body.

use std::time::Duration;

use http::Method;
use keygate_actors::{GroupPass, KeyLease, LeaseRefused, Leased, clock};
use keygate_domain::{Access, Fault, Intent, Moment, Refusal, Replay, Streaming, Verdict};
use keygate_limits::{GaveUp, Next, RetryPlan};
use keygate_pool::{Ask, PoolRefusal, Tried, TriedHow};

use crate::answer::Slot;
use crate::attempt::{Attempt, Failed, Kept, Opened};
use crate::entry::{entered, limited, with_name};
use crate::gather::Gathering;
use crate::last_words::{
    as_answer, has_words, nobody_waits, reads_as_answer, too_late, unanswered, unprepared, unreadable,
};
use crate::resorts::Resorts;
use crate::search::Search;
use crate::{Answer, Call, Caller, Facts, House, Inflow, Lane, Refused, keeping, refuse, told};

/// How much longer than its deadline a lease may be held before the pool takes it back: time for
/// the last bytes to be settled.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// The longest a file may take, however small the pieces that keep it moving.
const LONGEST_TRANSFER: Duration = Duration::from_hours(6);

/// Serves one call in `lane`. It is given up when `hung_up` ends first, unless it creates something:
/// then only the end tells whose that is, once it was sent.
///
/// # Errors
/// [`Refused`] when the gateway itself says no, and why; an error of the provider is an answer.
pub async fn serve(
    house: &House,
    lane: &Lane,
    call: &Call<'_>,
    hung_up: impl Future<Output = ()>,
) -> Result<Answer, Refused> {
    let mut facts = Facts { provider: Some(lane.adapter.name), ..Facts::default() };
    // 3 adapter: intent
    let (caller, intent) = entered(lane, call, &facts)?;
    let admit = |body: &Inflow| body.admit(lane.provider.extent(&call.inbound()));
    if let Some(refusal) = call.inflow.as_ref().and_then(admit) {
        return Err(refused(refusal, facts));
    }
    // 4 ask limiter
    let mut slot = limited(house, call, caller, &intent, &mut facts).await?;
    let intent = match lane.provider.chosen_name(&intent, &call.inbound()) {
        Some(name) => with_name(lane, caller, intent, name, &facts).await?,
        None => intent,
    };
    let listing =
        if call.method == Method::GET { lane.provider.listing(&intent, &call.inbound()) } else { None };
    if let Some(listing) = listing {
        let gathering = Gathering { house, lane, call, caller, intent: &intent, listing };
        let known = facts.clone();
        return tokio::select! {
            biased;
            // Boxed, as other rare ways are: else the memory of every request would have room for it.
            gathered = Box::pin(gathering.gather(facts)) => gathered,
            () = hung_up => Err(refused(nobody_waits(), known)),
        };
    }
    let resorts = Resorts { house, lane, call, caller, intent: &intent };
    if intent.replay == Replay::OnlyIfRefused {
        return resorts.run(facts, &mut slot, std::pin::pin!(hung_up)).await;
    }
    let known = facts.clone();
    tokio::select! {
        biased;
        served = resorts.run(facts, &mut slot, std::future::pending()) => served,
        () = hung_up => Err(refused(nobody_waits(), known)),
    }
}

pub(crate) fn refused(refusal: Refusal, facts: Facts) -> Refused {
    Refused { refusal, facts, turned_away: None }
}

/// The part of the way that may be walked more than once.
pub(crate) struct Way<'a> {
    house: &'a House,
    lane: &'a Lane,
    call: &'a Call<'a>,
    caller: &'a Caller,
    intent: &'a Intent,
    /// A file goes by: it takes as long as it takes, if only it moves.
    is_transfer: bool,
    deadline: Moment,
    plan: RetryPlan,
    /// How long a lease may be held after the deadline.
    holds: Duration,
    tried: Vec<Tried>,
    search: Search,
    last: Option<Failed>,
}

/// Where the way led.
pub(crate) enum Went<T> {
    /// To what was wanted.
    Opened(T, Facts),
    /// To words of the provider's for the caller.
    Told(Kept, Facts),
}

impl<'a> Way<'a> {
    pub(crate) fn new(
        house: &'a House,
        lane: &'a Lane,
        call: &'a Call<'a>,
        caller: &'a Caller,
        intent: &'a Intent,
    ) -> Self {
        let is_transfer = call.inflow.is_some() || intent.streaming == Streaming::File;
        let longest = if is_transfer { LONGEST_TRANSFER } else { lane.timeout };
        let allowed = intent.caller_deadline.map_or(longest, |asked| asked.min(longest));
        let deadline = call.began.after(allowed);
        // The low bits of the clock are jitter enough: two requests rarely share them.
        let seed = u64::from(call.began.mono.subsec_nanos());
        let plan = RetryPlan::new(lane.retry, intent.replay, deadline, seed);
        Self {
            house,
            lane,
            call,
            caller,
            intent,
            is_transfer,
            deadline,
            plan,
            holds: LEASE_MARGIN,
            tried: Vec::new(),
            search: Search::default(),
            last: None,
        }
    }

    /// The same for what goes on for up to `longest` after it began.
    pub(crate) fn for_up_to(self, longest: Duration) -> Self {
        Self { holds: self.holds + longest, ..self }
    }

    /// Goes for an answer.
    pub(crate) async fn answered(
        self,
        facts: Facts,
        slot: &mut Slot,
        hung_up: impl Future<Output = ()>,
    ) -> Result<Answer, Refused> {
        let make = async |attempt: &Attempt<'a>, lease, slot: &mut Slot| attempt.make(lease, slot).await;
        Ok(match self.go(facts, slot, hung_up, make).await? {
            // 12 relay, meter, account
            Went::Opened(opened, facts) => {
                let Opened { status, headers, body, session } = opened;
                Answer { status, headers, body, facts, session }
            }
            Went::Told(kept, facts) => as_answer(kept, facts),
        })
    }

    /// Has `make` make attempts until one succeeds. Gives up waiting for a key when `hung_up` ends; what was
    /// sent is seen through.
    pub(crate) async fn go<T>(
        mut self,
        mut facts: Facts,
        slot: &mut Slot,
        hung_up: impl Future<Output = ()>,
        make: impl AsyncFn(&Attempt<'a>, Option<KeyLease>, &mut Slot) -> Result<T, Failed>,
    ) -> Result<Went<T>, Refused> {
        let mut hung_up = std::pin::pin!(hung_up);
        loop {
            // What is sent now is answered too late, and may be billed or start a session all the same.
            if self.is_too_late() {
                return self.without_time(facts);
            }
            // 5 stored binding
            // 6 ask supervisor
            let leased = tokio::select! {
                biased;
                leased = self.lease(facts.attempts + 1) => leased,
                () = &mut hung_up => return Err(refused(nobody_waits(), facts)),
            };
            let (lease, pass) = match leased {
                Ok(Leased::Key(lease)) if self.comes_too_late(&lease) => {
                    lease.settle(Verdict::Unsent);
                    return self.without_time(facts);
                }
                Ok(Leased::Key(lease)) if self.search.ends_with(&lease, self.lane.retry.max_refusals) => {
                    lease.settle(Verdict::Unsent);
                    return self.in_vain(facts);
                }
                Ok(Leased::Key(lease)) => (Some(lease), None),
                Ok(Leased::Pass(pass)) => (None, Some(pass)),
                Ok(Leased::NotOurs) => (None, None),
                Err(no_lease) => return self.without_lease(no_lease, facts),
            };
            let is_nobodys = lease.is_none() && pass.is_none();
            let knows_owner = lease.as_ref().is_none_or(KeyLease::is_owners);
            facts.attempts += 1;
            let used = lease.as_ref().map(|lease| (lease.key_id().clone(), lease.group().clone()));
            facts.key = used.as_ref().map(|(key, _)| key.clone());
            let attempt = self.attempt(facts.attempts, pass);
            let failed = match make(&attempt, lease, slot).await {
                Ok(opened) => return Ok(Went::Opened(opened, facts)),
                Err(failed) => failed,
            };
            if let Some(lost) = self.call.body_lost() {
                return Err(refused(lost, facts));
            }
            // 11 retry plan
            if is_nobodys {
                return self.give_up(failed, GaveUp::Attempts, facts);
            }
            let now = clock::now();
            let tried = used.map(|(key, group)| Tried { key, group, at: now, how: tried_how(&failed) });
            if !knows_owner && !self.call.is_body_spent() && Search::helps(self.intent, &failed) {
                self.not_there(tried, failed);
                continue;
            }
            let next = self.next(&failed, now);
            self.tried.extend(tried);
            let told = self.worth_telling(failed);
            match next {
                Next::Again { pause } => {
                    self.last = Some(told);
                    self.call.metrics.spent_elsewhere(pause);
                    tokio::time::sleep(pause).await;
                }
                Next::GiveUp(why) => return self.give_up(told, why, facts),
            }
        }
    }

    /// What follows after a failure. A body that is gone can be sent no second time.
    fn next(&mut self, failed: &Failed, now: Moment) -> Next {
        if self.call.is_body_spent() {
            return Next::GiveUp(GaveUp::Unsafe);
        }
        self.plan.after(&failed.failure, failed.reach, now)
    }

    /// This group has not what is named; the next one may.
    fn not_there(&mut self, tried: Option<Tried>, failed: Failed) {
        if let Some(tried) = tried {
            self.search.not_in(tried.group.clone());
            self.tried.push(Tried { how: TriedHow::Failed, ..tried });
        }
        // The first of these answers is the caller's, if none of the others is better.
        if self.last.as_ref().is_none_or(|last| last.failure.fault != Fault::AffinityLost) {
            self.last = Some(failed);
        }
    }

    /// What the caller may be told in the end: never about a preparation, of which it knows
    /// nothing, when its own request was answered before.
    fn worth_telling(&mut self, failed: Failed) -> Failed {
        match self.last.take() {
            Some(earlier) if failed.is_preparations => earlier,
            _ => failed,
        }
    }

    fn attempt(&self, number: u32, pass: Option<GroupPass>) -> Attempt<'a> {
        Attempt {
            house: self.house,
            lane: self.lane,
            call: self.call,
            caller: self.caller,
            intent: self.intent,
            pass,
            first_byte_by: self.plan.first_byte_by(self.intent.streaming.is_stream(), clock::now()),
            deadline: self.deadline,
            is_transfer: self.is_transfer,
            number,
        }
    }

    async fn lease(&self, attempt: u32) -> Result<Leased, LeaseRefused> {
        let span = told::ask(&self.call.span, self.lane, &self.caller.user, attempt);
        let mut leased = self.lane.supervisor.lease(self.ask()).await;
        if let Err(LeaseRefused::Unavailable { .. }) = leased {
            // It restarts in microseconds. Once only: an ask that it panics over must not use up
            // its restarts.
            leased = self.lane.supervisor.lease(self.ask()).await;
        }
        match &leased {
            Ok(Leased::Key(lease)) => {
                told::lease(&span, lease);
                self.call.metrics.waited(lease.waited());
            }
            Ok(Leased::NotOurs | Leased::Pass(_)) => {}
            Err(refused) => told::refusal(&span, refused),
        }
        leased
    }

    fn ask(&self) -> Ask {
        let left = clock::left_until(self.deadline);
        Ask {
            operation: self.intent.operation,
            model: self.intent.model.clone(),
            opens_session: self.intent.opens_session,
            references: self.intent.references.clone(),
            placement: self.intent.placement.clone(),
            client: self.caller.client.clone(),
            user: self.caller.user.clone(),
            access: self.intent.access,
            tried: self.tried.clone(),
            estimate: self.intent.estimate,
            patience: left,
            hold: left + self.holds,
        }
    }

    /// Nobody has what the request names.
    fn in_vain<T>(mut self, facts: Facts) -> Result<Went<T>, Refused> {
        match self.last.take() {
            Some(everywhere) => self.give_up(everywhere, GaveUp::Advice, facts),
            None => Err(refused(too_late(), facts)),
        }
    }

    /// The deadline has passed before an attempt began.
    fn without_time<T>(mut self, facts: Facts) -> Result<Went<T>, Refused> {
        match self.last.take() {
            Some(failed) => self.give_up(failed, GaveUp::Deadline, facts),
            None => Err(refused(too_late(), facts)),
        }
    }

    /// No key is left, or the provider is in trouble. What it said last is the better answer when no
    /// key was to blame; while it is in trouble, only if it said anything: else the caller has to know
    /// when to come back.
    fn without_lease<T>(mut self, no_lease: LeaseRefused, facts: Facts) -> Result<Went<T>, Refused> {
        keeping::tell_refused(self.house, self.lane, self.call, self.caller, &no_lease);
        let nothing_left = matches!(no_lease, LeaseRefused::Pool(PoolRefusal::NothingLeft));
        let in_trouble = matches!(no_lease, LeaseRefused::Pool(PoolRefusal::BreakerOpen { .. }));
        let says_more = |failed: &Failed| failed.is_for_the_caller() && (!in_trouble || has_words(failed));
        match self.last.take() {
            Some(failed) if nothing_left || says_more(&failed) => {
                self.give_up(failed, GaveUp::Refusals, facts)
            }
            last => {
                let fault = last.map(|failed| failed.failure.fault);
                Err(refused(refuse::by_pool(self.lane, no_lease, fault), facts))
            }
        }
    }

    fn give_up<T>(&self, failed: Failed, why: GaveUp, facts: Facts) -> Result<Went<T>, Refused> {
        let fault = failed.failure.fault;
        // A preparation goes under a key of the house even when the request carries the caller's own.
        let went_under_ours = self.intent.access.needs_key() && self.intent.access != Access::OwnCredential;
        let is_about_ours = failed.is_preparations || went_under_ours;
        if failed.failure.takes_out() && is_about_ours {
            // The provider's words are about a key of the house: not for the caller.
            let refusal = match why {
                GaveUp::Deadline => too_late(),
                GaveUp::Attempts | GaveUp::Refusals | GaveUp::Unsafe | GaveUp::Advice => {
                    refuse::nothing_left(self.lane, Some(fault))
                }
            };
            return Err(refused(refusal, facts));
        }
        match failed.kept {
            Some(_) if failed.is_preparations => Err(refused(unprepared(), facts)),
            Some(kept) if reads_as_answer(&kept) => Ok(Went::Told(kept, facts)),
            Some(kept) => Err(refused(unreadable(kept.status), facts)),
            None => Err(refused(unanswered(fault), facts)),
        }
    }

    /// Whether the wait for a key took all the time there was.
    fn comes_too_late(&self, lease: &KeyLease) -> bool {
        !lease.waited().is_zero() && self.is_too_late()
    }

    fn is_too_late(&self) -> bool {
        clock::left_until(self.deadline).is_zero()
    }
}

/// Whether the key is not to be used again for this request. A group that refuses to prepare it
/// cannot serve it, whoever is to blame.
fn tried_how(failed: &Failed) -> TriedHow {
    let fault = failed.failure.fault;
    let refuses_to_prepare = failed.is_preparations && !fault.is_providers();
    // If it is the key's after all, the pool keeps it out; if it is the provider's, no key is to blame.
    let is_anybodys = failed.failure.hint.may_be_providers;
    if (failed.failure.takes_out() && !is_anybodys) || fault == Fault::KeyForbidden || refuses_to_prepare {
        TriedHow::Refused
    } else {
        TriedHow::Failed
    }
}
