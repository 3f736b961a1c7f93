//! Faults by script, as a client's socket sees them.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use keygate_simulator::{
    Action, Fault, GoogleRow, HalfStream, Provider, ScriptedAnswer, StreamEnd, StreamEnding, StreamError,
};
use rstest::rstest;
use serde_json::json;

use crate::client::{GENERATE, KEY, STREAM, eventually, open, post, saying, standing};

#[test]
fn a_reset_before_the_head_is_an_rst_and_a_close_is_none() {
    let simulator = standing();
    simulator.script([Fault::new(Action::Reset), Fault::new(Action::Close)]).unwrap();
    let reset = post(&simulator, KEY, GENERATE, &saying("x"));
    assert_eq!((reset.status, reset.broken), (0, Some(ErrorKind::ConnectionReset)));
    let closed = post(&simulator, KEY, GENERATE, &saying("x"));
    assert_eq!((closed.status, closed.broken), (0, None));
    assert_eq!(post(&simulator, KEY, GENERATE, &saying("x")).status, 200);
    let counts = simulator.counts().google;
    assert_eq!((counts.requests, counts.unanswered, counts.faults_met), (3, 2, 2));
}

#[rstest]
#[case::head_only(Action::ResetAfterHeaders, 0, Some(ErrorKind::ConnectionReset), false)]
#[case::reset(half(2, StreamEnding::Reset), 2, Some(ErrorKind::ConnectionReset), false)]
#[case::close(half(2, StreamEnding::Close), 2, None, false)]
#[case::end(half(1, StreamEnding::End), 1, None, true)]
#[case::in_the_middle(half(1, StreamEnding::MidEvent), 2, None, false)]
fn streams_break_where_the_script_says(
    #[case] action: Action,
    #[case] chunks: usize,
    #[case] broken: Option<ErrorKind>,
    #[case] is_complete: bool,
) {
    let simulator = standing();
    simulator.script([Fault::new(action)]).unwrap();
    let reply = post(&simulator, KEY, STREAM, &saying("stream 5"));
    assert_eq!((reply.status, reply.chunks.len()), (200, chunks));
    assert_eq!((reply.broken, reply.is_complete), (broken, is_complete));
    eventually("the stream is counted", || simulator.counts().google.streams_cut_by_script == 1);
    assert_eq!(simulator.requests()[0].stream, Some(StreamEnd::CutByScript));
}

fn half(events: usize, ending: StreamEnding) -> Action {
    Action::HalfStream(HalfStream { events, ending })
}

#[test]
fn a_whole_answer_breaks_in_its_middle() {
    let simulator = standing();
    simulator.script([Fault::new(half(1, StreamEnding::Close))]).unwrap();
    let reply = post(&simulator, KEY, GENERATE, &saying("x"));
    let promised: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert_eq!((reply.status, reply.body.len(), reply.is_complete), (200, promised / 2, false));
}

#[test]
fn an_error_inside_a_stream_follows_its_framing() {
    let simulator = standing();
    let error = |events, row, bare| Fault::new(Action::ErrorInStream(StreamError { events, row, bare }));
    simulator
        .script([
            error(1, None, false),
            error(1, Some(GoogleRow::ExhaustedBare), true),
            error(0, None, false),
            error(1, None, false),
        ])
        .unwrap();
    let overloaded = r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#;
    let sse = post(&simulator, KEY, STREAM, &saying("x"));
    assert_eq!(sse.chunks[1], format!("data: {overloaded}\r\n\r\n").as_bytes());
    let bare = post(&simulator, KEY, STREAM, &saying("x"));
    assert!(bare.chunks[1].starts_with(b"{\"error\":{\"code\":429") && bare.chunks[1].ends_with(b"\n"));
    let array = "/v1/models/gemini-3.8-flash:streamGenerateContent";
    assert_eq!(post(&simulator, KEY, array, &saying("x")).json()[0]["error"]["code"], 503);
    assert_eq!(post(&simulator, KEY, array, &saying("x")).json()[1]["error"]["code"], 503);
}

#[test]
fn a_scripted_answer_says_what_it_is_told() {
    let simulator = standing();
    let answer = ScriptedAnswer {
        row: Some(GoogleRow::MinuteRequests.into()),
        retry: Some(Duration::from_millis(1470)),
        limit: Some(7),
        headers: [("x-extra".to_owned(), "1".to_owned())].into(),
        ..ScriptedAnswer::default()
    };
    let raw = ScriptedAnswer { status: Some(418), body: Some(json!("short")), ..ScriptedAnswer::default() };
    simulator
        .script([
            Fault::new(Action::Answer(answer)),
            Fault::new(Action::Answer(raw)),
            Fault::new(Action::Html502),
        ])
        .unwrap();
    let row = post(&simulator, KEY, GENERATE, &saying("x"));
    assert_eq!(row.at("/error/details/2/retryDelay"), "1s");
    assert!(
        row.at("/error/message").contains("limit: 7,") && row.at("/error/message").ends_with("1.470000000s.")
    );
    assert_eq!(row.header("x-extra"), Some("1"));
    let raw = post(&simulator, KEY, GENERATE, &saying("x"));
    assert_eq!((raw.status, raw.text().as_str()), (418, "short"));
    let page = post(&simulator, KEY, GENERATE, &saying("x"));
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html; charset=UTF-8")));
    assert!(page.text().starts_with("<html>"));
}

#[test]
fn faults_meet_whom_they_name() {
    let simulator = standing();
    simulator
        .script([
            Fault::google(GoogleRow::Internal).project("beta").always(),
            Fault::google(GoogleRow::Overloaded)
                .model("gemini-3.5-flash")
                .operation("generateContent")
                .times(2),
            Fault::new(Action::Hang).provider(Provider::Anam),
        ])
        .unwrap();
    let other = "/v1/models/gemini-3.5-flash:generateContent";
    let status = |key: &str, path: &str| post(&simulator, key, path, &saying("x")).status;
    assert_eq!(status(KEY, GENERATE), 200);
    assert_eq!([status(KEY, other), status(KEY, other), status(KEY, other)], [503, 503, 200]);
    assert_eq!([status("sim-google-beta-1", GENERATE), status("sim-google-beta-1", other)], [500, 500]);
    simulator.clear_script();
    assert_eq!(status("sim-google-beta-1", GENERATE), 200);
}

#[test]
fn a_client_that_leaves_is_noticed_in_a_stream_and_before_the_head() {
    let simulator = standing();
    let key = [("x-goog-api-key", KEY)];
    let mut stream = open(simulator.google_url(), "POST", STREAM, &key, &saying("stream 1000 every 50ms"));
    let mut some = [0; 64];
    stream.read_exact(&mut some).unwrap();
    assert_eq!(simulator.counts().google.streams_open, 1);
    drop(stream);
    eventually("the stream is cut", || simulator.counts().google.streams_cut_by_client == 1);
    assert_eq!(simulator.requests()[0].stream, Some(StreamEnd::CutByClient));

    simulator.script([Fault::new(Action::Hang)]).unwrap();
    let waiting = open(simulator.google_url(), "POST", GENERATE, &key, &saying("x"));
    eventually("the request is there", || simulator.counts().google.requests == 2);
    drop(waiting);
    eventually("the caller is missed", || simulator.counts().google.unanswered == 1);
    assert_eq!(simulator.counts().google.streams_open, 0);
}

#[test]
fn a_deadline_of_the_client_ends_a_delay_with_504() {
    let simulator = standing();
    simulator.script([Fault::new(Action::Pass).delay(Duration::from_hours(1))]).unwrap();
    let headers = [("x-goog-api-key", KEY), ("x-server-timeout", "0")];
    let reply = crate::client::send(simulator.google_url(), "POST", GENERATE, &headers, &saying("x"));
    assert_eq!(reply.status, 504);
}
