//! What may change while the gateway runs, and how workers come to know it.

use std::sync::Arc;

use jiff::Timestamp;
use keygate_config::{
    AnswersConfig, AssistantConfig, CacheConfig, ClientsConfig, CorsConfig, ProviderConfig, TlsIdentity,
};
use keygate_domain::ClientToken;
use keygate_journey::{CacheSettings, ResponseCache, Tally};
use tokio::sync::watch;
use url::Url;

use crate::credentials::Doorkeeper;

/// What requests are served by, besides keys and limits, which their actors have. A request reads
/// it once: it sees one configuration from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who may ask.
    pub clients: ClientsConfig,
    /// The header that names the user.
    pub user_header: String,
    /// How plain questions are answered.
    pub assistant: AssistantConfig,
    /// What users are told when every key failed.
    pub answers: AnswersConfig,
    /// Answers that are given again.
    pub cache: CacheConfig,
    /// A pool with this few keys left, and more in all, is told as degraded.
    pub low_keys: u32,
    /// The providers that run.
    pub providers: Vec<ProviderConfig>,
    /// Whether status is open to everybody.
    pub status_public: bool,
    /// Which pages in browsers may use the gateway.
    pub cors: CorsConfig,
    /// The largest request body, in bytes.
    pub max_body: u64,
    /// The largest body of an upload, in bytes; it is never held in memory.
    pub max_upload: u64,
    /// Where callers reach the gateway, if their own word for it is not to be taken.
    pub public_url: Option<Url>,
    /// The certificate with which callers are spoken with, if they are by TLS.
    pub tls: Option<TlsIdentity>,
    /// Where these rules come from.
    pub state: ConfigState,
}

/// Which configuration holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigState {
    /// When it was read.
    pub loaded_at: Timestamp,
    /// Why what stands in the files by now was refused.
    pub problem: Option<String>,
    /// Settings that were changed and need a restart.
    pub needs_restart: Vec<String>,
}

/// Rules, the tokens prepared for being looked up, and the answers that are given again under them.
pub(crate) struct Posted {
    pub(crate) rules: Arc<Rules>,
    /// The tokens that are kept, besides those of the rules.
    kept: Arc<[ClientToken]>,
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    pub(crate) cache: Option<ResponseCache>,
}

impl Posted {
    fn new(rules: Arc<Rules>, kept: Arc<[ClientToken]>, cache: Option<ResponseCache>) -> Arc<Self> {
        let doorkeeper = Arc::new(Doorkeeper::new(&rules.clients, &kept));
        Arc::new(Self { rules, kept, doorkeeper, cache })
    }
}

/// The cache under these settings. What other rules changed is not how an answer is told, so it may be given
/// again.
fn cache(config: CacheConfig, tally: &Arc<Tally>, earlier: Option<&ResponseCache>) -> Option<ResponseCache> {
    let CacheConfig { enabled, ttl, max_size } = config;
    let settings = CacheSettings { ttl, max_size };
    let kept = earlier.filter(|cache| cache.settings() == settings).cloned();
    enabled.then(|| kept.unwrap_or_else(|| ResponseCache::new(settings, Arc::clone(tally))))
}

/// Where rules are posted for all workers. Cheap to clone.
#[derive(Clone)]
pub struct RuleBoard {
    posted: watch::Sender<Arc<Posted>>,
    tally: Arc<Tally>,
}

impl RuleBoard {
    /// A board with the first rules, and the tokens that are kept.
    pub fn new(rules: Rules, kept: Vec<ClientToken>) -> Self {
        let tally = Arc::default();
        let cache = cache(rules.cache, &tally, None);
        Self { posted: watch::Sender::new(Posted::new(Arc::new(rules), kept.into(), cache)), tally }
    }

    /// Where it is counted what was answered without the provider.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// The tokens that are kept.
    pub fn kept(&self) -> Arc<[ClientToken]> {
        Arc::clone(&self.posted.borrow().kept)
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.posted.borrow().rules)
    }

    /// Puts other rules in force: for requests that begin from here on.
    pub fn post(&self, rules: Rules) {
        let earlier = Arc::clone(&self.posted.borrow());
        let cache = cache(rules.cache, &self.tally, earlier.cache.as_ref());
        self.posted.send_replace(Posted::new(Arc::new(rules), Arc::clone(&earlier.kept), cache));
    }

    /// The same for the tokens that are kept. Both are called by one thread, so neither takes back what the
    /// other posted.
    pub fn post_tokens(&self, kept: Vec<ClientToken>) {
        let earlier = Arc::clone(&self.posted.borrow());
        let posted = Posted::new(Arc::clone(&earlier.rules), kept.into(), earlier.cache.clone());
        self.posted.send_replace(posted);
    }

    /// What is posted now.
    pub(crate) fn posted(&self) -> Arc<Posted> {
        Arc::clone(&self.posted.borrow())
    }

    /// A view of the board that knows what it has seen.
    pub(crate) fn reader(&self) -> watch::Receiver<Arc<Posted>> {
        self.posted.subscribe()
    }
}
