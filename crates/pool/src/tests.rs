//! What users of the pool would notice, told as stories; and the same at random.

mod affinity_stories;
mod breaker_properties;
mod breaker_stories;
mod budget_stories;
mod cooldown_stories;
mod explaining;
mod fairness;
mod fare_stories;
mod forecast_stories;
mod lease_stories;
mod properties;
mod provider_model;
mod random;
mod recovery_stories;
mod reference;
mod reload_stories;
mod restart_stories;
mod row_stories;
mod status_stories;
mod strategy_stories;
mod trouble;
mod wait_stories;
mod waiting;
mod world;
