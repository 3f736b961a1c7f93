//! What answers create, show and end: tokens, sessions and what organisations keep, with their owners.

use std::time::Duration;

use keygate_domain::{Access, Binding, Intent, Keepsake, OpenedSession, Resource};
use keygate_provider::{Ended, EngineHosts, Inbound, Meter, Metered, ProviderOptions};
use serde_json::Value;

use crate::routes::{self, Creates, GET_SESSION, KEPT, MINT_SESSION_TOKEN, SESSION, START_SESSION};
use crate::{belongings, engine, remint, session_token};

/// How much of an answer is kept for reading, in bytes. A start's answer lists ICE servers and
/// takes a few KiB; a longer one is relayed all the same and only not remembered.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The same of a page of what an organisation keeps: a hundred personas with what they are told to be.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// A token is valid for an hour. One minted with a longer `expiresIn` still starts after that,
/// as a token of unknown owner: what it loses is the failover.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Larger plans put no cap on a session's length, so there is no moment at which a session is
/// surely over; a day is longer than anybody talks to an avatar and keeps the memory bounded.
const SESSION_LIFETIME: Duration = Duration::from_hours(24);

/// How long it may take from a start until the avatar is there, from which on a session's length counts.
const UNTIL_STREAMING: Duration = Duration::from_secs(30);

/// Watches the answer to `intent` pass.
pub(crate) fn meter(options: &ProviderOptions, intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
    if routes::ends_session(intent.operation) {
        return Box::new(Over::of_session(named_session(intent)));
    }
    let told = match intent.operation {
        MINT_SESSION_TOKEN => Told::Token(remint::keepsake(options, inbound)),
        START_SESSION => {
            Told::Start { hosts: options.engine_hosts.clone(), longest: longest(intent, inbound) }
        }
        GET_SESSION => match named_session(intent) {
            Some(session) => Told::State { session },
            None => return Box::new(Unread),
        },
        other => match routes::row_of(other) {
            Some(row) if routes::deletes(row) => return Box::new(Over::of_deletion(intent)),
            Some(row) => match (row.creates, row.shows) {
                (Some(creates), _) => Told::Item(creates),
                (None, Some(kind)) => Told::Belongings(kind),
                (None, None) => return Box::new(Unread),
            },
            None => return Box::new(Unread),
        },
    };
    Box::new(Reading::new(told))
}

/// How long a session lasts at most, where its start says so. A token's start does not: what it was minted
/// with holds.
fn longest(intent: &Intent, inbound: &Inbound<'_>) -> Option<Duration> {
    if intent.access == Access::OwnCredential {
        return None;
    }
    let body: Value = serde_json::from_slice(inbound.body).ok()?;
    let seconds =
        body.pointer("/personaConfig/maxSessionLengthSeconds")?.as_u64().filter(|seconds| *seconds > 0)?;
    // The count begins when the avatar does, which is a little later.
    Some((Duration::from_secs(seconds) + UNTIL_STREAMING).min(SESSION_LIFETIME))
}

fn named_session(intent: &Intent) -> Option<Resource> {
    intent.references.iter().find(|resource| resource.kind == SESSION).cloned()
}

/// What a successful answer tells of.
enum Told {
    /// A token was minted.
    Token(Option<Keepsake>),
    /// A session was started.
    Start { hosts: EngineHosts, longest: Option<Duration> },
    /// How a session fares.
    State { session: Resource },
    /// Something is kept from now on.
    Item(Creates),
    /// What there is of a kind.
    Belongings(&'static str),
}

impl Told {
    fn read(self, answer: &[u8]) -> Option<Metered> {
        match self {
            Self::Token(keepsake) => {
                let resource = session_token::resource(&session_token::in_answer(answer)?);
                Some(created([Binding { resource, lifetime: TOKEN_LIFETIME, keepsake }]))
            }
            Self::Start { hosts, longest } => started(&serde_json::from_slice(answer).ok()?, &hosts, longest),
            Self::State { session } => {
                let answer: Value = serde_json::from_slice(answer).ok()?;
                let has_ended = answer.get("endTime").is_some_and(|ended| !ended.is_null());
                let found = belongings::shown(SESSION, SESSION_LIFETIME, &answer);
                Some(Metered { ended: has_ended.then_some(session), found, ..Metered::default() })
            }
            Self::Item(Creates { kind, field, lifetime }) => {
                let answer: Value = serde_json::from_slice(answer).ok()?;
                let id = text(&answer, field)?;
                Some(created([Binding { resource: Resource::new(kind, id), lifetime, keepsake: None }]))
            }
            Self::Belongings(kind) => {
                let lifetime = if kind == SESSION { SESSION_LIFETIME } else { KEPT };
                let found = belongings::shown(kind, lifetime, &serde_json::from_slice(answer).ok()?);
                Some(Metered { found, ..Metered::default() })
            }
        }
    }

    /// How much of the answer is kept for reading.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Belongings(_) => MAX_PAGE_BYTES,
            Self::Token(_) | Self::Start { .. } | Self::State { .. } | Self::Item(_) => MAX_ANSWER_BYTES,
        }
    }
}

fn created(bindings: impl Into<Vec<Binding>>) -> Metered {
    Metered { bindings: bindings.into(), ..Metered::default() }
}

/// A session, and the engine it is at: where that may be spoken with through the gateway, knowing both is
/// the right to.
fn started(answer: &Value, hosts: &EngineHosts, longest: Option<Duration>) -> Option<Metered> {
    let id = text(answer, "sessionId")?;
    let session = Resource::new(SESSION, id);
    let host = text(answer, "engineHost").and_then(|engine| hosts.find(engine.split('/').next()?));
    let its_engine = host.map(|host| engine::of_session(id, &host));
    let named = [session.clone()].into_iter().chain(its_engine);
    let bindings = named.map(|resource| Binding { resource, lifetime: SESSION_LIFETIME, keepsake: None });
    let opened = Some(OpenedSession { session, longest });
    Some(Metered { bindings: bindings.collect(), opened, ..Metered::default() })
}

fn text<'a>(answer: &'a Value, field: &str) -> Option<&'a str> {
    answer.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// Keeps an answer that names what it created or shows.
struct Reading {
    told: Told,
    most_bytes: usize,
    answer: Vec<u8>,
    is_too_long: bool,
}

impl Reading {
    fn new(told: Told) -> Self {
        Self { most_bytes: told.most_bytes(), told, answer: Vec::new(), is_too_long: false }
    }
}

impl Meter for Reading {
    fn see(&mut self, chunk: &[u8]) {
        if self.is_too_long || self.answer.len() + chunk.len() > self.most_bytes {
            self.is_too_long = true;
            self.answer = Vec::new();
        } else {
            self.answer.extend_from_slice(chunk);
        }
    }

    /// However the relay ended: an answer that is whole has created what it names.
    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        self.told.read(&self.answer).unwrap_or_default()
    }
}

/// For the answer to a stop, after which the organisation has room for another session, and to a deletion.
struct Over {
    session: Option<Resource>,
    gone: Vec<Resource>,
}

impl Over {
    fn of_session(session: Option<Resource>) -> Self {
        Self { session, gone: Vec::new() }
    }

    /// What the path names comes first, whatever else a body may.
    fn of_deletion(intent: &Intent) -> Self {
        Self { session: None, gone: intent.references.first().cloned().into_iter().collect() }
    }
}

impl Meter for Over {
    fn see(&mut self, _chunk: &[u8]) {}

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered { ended: self.session, gone: self.gone, ..Metered::default() }
    }
}

/// For answers that create nothing.
struct Unread;

impl Meter for Unread {
    fn see(&mut self, _chunk: &[u8]) {}

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered::default()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use keygate_provider::Origin;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const MINT: &[u8] = br#"{"personaConfig":{"avatarId":"a"}}"#;

    fn starting() -> Reading {
        let hosts = EngineHosts::parse(["*.anam.ai"]).unwrap();
        Reading::new(Told::Start { hosts, longest: None })
    }

    fn minting(body: &'static [u8]) -> Reading {
        let inbound = Inbound {
            method: &Method::POST,
            path: "/v1/auth/session-token",
            query: None,
            headers: &HeaderMap::new(),
            body: &Bytes::from_static(body),
            origin: Origin::INSIDE,
            request_id: "order-17",
        };
        Reading::new(Told::Token(remint::keepsake(&ProviderOptions::default(), &inbound)))
    }

    fn bindings(mut meter: Reading, answer: &[u8], ended: Ended) -> Vec<Binding> {
        meter.see(answer);
        Box::new(meter).finish(ended).bindings
    }

    #[test]
    fn a_token_is_bound_for_an_hour_with_what_minted_it() {
        let bound = bindings(minting(MINT), br#"{"sessionToken":"abc"}"#, Ended::Complete);
        let [binding] = &bound[..] else { panic!("{bound:?}") };
        assert_eq!(binding.resource, session_token::resource("abc"));
        assert_eq!(binding.lifetime, Duration::from_hours(1));
        let kept = binding.keepsake.as_ref().unwrap();
        let kept_body = std::str::from_utf8(kept.bytes()).unwrap();
        assert!(
            kept.is_portable() && kept_body.ends_with(r#","personaConfig":{"avatarId":"a"}}"#),
            "{kept_body}"
        );
    }

    #[test]
    fn a_token_of_a_persona_stays_home() {
        let bound = bindings(
            minting(br#"{"personaConfig":{"personaId":"p"}}"#),
            br#"{"sessionToken":"abc"}"#,
            Ended::Complete,
        );
        assert!(
            matches!(&bound[..], [Binding { keepsake: Some(kept), .. }] if !kept.is_portable()),
            "{bound:?}"
        );
    }

    #[test]
    fn a_session_is_bound_even_if_the_caller_left_after_the_last_byte() {
        let bound = bindings(starting(), br#"{"sessionId":"s1","region":"eu"}"#, Ended::Abandoned);
        assert_eq!(bound.first().map(|binding| binding.resource.to_string()).as_deref(), Some("session/s1"));
    }

    #[rstest]
    #[case(b"")]
    #[case(b"<html>")]
    #[case(b"{\"sessionId\":7}")]
    #[case(b"{\"sessionId\":\"\"}")]
    #[case(b"{\"sessionId\":\"s1\"")]
    #[case(b"{\"sessionToken\":\"abc\"}")]
    fn nothing_is_bound_by_what_names_no_session(#[case] answer: &[u8]) {
        assert!(bindings(starting(), answer, Ended::Complete).is_empty());
    }

    #[test]
    fn an_endless_answer_is_not_kept() {
        let mut meter = starting();
        meter.see(br#"{"sessionId":"s1","#);
        for _ in 0..1000 {
            meter.see(&[b' '; 1024]);
            assert!(meter.answer.len() <= MAX_ANSWER_BYTES);
        }
        meter.see(br#""x":1}"#);
        assert!(Box::new(meter).finish(Ended::Complete).bindings.is_empty());
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(sizes in prop::collection::vec(0usize..40, 1..200), padding in 0usize..300) {
            let answer = format!(r#"{{"clientConfig":"{}","sessionId":"s1"}}"#, "ü".repeat(padding)).into_bytes();
            let mut meter = starting();
            let mut rest = &answer[..];
            for size in sizes {
                let (chunk, left) = rest.split_at(size.min(rest.len()));
                meter.see(chunk);
                rest = left;
            }
            meter.see(rest);
            let bound = Box::new(meter).finish(Ended::Complete).bindings;
            prop_assert_eq!(bound, bindings(starting(), &answer, Ended::Complete));
        }
    }
}
