//! `plans:`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU64;

use keygate_limits::Overage;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{UserLimitsSection, or_default};
use crate::setting::{Money, Setting};

/// The key that names a plan instead of being one.
const DEFAULT: &str = "default";

/// What users may have in a day and in a month, plan by plan, and the plan of users whose client names none.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlansSection {
    /// The plan of users whose client names none.
    pub(crate) default: Setting<Option<String>>,
    /// The plans.
    pub(crate) by_name: BTreeMap<String, PlanSection>,
}

/// One plan, for each of its users. What is left out is without limit. Days and months are those of UTC.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Plan")]
pub(crate) struct PlanSection {
    /// Requests in a day.
    pub(crate) requests_per_day: Setting<Option<NonZeroU64>>,
    /// Requests in a month.
    pub(crate) requests_per_month: Setting<Option<NonZeroU64>>,
    /// Tokens in a day, in and out.
    pub(crate) tokens_per_day: Setting<Option<NonZeroU64>>,
    /// Tokens in a month, in and out.
    pub(crate) tokens_per_month: Setting<Option<NonZeroU64>>,
    /// What becomes of more: `block` refuses it, `allow` serves and reports it.
    pub(crate) overage: Setting<OverageChoice>,
    /// What is charged for more, under `overage: allow`. Only computed and reported.
    #[serde(deserialize_with = "or_default")]
    pub(crate) overage_price: PriceSection,
    /// The limits of each of its users, where they differ from `limits.per_user`. Those of a token
    /// (`clients.tokens`) come first.
    #[serde(deserialize_with = "or_default")]
    pub(crate) per_user: UserLimitsSection,
}

/// What a unit costs beyond a plan, in whatever currency you bill.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OveragePrice")]
pub(crate) struct PriceSection {
    /// A request.
    pub(crate) per_request: Setting<Money>,
    /// A thousand tokens.
    pub(crate) per_1000_tokens: Setting<Money>,
}

/// `plans.<name>.overage` as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum OverageChoice {
    #[default]
    Block,
    Allow,
}

impl PlanSection {
    pub(crate) fn overage(&self) -> Overage {
        match self.overage.0 {
            OverageChoice::Block => Overage::Block,
            OverageChoice::Allow => Overage::Allow(keygate_limits::Price {
                per_request: self.overage_price.per_request.0.0,
                per_1000_tokens: self.overage_price.per_1000_tokens.0.0,
            }),
        }
    }
}

impl Serialize for PlansSection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(DEFAULT, &self.default)?;
        for (name, plan) in &self.by_name {
            map.serialize_entry(name, plan)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for PlansSection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PlansVisitor)
    }
}

struct PlansVisitor;

impl<'de> Visitor<'de> for PlansVisitor {
    type Value = PlansSection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plans by name, such as {default: free, free: {requests_per_day: 1000}}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<PlansSection, A::Error> {
        let mut plans = PlansSection::default();
        while let Some(name) = entries.next_key::<String>()? {
            if name == DEFAULT {
                plans.default = entries.next_value()?;
            } else {
                let plan: Option<PlanSection> = entries.next_value()?;
                plans.by_name.insert(name, plan.unwrap_or_default());
            }
        }
        Ok(plans)
    }
}

impl JsonSchema for PlansSection {
    fn schema_name() -> Cow<'static, str> {
        "Plans".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut name = generator.subschema_for::<Setting<Option<String>>>();
        name.insert("description".to_owned(), "The plan of users whose client names none.".into());
        let plan = generator.subschema_for::<PlanSection>();
        json_schema!({
            "type": "object",
            "description": "What users may have in a day and in a month, plan by plan; `default` names the \
                            plan of users whose client names none.",
            "properties": { "default": name },
            "additionalProperties": { "anyOf": [plan, { "type": "null" }] },
        })
    }
}
