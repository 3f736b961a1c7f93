//! `clients:`.

use std::num::NonZeroU32;

use keygate_domain::Right;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::or_default;
use crate::choice::Auth;
use crate::setting::{Setting, Sha256Sum};

/// Who may come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientsSection {
    /// Whether a token is needed. `auto` asks for one unless the gateway listens on loopback,
    /// `required` always, `open` never.
    pub(crate) auth: Setting<Auth>,
    /// Allows `auth: open` on an address that other machines can reach. Everybody who can
    /// reach it can then use your keys.
    pub(crate) allow_open_on_network: Setting<bool>,
    /// The tokens that are known, besides those of the variable `KEYGATE_CLIENT_TOKENS` and those made with
    /// `keygate tokens create`.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Vec<TokenEntry>")]
    pub(crate) tokens: Vec<Option<TokenEntry>>,
}

/// A client's token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenEntry {
    /// The client's name, as usage and traces show it.
    pub(crate) name: Setting<String>,
    /// The SHA-256 sum of the token in hexadecimal digits; the token itself stays with the client.
    pub(crate) sha256: Setting<Sha256Sum>,
    /// What the client may do. Without it: everything but `admin`.
    #[serde(default = "everything_but_admin", deserialize_with = "present")]
    pub(crate) scopes: Vec<Setting<Right>>,
    /// The models the client may name: exact names, or beginnings with a `*` behind them. Without it: all.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) models: Option<Vec<Setting<String>>>,
    /// The plan of the client's users, one of `plans`. Without it: the default plan.
    #[serde(default)]
    pub(crate) plan: Setting<Option<String>>,
    /// The limits of each of the client's users, where they differ from the plan's and from `limits.per_user`. They
    /// hold for every token of this name.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) limits: UserLimitsSection,
}

/// Limits of users, where they differ from everybody's.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UserLimitsSection {
    /// Requests in any 60 seconds.
    pub(crate) requests_per_minute: Setting<Option<NonZeroU32>>,
    /// Requests at once, before they have to spread over the minute. Without it: as many as
    /// `requests_per_minute`, if that is given here.
    pub(crate) burst: Setting<Option<NonZeroU32>>,
    /// Requests that run at the same time.
    pub(crate) max_concurrent: Setting<Option<NonZeroU32>>,
}

/// The items of a list that are there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Setting<Right>>, D::Error> {
    let items: Vec<Option<Setting<Right>>> = Vec::deserialize(deserializer)?;
    Ok(items.into_iter().flatten().collect())
}

/// What a token may do of which nothing else is said.
pub(crate) fn everything_but_admin() -> Vec<Setting<Right>> {
    [Right::Chat, Right::Embed, Right::Files, Right::Live, Right::Avatar, Right::Manage, Right::Status]
        .map(Setting)
        .to_vec()
}
