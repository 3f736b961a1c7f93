//! `alerts:`.

use std::time::Duration;

use keygate_alerts::{AlertKind, AlertSettings};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::{Reference, or_default};
use crate::setting::{Scalar, Setting};

/// What operators are told of, and where. See docs/alerts.md.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertsSection {
    /// A pool with this few keys that can be used, and more in all, is low: an alert, and `degraded` in status.
    /// 0: only an empty pool is worth a word.
    pub(crate) low_keys: Setting<u32>,
    /// How long a key may be in use before it is told that it should be replaced (`30d`); for ever if `null`.
    pub(crate) rotate_after: Setting<Option<Duration>>,
    /// How long before a budget of a day or month is used up it is told, if that is before its reset.
    pub(crate) runs_out: Vec<Setting<Duration>>,
    /// Who is told.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Vec<ChannelSection>")]
    pub(crate) channels: Vec<Option<ChannelSection>>,
}

impl Default for AlertsSection {
    fn default() -> Self {
        Self {
            low_keys: Setting(AlertSettings::LOW_KEYS),
            rotate_after: Setting(Some(AlertSettings::ROTATE_AFTER)),
            runs_out: AlertSettings::RUNS_OUT.map(Setting).to_vec(),
            channels: Vec::new(),
        }
    }
}

/// Where alerts are told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AlertChannel")]
pub(crate) struct ChannelSection {
    /// What operators call it. Without it: its kind, with a number from the second of a kind on.
    #[serde(default)]
    pub(crate) name: Setting<Option<String>>,
    /// `webhook` (JSON, signed with `secret`), `slack`, `discord` or `smtp` (mail).
    pub(crate) kind: Setting<ChannelKind>,
    /// Its address: https, or http on loopback; for mail the server with its user and password, as in
    /// `smtps://user:password@mail.example.com` or `smtp://user:password@mail.example.com:587?tls=required`.
    /// It is a secret: `env:NAME` or `file:PATH`.
    pub(crate) url: Setting<SecretText>,
    /// For a webhook: what messages are signed with, `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub(crate) secret: Setting<Option<SecretText>>,
    /// For mail: from whom.
    #[serde(default)]
    pub(crate) from: Setting<Option<String>>,
    /// For mail: to whom.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) to: Vec<Setting<String>>,
    /// The kinds of alerts that are told; all of them without it.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) events: Vec<Setting<AlertKind>>,
    /// How long after the last time the same is told again at the earliest, where it comes and goes.
    #[serde(default = "a_quarter_of_an_hour")]
    pub(crate) min_interval: Setting<Duration>,
}

fn a_quarter_of_an_hour() -> Setting<Duration> {
    Setting(Duration::from_mins(15))
}

/// What a channel is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChannelKind {
    Webhook,
    Slack,
    Discord,
    Smtp,
}

/// A secret that is one text, or where it is.
#[derive(Clone, Debug)]
pub(crate) struct SecretText(pub(crate) Reference);

impl Scalar for SecretText {
    const EXPECTED: &'static str = "a reference to a secret, such as env:NAME or file:PATH";

    fn read(text: &str) -> Option<Self> {
        Reference::read(text).map(Self)
    }

    fn shown(&self) -> serde_json::Value {
        self.0.shown()
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "examples": ["env:SLACK_URL", "file:secret.txt"] })
    }
}
