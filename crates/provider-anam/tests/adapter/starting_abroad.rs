//! A session token whose home organisation cannot start its session: the mint is repeated and
//! the session started elsewhere, from nothing but what was remembered of the first mint.

use bytes::Bytes;
use keygate_domain::{ApiKey, Binding, Keepsake};
use keygate_provider::{Ended, Grant};

use crate::asking::{Asked, MARK, START_BODY, anam, session_token, wire};

const MINT_BODY: &str = r#"{"personaConfig":{"avatarId":"a"},"clientLabel":"lab"}"#;

/// Mints `token` at home as a caller would, and returns what is to be remembered of it.
fn minted(body: &'static str, token: &str) -> Vec<Binding> {
    let asked = Asked::post("/v1/auth/session-token", body).bearer("kg_client");
    let mut meter = anam().meter(&asked.understood().unwrap(), &asked.inbound());
    meter.see(format!(r#"{{"sessionToken":"{token}"}}"#).as_bytes());
    meter.finish(Ended::Complete).bindings
}

#[test]
fn a_start_names_what_its_mint_has_bound() {
    let token = session_token("org-home");
    let bound = minted(MINT_BODY, &token);
    let intent = Asked::start_by(&token).understood().unwrap();
    assert_eq!(bound.iter().map(|binding| &binding.resource).collect::<Vec<_>>(), [&intent.references[0]]);
}

#[test]
fn the_mint_is_repeated_and_its_token_starts_the_session() {
    let (home, abroad) = (session_token("org-home"), session_token("org-abroad"));
    let keepsake = minted(MINT_BODY, &home).remove(0).keepsake.unwrap();
    let key = ApiKey::new("pool-key-abroad");
    let asked = Asked::start_by(&home);
    let intent = asked.understood().unwrap();
    let grant = Grant { key: Some(&key), away: Some(&keepsake), ..Grant::default() };

    let preparation = anam().preparation(&intent, &asked.inbound(), &grant).unwrap();
    let body = format!(r#"{{"clientLabel":"lab {MARK}","personaConfig":{{"avatarId":"a"}}}}"#);
    assert_eq!(
        wire(&preparation),
        format!(
            "POST /v1/auth/session-token\naccept: application/json\nauthorization: Bearer pool-key-abroad\n\
             content-type: application/json\n\n{body}"
        )
    );

    let prepared = format!(r#"{{"sessionToken":"{abroad}"}}"#);
    let grant = Grant { prepared: Some(prepared.as_bytes()), ..grant };
    assert_eq!(
        wire(&anam().request(&intent, &asked.inbound(), &grant)),
        format!(
            "POST /v1/engine/session\nauthorization: Bearer {abroad}\ncontent-type: application/json\n\n{START_BODY}"
        )
    );
}

#[test]
fn a_mint_without_a_token_in_its_answer_falls_back_to_the_callers() {
    let home = session_token("org-home");
    let key = ApiKey::new("pool-key-abroad");
    let keepsake = Keepsake::new(Bytes::from_static(b"{}")).unwrap();
    let asked = Asked::start_by(&home);
    for answer in ["", "<html>", "{}", r#"{"sessionToken":""}"#, r#"{"sessionToken":7}"#] {
        let grant = Grant {
            key: Some(&key),
            away: Some(&keepsake),
            prepared: Some(answer.as_bytes()),
            ..Grant::default()
        };
        let request = anam().request(&asked.understood().unwrap(), &asked.inbound(), &grant);
        assert!(wire(&request).contains(&format!("authorization: Bearer {home}\n")), "{answer}");
    }
}

#[test]
fn at_home_and_for_unknown_tokens_nothing_is_prepared() {
    let token = session_token("org-home");
    let key = ApiKey::new("pool-key");
    let keepsake = Keepsake::new(Bytes::from_static(b"{}")).unwrap();
    let asked = Asked::start_by(&token);
    let intent = asked.understood().unwrap();
    let at_home = Grant { key: Some(&key), ..Grant::default() };
    let unknown = Grant::default();
    for grant in [at_home, unknown] {
        assert!(anam().preparation(&intent, &asked.inbound(), &grant).is_none());
        let request = anam().request(&intent, &asked.inbound(), &grant);
        assert!(wire(&request).contains(&format!("authorization: Bearer {token}\n")));
    }
    // A start by key needs no token anywhere: its body says it all.
    let by_key = Asked::post("/v1/engine/session", "{}").bearer("kg_client");
    let abroad = Grant { key: Some(&key), away: Some(&keepsake), ..Grant::default() };
    assert!(anam().preparation(&by_key.understood().unwrap(), &by_key.inbound(), &abroad).is_none());
}

#[test]
fn a_mint_of_a_persona_is_remembered_without_a_way_abroad() {
    let bound = minted(r#"{"personaConfig":{"personaId":"p1"}}"#, &session_token("org-home"));
    let [Binding { keepsake: Some(kept), .. }] = &bound[..] else { panic!("{bound:?}") };
    assert!(!kept.is_portable());
    assert_eq!(&kept.bytes()[..], format!(r#"{{"clientLabel":"{MARK}"}}"#).as_bytes(), "by its label alone");
}

#[test]
fn reads_and_stops_bind_nothing() {
    for asked in
        [Asked::new(http::Method::GET, "/v1/sessions/concurrency"), Asked::post("/v1/sessions/s1/stop", "")]
    {
        let mut meter = anam().meter(&asked.understood().unwrap(), &asked.inbound());
        meter.see(br#"{"sessionId":"s1","sessionToken":"t"}"#);
        assert!(meter.finish(Ended::Complete).bindings.is_empty(), "{}", asked.path);
    }
}
