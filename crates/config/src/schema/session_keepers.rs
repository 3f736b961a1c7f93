//! `session_keepers:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{SecretText, or_default};
use crate::setting::Setting;

/// A bot whose session is kept alive. See docs/session-keeper.md.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SessionKeeper")]
pub(crate) struct KeeperSection {
    /// What operators call it; also what `keygate tokens create --keeper` binds a client to.
    pub(crate) name: Setting<String>,
    /// Who renews the session: `http` (the bot itself) or `zalo_oa` (the gateway, which hands the bot the token
    /// of an official account).
    #[serde(default)]
    pub(crate) kind: Setting<KeeperKindChoice>,
    /// Where the bot is asked.
    pub(crate) url: Setting<Url>,
    /// What calls to the bot are signed with, `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub(crate) secret: Setting<Option<SecretText>>,
    /// Requests with one of these in the header `X-Keygate-Tag` are the bot's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) tags: Vec<Setting<String>>,
    /// Requests of these clients are the bot's.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) clients: Vec<Setting<String>>,
    /// The providers whose rate limits count; all of them without it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) providers: Vec<Setting<String>>,
    /// How long after an attempt the next one may be at the earliest. Doubles while attempts fail, up to 1h.
    #[serde(default = "five_minutes")]
    pub(crate) cooldown: Setting<Duration>,
    /// How long the bot may take to answer.
    #[serde(default = "ten_seconds")]
    pub(crate) timeout: Setting<Duration>,
    /// Whether the bot is sent what `ZALO_API_KEY`, `ZALO_SECRET_KEY`, `ZALO_IMEI` and `ZALO_COOKIES` hold. Only to
    /// loopback or by https.
    #[serde(default)]
    pub(crate) send_credentials: Setting<bool>,
    /// For `zalo_oa`: the official account.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) account: AccountSection,
}

/// An official account of Zalo.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "OfficialAccount")]
pub(crate) struct AccountSection {
    /// The app's id; `env:ZALO_APP_ID` if it is to come from there.
    pub(crate) app_id: Setting<Option<SecretText>>,
    /// The app's secret, `env:NAME` or `file:PATH`.
    pub(crate) app_secret: Setting<Option<SecretText>>,
    /// The first refresh token, `env:NAME` or `file:PATH`. It is good for one use: from then on the one in
    /// `token_file` counts.
    pub(crate) refresh_token: Setting<Option<SecretText>>,
    /// Where tokens are kept, from the folder of the configuration file. Only the gateway's user can read it.
    /// Without it: `NAME.tokens.json`.
    pub(crate) token_file: Setting<Option<String>>,
    /// Where tokens are renewed.
    pub(crate) endpoint: Setting<Url>,
}

impl Default for AccountSection {
    fn default() -> Self {
        Self {
            app_id: Setting(None),
            app_secret: Setting(None),
            refresh_token: Setting(None),
            token_file: Setting(None),
            endpoint: Setting(zalo()),
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant address; a test reads the defaults")]
fn zalo() -> Url {
    Url::parse("https://oauth.zaloapp.com").expect("an address")
}

/// Who renews a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum KeeperKindChoice {
    #[default]
    Http,
    ZaloOa,
}

fn five_minutes() -> Setting<Duration> {
    Setting(Duration::from_mins(5))
}

fn ten_seconds() -> Setting<Duration> {
    Setting(Duration::from_secs(10))
}
