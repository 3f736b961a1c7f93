//! What organisations keep: every route, and which organisation it is for.

use std::fmt::Write as _;

use http::Method;
use keygate_domain::{Access, ApiKey, ErrorKind, GroupId, Placement, Replay};
use keygate_provider::{Ended, Grant};
use rstest::rstest;

use crate::asking::{Asked, anam, session_token, wire, with};

/// Every route with its method. An id is `i1`.
const ROUTES: &str = include_str!("../../fixtures/routes.txt");

fn summary(method: &str, path: &'static str) -> String {
    let asked = Asked::new(method.parse().unwrap(), path);
    let intent = asked.understood().unwrap();
    let placement = match intent.placement {
        Placement::Any => "any",
        Placement::In(_) => "in",
        Placement::Settled(_) => "settled",
    };
    let replay = if intent.replay == Replay::Safe { "safe" } else { "once" };
    let right = format!("{:?}", intent.right).to_lowercase();
    let names = intent.references.first().map_or_else(|| "-".to_owned(), ToString::to_string);
    let operation = intent.operation;
    format!("{method} {path} {operation} {right} {replay} {placement} {} {names}", intent.user_units)
}

/// One line for each row of facts/anam.md A1: method, path, operation, scope of the token, whether it may be
/// sent twice, which organisation, units of the user's, what it names.
#[test]
fn every_route_is_served() {
    let mut told = String::new();
    for line in ROUTES.lines() {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let path: &'static str = Box::leak(path.to_owned().into_boxed_str());
        writeln!(told, "{}", summary(method, path)).unwrap();
        let asked = Asked::new(method.parse().unwrap(), path).bearer("kg_client");
        let key = ApiKey::new("pool-key-1");
        let grant = Grant { key: Some(&key), ..Grant::default() };
        let sent = wire(&anam().request(&asked.understood().unwrap(), &asked.inbound(), &grant));
        assert_eq!(
            sent,
            format!("{method} {path}\nauthorization: Bearer pool-key-1\n\n"),
            "under the pool's key"
        );
    }
    assert_eq!(told, ROUTES);
    assert_eq!(ROUTES.lines().count() + 1, keygate_provider_anam::ADAPTER.operations.len(), "all but talk");
}

fn placement(asked: &Asked, management: Option<&str>) -> Placement {
    with(management).understand(&asked.inbound()).unwrap().placement
}

#[test]
fn what_one_organisation_keeps_goes_to_the_one_that_is_named() {
    let listing = Asked::new(Method::GET, "/v1/personas");
    assert_eq!(placement(&listing, None), Placement::Settled(None));
    assert_eq!(placement(&listing, Some("studio")), Placement::Settled(Some("studio".into())));
    let named = listing.header("x-keygate-group", " backup ");
    assert_eq!(placement(&named, Some("studio")), Placement::In("backup".into()));
    let start = Asked::post("/v1/engine/session", "{}");
    assert_eq!(placement(&start, Some("studio")), Placement::Any, "a session may start anywhere");
    assert_eq!(placement(&start.header("x-keygate-group", "backup"), None), Placement::In("backup".into()));
    let own = Asked::start_by(&session_token("org-1")).header("x-keygate-group", "backup");
    assert_eq!(placement(&own, None), Placement::Any, "a token says itself where it belongs");
    let nobody = Asked::new(Method::GET, "/v1/personas").header("x-keygate-group", " ");
    assert_eq!(nobody.understood().unwrap_err().kind, ErrorKind::BadRequest);
}

#[rstest]
#[case::persona("/v1/personas", r#"{"id":"p1"}"#, "persona/p1")]
#[case::avatar("/v1/avatars", r#"{"id":"a1"}"#, "avatar/a1")]
#[case::voice("/v1/voices", r#"{"id":"v1"}"#, "voice/v1")]
#[case::upload("/v1/voices/presigned-upload", r#"{"uploadUrl":"https://s","audioKey":"k1"}"#, "audio/k1")]
#[case::llm("/v1/llms", r#"{"id":"l1"}"#, "llm/l1")]
#[case::tool("/v1/tools", r#"{"id":"t1"}"#, "tool/t1")]
#[case::knowledge("/v1/knowledge/groups", r#"{"id":"g1"}"#, "knowledge/g1")]
#[case::document("/v1/knowledge/groups/g1/documents", r#"{"id":"d1"}"#, "document/d1")]
#[case::place(
    "/v1/knowledge/groups/g1/documents/presigned-upload",
    r#"{"uploadUrl":"https://s","documentId":"d2"}"#,
    "document/d2"
)]
#[case::share("/v1/share-links", r#"{"id":"s1"}"#, "share_link/s1")]
#[case::invite("/v1/meetings/invites", r#"{"id":"m1"}"#, "invite/m1")]
fn what_is_created_belongs_to_its_organisation(
    #[case] path: &'static str,
    #[case] answer: &str,
    #[case] expected: &str,
) {
    let asked = Asked::post(path, "{}");
    let mut meter = anam().meter(&asked.understood().unwrap(), &asked.inbound());
    meter.see(answer.as_bytes());
    let bound: Vec<String> =
        meter.finish(Ended::Complete).bindings.iter().map(|binding| binding.resource.to_string()).collect();
    assert_eq!(bound, [expected]);
}

#[rstest]
#[case("/v1/voices", r#"{"name":"n","audioKey":"k1"}"#, &["audio/k1"])]
#[case("/v1/share-links", r#"{"personaId":"p1"}"#, &["persona/p1"])]
#[case("/v1/meetings/invites", r#"{"meetingUrl":"m","personaConfig":{"avatarId":"a1"}}"#, &["avatar/a1"])]
#[case("/v1/personas", r#"{"toolIds":["t1"],"voiceId":"v1"}"#, &["voice/v1", "tool/t1"])]
#[case("/v1/knowledge/groups/g1/search", r#"{"query":"q"}"#, &["knowledge/g1"])]
fn what_a_creation_names_is_found(
    #[case] path: &'static str,
    #[case] body: &'static str,
    #[case] expected: &[&str],
) {
    let intent = Asked::post(path, body).understood().unwrap();
    let named: Vec<String> = intent.references.iter().map(ToString::to_string).collect();
    assert_eq!(named, expected);
}

#[test]
fn a_form_goes_out_as_it_came() {
    let form = "--b\r\ncontent-disposition: form-data; name=\"imageFile\"; filename=\"a.png\"\r\n\r\n\0\r\n--b--\r\n";
    let asked = Asked::post("/v1/avatars", form).header("content-type", "multipart/form-data; boundary=b");
    let key = ApiKey::new("pool-key-1");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let sent = wire(&anam().request(&asked.understood().unwrap(), &asked.inbound(), &grant));
    assert_eq!(
        sent,
        format!(
            "POST /v1/avatars\nauthorization: Bearer pool-key-1\ncontent-type: multipart/form-data; boundary=b\n\n{form}"
        )
    );
}

#[test]
fn an_upload_token_stands_in_for_the_key_where_documents_are_uploaded_and_nowhere_else() {
    let upload = Asked::post("/v1/knowledge/groups/g1/documents", "x").header("x-upload-token", "t1");
    let intent = upload.understood().unwrap();
    assert_eq!(
        (intent.access, intent.references[0].to_string().as_str()),
        (Access::OwnCredential, "knowledge/g1")
    );
    let key = ApiKey::new("pool-key-1");
    let grant = Grant { key: Some(&key), ..Grant::default() };
    let sent = wire(&anam().request(&intent, &upload.inbound(), &grant));
    assert_eq!(sent, "POST /v1/knowledge/groups/g1/documents\nx-upload-token: t1\n\nx");

    let by_client = upload.bearer("kg_client");
    assert_eq!(by_client.understood().unwrap().access, Access::Token);
    let other = Asked::post("/v1/knowledge/groups", "{}").header("x-upload-token", "t1");
    assert_eq!(other.understood().unwrap().access, Access::Token);
    let listing = Asked::new(Method::GET, "/v1/knowledge/groups/g1/documents").header("x-upload-token", "t1");
    assert_eq!(listing.understood().unwrap().access, Access::Token);
}

#[test]
fn a_persona_of_all_organisations_is_sent_by_the_id_of_the_one_that_is_asked() {
    let body = r#"{"personaConfig":{"personaId":"receptionist"}}"#;
    let (studio, backup) = (GroupId::new("studio"), GroupId::new("backup"));
    let key = ApiKey::new("pool-key-1");
    for (path, group, id) in [
        ("/v1/auth/session-token", &studio, "id-s"),
        ("/v1/engine/session", &backup, "id-b"),
        ("/v1/meetings/invites", &backup, "id-b"),
    ] {
        let asked = Asked::post(path, body);
        let intent = asked.understood().unwrap();
        assert!(intent.references.is_empty(), "it belongs to nobody alone");
        let grant = Grant { key: Some(&key), group: Some(group), ..Grant::default() };
        let sent = wire(&anam().request(&intent, &asked.inbound(), &grant));
        assert!(sent.contains(&format!(r#""personaConfig":{{"personaId":"{id}"}}}}"#)), "{sent}");
    }
    // A token of such a persona can be minted anew in another organisation, under the id it has there.
    let mint = Asked::post("/v1/auth/session-token", body);
    let mut meter = anam().meter(&mint.understood().unwrap(), &mint.inbound());
    let token = session_token("org-studio");
    meter.see(format!(r#"{{"sessionToken":"{token}"}}"#).as_bytes());
    let keepsake = meter.finish(Ended::Complete).bindings.remove(0).keepsake.expect("it can be repeated");
    let start = Asked::start_by(&token);
    let intent = start.understood().unwrap();
    let grant = Grant { key: Some(&key), group: Some(&backup), away: Some(&keepsake), ..Grant::default() };
    let preparation = wire(&anam().preparation(&intent, &start.inbound(), &grant).unwrap());
    assert!(preparation.ends_with(r#""personaConfig":{"personaId":"id-b"}}"#), "{preparation}");
}
