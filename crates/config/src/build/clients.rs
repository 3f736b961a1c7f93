//! `clients:`, the tokens of the environment, and the rule that the network never goes without.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU32;

use keygate_domain::{ModelList, PlanName, Right, UserLimits};
use keygate_limits::Plans;
use sha2::{Digest, Sha256};

use super::{Judge, segments};
use crate::choice::Auth;
use crate::config::{AuthMode, ClientToken, ClientsConfig};
use crate::effective::Effective;
use crate::nearest::{nearest, speakable};
use crate::problem::Place;
use crate::schema::{ClientsSection, TokenEntry, UserLimitsSection, everything_but_admin};

const CLIENT_TOKENS: &str = "KEYGATE_CLIENT_TOKENS";
const ADMIN_TOKEN: &str = "KEYGATE_ADMIN_TOKEN";

/// Shorter tokens can be guessed, in characters.
const SHORTEST_TOKEN: usize = 16;

/// Also says what cannot be seen in the section: what `auto` means, and the tokens of variables.
pub(super) fn build(
    section: &ClientsSection,
    plans: &Plans,
    bind: SocketAddr,
    judge: &mut Judge<'_>,
) -> (ClientsConfig, Vec<Effective>) {
    let auth = auth_mode(section, bind, judge);
    let mut tokens = TokenList::default();
    for (index, entry) in section.tokens.iter().enumerate() {
        let Some(entry) = entry else { continue };
        tokens.add_entry(index, entry, plans, judge);
    }
    tokens.add_variable(judge);
    let admin_token_sha256 = admin_token(judge);
    let mut shown = tokens.shown;
    shown.push(shown_admin_token(judge));
    shown.push(shown_auth(auth, judge));
    (ClientsConfig { auth, tokens: tokens.tokens, admin_token_sha256 }, shown)
}

fn shown_auth(auth: AuthMode, judge: &Judge<'_>) -> Effective {
    let value = match auth {
        AuthMode::Open => "open: no token is needed",
        AuthMode::Required => "required: every request needs a token",
    };
    let source = judge.layers.source(&segments("clients.auth"));
    Effective { path: "clients.auth (resolved)".to_owned(), value: value.to_owned(), source }
}

fn shown_admin_token(judge: &Judge<'_>) -> Effective {
    let variable = judge.sources.environment.filled(ADMIN_TOKEN);
    Effective {
        path: "clients.admin_token".to_owned(),
        value: variable.map_or("not set", |_| "***").to_owned(),
        source: variable.map_or(Place::Default, |variable| variable.place.clone()),
    }
}

fn auth_mode(section: &ClientsSection, bind: SocketAddr, judge: &mut Judge<'_>) -> AuthMode {
    let is_loopback = bind.ip().to_canonical().is_loopback();
    match section.auth.0 {
        Auth::Auto if is_loopback => AuthMode::Open,
        Auth::Auto | Auth::Required => AuthMode::Required,
        Auth::Open => {
            judge.require(
                is_loopback || section.allow_open_on_network.0,
                "clients.auth",
                "is `open` while other machines can reach the gateway",
                "use `auto` or `required`, bind to 127.0.0.1, or set clients.allow_open_on_network: true",
            );
            AuthMode::Open
        }
    }
}

fn admin_token(judge: &mut Judge<'_>) -> Option<[u8; 32]> {
    let variable = judge.sources.environment.filled(ADMIN_TOKEN)?;
    let token = variable.value.trim();
    if token.chars().count() < SHORTEST_TOKEN {
        let text = format!("{ADMIN_TOKEN} is short enough to be guessed; use 16 characters or more");
        judge.findings.warn(variable.place.clone(), text);
    }
    Some(sha256(token))
}

fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Tokens with names and sums of their own.
#[derive(Default)]
struct TokenList {
    tokens: Vec<ClientToken>,
    names: BTreeSet<String>,
    by_sum: BTreeMap<[u8; 32], String>,
    /// The tokens of variables, as they are shown.
    shown: Vec<Effective>,
}

impl TokenList {
    fn add_entry(&mut self, index: usize, entry: &TokenEntry, plans: &Plans, judge: &mut Judge<'_>) {
        let place = judge.layers.place(&segments(&format!("clients.tokens.{index}")));
        let name = entry.name.0.trim();
        let is_name = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if !is_name {
            judge.findings.problem(
                place,
                "a token has no usable name",
                "name the client in 1 to 64 characters",
            );
        } else if entry.scopes.is_empty() {
            // A scope that nobody knows was told, and is no longer in the list.
            if !judge.findings.is_blamed(&["clients", "tokens", &index.to_string(), "scopes"]) {
                let remedy = "list its scopes, or leave `scopes` out for everything but admin";
                judge.findings.problem(place, "a token without scopes can do nothing", remedy);
            }
        } else if self.names.contains(name) {
            judge.findings.problem(
                place,
                "two tokens have the same name",
                "give each client a name of its own",
            );
        } else {
            let token = ClientToken {
                name: name.to_owned(),
                sha256: entry.sha256.0.0,
                rights: entry.scopes.iter().map(|right| right.0).collect(),
                models: models(entry, &place, judge),
                plan: plan(entry, plans, &place, judge),
                limits: limits(&entry.limits),
            };
            self.add(token, place, judge);
        }
    }

    fn add_variable(&mut self, judge: &mut Judge<'_>) {
        let Some(variable) = judge.sources.environment.filled(CLIENT_TOKENS) else { return };
        let rights: BTreeSet<Right> = everything_but_admin().into_iter().map(|right| right.0).collect();
        let tokens = variable.value.split(',').map(str::trim).filter(|token| !token.is_empty());
        for (number, token) in (1..).zip(tokens) {
            if token.chars().count() < SHORTEST_TOKEN {
                let text = format!("token {number} is short enough to be guessed; use 16 characters or more");
                judge.findings.warn(variable.place.clone(), text);
            }
            let name = self.free_name(number);
            let path = format!("clients.tokens[{}]", self.tokens.len());
            let known = self.tokens.len();
            let value = format!("*** ({name})");
            let token = ClientToken {
                name,
                sha256: sha256(token),
                rights: rights.clone(),
                models: None,
                plan: None,
                limits: UserLimits::default(),
            };
            self.add(token, variable.place.clone(), judge);
            if self.tokens.len() > known {
                self.shown.push(Effective { path, value, source: variable.place.clone() });
            }
        }
    }

    fn free_name(&self, number: usize) -> String {
        let mut name = format!("env-{number}");
        while self.names.contains(&name) {
            name.push('+');
        }
        name
    }

    fn add(&mut self, token: ClientToken, place: Place, judge: &mut Judge<'_>) {
        if let Some(first) = self.by_sum.get(&token.sha256) {
            let text = format!("the token `{}` is the same as `{first}` and was dropped", token.name);
            return judge.findings.warn(place, text);
        }
        self.by_sum.insert(token.sha256, token.name.clone());
        self.names.insert(token.name.clone());
        self.tokens.push(token);
    }
}

/// The models of an entry, if it names any. What is wrong with them is a problem of the whole configuration.
fn models(entry: &TokenEntry, place: &Place, judge: &mut Judge<'_>) -> Option<ModelList> {
    let names = entry.models.as_ref()?;
    let remedy = "name models, such as gemini-2.5-flash or gemini-*, or leave `models` out for all of them";
    match ModelList::parse(names.iter().map(|name| name.0.as_str())) {
        Ok(list) if list.is_empty() => {
            judge.findings.problem(place.clone(), "a token without models can ask none", remedy);
            None
        }
        Ok(list) => Some(list),
        Err(invalid) => {
            judge.findings.problem(place.clone(), invalid.to_string(), remedy);
            None
        }
    }
}

/// The plan of an entry, if it names one that there is.
fn plan(entry: &TokenEntry, plans: &Plans, place: &Place, judge: &mut Judge<'_>) -> Option<PlanName> {
    let named = entry.plan.0.as_deref()?;
    if let Some((name, _)) = plans.by_name.get_key_value(&PlanName::from(named)) {
        return Some(name.clone());
    }
    let what = match speakable(named) {
        Some(name) => format!("a token names the plan `{name}`, which is none"),
        None => "a token names a plan that is none".to_owned(),
    };
    let meant = nearest(named, plans.by_name.keys().map(PlanName::as_str));
    let meant = meant.map(|near| format!("; do you mean `{near}`?")).unwrap_or_default();
    let remedy = format!("name a plan that is described under `plans`{meant}");
    judge.findings.problem(place.clone(), what, &remedy);
    None
}

pub(super) fn limits(section: &UserLimitsSection) -> UserLimits {
    UserLimits {
        requests_per_minute: section.requests_per_minute.0.map(NonZeroU32::get),
        burst: section.burst.0.map(NonZeroU32::get),
        max_concurrent: section.max_concurrent.0.map(NonZeroU32::get),
    }
}
