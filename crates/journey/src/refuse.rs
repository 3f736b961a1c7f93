//! Refusals of the limiter and the pool in the words a caller is told.

use std::time::Duration;

use keygate_actors::{LeaseRefused, LimiterRefusal};
use keygate_domain::{ErrorKind, Fault, Refusal, Resource};
use keygate_limits::{PlanExhausted, TurnedAway, TurnedAwayWhy};
use keygate_pool::PoolRefusal;

use crate::Lane;

/// The limiter's refusal.
pub(crate) fn by_limiter(refused: LimiterRefusal) -> (Refusal, Option<TurnedAway>) {
    match refused {
        LimiterRefusal::TurnedAway(away) => (turned_away(&away), Some(away)),
        LimiterRefusal::PlanExhausted(exhausted) => (plan_exhausted(&exhausted), None),
        LimiterRefusal::Overloaded { retry_after } => (overloaded(retry_after), None),
        LimiterRefusal::Unavailable { retry_after } => (restarting(retry_after), None),
    }
}

fn turned_away(away: &TurnedAway) -> Refusal {
    let limit = away.limit;
    let reason = match away.why {
        TurnedAwayWhy::Window => format!("Rate limit of {limit} requests per minute for this user exceeded."),
        TurnedAwayWhy::Burst => "This user sends too many requests at once.".to_owned(),
        TurnedAwayWhy::Concurrent => {
            format!("This user has {limit} requests running, which is the most allowed.")
        }
        TurnedAwayWhy::Peer => "Too many requests with unknown tokens from this address.".to_owned(),
        TurnedAwayWhy::Full => "Too many users are active.".to_owned(),
        TurnedAwayWhy::TooLarge => {
            let message =
                format!("This request alone counts for more than the {limit} a minute this user has.");
            return Refusal::new(ErrorKind::UserLimited, message);
        }
    };
    let message = format!("{reason} Please retry in {} s.", whole_seconds(away.retry_after));
    Refusal::for_a_while(ErrorKind::UserLimited, message, away.retry_after)
}

fn plan_exhausted(exhausted: &PlanExhausted) -> Refusal {
    let limit = exhausted.metric.phrase(exhausted.limit);
    let Some(wait) = exhausted.retry_after else {
        let message = format!("This request alone is larger than the {limit} that this user's plan allows.");
        return Refusal::new(ErrorKind::PlanExhausted, message);
    };
    let message = format!(
        "The plan of this user allows {limit}, and they are used up. There is more in {} s.",
        whole_seconds(wait)
    );
    Refusal::for_a_while(ErrorKind::PlanExhausted, message, wait)
}

/// A name is asked for that another client has.
pub(crate) fn taken(name: &Resource) -> Refusal {
    let message =
        format!("The name {name} is taken: another client of this gateway has it. Choose another one.");
    Refusal::new(ErrorKind::AffinityConflict, message)
}

/// The supervisor's refusal.
pub(crate) fn by_pool(lane: &Lane, refused: LeaseRefused, last: Option<Fault>) -> Refusal {
    match refused {
        LeaseRefused::Pool(PoolRefusal::Resting { retry_after, last_fault }) => {
            let message = all_failed(lane, last.unwrap_or(last_fault));
            Refusal::for_a_while(ErrorKind::PoolExhausted, message, retry_after)
        }
        LeaseRefused::Pool(PoolRefusal::BreakerOpen { retry_after, last_fault }) => {
            Refusal::for_a_while(ErrorKind::UpstreamOverloaded, in_trouble(lane, last_fault), retry_after)
        }
        LeaseRefused::Pool(PoolRefusal::Disabled { last_fault }) => {
            Refusal::new(ErrorKind::PoolDisabled, all_failed(lane, last.unwrap_or(last_fault)))
        }
        LeaseRefused::Pool(PoolRefusal::NothingLeft) => nothing_left(lane, last),
        LeaseRefused::Pool(PoolRefusal::Conflict { first, second }) => Refusal::new(
            ErrorKind::AffinityConflict,
            format!(
                "{first} and {second} belong to different projects, and no project can serve both. \
                 Create them through the same request chain, or send one at a time."
            ),
        ),
        LeaseRefused::Pool(PoolRefusal::Foreign { resource }) => {
            Refusal::new(ErrorKind::Forbidden, format!("{resource} does not belong to this client."))
        }
        LeaseRefused::Pool(PoolRefusal::Undecided) => Refusal::new(
            ErrorKind::BadRequest,
            "Several organisations could serve this, and each keeps things of its own. Name one in the header \
             X-Keygate-Group, or set management_group in the gateway's configuration.",
        ),
        LeaseRefused::Pool(PoolRefusal::Unknown { resource }) if resource.kind == "group" => {
            let message = format!("This gateway has no key of the group {}.", resource.name);
            Refusal::new(ErrorKind::NotFound, message)
        }
        LeaseRefused::Pool(PoolRefusal::Unknown { resource }) => {
            let message = format!("This gateway knows no such {}, or it is over. Start anew.", resource.kind);
            Refusal::new(ErrorKind::NotFound, message)
        }
        LeaseRefused::Overloaded { retry_after } => overloaded(retry_after),
        LeaseRefused::Unavailable { retry_after } => restarting(retry_after),
    }
}

/// Every usable key was tried for this request.
pub(crate) fn nothing_left(lane: &Lane, last: Option<Fault>) -> Refusal {
    let message = all_failed(lane, last.unwrap_or(Fault::Overloaded));
    Refusal::for_a_while(ErrorKind::PoolExhausted, message, Duration::from_secs(1))
}

fn all_failed(lane: &Lane, last: Fault) -> String {
    format!("All {} API keys failed. Last error: {}", lane.adapter.display_name, last.sentence())
}

fn in_trouble(lane: &Lane, last: Fault) -> String {
    format!("{} is in trouble for the moment. Last error: {}", lane.adapter.display_name, last.sentence())
}

fn overloaded(retry_after: Duration) -> Refusal {
    Refusal::for_a_while(
        ErrorKind::Overloaded,
        "The gateway is overloaded. Please retry shortly.",
        retry_after,
    )
}

/// A part of the gateway restarts; it is back before anybody can have asked again.
pub fn restarting(retry_after: Duration) -> Refusal {
    Refusal::for_a_while(
        ErrorKind::Overloaded,
        "A part of the gateway is restarting. Please retry shortly.",
        retry_after,
    )
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
