//! Where alerts are told.

use std::fmt;
use std::time::Duration;

use keygate_domain::ApiKey;
use url::Url;

use crate::AlertKind;

/// A channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    /// What operators call it.
    pub name: String,
    /// Where it leads.
    pub target: Target,
    /// The kinds that are told; all of them if empty.
    pub events: Vec<AlertKind>,
    /// How long after the last time the same is told again at the earliest.
    pub min_interval: Duration,
}

impl Channel {
    /// Whether this kind is told here.
    pub fn wants(&self, kind: AlertKind) -> bool {
        self.events.is_empty() || self.events.contains(&kind)
    }
}

/// Where a channel leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// An address that takes JSON, signed if there is a secret.
    Webhook {
        /// Where.
        url: SecretUrl,
        /// What it is signed with.
        secret: Option<ApiKey>,
    },
    /// An incoming webhook of Slack, or of what understands its messages.
    Slack(SecretUrl),
    /// A webhook of Discord.
    Discord(SecretUrl),
    /// Mail.
    Mail(MailTarget),
}

impl Target {
    /// The word in configuration and status.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Mail(_) => "smtp",
        }
    }
}

/// Where mail is handed in, and for whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailTarget {
    /// The server with its user and password: `smtps://user:pass@mail.example.com`.
    pub server: SecretUrl,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// An address that is a secret, as those of chat rooms are: whoever has it can write there.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    whole: ApiKey,
    host: String,
}

impl SecretUrl {
    /// Reads an address; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        let host = url.host_str()?.to_owned();
        Some(Self { whole: ApiKey::new(text.trim()), host })
    }

    /// The address itself: the only way out.
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }

    /// What stands behind the host, which is the secret in the addresses of chat rooms.
    pub fn path(&self) -> Option<&str> {
        let whole = self.expose();
        let behind = whole.split_once("://")?.1;
        behind.find('/').map(|at| &behind[at..])
    }

    /// The password in it, as it stands there.
    pub fn password(&self) -> Option<&str> {
        let behind = self.expose().split_once("://")?.1;
        let login = behind.rsplit_once('@')?.0;
        login.split_once(':').map(|(_, password)| password)
    }

    /// What may be shown of it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({} ***)", self.host)
    }
}
