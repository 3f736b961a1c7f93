//! A plan as JSON. The names of its fields are part of the contract (`docs/planning.md`).

use keygate_planner::Plan;
use serde_json::{Value, json};

use super::scenario::Planned;

pub(super) fn of(planned: &Planned, plan: &Plan) -> String {
    let scenario = &planned.scenario;
    let policy = &scenario.policy;
    let whole: Value = json!({
        "scenario": {
            "provider": planned.provider.name,
            "groups": scenario.groups().len(),
            "keys": scenario.keys.len(),
            "strategy": policy.strategy,
            "max_wait_seconds": policy.queue.max_wait.as_secs_f64(),
            "user_requests_per_minute": scenario.per_user.requests_per_minute,
            "users": planned.traffic.users().len(),
            "models": planned.traffic.models(),
            "seed": scenario.seed,
        },
        "report": plan.report,
        "advice": plan.advice,
        "notes": planned.notes,
    });
    format!("{whole:#}")
}
