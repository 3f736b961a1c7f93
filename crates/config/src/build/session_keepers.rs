//! `session_keepers:`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keygate_domain::ApiKey;
use keygate_keeper::{BotCredentials, KeeperKind, KeeperSettings, OfficialAccount};

use super::alerts::check_web;
use super::{Judge, secret_text, segments};
use crate::nearest::{nearest, speakable};
use crate::problem::Place;
use crate::schema::{KeeperKindChoice, KeeperSection, SecretText};

/// Most keepers.
const MOST: usize = 64;

/// The variables that hold what a bot logs in with.
const COOKIES: &str = "ZALO_COOKIES";

pub(super) fn build(
    sections: &[Option<KeeperSection>],
    providers: &[&str],
    judge: &mut Judge<'_>,
) -> Vec<KeeperSettings> {
    judge.require(sections.len() <= MOST, "session_keepers", "holds more than 64 entries", "remove some");
    let mut names = BTreeSet::new();
    let mut keepers = Vec::new();
    for (index, section) in sections.iter().enumerate() {
        let Some(section) = section else { continue };
        let place = judge.layers.place(&segments(&format!("session_keepers.{index}")));
        if let Some(name) = name(section, &mut names, &place, judge) {
            keepers.extend(keeper(section, name, providers, &place, judge));
        }
    }
    keepers
}

fn name(
    section: &KeeperSection,
    names: &mut BTreeSet<String>,
    place: &Place,
    judge: &mut Judge<'_>,
) -> Option<String> {
    let name = section.name.0.trim().to_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) || name.starts_with('.') {
        let remedy = "use 1 to 64 letters, digits, - and _, such as zalo";
        judge.findings.problem(place.clone(), "a session keeper has no usable name", remedy);
        return None;
    }
    if !names.insert(name.clone()) {
        let remedy = "give each a name of its own";
        let named = speakable(&name).map(|name| format!(", `{name}`")).unwrap_or_default();
        let what = format!("two session keepers have the same name{named}");
        judge.findings.problem(place.clone(), what, remedy);
        return None;
    }
    Some(name)
}

fn keeper(
    section: &KeeperSection,
    name: String,
    known: &[&str],
    place: &Place,
    judge: &mut Judge<'_>,
) -> Option<KeeperSettings> {
    let texts = |list: &[crate::setting::Setting<String>]| -> Vec<String> {
        list.iter().map(|text| text.0.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    };
    let (tags, clients, providers) =
        (texts(&section.tags), texts(&section.clients), texts(&section.providers));
    let mut refuse = |what: &str, remedy: &str| {
        judge.findings.problem(place.clone(), format!("the session keeper `{name}` {what}"), remedy);
    };
    for provider in providers.iter().filter(|provider| !known.contains(&provider.as_str())) {
        let meant = nearest(provider, known.iter().copied());
        let meant = meant.map(|near| format!("; do you mean `{near}`?")).unwrap_or_default();
        refuse("names a provider that there is not", &format!("name one of {}{meant}", known.join(", ")));
    }
    if !(Duration::from_secs(1)..=Duration::from_hours(24)).contains(&section.cooldown.0) {
        refuse("has a `cooldown` that is not between 1s and 24h", "the default is 5m");
    }
    if !(Duration::from_millis(100)..=Duration::from_mins(5)).contains(&section.timeout.0) {
        refuse("has a `timeout` that is not between 100ms and 5m", "the default is 10s");
    }
    let is_oa = section.kind.0 == KeeperKindChoice::ZaloOa;
    if is_oa && section.send_credentials.0 {
        refuse(
            "sends credentials that a bot of an official account has no use for",
            "remove send_credentials",
        );
    }
    let url = section.url.0.clone();
    check_web(&url, &format!("the `url` of the session keeper `{name}`"), place, judge);
    let secret = section.secret.0.as_ref();
    let secret = secret.map(|text| {
        secret_text::read(text, &format!("`secret` of the session keeper `{name}`"), place, judge)
    });
    if secret.is_none() {
        let text = format!("the session keeper `{name}` has no secret: its bot cannot know who asks it");
        judge.findings.warn(place.clone(), text);
    }
    if tags.is_empty() && clients.is_empty() && !is_oa {
        let text = format!(
            "the session keeper `{name}` has neither tags nor clients: only clients bound to it with \
             `keygate tokens create --keeper {name}` concern it"
        );
        judge.findings.warn(place.clone(), text);
    }
    let credentials = if section.send_credentials.0 { credentials(&name, place, judge) } else { None };
    let kind =
        if is_oa { KeeperKind::ZaloOa(account(section, &name, place, judge)?) } else { KeeperKind::Http };
    Some(KeeperSettings {
        name,
        kind,
        url,
        secret: secret.flatten(),
        tags,
        clients,
        providers,
        cooldown: section.cooldown.0,
        timeout: section.timeout.0,
        credentials,
    })
}

/// What the variables hold that bots log in with.
fn credentials(name: &str, place: &Place, judge: &mut Judge<'_>) -> Option<Arc<BotCredentials>> {
    let environment = judge.sources.environment;
    let secret = |name: &str| environment.filled(name).map(|variable| ApiKey::new(variable.value.trim()));
    let mut credentials = BotCredentials {
        api_key: secret("ZALO_API_KEY"),
        secret_key: secret("ZALO_SECRET_KEY"),
        imei: secret("ZALO_IMEI"),
        ..BotCredentials::default()
    };
    if let Some(cookies) = environment.filled(COOKIES) {
        match credentials.clone().with_cookies(&cookies.value) {
            Ok(with_cookies) => credentials = with_cookies,
            Err(_invalid) => {
                let remedy = "it is JSON: {\"zpsid\": \"…\"}, [{\"name\": \"…\", \"value\": \"…\"}], or such a list under `cookies`";
                judge.findings.problem(cookies.place.clone(), format!("{COOKIES} holds no cookies"), remedy);
            }
        }
    }
    if credentials.is_empty() {
        let text = format!(
            "the session keeper `{name}` is to send credentials, and none of ZALO_API_KEY, ZALO_SECRET_KEY, \
             ZALO_IMEI and {COOKIES} is set"
        );
        judge.findings.warn(place.clone(), text);
        return None;
    }
    Some(Arc::new(credentials))
}

fn account(
    section: &KeeperSection,
    name: &str,
    place: &Place,
    judge: &mut Judge<'_>,
) -> Option<OfficialAccount> {
    let account = &section.account;
    let mut read = |text: Option<&SecretText>, setting: &str, is_needed: bool| {
        let what = format!("`account.{setting}` of the session keeper `{name}`");
        match text {
            Some(text) => secret_text::read(text, &what, place, judge),
            None if is_needed => {
                let remedy = format!("write account: {{ {setting}: env:ZALO_{} }}", setting.to_uppercase());
                judge.findings.problem(place.clone(), format!("{what} is not given"), remedy);
                None
            }
            None => None,
        }
    };
    // An app's id is no secret, so it may stand there.
    let app_id = match account.app_id.0.as_ref().map(|text| &text.0) {
        Some(crate::schema::Reference::Literal(id)) => Some(id.clone()),
        _ => read(account.app_id.0.as_ref(), "app_id", true),
    };
    let app_secret = read(account.app_secret.0.as_ref(), "app_secret", true);
    let refresh_token = read(account.refresh_token.0.as_ref(), "refresh_token", false);
    let endpoint = account.endpoint.0.clone();
    check_web(&endpoint, &format!("`account.endpoint` of the session keeper `{name}`"), place, judge);
    let file = account.token_file.0.clone().unwrap_or_else(|| format!("{name}.tokens.json"));
    let token_file = judge.sources.files.config_folder().join(file);
    Some(OfficialAccount {
        app_id: app_id?.expose().to_owned(),
        app_secret: app_secret?,
        refresh_token,
        token_file,
        endpoint,
    })
}
