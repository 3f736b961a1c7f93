//! Minutes of load in seconds: the clocks of the gateway and of the provider run equally fast.

use std::time::Duration;

use futures_util::future::join_all;
use keygate_tests::sim::{
    GoogleConfig, GoogleKey, GoogleProject, MinuteShape, ModelLimits, Population, SimConfig, Simulator,
};
use keygate_tests::time_lapse;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use super::stage::{FLASH, House, chat, generate_path};

/// Simulated seconds in a real one.
const SPEED: u32 = 6;
/// The margin of budgets, in real time the default of half a second: the wire does not run faster.
const MARGIN: Duration = Duration::from_secs(3);
const SPAN: Duration = Duration::from_mins(2);
const USERS: usize = 50;
/// What each of two projects grants in a minute.
const GRANTED: usize = 60;
/// What both grant in the span.
const CAPACITY: usize = 2 * 2 * GRANTED;
/// Three times that, of which no user asks for more than its own limit.
const REQUESTS: usize = 3 * CAPACITY;

/// Two projects with three keys, one that counts the minutes of the clock, one that counts any minute.
fn projects() -> Population {
    let project = |name: &str, keys: &[&str], minute: MinuteShape| GoogleProject {
        keys: keys.iter().map(|key| GoogleKey::new(*key)).collect(),
        limits: vec![ModelLimits {
            model: "*".to_owned(),
            requests_per_minute: Some(GRANTED as u64),
            ..ModelLimits::default()
        }],
        minute,
        ..GoogleProject::named(name)
    };
    let alpha = project("alpha", &["sim-google-alpha-1", "sim-google-alpha-2"], MinuteShape::Clock);
    let beta = project("beta", &["sim-google-beta-1"], MinuteShape::Sliding);
    let google = GoogleConfig { projects: vec![alpha, beta] };
    Population { google, ..Population::default() }
}

fn told() -> Value {
    let margin = format!("{}s", MARGIN.as_secs());
    json!({"providers": {"google": {
        "budgets": {"default": {"requests_per_minute": GRANTED}, "margin": margin},
    }}})
}

async fn house() -> House {
    let config = SimConfig { speed: f64::from(SPEED), population: projects(), ..SimConfig::default() };
    let sim = Simulator::start(config).expect("the simulator starts");
    let lapse = time_lapse(SPEED);
    let env: Vec<(&str, &str)> = lapse.iter().map(|(name, value)| (*name, value.as_str())).collect();
    House::before(sim, told(), &env).await
}

/// All requests, spread evenly over the span.
async fn fire(house: &House) -> Vec<Answer> {
    let start = Instant::now();
    let pause = SPAN / SPEED / REQUESTS as u32;
    let one = |number: usize| async move {
        sleep_until(start + pause * number as u32).await;
        let request = house.post(&generate_path(FLASH), &chat("hello"));
        Answer::to(request.header("x-user-id", format!("user {}", number % USERS))).await
    };
    join_all((0..REQUESTS).map(one)).await
}

#[tokio::test]
async fn two_minutes_of_three_times_the_capacity_meet_no_429_and_use_what_is_granted() {
    let house = house().await;
    let answers = fire(&house).await;
    let (served, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    for answer in &refused {
        answer.is_refusal(429, "pool_exhausted");
        let longest = 60 + MARGIN.as_secs() + 1;
        assert!(answer.retry_after().is_some_and(|wait| (1..=longest).contains(&wait)), "{answer:?}");
    }
    assert_eq!(house.counts().google.refused_429, 0, "the provider refused");
    assert!(served.len() * 100 >= CAPACITY * 98, "{} of {CAPACITY} were used", served.len());
    let pool = house.google().await;
    assert_eq!(pool.ledger("settled"), house.upstream_requests());
    house.close().await;
}
