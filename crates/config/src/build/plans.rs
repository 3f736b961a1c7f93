//! `plans:`.

use std::num::NonZeroU64;

use keygate_domain::PlanName;
use keygate_limits::{Allowed, Plan, Plans};

use super::Judge;
use super::clients::limits;
use crate::nearest::{nearest, speakable};
use crate::schema::{PlanSection, PlansSection};
use crate::setting::Setting;

/// Longest name of a plan, in bytes.
const MAX_NAME_BYTES: usize = 64;

pub(crate) fn build(section: &PlansSection, judge: &mut Judge<'_>) -> Plans {
    for name in section.by_name.keys() {
        judge.require(
            is_name(name),
            &format!("plans.{name}"),
            "has no usable name",
            "name the plan with letters, digits, - and _",
        );
    }
    let default = section.default.0.as_deref();
    if let Some(name) = default.filter(|name| !section.by_name.contains_key(*name)) {
        let names = section.by_name.keys().map(String::as_str);
        let remedy = match nearest(name, names.clone()) {
            Some(near) => format!("name a plan that is described under `plans`; do you mean `{near}`?"),
            None if section.by_name.is_empty() => {
                "describe it under `plans`, or leave `default` out".to_owned()
            }
            None => {
                format!(
                    "name one of those described under `plans`: {}",
                    crate::nearest::listed(names.filter_map(speakable))
                )
            }
        };
        let named = speakable(name).map(|name| format!("`{name}`"));
        let what = format!("names {}, which is no plan", named.as_deref().unwrap_or("something"));
        judge.require(false, "plans.default", &what, &remedy);
    }
    Plans {
        default: default.map(PlanName::from),
        by_name: section
            .by_name
            .iter()
            .map(|(name, plan)| (PlanName::from(name.as_str()), built(plan)))
            .collect(),
    }
}

fn built(section: &PlanSection) -> Plan {
    let most = |setting: &Setting<Option<NonZeroU64>>| setting.0.map(NonZeroU64::get);
    Plan {
        day: Allowed { requests: most(&section.requests_per_day), tokens: most(&section.tokens_per_day) },
        month: Allowed {
            requests: most(&section.requests_per_month),
            tokens: most(&section.tokens_per_month),
        },
        overage: section.overage(),
        per_user: limits(&section.per_user),
    }
}

fn is_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_fit)
}
