//! What becomes of a request that was let in: an answer given before, the model that was asked, another
//! model, a stored text, or the refusal, in this order.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use keygate_actors::clock;
use keygate_domain::{AnswerSource, ErrorKind, Intent, Languages, Replay};
use keygate_provider::{OtherModel, StoredReply, SurfaceAnswer};
use keygate_telemetry::spans;

use crate::account;
use crate::answer::{CacheUse, Slot};
use crate::cache::{Asked, Wish};
use crate::serve::Way;
use crate::settle;
use crate::{Answer, AnswerBody, Call, Caller, Facts, House, Lane, Refused, ResponseCache};

type Outcome = Result<Answer, Refused>;

/// One request that was let in, and who may answer it.
pub(crate) struct Resorts<'a> {
    pub(crate) house: &'a House,
    pub(crate) lane: &'a Lane,
    pub(crate) call: &'a Call<'a>,
    pub(crate) caller: &'a Caller,
    pub(crate) intent: &'a Intent,
}

impl Resorts<'_> {
    /// Runs it. The ways that most requests do not go are kept in boxes, so that they cost those nothing.
    pub(crate) async fn run(
        &self,
        facts: Facts,
        slot: &mut Slot,
        hung_up: impl Future<Output = ()> + Unpin,
    ) -> Outcome {
        match &self.house.cache {
            None => self.ask(facts, slot, hung_up).await,
            Some(cache) => Box::pin(self.ask_cache_first(cache, facts, slot, hung_up)).await,
        }
    }

    /// 5 stored binding: the same for answers. The cache, and then the provider.
    async fn ask_cache_first(
        &self,
        cache: &ResponseCache,
        mut facts: Facts,
        slot: &mut Slot,
        hung_up: impl Future<Output = ()> + Unpin,
    ) -> Outcome {
        let Some(wish) = Wish::of(self.lane, self.call, self.caller, self.intent) else {
            cache.tally().bypassed();
            self.note(&mut facts, CacheUse::Bypass);
            return self.ask(facts, slot, hung_up).await;
        };
        let patience = clock::left_until(self.call.began.after(self.lane.timeout)) / 2;
        let place = match cache.ask(&wish, patience).await {
            Asked::Hit(kept) => {
                facts.source = AnswerSource::Cache;
                self.note(&mut facts, CacheUse::Hit);
                spans::record_stand_in(&self.call.span, facts.source.as_str(), None);
                self.enter(AnswerSource::Cache, facts.attempts);
                settle::charge_request(slot, self.intent.user_units);
                return Ok(kept.answer(facts));
            }
            Asked::Missing(place) => place,
        };
        self.note(&mut facts, if wish.insists { CacheUse::Bypass } else { CacheUse::Miss });
        let answer = self.ask(facts, slot, hung_up).await?;
        Ok(match place {
            Some(place) => place.keep(answer, self.lane, self.intent),
            None => answer,
        })
    }

    /// The provider, and whatever stands in for it.
    async fn ask(
        &self,
        facts: Facts,
        slot: &mut Slot,
        mut hung_up: impl Future<Output = ()> + Unpin,
    ) -> Outcome {
        let way = Way::new(self.house, self.lane, self.call, self.caller, self.intent);
        let first = way.answered(facts, slot, &mut hung_up).await;
        if is_an_answer(&first) || !self.has_stand_ins() {
            return first;
        }
        Box::pin(self.stand_in(first, slot, hung_up)).await
    }

    fn note(&self, facts: &mut Facts, used: CacheUse) {
        facts.cache = Some(used);
        spans::record_cache(&self.call.span, used.as_str());
    }

    fn has_stand_ins(&self) -> bool {
        !self.lane.model_fallback.is_empty() || self.house.answers.is_some()
    }

    /// What else there is when nothing came of the model that was asked.
    async fn stand_in(
        &self,
        mut first: Outcome,
        slot: &mut Slot,
        mut hung_up: impl Future<Output = ()> + Unpin,
    ) -> Outcome {
        if self.may_ask_another(&first) {
            let others = self.intent.model.as_ref().and_then(|model| self.lane.model_fallback.get(model));
            // What its token does not allow is nobody's substitute.
            let others = others.into_iter().flatten().filter(|model| self.caller.profile.may_use(model));
            for model in others {
                let inbound = self.call.inbound();
                let Some(other) = self.lane.provider.of_other_model(self.intent, &inbound, model) else {
                    break;
                };
                let facts = facts_of(&mut first).clone();
                let second = self.ask_another(&other, facts, slot, &mut hung_up).await;
                match second {
                    Some(Ok(mut answer)) if answer.status.is_success() => {
                        answer.facts.model = Some(model.clone());
                        spans::record_stand_in(&self.call.span, answer.facts.source.as_str(), Some(model));
                        return Ok(answer);
                    }
                    // What the others say is nothing to a caller who did not ask them.
                    Some(mut second) => facts_of(&mut first).attempts = facts_of(&mut second).attempts,
                    None => {}
                }
            }
        }
        match self.stored(&mut first).await {
            Some(answer) => Ok(answer),
            None => first,
        }
    }

    /// The same way, for another model; nothing if the request is none for it.
    async fn ask_another(
        &self,
        other: &OtherModel,
        facts: Facts,
        slot: &mut Slot,
        hung_up: impl Future<Output = ()>,
    ) -> Option<Outcome> {
        let call = self.call.to_other(&other.path, other.body.clone());
        let intent = self.lane.provider.understand(&call.inbound()).ok()?;
        let way = Way::new(self.house, self.lane, &call, self.caller, &intent);
        Some(way.answered(facts, slot, hung_up).await)
    }

    /// Enters an answer that no provider gave.
    fn enter(&self, source: AnswerSource, attempts: u32) {
        let Self { house, lane, call, caller, intent } = *self;
        account::without_provider(house, lane, call, caller, intent, source, attempts);
    }

    /// Whether another model may be asked: nothing was made by what was sent, and it is not the request that
    /// nobody can serve.
    fn may_ask_another(&self, outcome: &Outcome) -> bool {
        let is_refused = match outcome {
            // A request may be too large for the limits of one model alone.
            Ok(answer) => answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS,
            Err(refused) => matches!(
                refused.refusal.kind,
                ErrorKind::PoolExhausted | ErrorKind::PoolDisabled | ErrorKind::UpstreamOverloaded
            ),
        };
        is_refused || (self.intent.replay == Replay::Safe && came_to_nothing(outcome))
    }

    /// A stored text that answers what was asked.
    async fn stored(&self, failed: &mut Outcome) -> Option<Answer> {
        let answers = self.house.answers.as_ref().filter(|_| came_to_nothing(failed))?;
        let inbound = self.call.inbound();
        let question = self.lane.provider.question(self.intent, &inbound)?;
        let languages = Languages::asked(inbound.header("accept-language").unwrap_or_default());
        let found = answers.find(&question, &languages, self.lane, self.intent, self.call.request_id).await?;
        let at = clock::now().wall;
        let reply = StoredReply { text: &found.reply, request_id: self.call.request_id, at };
        let shaped = self.lane.provider.stored_reply(self.intent, &inbound, &reply)?;
        let mut facts = facts_of(failed).clone();
        facts.key = None;
        facts.source = AnswerSource::Stored;
        spans::record_stand_in(&self.call.span, facts.source.as_str(), None);
        self.enter(AnswerSource::Stored, facts.attempts);
        Some(as_answer(shaped, facts))
    }
}

/// Whether the provider answered: well, or about the caller's own mistake.
fn is_an_answer(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|answer| answer.status.is_success())
}

/// Whether every safe way to serve the request has failed, through no fault of its caller.
fn came_to_nothing(outcome: &Outcome) -> bool {
    match outcome {
        Ok(answer) => answer.status.is_server_error(),
        Err(refused) => matches!(
            refused.refusal.kind,
            ErrorKind::PoolExhausted
                | ErrorKind::PoolDisabled
                | ErrorKind::DeadlineExceeded
                | ErrorKind::UpstreamUnreachable
                | ErrorKind::UpstreamGarbled
                | ErrorKind::UpstreamOverloaded
        ),
    }
}

fn facts_of(outcome: &mut Outcome) -> &mut Facts {
    match outcome {
        Ok(answer) => &mut answer.facts,
        Err(refused) => &mut refused.facts,
    }
}

fn as_answer(shaped: SurfaceAnswer, facts: Facts) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(shaped.content_type));
    for (name, value) in shaped.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let body = AnswerBody::Whole(shaped.body);
    Answer { status: StatusCode::OK, headers, body, facts, session: None }
}
