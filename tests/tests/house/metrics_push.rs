//! Metrics that are sent by OTLP: the same numbers as scrapers are told.

use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use serde_json::{Value, json};

use super::answer::Answer;
use super::collector::{Receiver, told};
use super::scrape::Scrape;
use super::stage::{FLASH, House};

const GOOGLE: (&str, &str) = ("provider", "google");

fn pushed_to(endpoint: &str) -> Value {
    json!({"telemetry": {"otlp": {"endpoint": endpoint, "sample": 0.0, "metrics": {"enabled": true, "interval": "1s"}}}})
}

/// The sum of all numbers of this name that have this attribute.
fn number(metrics: &[Metric], name: &str, (label, value): (&str, &str)) -> Option<f64> {
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    let points = match metric.data.as_ref()? {
        metric::Data::Gauge(gauge) => &gauge.data_points,
        metric::Data::Sum(sum) => &sum.data_points,
        metric::Data::Histogram(_) | metric::Data::ExponentialHistogram(_) | metric::Data::Summary(_) => {
            return None;
        }
    };
    let those = points.iter().filter(|point| told(&point.attributes, label).as_deref() == Some(value));
    let numbers = those.filter_map(|point| match point.value {
        Some(Number::AsDouble(number)) => Some(number),
        Some(Number::AsInt(_)) | None => None,
    });
    Some(numbers.sum())
}

#[tokio::test]
async fn a_collector_is_sent_what_a_scraper_is_told() {
    let mut receiver = Receiver::open().await;
    let house = House::open(pushed_to(&format!("http://{}", receiver.address))).await;
    for _ in 0..3 {
        assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    }
    let scrape = Scrape::until(&house, "keygate_requests_running", &[GOOGLE], 0.0).await;
    let pushed = receiver
        .metrics("three requests are sent", |metrics| {
            number(metrics, "keygate_requests_total", GOOGLE).is_some_and(|told| told > 2.5)
        })
        .await;
    for name in ["keygate_requests_total", "keygate_keys", "keygate_pool_up", "keygate_upstream_429_total"] {
        assert_eq!(number(&pushed, name, GOOGLE), scrape.value(name, &[GOOGLE]), "{name}");
    }
    let names: Vec<&str> = pushed.iter().map(|metric| &*metric.name).collect();
    for (name, _) in scrape.families() {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        assert!(
            names.contains(&&*name) || family.is_some_and(|name| names.contains(&name)),
            "{name} is not sent"
        );
    }
    let duration = pushed.iter().find(|metric| metric.name == "keygate_request_duration_seconds");
    let Some(Some(metric::Data::Histogram(duration))) = duration.map(|metric| &metric.data) else {
        panic!("a histogram: {duration:#?}")
    };
    let counted: u64 = duration.data_points.iter().map(|point| point.count).sum();
    assert_eq!(counted, 3);
    let point = &duration.data_points[0];
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    house.close().await;
}

#[tokio::test]
async fn a_collector_that_is_down_is_told_once_and_delays_nobody() {
    let house = House::open(pushed_to("http://127.0.0.1:9")).await;
    let failed = [("signal", "metrics"), ("result", "failed")];
    Scrape::until(&house, "keygate_otlp_batches_total", &failed, 2.0).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    let log = house.gateway.stderr();
    assert_eq!(log.matches("metrics are not delivered").count(), 1, "{log}");
    house.close().await;
}

#[tokio::test]
async fn limiter_and_owners_tell_how_much_room_they_have() {
    let house = House::open(json!({"limits": {"max_users": 1000}})).await;
    assert_eq!(house.generate(FLASH, "hello").await.status, 200);
    let told = Scrape::until(&house, "keygate_limiter_users", &[], 1.0).await;
    told.tells("keygate_limiter_users_capacity", &[], 1000.0);
    told.tells("keygate_bindings", &[GOOGLE], 0.0);
    told.tells("keygate_bindings_capacity", &[GOOGLE], 50_000.0);
    let made = Answer::to(house.post("/v1beta/files:register", &json!({"uris": ["gs://b/o"]}))).await;
    assert_eq!(made.status, 200, "{made:?}");
    Scrape::until(&house, "keygate_bindings", &[GOOGLE], 1.0).await;
    house.close().await;
}
