//! How session keepers are configured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::ApiKey;
use url::Url;

use crate::BotCredentials;

/// A session keeper.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeeperSettings {
    /// What operators call it.
    pub name: String,
    /// Who renews the session.
    pub kind: KeeperKind,
    /// Where the bot is asked, or handed what was renewed.
    pub url: Url,
    /// What calls to the bot are signed with.
    pub secret: Option<ApiKey>,
    /// Requests with one of these tags concern it.
    pub tags: Vec<String>,
    /// Requests of one of these clients concern it.
    pub clients: Vec<String>,
    /// Rate limits of these providers concern it; of all of them if empty.
    pub providers: Vec<String>,
    /// How long after an attempt the next one may be at the earliest; doubles while attempts fail.
    pub cooldown: Duration,
    /// How long a call to the bot may take.
    pub timeout: Duration,
    /// What the bot is sent to log in with, if it is.
    pub credentials: Option<Arc<BotCredentials>>,
}

/// Who renews a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeeperKind {
    /// The bot itself.
    Http,
    /// The gateway, with the provider of an official account; the bot is handed the token.
    ZaloOa(OfficialAccount),
}

impl KeeperKind {
    /// The word in configuration and status.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::ZaloOa(_) => "zalo_oa",
        }
    }
}

/// An official account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfficialAccount {
    /// The app's id.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: ApiKey,
    /// The first refresh token; each is good for one use, and the next is kept in the file.
    pub refresh_token: Option<ApiKey>,
    /// Where the tokens are kept from one use to the next.
    pub token_file: PathBuf,
    /// Where tokens are renewed.
    pub endpoint: Url,
}

impl KeeperSettings {
    /// Whether a rate limit that `provider` put on a request concerns this bot.
    pub fn is_concerned(
        &self,
        tag: Option<&str>,
        client: &str,
        bound_to: Option<&str>,
        provider: &str,
    ) -> bool {
        let is_theirs = self.providers.is_empty() || self.providers.iter().any(|name| name == provider);
        let is_tagged = tag.is_some_and(|tag| self.tags.iter().any(|known| known == tag));
        let is_clients =
            bound_to == Some(self.name.as_str()) || self.clients.iter().any(|name| name == client);
        is_theirs && (is_tagged || is_clients)
    }
}
