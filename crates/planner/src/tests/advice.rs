//! What is recommended, and that it is enough.

use keygate_domain::{Allowance, Metric};

use super::world::{HOUR, per_minute, run, scenario, shape};
use crate::{Advice, Objective, Recommendation, Scenario, Shape, plan};

fn advice(scenario: &Scenario, traffic: &Shape, objective: f64) -> Advice {
    plan(scenario, traffic, Some(Objective(objective)), &mut |_| {}).advice.unwrap()
}

#[test]
fn a_bigger_tier_comes_before_more_projects_and_is_the_smallest_that_is_enough() {
    let (small, traffic) = (scenario(per_minute(4)), shape(12.0));
    let advice = advice(&small, &traffic, 0.99);
    assert!(!advice.is_met);
    assert_eq!(advice.recommendation, Recommendation::BiggerTier);
    let tier = advice.tier.unwrap();
    let limit = &tier.limits[0];
    assert_eq!((limit.of.as_str(), limit.metric, limit.now), ("every model", Metric::RequestsPerMinute, 4));
    assert!(run(&scenario(per_minute(limit.needed)), &traffic).p_refused <= 0.01);
    assert!(run(&scenario(per_minute(limit.needed - 1)), &traffic).p_refused > 0.01);
    let groups = advice.more_groups.unwrap();
    assert_eq!(groups.now, 2);
    assert!((4..=9).contains(&groups.needed), "{groups:?}");
}

#[test]
fn what_is_enough_may_be_more_than_is_needed() {
    let advice = advice(&scenario(per_minute(200)), &shape(12.0), 0.99);
    assert!(advice.is_met);
    assert_eq!(advice.recommendation, Recommendation::Nothing);
    let tier = advice.tier.unwrap();
    assert!(tier.factor < 0.1 && tier.factor > 0.03, "{tier:?}");
    assert!(advice.more_groups.is_none());
}

#[test]
fn where_no_quota_is_in_the_way_none_helps() {
    let nobody = Scenario { keys: Vec::new(), ..scenario(per_minute(10)) };
    assert_eq!(advice(&nobody, &shape(10.0), 0.999).recommendation, Recommendation::NoQuotaHelps);
}

#[test]
fn a_long_plan_is_searched_where_it_hurts() {
    let span = HOUR * 24 * 50;
    let few = Shape { span, ..shape(0.02) };
    let a_day = Allowance { requests_per_day: Some(10), ..Allowance::default() };
    let long = Scenario { span, ..scenario(a_day) };
    let advice = advice(&long, &few, 0.99);
    assert_eq!(advice.searched_seconds, 35 * 86_400);
    let limit = &advice.tier.unwrap().limits[0];
    let enough = Allowance { requests_per_day: Some(limit.needed), ..Allowance::default() };
    let refused = run(&Scenario { span, ..scenario(enough) }, &few).p_refused;
    assert!(refused <= 0.015, "{refused} of the whole with {limit:?}");
}
