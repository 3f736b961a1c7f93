//! `keygate keys …`.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::RunningGateway;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Show the keys: as a running gateway sees them, else as they are configured.
    List(ListKeys),
    /// Try every key with its provider's free call; exits with 1 if one is bad, with 69 if a provider cannot be
    /// reached. Needs no gateway.
    Check(CheckKeys),
    /// Tell which key a request would get now, and why no other.
    Explain(ExplainKeys),
    /// Add keys to those in .env, or in the key file.
    Add(AddKeys),
    /// Remove keys from .env or from key files.
    Remove(RemoveKeys),
    /// Put keys in the place of those in .env, or in the key file.
    Set(SetKeys),
    /// End the rests of keys in a running gateway, and bring back those that failed.
    Reset(ResetKeys),
    /// Take keys out of use in a running gateway, until they are enabled; they stay configured.
    Disable(SwitchKeys),
    /// Bring disabled keys back in a running gateway.
    Enable(SwitchKeys),
    /// Look for what is wrong with the keys, or could go wrong, with advice; exits with 1 where there is a warning.
    Doctor(DoctorKeys),
}

/// The files of a configuration, and the gateway that may be running with them. The admin token, where one is
/// needed, is `KEYGATE_ADMIN_TOKEN`, in the environment or in `.env`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Site {
    /// The YAML file [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address of the running gateway [default: `server.bind` of the configuration].
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

impl Site {
    /// The gateway, as commands that only talk to it name it.
    pub(crate) fn gateway(&self) -> RunningGateway {
        RunningGateway { url: self.url.clone(), config: self.config.clone() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListKeys {
    /// Whose keys: google, anam [default: all].
    pub(crate) provider: Option<String>,
    /// Show more of each key: role, weight, health, what became of its requests, its budgets.
    #[arg(long)]
    pub(crate) wide: bool,
    /// Show what is configured, also where a gateway runs.
    #[arg(long, conflicts_with = "url")]
    pub(crate) configured: bool,
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckKeys {
    /// Whose keys: google, anam [default: all].
    pub(crate) provider: Option<String>,
    /// The YAML file [default: as `serve`].
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// How many keys are tried at the same time, 1 to 64.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) parallel: u8,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    /// The model that the request would name; without one no budget of a model is looked at.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The operation, as traces name it [default: the provider's usual one].
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// How many tokens it would send.
    #[arg(long, value_name = "COUNT")]
    pub(crate) tokens: Option<u64>,
    /// The user for whom it would be; tells how that user stands, too.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// The client whose user that is, where there are several.
    #[arg(long, requires = "user")]
    pub(crate) client: Option<String>,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AddKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    #[command(flatten)]
    pub(crate) secrets: Secrets,
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SetKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    #[command(flatten)]
    pub(crate) secrets: Secrets,
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keys, and where they go.
#[derive(Debug, Args)]
pub(crate) struct Secrets {
    /// The keys, each alone or in comma lists; - reads them from stdin, where no shell remembers them.
    #[arg(required = true, value_name = "KEYS")]
    pub(crate) keys: Vec<KeyText>,
    /// The variable of .env that is to hold them [default: the one that holds keys there, else the provider's
    /// usual one].
    #[arg(long, value_name = "NAME")]
    pub(crate) variable: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    /// Which: ids, labels or indexes, as `keys list --configured` shows them.
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Also remove the last key of the provider.
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResetKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    /// Which: ids, labels or indexes, as `keys list` shows them [default: all].
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SwitchKeys {
    /// Whose keys: google, anam.
    pub(crate) provider: String,
    /// Which: ids, labels or indexes, as `keys list` shows them.
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    #[command(flatten)]
    pub(crate) gateway: RunningGateway,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorKeys {
    /// Whose keys: google, anam [default: all].
    pub(crate) provider: Option<String>,
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was given as keys on the command line.
#[derive(Clone)]
pub(crate) struct KeyText(pub(crate) String);

impl FromStr for KeyText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
