//! Who makes the free calls with disabled keys: the way out of a thread where no request waits.

use std::rc::Rc;

use async_trait::async_trait;
use keygate_actors::{Errand, Home, Prober, start_prober};
use keygate_config::ProviderConfig;
use keygate_domain::{ApiKey, ProviderName, Verdict};
use keygate_http::RuleBoard;
use keygate_upstream::{ClientSettings, UpstreamClient};

/// Starts the prober on a thread of clerks.
pub(crate) fn start(board: RuleBoard, home: &Home) -> Prober {
    start_prober(move || Rc::new(FreeCalls { board }), home)
}

/// Calls providers where they live by the rules in force.
struct FreeCalls {
    board: RuleBoard,
}

#[async_trait(?Send)]
impl Errand for FreeCalls {
    async fn run(&self, provider: ProviderName, key: &ApiKey) -> Verdict {
        let rules = self.board.rules();
        let config = rules.providers.iter().find(|config| config.adapter.name == provider);
        // One client a call: they are minutes apart, and no connection is worth keeping for so long.
        let client = UpstreamClient::new(ClientSettings::default());
        let (Some(config), Ok(client)) = (config, client) else { return Verdict::Unsent };
        free_call(&client, config, key).await
    }
}

/// The free call of a provider with a key of it.
pub(crate) async fn free_call(client: &UpstreamClient, config: &ProviderConfig, key: &ApiKey) -> Verdict {
    let upstream = client.upstream(config.base_url.clone());
    keygate_journey::probe(&config.adapter, &upstream, key).await
}
