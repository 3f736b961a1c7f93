//! What answers create: the token of a mint and the session of a start, with their owners.

use std::time::Duration;

use keygate_domain::{Binding, Intent, Keepsake, Resource};
use keygate_provider::{Ended, Inbound, Meter, Metered};
use serde_json::Value;

use crate::routes::{MINT_SESSION_TOKEN, SESSION, START_SESSION, STOP_SESSION};
use crate::{remint, session_token};

/// How much of an answer is kept for reading, in bytes. A start's answer lists ICE servers and
/// takes a few KiB; a longer one is relayed all the same and only not remembered.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A token is valid for an hour. One minted with a longer `expiresIn` still starts after that,
/// as a token of unknown owner: what it loses is the failover.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// Larger plans put no cap on a session's length, so there is no moment at which a session is
/// surely over; a day is longer than anybody talks to an avatar and keeps the memory bounded.
const SESSION_LIFETIME: Duration = Duration::from_hours(24);

/// Watches the answer to `intent` pass.
pub(crate) fn meter(intent: &Intent, inbound: &Inbound<'_>) -> Box<dyn Meter> {
    if intent.operation == MINT_SESSION_TOKEN {
        Box::new(Creation::new(Created::Token(remint::keepsake(inbound.body))))
    } else if intent.operation == START_SESSION {
        Box::new(Creation::new(Created::Session))
    } else if intent.operation == STOP_SESSION {
        Box::new(Stop)
    } else {
        Box::new(Unread)
    }
}

/// What a successful answer has created.
enum Created {
    Token(Option<Keepsake>),
    Session,
}

impl Created {
    fn binding(self, answer: &[u8]) -> Option<Binding> {
        match self {
            Self::Token(keepsake) => Some(Binding {
                resource: session_token::resource(&session_token::in_answer(answer)?),
                lifetime: TOKEN_LIFETIME,
                keepsake,
            }),
            Self::Session => {
                let answer: Value = serde_json::from_slice(answer).ok()?;
                let id = answer.get("sessionId")?.as_str().filter(|id| !id.is_empty())?;
                let resource = Resource::new(SESSION, id);
                Some(Binding { resource, lifetime: SESSION_LIFETIME, keepsake: None })
            }
        }
    }
}

/// Keeps an answer that names what it created.
struct Creation {
    created: Created,
    answer: Vec<u8>,
    is_too_long: bool,
}

impl Creation {
    fn new(created: Created) -> Self {
        Self { created, answer: Vec::new(), is_too_long: false }
    }
}

impl Meter for Creation {
    fn see(&mut self, chunk: &[u8]) {
        if self.is_too_long || self.answer.len() + chunk.len() > MAX_ANSWER_BYTES {
            self.is_too_long = true;
            self.answer = Vec::new();
        } else {
            self.answer.extend_from_slice(chunk);
        }
    }

    /// However the relay ended: an answer that is whole has created what it names.
    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered { bindings: self.created.binding(&self.answer).into_iter().collect(), ..Metered::default() }
    }
}

/// For the answer to a stop: the organisation has room for another session.
struct Stop;

impl Meter for Stop {
    fn see(&mut self, _chunk: &[u8]) {}

    fn finish(self: Box<Self>, _ended: Ended) -> Metered {
        Metered { frees_session: true, ..Metered::default() }
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
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const MINT: &[u8] = br#"{"personaConfig":{"avatarId":"a"}}"#;

    fn creation(of: Created) -> Creation {
        Creation::new(of)
    }

    fn minting(body: &'static [u8]) -> Creation {
        creation(Created::Token(remint::keepsake(&Bytes::from_static(body))))
    }

    fn bindings(mut meter: Creation, answer: &[u8], ended: Ended) -> Vec<Binding> {
        meter.see(answer);
        Box::new(meter).finish(ended).bindings
    }

    #[test]
    fn a_token_is_bound_for_an_hour_with_what_minted_it() {
        let bound = bindings(minting(MINT), br#"{"sessionToken":"abc"}"#, Ended::Complete);
        let [binding] = &bound[..] else { panic!("{bound:?}") };
        assert_eq!(binding.resource, session_token::resource("abc"));
        assert_eq!(binding.lifetime, Duration::from_hours(1));
        assert_eq!(binding.keepsake.as_ref().map(|kept| &kept.bytes()[..]), Some(MINT));
    }

    #[test]
    fn a_token_of_a_persona_stays_home() {
        let bound = bindings(
            minting(br#"{"personaConfig":{"personaId":"p"}}"#),
            br#"{"sessionToken":"abc"}"#,
            Ended::Complete,
        );
        assert!(matches!(&bound[..], [Binding { keepsake: None, .. }]), "{bound:?}");
    }

    #[test]
    fn a_session_is_bound_even_if_the_caller_left_after_the_last_byte() {
        let bound =
            bindings(creation(Created::Session), br#"{"sessionId":"s1","region":"eu"}"#, Ended::Abandoned);
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
        assert!(bindings(creation(Created::Session), answer, Ended::Complete).is_empty());
    }

    #[test]
    fn an_endless_answer_is_not_kept() {
        let mut meter = creation(Created::Session);
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
            let mut meter = creation(Created::Session);
            let mut rest = &answer[..];
            for size in sizes {
                let (chunk, left) = rest.split_at(size.min(rest.len()));
                meter.see(chunk);
                rest = left;
            }
            meter.see(rest);
            let bound = Box::new(meter).finish(Ended::Complete).bindings;
            prop_assert_eq!(bound, bindings(creation(Created::Session), &answer, Ended::Complete));
        }
    }
}
