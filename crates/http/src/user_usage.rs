//! `GET /api/usage/users/{user}`: how a user stands with the plan.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use keygate_domain::{PlanName, Refusal, UserId};
use keygate_limits::{Allowed, Amount, Overage, PlanStanding, Used};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::admin::unavailable;
use crate::explain::{known_client, only_client};
use crate::status::respond;
use crate::usage::{Asker, asker, bad};
use crate::worker::{OnDuty, Worker};

/// Whose user it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    client: Option<String>,
    #[serde(rename = "key")]
    _key: Option<IgnoredAny>,
}

/// How a user stands.
#[derive(Serialize)]
struct Told {
    client: String,
    user: String,
    /// The plan; nothing if the user has none.
    plan: Option<PlanName>,
    used: PerPeriod<Counts>,
    /// What the plan allows; nothing where it sets no limit.
    limit: PerPeriod<Limits>,
    /// What is left, calls under way taken off; nothing where there is no limit.
    remaining: PerPeriod<Limits>,
    overage: Option<OverageTold>,
    resets_at: PerPeriod<Timestamp>,
}

#[derive(Serialize)]
struct PerPeriod<T> {
    day: T,
    month: T,
}

#[derive(Serialize)]
struct Counts {
    requests: u64,
    tokens: u64,
}

#[derive(Serialize)]
struct Limits {
    requests: Option<u64>,
    tokens: Option<u64>,
}

/// What was used beyond the plan.
#[derive(Serialize)]
struct OverageTold {
    /// `block` or `allow`.
    policy: &'static str,
    day: Counts,
    month: Counts,
    /// What the month's overage costs, else the day's where the month has no limit.
    price: f64,
}

/// `GET /api/usage/users/{user}`.
pub(crate) async fn user_usage(
    request: HttpRequest,
    user: web::Path<String>,
    worker: OnDuty,
) -> HttpResponse {
    respond(&request, told(&worker, &request, user.trim()).await)
}

async fn told(worker: &Worker, request: &HttpRequest, name: &str) -> Result<Told, Refusal> {
    let asker = asker(worker, request).await?;
    let read = web::Query::<Question>::from_query(request.query_string()).map(web::Query::into_inner);
    let question = read.map_err(|error| bad(format!("The query is not understood: {error}.")))?;
    if name.is_empty() || name.len() > UserId::MAX_BYTES {
        return Err(bad(format!("A user's name has 1 to {} bytes.", UserId::MAX_BYTES)));
    }
    let client = match (asker, question.client.as_deref()) {
        (Asker::Operator, None) => only_client(worker)?,
        (Asker::Operator, Some(named)) => known_client(worker, named)?,
        (Asker::Client(own), None) => own,
        (Asker::Client(own), Some(named)) if own.as_str() == named => own,
        (Asker::Client(_), Some(_)) => {
            let message = "How a user stands is told to the user's own client and to operators.";
            return Err(Refusal::new(keygate_domain::ErrorKind::Forbidden, message));
        }
    };
    let user = UserId::named(client.clone(), name);
    let plan = worker.doorkeeper.plan_of(&client);
    let standing = worker.house.limiter.look_at_plan(user.clone(), plan).await.map_err(unavailable)?;
    Ok(Told::of(&user, standing))
}

impl Told {
    fn of(user: &UserId, standing: PlanStanding) -> Self {
        let PlanStanding { plan, used, taken, day_ends, month_ends } = standing;
        let allowed = plan.as_ref().map(|(_, plan)| *plan).unwrap_or_default();
        let overage = plan.as_ref().map(|(_, plan)| match plan.overage {
            Overage::Block => OverageTold::of("block", plan.day, plan.month, used, |_| 0.0),
            Overage::Allow(price) => {
                OverageTold::of("allow", plan.day, plan.month, used, |over| price.of(over))
            }
        });
        Self {
            client: user.client.to_string(),
            user: user.name.to_string(),
            plan: plan.map(|(name, _)| name),
            used: PerPeriod { day: counts(used.day), month: counts(used.month) },
            limit: PerPeriod { day: limits(allowed.day), month: limits(allowed.month) },
            remaining: PerPeriod {
                day: remaining(allowed.day, taken.day),
                month: remaining(allowed.month, taken.month),
            },
            overage,
            resets_at: PerPeriod { day: day_ends, month: month_ends },
        }
    }
}

impl OverageTold {
    fn of(
        policy: &'static str,
        day: Allowed,
        month: Allowed,
        used: Used,
        price: impl Fn(Amount) -> f64,
    ) -> Self {
        let (of_day, of_month) = (day.exceeded_by(used.day), month.exceeded_by(used.month));
        let has_month = month != Allowed::default();
        Self {
            policy,
            day: counts(of_day),
            month: counts(of_month),
            price: price(if has_month { of_month } else { of_day }),
        }
    }
}

fn counts(amount: Amount) -> Counts {
    Counts { requests: amount.requests, tokens: amount.tokens }
}

fn limits(allowed: Allowed) -> Limits {
    Limits { requests: allowed.requests, tokens: allowed.tokens }
}

fn remaining(allowed: Allowed, taken: Amount) -> Limits {
    let left = |allowed: Option<u64>, taken: u64| allowed.map(|allowed| allowed.saturating_sub(taken));
    Limits { requests: left(allowed.requests, taken.requests), tokens: left(allowed.tokens, taken.tokens) }
}
