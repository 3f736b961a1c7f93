//! What the front is told before it opens its door.

use keygate_actors::{Auditor, Bookkeeper, Herald, Keepers, KeySupervisor, Ledger, UserLimiter};
use keygate_config::ServerConfig;
use keygate_domain::Redactor;
use keygate_journey::AnswerDesk;
use keygate_telemetry::metrics::Metrics;

use crate::reload::ReloadDesk;
use crate::rules::RuleBoard;
use crate::usage::UsageBooks;

/// The actors that requests ask.
#[derive(Clone, Debug)]
pub struct Crew {
    /// Who admits.
    pub limiter: UserLimiter,
    /// Who lends keys, one for each provider in the order of [`crate::Rules::providers`].
    pub supervisors: Vec<KeySupervisor>,
    /// Who writes down what they learn.
    pub bookkeeper: Bookkeeper,
    /// What attempts cost.
    pub ledger: Ledger,
    /// What is asked about what they cost.
    pub books: UsageBooks,
    /// Who writes down who did what.
    pub auditor: Auditor,
    /// Who tells people what is wrong.
    pub herald: Herald,
    /// Who has bots renew their sessions.
    pub keepers: Keepers,
}

/// Everything the front needs.
pub struct FrontSettings {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Where the workers read what may change while they run.
    pub board: RuleBoard,
    /// Where operators order a reload; nowhere, if there is nothing to read again.
    pub reloads: Option<ReloadDesk>,
    /// Starts the crew. Called once, on the thread of a worker: an only worker has it on its own.
    pub start_crew: Box<dyn Fn() -> Crew + Send + Sync>,
    /// Where stored answers are asked for.
    pub answers: Option<AnswerDesk>,
    /// Takes secrets out of what providers say.
    pub redactor: Redactor,
    /// What workers count with, if they do.
    pub metrics: Option<Metrics>,
}
