//! What the front is told before it opens its door.

use keygate_actors::{Bookkeeper, KeySupervisor, UserLimiter};
use keygate_config::{ClientsConfig, ProviderConfig, ServerConfig};
use keygate_domain::Redactor;

/// The actors that requests ask.
#[derive(Clone, Debug)]
pub struct Crew {
    /// Who admits.
    pub limiter: UserLimiter,
    /// Who lends keys, one for each provider in the order of [`FrontSettings::providers`].
    pub supervisors: Vec<KeySupervisor>,
    /// Who writes down what they learn.
    pub bookkeeper: Bookkeeper,
}

/// Everything the front needs.
pub struct FrontSettings {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Who may ask.
    pub clients: ClientsConfig,
    /// The header that names the user.
    pub user_header: String,
    /// The providers.
    pub providers: Vec<ProviderConfig>,
    /// Starts the crew. Called once, on the thread of a worker: an only worker has it on its own.
    pub start_crew: Box<dyn Fn() -> Crew + Send + Sync>,
    /// Takes secrets out of what providers say.
    pub redactor: Redactor,
}
