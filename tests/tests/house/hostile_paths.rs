//! Paths that try to be other paths: none of them reaches a provider.

use serde_json::json;

use super::stage::House;
use super::wire;

const PATHS: [&str; 24] = [
    "/v1beta/models/..:generateContent",
    "/v1beta/models/../models/gemini-2.5-flash:generateContent",
    "/v1beta/../v1beta/models/gemini-2.5-flash:generateContent",
    "/v1beta/./models/gemini-2.5-flash:generateContent",
    "/v1beta/models/%2e%2e:generateContent",
    "/v1beta/models/%2E%2E/files/x:generateContent",
    "/v1beta/models/.%2e/files/x:generateContent",
    "/v1beta/models/a%2Fb:generateContent",
    "/v1beta/models/a%2f..%2fb:generateContent",
    "/v1beta/models/a%5Cb:generateContent",
    "/v1beta/models/a\\b:generateContent",
    "/v1beta/models/..\\files:generateContent",
    "/v1beta/models/%252e%252e:generateContent",
    "/v1beta/models/a%252Fb:generateContent",
    "/v1beta/models/a%00b:generateContent",
    "/v1beta/models/a%0d%0ax-evil:%201:generateContent",
    "/v1beta/models/a%zz:generateContent",
    "/google/../v1beta/models/gemini-2.5-flash:generateContent",
    "/google/%2e%2e/anam/v1/sessions/concurrency",
    "/anam/v1/sessions/../../v1/sessions/x/stop",
    "/anam/v1/sessions/%2e%2e/stop",
    "/anam/v1/sessions/a%2Fb/stop",
    "/anam/v1/sessions/a%5Cb/stop",
    "/anam/../v1beta/models/gemini-2.5-flash:generateContent",
];

#[tokio::test]
async fn no_path_leaves_its_segment() {
    let house = House::open(json!({})).await;
    let body = r#"{"contents": [{"parts": [{"text": "hello"}]}]}"#;
    for path in PATHS {
        let head = format!("POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n");
        let length = body.len();
        let request =
            format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
        let answer = wire::send(&house.gateway, &request).await;
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        let counts = house.counts();
        assert_eq!((counts.google.requests, counts.anam.requests), (0, 0), "{path} reached a provider");
    }
    for provider in ["google", "anam"] {
        let pool = house.pool(provider).await;
        pool.blames_nobody();
        assert_eq!(pool.ledger("attempts"), 0, "no key was touched");
    }
    house.close().await;
}

#[tokio::test]
async fn no_header_chooses_the_host() {
    let house = House::open(json!({})).await;
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let body = r#"{"contents": [{"parts": [{"text": "hello"}]}]}"#;
    let elsewhere = "host: evil.example\r\nx-forwarded-host: evil.example\r\nx-anam-target-url: https://evil.example/v1\r\n";
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\n{elsewhere}connection: close, x-hop\r\nx-hop: 1\r\n");
    let request = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    let answer = wire::send(&house.gateway, &request).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let requests = house.sim.requests();
    let [request] = requests.as_slice() else { panic!("one request: {requests:?}") };
    let told = format!("{:?}", request.headers);
    for stray in ["evil.example", "x-hop", "x-anam-target-url"] {
        assert!(!told.contains(stray), "{stray} went upstream: {told}");
    }
    house.close().await;
}

#[tokio::test]
async fn an_absolute_target_reaches_our_provider_or_nobody() {
    let house = House::open(json!({})).await;
    let request =
        "GET http://evil.example/v1beta/models HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let answer = wire::send(&house.gateway, request).await;
    assert!([200, 400, 404].contains(&answer.status), "{answer:?}");
    assert_eq!(house.upstream_requests(), u64::from(answer.status == 200));
    house.close().await;
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused() {
    let house = House::open(json!({})).await;
    let head = "POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n";
    let ambiguous = [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "content-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        "content-length: +2\r\n\r\n{}",
    ];
    for framing in ambiguous {
        let answer = wire::send(&house.gateway, &format!("{head}{framing}")).await;
        assert_eq!(answer.status, 400, "{framing:?}: {answer:?}");
    }
    assert_eq!(house.upstream_requests(), 0);
    house.close().await;
}
