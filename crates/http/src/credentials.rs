//! Tokens: where callers put them, and whom they stand for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use keygate_actors::clock;
use keygate_config::ClientsConfig;
use keygate_domain::{ClientId, ClientProfile, ClientToken, PlanName, Right, UserLimits};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// What anybody may do on an open gateway.
const OPEN_RIGHTS: [Right; 6] =
    [Right::Chat, Right::Embed, Right::Files, Right::Live, Right::Avatar, Right::Manage];

/// Whoever has the token of the variable `KEYGATE_ADMIN_TOKEN`, in the audit trail.
const THE_ADMIN: &str = "admin";

/// A client, as its requests need it: cheap to clone.
pub(crate) struct KnownClient {
    pub(crate) id: ClientId,
    pub(crate) name: Arc<str>,
    pub(crate) profile: Arc<ClientProfile>,
    /// From then on its token opens nothing.
    ends_at: Option<Timestamp>,
    sha256: [u8; 32],
}

/// Knows the tokens, by their SHA-256 only: those of the configuration and those that are kept.
pub(crate) struct Doorkeeper {
    clients: BTreeMap<[u8; 32], KnownClient>,
    /// By client, for all its tokens.
    limits: BTreeMap<String, UserLimits>,
    /// By client; where its tokens name several, the one of the configuration, else of the last that was made.
    plans: BTreeMap<String, PlanName>,
    admin: Option<[u8; 32]>,
    anybody: Arc<ClientProfile>,
    stranger: Arc<ClientProfile>,
}

/// What a token turns out to be.
pub(crate) enum Looked<'d> {
    /// A client's.
    Known(&'d KnownClient),
    /// One that was a client's once.
    Ended,
    /// Nobody's.
    Unknown,
}

/// What a request shows of itself.
pub(crate) enum Shown<'a> {
    /// No credential.
    Nothing,
    /// One, in one or several places.
    One(Cow<'a, str>),
    /// Two different ones: whichever were believed, half of the callers would be wrong.
    Several,
}

impl Doorkeeper {
    /// Knows the tokens of the configuration, and `kept` ones beside them. Tokens of one name are one client's,
    /// wherever they are from: its limits hold for all of them, and a plan for those that name none.
    pub(crate) fn new(config: &ClientsConfig, kept: &[ClientToken]) -> Self {
        let limits: BTreeMap<String, UserLimits> =
            config.tokens.iter().map(|token| (token.name.clone(), token.limits)).collect();
        let limits_of = |name: &str| limits.get(name).copied().unwrap_or_default();
        let plans = plans(config, kept);
        let configured = config.tokens.iter().map(|token| {
            let profile = ClientProfile {
                rights: token.rights.iter().copied().collect(),
                models: token.models.clone(),
                plan: token.plan.clone().or_else(|| plans.get(&token.name).cloned()),
                limits: token.limits,
                keeper: None,
            };
            KnownClient::new(&token.name, profile, token.sha256, None)
        });
        let kept = kept.iter().map(|token| {
            let profile = ClientProfile {
                rights: token.rights.iter().copied().collect(),
                models: token.models.clone(),
                plan: token.plan.clone().or_else(|| plans.get(&token.name).cloned()),
                limits: limits_of(&token.name),
                keeper: token.keeper.as_deref().map(Arc::from),
            };
            KnownClient::new(&token.name, profile, token.sum.0, token.ends_at())
        });
        // A token that is in both is the configuration's: what stands there is in sight.
        let clients = kept.chain(configured).map(|client| (client.sha256, client)).collect();
        Self {
            clients,
            limits,
            plans,
            admin: config.admin_token_sha256,
            anybody: Arc::new(ClientProfile::with_rights(&OPEN_RIGHTS)),
            stranger: Arc::default(),
        }
    }

    /// What a token is.
    pub(crate) fn client_of(&self, token: &str) -> Looked<'_> {
        self.client_with(&sha256(token))
    }

    /// The look-up goes by digest, so its timing tells nothing of the token; the final comparison is in
    /// constant time all the same. The clock is read for tokens that end only.
    fn client_with(&self, digest: &[u8; 32]) -> Looked<'_> {
        match self.clients.get(digest) {
            Some(client) if !bool::from(client.sha256.ct_eq(digest)) => Looked::Unknown,
            Some(client) if client.has_ended() => Looked::Ended,
            Some(client) => Looked::Known(client),
            None => Looked::Unknown,
        }
    }

    /// Whether any admin token exists at all.
    pub(crate) fn has_admin(&self) -> bool {
        let is_admin =
            |client: &KnownClient| client.profile.rights.contains(&Right::Admin) && !client.has_ended();
        self.admin.is_some() || self.clients.values().any(is_admin)
    }

    /// Whose token opens operators' routes, if this one does.
    pub(crate) fn operator_of(&self, token: &str) -> Option<&str> {
        let digest = sha256(token);
        if self.admin.is_some_and(|admin| bool::from(admin.ct_eq(&digest))) {
            return Some(THE_ADMIN);
        }
        match self.client_with(&digest) {
            Looked::Known(client) if client.profile.rights.contains(&Right::Admin) => Some(&client.name),
            Looked::Known(_) | Looked::Ended | Looked::Unknown => None,
        }
    }

    /// The client of all tokens, if there is but one.
    pub(crate) fn only_client(&self) -> Option<&ClientId> {
        let first = &self.clients.values().next()?.id;
        self.clients.values().all(|client| client.id == *first).then_some(first)
    }

    /// Whether there is a token of this client, or was not long ago.
    pub(crate) fn knows(&self, client: &str) -> bool {
        self.clients.values().any(|known| known.id.as_str() == client)
    }

    /// The limits of a client's users, where they differ from everybody's.
    pub(crate) fn limits_of(&self, client: &ClientId) -> UserLimits {
        self.limits.get(client.as_str()).copied().unwrap_or_default()
    }

    /// The plan of a client's users, if it is not everybody's.
    pub(crate) fn plan_of(&self, client: &ClientId) -> Option<PlanName> {
        self.plans.get(client.as_str()).cloned()
    }

    /// What is known of everybody on an open gateway.
    pub(crate) fn for_anybody(&self) -> &Arc<ClientProfile> {
        &self.anybody
    }

    /// What is known of whoever shows nothing that is known.
    pub(crate) fn for_strangers(&self) -> &Arc<ClientProfile> {
        &self.stranger
    }
}

fn plans(config: &ClientsConfig, kept: &[ClientToken]) -> BTreeMap<String, PlanName> {
    let now = clock::now().wall;
    // They come in the order they were made.
    let kept = kept.iter().filter(|token| token.ends_at().is_none_or(|end| end > now));
    let kept = kept.filter_map(|token| Some((token.name.clone(), token.plan.clone()?)));
    let configured = config.tokens.iter().filter_map(|token| Some((token.name.clone(), token.plan.clone()?)));
    kept.chain(configured).collect()
}

impl KnownClient {
    fn new(name: &str, profile: ClientProfile, sha256: [u8; 32], ends_at: Option<Timestamp>) -> Self {
        Self { id: ClientId::from(name), name: Arc::from(name), profile: Arc::new(profile), ends_at, sha256 }
    }

    fn has_ended(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= clock::now().wall)
    }
}

/// The token of `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    bearers(headers).next()
}

/// The token of an operator: in a header of its own, else where a client's would be.
pub(crate) fn admin_token(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get("x-keygate-admin-token").and_then(|value| value.to_str().ok());
    own.or_else(|| bearer(headers))
}

/// What a request shows, in all the places where SDKs put a key.
pub(crate) fn shown<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Shown<'a> {
    let in_header = headers.get_all(X_GOOG_API_KEY).into_iter().filter_map(|value| value.to_str().ok());
    let in_query = query.into_iter().flat_map(keys_of_query);
    let places = in_header.map(Cow::Borrowed).chain(in_query).chain(bearers(headers).map(Cow::Borrowed));
    // An SDK whose key is not set sends an empty one.
    let mut places = places.filter(|token| !token.is_empty());
    match places.next() {
        None => Shown::Nothing,
        Some(first) if places.all(|other| other == first) => Shown::One(first),
        Some(_) => Shown::Several,
    }
}

fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(AUTHORIZATION).into_iter().filter_map(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    })
}

fn keys_of_query(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "key").map(|(_, value)| value)
}

fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(token: &str, name: &str, right: Right, ends_at: Option<Timestamp>) -> ClientToken {
        let sum = keygate_domain::Checksum::of(token.as_bytes());
        ClientToken {
            id: ClientToken::id_of(&sum),
            name: name.to_owned(),
            sum,
            rights: [right].into(),
            models: None,
            plan: None,
            keeper: None,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: ends_at,
            revoked_at: None,
        }
    }

    fn config() -> ClientsConfig {
        let limits = UserLimits { requests_per_minute: Some(3), ..UserLimits::default() };
        let token = keygate_config::ClientToken {
            name: "shop".to_owned(),
            sha256: sha256("kg_yaml"),
            rights: [Right::Chat].into(),
            models: None,
            plan: None,
            limits,
        };
        ClientsConfig {
            auth: keygate_config::AuthMode::Required,
            tokens: vec![token],
            admin_token_sha256: None,
        }
    }

    #[test]
    fn tokens_of_one_name_are_one_client_wherever_they_are_kept() {
        let keeper = Doorkeeper::new(&config(), &[kept("kg_kept", "shop", Right::Embed, None)]);
        let look = |token: &str| match keeper.client_of(token) {
            Looked::Known(client) => Some((client.id.clone(), client.profile.clone())),
            Looked::Ended | Looked::Unknown => None,
        };
        let ((one, ours), (other, theirs)) = (look("kg_yaml").unwrap(), look("kg_kept").unwrap());
        assert_eq!((&one, ours.limits), (&other, theirs.limits));
        assert_eq!(keeper.limits_of(&one), ours.limits);
        assert!(ours.may(Right::Chat) && theirs.may(Right::Embed) && !theirs.may(Right::Chat));
        assert!(look("kg_other").is_none());
    }

    #[test]
    fn a_token_that_ended_opens_nothing_and_is_remembered() {
        let (past, ahead) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        let tokens =
            [kept("kg_past", "a", Right::Admin, Some(past)), kept("kg_ahead", "b", Right::Chat, Some(ahead))];
        let keeper = Doorkeeper::new(&ClientsConfig { tokens: Vec::new(), ..config() }, &tokens);
        assert!(matches!(keeper.client_of("kg_past"), Looked::Ended));
        assert!(matches!(keeper.client_of("kg_ahead"), Looked::Known(_)));
        assert!(!keeper.has_admin(), "who has ended is no operator");
        assert_eq!(keeper.operator_of("kg_past"), None);
        let tokens = [kept("kg_ops", "ops", Right::Admin, None)];
        assert_eq!(Doorkeeper::new(&config(), &tokens).operator_of("kg_ops"), Some("ops"));
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_token_is_found_wherever_an_sdk_puts_it() {
        let check = |pairs: &[(&'static str, &'static str)], query: Option<&str>, expected: &str| {
            let headers = headers(pairs);
            let shown = match shown(&headers, query) {
                Shown::Nothing => "nothing".to_owned(),
                Shown::One(token) => token.into_owned(),
                Shown::Several => "several".to_owned(),
            };
            assert_eq!(shown, expected);
        };
        check(&[], None, "nothing");
        check(&[("x-goog-api-key", "t")], None, "t");
        check(&[("authorization", "bearer t")], None, "t");
        check(&[("authorization", "Basic dDp0")], None, "nothing");
        check(&[("x-goog-api-key", ""), ("authorization", "Bearer ")], Some("key="), "nothing");
        check(&[("x-goog-api-key", ""), ("authorization", "Bearer t")], None, "t");
        check(&[], Some("alt=sse&key=t%2Fu"), "t/u");
        check(&[("x-goog-api-key", "t"), ("authorization", "Bearer t")], Some("key=t"), "t");
        check(&[("x-goog-api-key", "t"), ("authorization", "Bearer u")], None, "several");
        check(&[("x-goog-api-key", "t"), ("x-goog-api-key", "u")], None, "several");
        check(&[("authorization", "Bearer t"), ("authorization", "Bearer u")], None, "several");
        check(&[], Some("key=t&key=u"), "several");
    }
}
