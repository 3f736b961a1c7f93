//! Steps 3 and 4: what is wanted, by whom, and whether they may.

use keygate_actors::UserCall;
use keygate_domain::{ErrorKind, Intent, PlanName, Refusal, Resource};
use keygate_pool::Whose;
use keygate_provider::CallRejected;
use keygate_telemetry::spans::{self, AdmitFacts};

use crate::answer::Slot;
use crate::serve::refused;
use crate::{Call, Caller, Facts, House, Identity, Lane, Refused, refuse};

/// What is wanted, and the caller, who may want it.
pub(crate) fn entered<'c>(
    lane: &Lane,
    call: &'c Call<'_>,
    facts: &Facts,
) -> Result<(&'c Caller, Intent), Refused> {
    let understood = match lane.provider.understand(&call.inbound()) {
        // Where nobody may go is told to anybody, and nothing about whoever asks.
        Err(rejected) if rejected.kind == ErrorKind::Forbidden => {
            return Err(refused(rejection(rejected), facts.clone()));
        }
        understood => understood,
    };
    let caller = match admitted(&call.identity, understood.as_ref().ok()) {
        Ok(caller) => caller,
        Err(refusal) => return Err(refused(refusal, facts.clone())),
    };
    let intent = understood.map_err(|rejected| refused(rejection(rejected), facts.clone()))?;
    spans::record_intent(&call.span, &call.method, lane.adapter.name, &intent);
    call.metrics.wants(intent.operation);
    if intent.access.needs_token() && !caller.may(intent.right) {
        return Err(refused(lacks_right(&intent), facts.clone()));
    }
    may_use_model(caller, &intent).map_err(|refusal| refused(refusal, facts.clone()))?;
    Ok((caller, intent))
}

/// Whether the caller may use the model that is named. A request whose model nobody can read (a file, a list)
/// is none of this.
pub(crate) fn may_use_model(caller: &Caller, intent: &Intent) -> Result<(), Refusal> {
    let (Some(model), Some(list)) = (&intent.model, &caller.profile.models) else { return Ok(()) };
    if list.admits(model) {
        return Ok(());
    }
    let shown: String = model.as_str().chars().take(128).filter(|c| !c.is_control()).collect();
    let message = format!("This token may not use the model {shown}. It may use: {list}.");
    Err(Refusal::new(ErrorKind::Forbidden, message))
}

/// The user's slot, if the call takes one.
pub(crate) async fn limited(
    house: &House,
    call: &Call<'_>,
    caller: &Caller,
    intent: &Intent,
    facts: &mut Facts,
) -> Result<Slot, Refused> {
    if intent.user_units == 0 {
        return Ok(None);
    }
    let plan = caller.profile.plan.as_ref().map(PlanName::as_str);
    let ask = AdmitFacts { user: &caller.user, units: intent.user_units, plan };
    let span = spans::admit(&call.span, &ask);
    let wanted = UserCall {
        user: caller.user.clone(),
        units: intent.user_units,
        limits: caller.profile.limits,
        plan: caller.profile.plan.clone(),
        tokens: intent.estimate.input_tokens + intent.estimate.output_tokens,
    };
    match house.limiter.admit(wanted).await {
        Ok(admission) => {
            let allowance = admission.facts();
            spans::record_admitted(&span, allowance.limit, allowance.remaining);
            facts.allowance = Some(allowance);
            Ok(Some(admission))
        }
        Err(limited) => {
            let refused = Refused::by_limiter(limited, facts.clone());
            spans::record_not_admitted(&span, &refused.refusal);
            Err(refused)
        }
    }
}

/// The intent of a request that asks for a name. One that another client has would be its maker's alone and
/// nobody could use it; one that is the caller's already is asked for where it is, and refused there.
pub(crate) async fn with_name(
    lane: &Lane,
    caller: &Caller,
    mut intent: Intent,
    name: Resource,
    facts: &Facts,
) -> Result<Intent, Refused> {
    let whose = lane.supervisor.whose(vec![name.clone()], caller.client.clone()).await;
    let whose =
        whose.map_err(|unavailable| refused(refuse::restarting(unavailable.retry_after), facts.clone()))?;
    match whose.first() {
        Some(Whose::Others) => return Err(refused(refuse::taken(&name), facts.clone())),
        Some(Whose::Own) if !intent.references.contains(&name) => intent.references.push(name),
        Some(Whose::Own | Whose::Nobodys) | None => {}
    }
    Ok(intent)
}

fn admitted<'c>(identity: &'c Identity, intent: Option<&Intent>) -> Result<&'c Caller, Refusal> {
    match identity {
        Identity::Known(caller) => Ok(caller),
        Identity::Unknown { stand_in, .. } if intent.is_some_and(|i| !i.access.needs_token()) => Ok(stand_in),
        Identity::Unknown { refusal, .. } => Err(refusal.clone()),
    }
}

pub(crate) fn rejection(rejected: CallRejected) -> Refusal {
    Refusal::new(rejected.kind, rejected.message)
}

fn lacks_right(intent: &Intent) -> Refusal {
    let needed = serde_json::to_value(intent.right).ok().and_then(|v| v.as_str().map(str::to_owned));
    let message = format!(
        "This token lacks the scope `{}` that {} needs. Ask the operator for a token with it.",
        needed.unwrap_or_default(),
        intent.operation
    );
    Refusal::new(ErrorKind::Forbidden, message)
}
