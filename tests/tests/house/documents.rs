//! The documents of the gateway's own routes.

use reqwest::Method;
use serde_json::json;

use super::answer::Answer;
use super::stage::{House, client};

#[tokio::test]
async fn the_documents_are_there_for_everybody() {
    let house = House::open(json!({})).await;
    let document = Answer::to(house.get("/openapi.json")).await;
    assert_eq!((document.status, document.header("content-type")), (200, "application/json; charset=utf-8"));
    assert_eq!(document.json()["openapi"], "3.1.0");
    let page = Answer::to(house.get("/docs")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{page:?}");
    assert!(page.text().contains("/api/v1/assistant/query"), "{page:?}");
    for path in ["/openapi.json", "/docs"] {
        let head = Answer::to(client().request(Method::HEAD, house.gateway.url(path))).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    house.close().await;
}

/// Each documented route exists, and takes the methods it is documented with and no other.
#[tokio::test]
async fn every_documented_route_exists() {
    let house = House::open(json!({})).await;
    let document = Answer::to(house.get("/openapi.json")).await.json();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{provider}", "google");
        let documented = operations.as_object().expect("operations");
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let method: Method = method.parse().expect("a method");
            let answer = Answer::to(client().request(method.clone(), house.gateway.url(&path))).await;
            let is_documented = documented.contains_key(&method.as_str().to_lowercase());
            assert_eq!(answer.status != 405, is_documented, "{method} {path}: {answer:?}");
            assert_ne!(answer.status, 404, "{method} {path}: {answer:?}");
        }
    }
    house.close().await;
}
