//! What is added to a stream that ends too early, and where.

use keygate_domain::{ErrorKind, Refusal};
use rstest::rstest;

use super::meters::{ARRAY, EVENTS, INTERACTION_EVENTS, OPENAI_EVENTS, WHOLE, meter};

fn last_words(target: &str, so_far: &str) -> Option<String> {
    let refusal = Refusal::new(ErrorKind::UpstreamUnreachable, "The provider broke off.");
    let mut meters = [meter(target), meter(target)];
    meters[0].see(so_far.as_bytes());
    for byte in so_far.as_bytes() {
        meters[1].see(&[*byte]);
    }
    let words = meters
        .map(|meter| meter.farewell(&refusal, 502).map(|words| String::from_utf8(words.to_vec()).unwrap()));
    assert_eq!(words[0], words[1], "{so_far:?}");
    words.into_iter().next().flatten()
}

#[test]
fn last_words_are_an_event_that_sdks_raise() {
    insta::assert_snapshot!(
        last_words(EVENTS, "data: {}\r\n\r\n").unwrap().escape_debug(),
        @r#"data: {\"error\":{\"code\":502,\"message\":\"The provider broke off.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n"#
    );
    insta::assert_snapshot!(
        last_words(OPENAI_EVENTS, "data: {}\n\n").unwrap().escape_debug(),
        @r#"data: {\"error\":{\"code\":\"upstream_unreachable\",\"message\":\"The provider broke off.\",\"param\":null,\"type\":\"server_error\"}}\n\n"#
    );
    insta::assert_snapshot!(
        last_words(INTERACTION_EVENTS, "event: interaction.created\ndata: {\"interaction\":{}}\n\n").unwrap().escape_debug(),
        @r#"event: error\ndata: {\"error\":{\"code\":\"service_unavailable\",\"message\":\"The provider broke off.\"},\"event_type\":\"error\"}\n\n"#
    );
}

#[rstest]
#[case("", true)]
#[case("data: {}\r\n\r\n", true)]
#[case("data: {}\n\n", true)]
#[case("data: {}\r\n\r\n\r\n", true)]
#[case("data: {}\r\n", false)]
#[case("data: {}\r\n\r", false)]
#[case("data: {}\n", false)]
#[case("data: {\"a\":\"", false)]
#[case("data: {}\r\n\r\nd", false)]
#[case("data: {\"error\":{\"code\":503}}\r\n\r\n", false)]
fn last_words_come_only_at_an_event_boundary(#[case] so_far: &str, #[case] expected: bool) {
    assert_eq!(last_words(EVENTS, so_far).is_some(), expected);
}

#[test]
fn documents_have_no_last_words() {
    assert_eq!(last_words(WHOLE, ""), None);
    assert_eq!(last_words(ARRAY, "[{}\n,\n"), None);
}
