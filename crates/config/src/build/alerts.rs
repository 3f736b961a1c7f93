//! `alerts:`.

use std::collections::BTreeSet;
use std::time::Duration;

use keygate_alerts::{AlertSettings, Channel, MailTarget, SecretUrl, Target};
use url::Url;

use super::provider::is_loopback;
use super::{Judge, secret_text, segments};
use crate::nearest::speakable;
use crate::problem::Place;
use crate::schema::{AlertsSection, ChannelKind, ChannelSection, Reference};

/// Most channels: each is told everything.
const MOST_CHANNELS: usize = 32;

/// The shortest time after which the same may be told again.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time a forecast looks ahead.
const LONGEST_FORECAST: Duration = Duration::from_hours(24 * 31);

pub(super) fn build(section: &AlertsSection, judge: &mut Judge<'_>) -> AlertSettings {
    let mut runs_out: Vec<Duration> = section.runs_out.iter().map(|span| span.0).collect();
    runs_out.sort_unstable_by(|one, other| other.cmp(one));
    runs_out.dedup();
    judge.require(
        runs_out.len() <= 16 && runs_out.iter().all(|span| !span.is_zero() && *span <= LONGEST_FORECAST),
        "alerts.runs_out",
        "holds a span of nothing or of more than a month, or too many",
        "the default is [60m, 30m, 10m]; [] tells nothing",
    );
    judge.require(
        section.rotate_after.0.is_none_or(|span| span >= Duration::from_mins(1)),
        "alerts.rotate_after",
        "is shorter than a minute",
        "write 30d, or null for keys that need not be replaced",
    );
    judge.require(
        section.channels.len() <= MOST_CHANNELS,
        "alerts.channels",
        "holds more than 32 channels",
        "let one of them pass alerts on",
    );
    let mut channels = Vec::new();
    let mut names = BTreeSet::new();
    for (index, entry) in section.channels.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let place = judge.layers.place(&segments(&format!("alerts.channels.{index}")));
        let Some(name) = name(entry, &mut names, &place, judge) else { continue };
        channels.extend(channel(entry, name, &place, judge));
    }
    AlertSettings { low_keys: section.low_keys.0, rotate_after: section.rotate_after.0, runs_out, channels }
}

fn name(
    entry: &ChannelSection,
    names: &mut BTreeSet<String>,
    place: &Place,
    judge: &mut Judge<'_>,
) -> Option<String> {
    let kind = word(entry.kind.0);
    let name = if let Some(name) = entry.name.0.as_deref() {
        name.trim().to_owned()
    } else {
        let mut numbered = (1..).map(|n| if n == 1 { kind.to_owned() } else { format!("{kind}-{n}") });
        numbered.find(|name| !names.contains(name))?
    };
    let is_name = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if !is_name {
        let remedy = "name it in 1 to 64 characters";
        judge.findings.problem(place.clone(), "an alert channel has no usable name", remedy);
        return None;
    }
    if !names.insert(name.clone()) {
        let remedy = "give each a name of its own";
        let named = speakable(&name).map(|name| format!(", `{name}`")).unwrap_or_default();
        let what = format!("two alert channels have the same name{named}");
        judge.findings.problem(place.clone(), what, remedy);
        return None;
    }
    Some(name)
}

fn word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Webhook => "webhook",
        ChannelKind::Slack => "slack",
        ChannelKind::Discord => "discord",
        ChannelKind::Smtp => "smtp",
    }
}

fn channel(entry: &ChannelSection, name: String, place: &Place, judge: &mut Judge<'_>) -> Option<Channel> {
    let kind = entry.kind.0;
    let is_webhook = kind == ChannelKind::Webhook;
    let is_mail = kind == ChannelKind::Smtp;
    let mut refuse = |what: &str, remedy: &str| {
        judge.findings.problem(place.clone(), format!("the alert channel `{name}` {what}"), remedy);
    };
    if entry.secret.0.is_some() && !is_webhook {
        refuse("has a secret, which only a webhook is signed with", "remove `secret`");
    }
    if !is_mail && (entry.from.0.is_some() || !entry.to.is_empty()) {
        refuse("has `from` or `to`, which only mail has", "remove them, or write kind: smtp");
    }
    if entry.min_interval.0 < SHORTEST_INTERVAL {
        refuse("has a `min_interval` of less than 1s", "the default is 15m");
    }
    let url = match &entry.url.0.0 {
        // Who has the address of a webhook of one's own has no way in yet.
        Reference::Literal(url) if is_webhook => url.clone(),
        Reference::Variable(_) | Reference::File(_) | Reference::Literal(_) => {
            secret_text::read(&entry.url.0, &format!("`url` of the alert channel `{name}`"), place, judge)?
        }
    };
    let (Some(url), Some(plain)) = (SecretUrl::parse(url.expose()), Url::parse(url.expose()).ok()) else {
        let what = format!("the `url` of the alert channel `{name}` is no address");
        judge.findings.problem(place.clone(), what, "write it as in https://alerts.example.com/hook");
        return None;
    };
    let target = if is_mail {
        Target::Mail(mail(entry, &name, url, &plain, place, judge)?)
    } else {
        let secret = entry.secret.0.as_ref();
        let setting = format!("`secret` of the alert channel `{name}`");
        let secret = secret.map(|secret| secret_text::read(secret, &setting, place, judge));
        check_web(&plain, &format!("the `url` of the alert channel `{name}`"), place, judge);
        match kind {
            ChannelKind::Webhook => Target::Webhook { url, secret: secret.flatten() },
            ChannelKind::Slack => Target::Slack(url),
            ChannelKind::Discord => Target::Discord(url),
            ChannelKind::Smtp => return None,
        }
    };
    let events = entry.events.iter().map(|event| event.0).collect();
    Some(Channel { name, target, events, min_interval: entry.min_interval.0 })
}

/// What is told is for whom it is meant: by TLS, or not off the machine.
pub(super) fn check_web(url: &Url, what: &str, place: &Place, judge: &mut Judge<'_>) {
    if !(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))) {
        let remedy = "use https://; http:// is for loopback addresses only";
        judge.findings.problem(place.clone(), format!("{what} is not https"), remedy);
    }
    if !url.username().is_empty() || url.password().is_some() {
        let remedy = "remove what stands before the @; receivers know the gateway by its signature";
        judge.findings.problem(place.clone(), format!("{what} carries a user or a password"), remedy);
    }
}

/// Addresses are read as such in URLs of the web only.
fn is_on_this_machine(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    Url::parse(&format!("http://{host}")).is_ok_and(|web| is_loopback(&web))
}

fn mail(
    entry: &ChannelSection,
    name: &str,
    server: SecretUrl,
    plain: &Url,
    place: &Place,
    judge: &mut Judge<'_>,
) -> Option<MailTarget> {
    let mut refuse = |what: &str, remedy: &str| {
        judge.findings.problem(place.clone(), format!("the alert channel `{name}` {what}"), remedy);
    };
    let tls = plain.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let is_safe = match plain.scheme() {
        "smtps" => true,
        "smtp" => tls.as_deref() == Some("required") || is_on_this_machine(plain),
        _ => false,
    };
    if !is_safe {
        refuse(
            "would hand mail in without TLS, or its `url` is not a mail server's",
            "write smtps://user:password@host or smtp://user:password@host:587?tls=required; without TLS on loopback only",
        );
    }
    let is_address = |text: &str| {
        let text = text.trim().trim_end_matches('>');
        text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
    };
    let from = entry.from.0.clone().filter(|from| is_address(from));
    if from.is_none() {
        refuse("does not say from whom mail is", "write from: keygate@example.com");
    }
    let to: Vec<String> = entry.to.iter().map(|to| to.0.trim().to_owned()).collect();
    if to.is_empty() || !to.iter().all(|to| is_address(to)) {
        refuse("does not say to whom mail goes", "write to: [ops@example.com]");
    }
    Some(MailTarget { server, from: from?, to })
}
