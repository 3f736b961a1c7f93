//! Batches and videos of the OpenAI-compatible surface: listed over all projects, each client's own, with results.

use std::collections::BTreeSet;

use keygate_tests::simulator;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::files::{START, Upload, starting};
use super::lists::{GAMMA, three_groups, three_projects};
use super::stage::{House, PRO, client};

/// The sum is that of `printf kg_files_only | sha256sum`.
const CHAT_ONLY: &str = "fc6568717df25bbaa26d8e68b4b19c88ed9e319531eab3d46793c38056100f19";
const VIDEOS: &str = "/v1beta/openai/videos";

async fn video(house: &House, with: impl Fn(RequestBuilder) -> RequestBuilder) -> String {
    let made = Answer::to(with(house.post(VIDEOS, &json!({"prompt": "a cat"})))).await;
    made.is_providers("google", 200, 1);
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// Goes on behind the last item of each page, as the SDKs do: the ids on each page.
async fn pages(
    house: &House,
    path: &str,
    limit: usize,
    with: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let request = house.get(&format!("{path}?limit={limit}{after}"));
        let page = Answer::to(with(request)).await;
        assert_eq!((page.status, page.header("x-keygate-incomplete")), (200, ""), "{page:?}");
        let page = page.json();
        let data = page["data"].as_array().expect("a list").iter();
        let ids: Vec<String> = data.map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
        assert_eq!(
            (&page["object"], page["first_id"].as_str()),
            (&json!("list"), ids.first().map(String::as_str))
        );
        assert_eq!(page["last_id"].as_str(), ids.last().map(String::as_str), "{page}");
        after = format!("&after={}", ids.last().cloned().unwrap_or_default().replace('/', "%2F"));
        pages.push(ids);
        if page["has_more"] == json!(false) {
            return pages;
        }
    }
}

#[tokio::test]
async fn every_page_is_full_and_every_item_is_on_one() {
    let house = House::before(three_projects(), three_groups(), &[GAMMA]).await;
    let mut made = BTreeSet::new();
    for _ in 0..8 {
        made.insert(video(&house, |request| request).await);
    }
    for (limit, sizes) in [(3, vec![3, 3, 2]), (4, vec![4, 4]), (8, vec![8]), (50, vec![8]), (1, vec![1; 8])]
    {
        for path in [VIDEOS, "/openai/v1/videos"] {
            let pages = pages(&house, path, limit, |request| request).await;
            assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "pages of {limit}");
            assert_eq!(pages.concat().into_iter().collect::<BTreeSet<_>>(), made, "pages of {limit}");
        }
    }
    assert_eq!(pages(&house, "/v1beta/openai/batches", 5, |request| request).await, [Vec::<String>::new()]);
    let unknown = Answer::to(house.get(&format!("{VIDEOS}?after=videos%2Fnobodys"))).await;
    unknown.is_refusal(400, "bad_request");
    unknown.says_openai("invalid_request_error", "videos/nobodys");
    house.google().await.blames_nobody();
    house.close().await;
}

#[tokio::test]
async fn each_client_sees_what_it_made() {
    let mut changes = three_groups();
    changes["clients"] = json!({"auth": "required", "tokens": [
        {"name": "chat", "scopes": ["chat"], "sha256": CHAT_ONLY},
    ]});
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let house = House::before(three_projects(), changes, &[GAMMA, tokens]).await;
    // Nobody's: made before there was a gateway, in two projects.
    let mut nobodys = BTreeSet::new();
    for key in [GAMMA.1, "sim-google-alpha-1", GAMMA.1] {
        let elsewhere = client().post(format!("{}{VIDEOS}", house.sim.google_url())).bearer_auth(key);
        let made = Answer::to(json_body(elsewhere, &json!({"prompt": "a cat"}))).await.json();
        nobodys.insert(made["id"].as_str().expect("an id").to_owned());
    }
    let mut made: Vec<(&str, BTreeSet<String>)> = Vec::new();
    for (token, count) in [("kg_first", 4), ("kg_second", 2), ("kg_files_only", 3)] {
        let mut ids = BTreeSet::new();
        for _ in 0..count {
            ids.insert(video(&house, |request| request.bearer_auth(token)).await);
        }
        made.push((token, ids));
    }
    let of_first = made[0].1.first().cloned().expect("one of them");
    for (token, mut own) in made {
        if token != "kg_files_only" {
            // Whoever may manage things sees what nobody here made, too.
            own.extend(nobodys.iter().cloned());
        }
        for limit in [1, 2, 50] {
            let pages = pages(&house, VIDEOS, limit, |request| request.bearer_auth(token)).await;
            assert!(pages.iter().all(|page| !page.is_empty()), "no page is empty: {pages:?}");
            assert_eq!(pages.concat().into_iter().collect::<BTreeSet<_>>(), own, "{token}, pages of {limit}");
        }
    }
    let foreign = house.get(&format!("{VIDEOS}?after={of_first}")).bearer_auth("kg_files_only");
    Answer::to(foreign).await.is_refusal(400, "bad_request");
    house.close().await;
}

/// A batch from a file that was uploaded on the other surface, until its results are read there.
#[tokio::test]
async fn a_batch_goes_through_to_its_results() {
    let tokens = ("KEYGATE_CLIENT_TOKENS", "kg_first,kg_second");
    let house = House::before(simulator(), json!({"clients": {"auth": "required"}}), &[tokens]).await;
    let first = |request: RequestBuilder| Answer::to(request.header("x-goog-api-key", "kg_first"));
    for _ in 0..3 {
        let line = |id: &str| {
            let body = json!({"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": id}]});
            json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body})
        };
        let lines = format!("{}\n{}\n", line("one"), line("two"));
        let started = first(starting(&house, START, lines.len() as u64)).await;
        let file = Upload::of(&house, &started).finish(&house, 0, lines.into_bytes()).await;
        let wanted =
            json!({"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
        let made = first(house.post("/v1beta/openai/batches", &wanted)).await;
        made.is_providers("google", 200, 1);
        let path = format!("/v1beta/openai/{}", made.json()["id"].as_str().expect("an id"));
        let mut batch = made.json();
        for _ in 0..5 {
            if batch["status"] == "completed" {
                break;
            }
            let looked = first(house.get(&path)).await;
            looked.is_providers("google", 200, 1);
            batch = looked.json();
        }
        let output = batch["output_file_id"].as_str().unwrap_or_else(|| panic!("no results: {batch}"));
        let download = format!("/v1beta/{output}:download?alt=media");
        let results = first(house.get(&download)).await;
        results.is_providers("google", 200, 1);
        let results: Vec<Value> =
            results.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let said = |at: usize| {
            let result: &Value = &results[at];
            (
                result["custom_id"].clone(),
                result["response"]["body"]["choices"][0]["message"]["content"].clone(),
            )
        };
        assert_eq!(said(0), (json!("one"), json!("You said: one")));
        assert_eq!(said(1), (json!("two"), json!("You said: two")));
        let before = house.upstream_requests();
        for path in [&download, &path] {
            let foreign = house.get(path).header("x-goog-api-key", "kg_second");
            Answer::to(foreign).await.is_refusal(403, "forbidden");
        }
        assert_eq!(house.upstream_requests(), before, "nobody was asked");
    }
    house.google().await.blames_nobody();
    house.close().await;
}

/// The SDKs describe a video in a form; the model in it has a budget of its own.
#[tokio::test]
async fn a_video_in_a_form_draws_from_the_budget_of_its_model() {
    let budgets = json!({"models": {PRO: {"requests_per_day": 1}}});
    let changes = json!({"providers": {"google": {"budgets": budgets, "queue": {"max_wait": "0s"}}}});
    let house = House::open(changes).await;
    let field = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let picture = field("input_reference\"; filename=\"cat.png", &"\u{1}".repeat(100_000));
    let asked = |model: &str| {
        let body = [&*field("prompt", "a cat"), &picture, &field("model", model), "--b--\r\n"].concat();
        let request = client().post(house.gateway.url(VIDEOS)).body(body);
        Answer::to(request.header("content-type", "multipart/form-data; boundary=b"))
    };
    // One a day in each of two projects.
    for _ in 0..2 {
        asked(PRO).await.is_providers("google", 200, 1);
    }
    asked(&format!("models/{PRO}")).await.is_refusal(429, "pool_exhausted");
    let models: Vec<_> = house.sim.requests().into_iter().filter_map(|request| request.model).collect();
    assert_eq!(models, [PRO, PRO]);
    house.close().await;
}
