//! Lines of what people and bots are told.

use keygate_alerts::{Change, Phase, Severity};
use keygate_keeper::Outcome;
use tracing::{error, info, warn};

/// Something is wrong, or is over.
pub(crate) fn alert(change: &Change) {
    let condition = &change.condition;
    let (kind, subject) = (condition.id.kind.as_str(), condition.subject.as_str());
    match (change.phase, condition.id.kind.severity()) {
        (Phase::Recovered, _) => {
            info!(event = "alert.over", kind, subject, "alert is over: {}", condition.text);
        }
        (Phase::Open, Severity::Critical) => {
            error!(
                event = "alert.critical",
                kind,
                subject,
                remedy = condition.remedy,
                "alert: {}",
                condition.text
            );
        }
        (Phase::Open, Severity::Warning | Severity::Info) => {
            warn!(
                event = "alert.opened",
                kind,
                subject,
                remedy = condition.remedy,
                "alert: {}",
                condition.text
            );
        }
    }
}

/// A channel did not take what it was told; it is told again.
pub(crate) fn channel_failed(channel: &str, why: &str) {
    warn!(event = "alert.untold", channel, "the alert channel did not take it, it is told again: {why}");
}

/// A bot is asked to renew its session.
pub(crate) fn bot_asked(keeper: &str, reason: &str) {
    info!(event = "bot.asked", keeper, reason, "the bot is asked to renew its session");
}

/// What came of it.
pub(crate) fn bot_answered(keeper: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Failed(why) => {
            warn!(event = "bot.failed", keeper, "the bot could not renew its session: {why}");
        }
        Outcome::NeedsLogin => {
            warn!(
                event = "bot.needs_login",
                keeper, "the bot needs a human to log in; it is not asked again until somebody clears it"
            );
        }
        Outcome::Alive | Outcome::Refreshed { .. } | Outcome::Accepted | Outcome::Busy => {
            info!(event = "bot.answered", keeper, outcome = outcome.as_str(), "the bot answered");
        }
    }
}

/// A human has seen to a bot.
pub(crate) fn keeper_cleared(keeper: &str) {
    info!(event = "bot.cleared", keeper, "the session keeper was cleared, its bot may be asked again");
}
