//! What the front is told before it opens its door.

use keygate_actors::{KeySupervisor, UserLimiter};
use keygate_config::{ClientsConfig, ProviderConfig, ServerConfig};
use keygate_domain::Redactor;

/// One provider as every worker will serve it.
#[derive(Clone)]
pub struct LanePlan {
    /// Its section of the configuration.
    pub config: ProviderConfig,
    /// Its pool.
    pub supervisor: KeySupervisor,
}

/// Everything the front needs.
#[derive(Clone)]
pub struct FrontSettings {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Who may ask.
    pub clients: ClientsConfig,
    /// The header that names the user.
    pub user_header: String,
    /// The providers.
    pub lanes: Vec<LanePlan>,
    /// The limiter.
    pub limiter: UserLimiter,
    /// Takes secrets out of what providers say.
    pub redactor: Redactor,
}
