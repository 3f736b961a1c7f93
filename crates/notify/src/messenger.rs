//! Tells channels.

use std::time::Duration;

use keygate_alerts::{Channel, Letter, SecretUrl, Target};
use keygate_upstream::ClientUnusable;
use serde_json::Value;
use url::Url;

use crate::digest::message_id;
use crate::post::{Parcel, Post};
use crate::{SendTrouble, mail, payload};

/// How long a channel may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells channels. It never leaves its thread, like the HTTP client in it.
#[derive(Clone)]
pub struct Messenger {
    post: Post,
}

impl Messenger {
    /// A messenger of this thread.
    ///
    /// # Errors
    /// When the platform has no usable certificate store.
    pub fn new() -> Result<Self, ClientUnusable> {
        Post::new().map(|post| Self { post })
    }

    /// Tells a channel, once.
    ///
    /// # Errors
    /// Why it did not take it.
    pub async fn deliver(&self, channel: &Channel, letter: &Letter) -> Result<(), SendTrouble> {
        let id = message_id(&channel.name, letter.number, letter.at.as_nanosecond());
        match &channel.target {
            Target::Webhook { url, secret } => {
                let (url, body) = (address(url)?, bytes(&payload::webhook(letter, &id)));
                let parcel = Parcel::json(&url, body, PATIENCE).signed(secret.as_ref(), letter.at);
                self.post.deliver(parcel).await
            }
            Target::Slack(url) => self.say(url, &payload::slack(letter)).await,
            Target::Discord(url) => self.say(url, &payload::discord(letter)).await,
            Target::Mail(target) => mail::send(target, letter, &id, PATIENCE).await,
        }
    }

    async fn say(&self, url: &SecretUrl, body: &Value) -> Result<(), SendTrouble> {
        let url = address(url)?;
        self.post.deliver(Parcel::json(&url, bytes(body), PATIENCE)).await
    }
}

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn address(url: &SecretUrl) -> Result<Url, SendTrouble> {
    Url::parse(url.expose()).map_err(|_no_url| SendTrouble::Unusable("the address is none".to_owned()))
}
