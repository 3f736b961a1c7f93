//! How a backend sends a file, step by step.

use reqwest::RequestBuilder;
use serde_json::json;

use super::answer::Answer;
use super::stage::House;

/// Where uploads begin.
pub(crate) const START: &str = "/upload/v1beta/files";

/// A body that repeats itself.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// Step 1, for a file of so many bytes.
pub(crate) fn starting(house: &House, path: &str, length: u64) -> RequestBuilder {
    let described = json!({"file": {"display_name": "notes"}});
    house
        .post(path, &described)
        .header("x-goog-upload-protocol", "resumable")
        .header("x-goog-upload-command", "start")
        .header("x-goog-upload-header-content-length", length)
        .header("x-goog-upload-header-content-type", "text/plain")
}

/// An upload that was begun.
pub(crate) struct Upload {
    /// The path and query at the gateway.
    pub(crate) path: String,
}

impl Upload {
    /// Begins one; the address in the answer has to be the gateway's.
    pub(crate) async fn begin(house: &House, length: u64) -> Self {
        Self::of(house, &Answer::to(starting(house, START, length)).await)
    }

    /// The one that this answer tells of.
    pub(crate) fn of(house: &House, started: &Answer) -> Self {
        started.is_providers("google", 200, 1);
        assert_eq!(started.header("x-goog-upload-status"), "active");
        let url = started.header("x-goog-upload-url");
        let path = url.strip_prefix(&house.gateway.url("")).unwrap_or_else(|| panic!("{url} is elsewhere"));
        assert_eq!(started.header("x-goog-upload-control-url"), url);
        Self { path: path.to_owned() }
    }

    /// Step 2: without any credential, as Python's SDK and Vercel's do it.
    pub(crate) fn with(&self, house: &House, command: &str, offset: u64) -> RequestBuilder {
        house
            .post(&self.path, &json!(null))
            .header("x-goog-upload-command", command)
            .header("x-goog-upload-offset", offset)
    }

    /// Sends bytes.
    pub(crate) async fn send(&self, house: &House, command: &str, offset: u64, body: Vec<u8>) -> Answer {
        Answer::to(self.with(house, command, offset).body(body)).await
    }

    /// Asks how many bytes were received.
    pub(crate) async fn received(&self, house: &House) -> u64 {
        let answer = self.send(house, "query", 0, Vec::new()).await;
        assert_eq!(answer.header("x-goog-upload-status"), "active", "{answer:?}");
        answer.header("x-goog-upload-size-received").parse().expect("a number")
    }

    /// Sends the rest; returns the file's name.
    pub(crate) async fn finish(&self, house: &House, offset: u64, body: Vec<u8>) -> String {
        let length = offset + body.len() as u64;
        let answer = self.send(house, "upload, finalize", offset, body).await;
        answer.is_providers("google", 200, 1);
        assert_eq!(answer.header("x-goog-upload-status"), "final");
        assert_eq!(answer.json()["file"]["sizeBytes"], length.to_string());
        answer.json()["file"]["name"].as_str().expect("a name").to_owned()
    }
}
