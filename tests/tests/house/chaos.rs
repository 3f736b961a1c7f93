//! A minute in which everything goes wrong that can: providers fail at random, keys go bad, the configuration changes,
//! supervisors panic, the process is killed. What always holds of the pools is asserted by the debug build itself.

use std::time::Duration;

use fastrand::Rng;
use keygate_tests::sim::{
    Action, AnamRow, Fault, GoogleRow, HalfStream, KeyState, Provider, StreamEnding, StreamError,
};
use keygate_tests::{SIMULATED_KEYS, configuration, eventually, simulator};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::chaos_backends::{Backends, Signpost};
use super::database::bytes;
use super::stage::{FLASH, House, states};

const SPAN: Duration = Duration::from_mins(1);
/// One mischief after another.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a process lives.
const LIFE: Duration = Duration::from_secs(12);
/// The same mischief every time; what it meets differs.
const SEED: u64 = 20_261_121;
/// More rarely than five times a life, after which the process would give up.
const PANICS: (&str, &str) = ("KEYGATE_CHAOS", "panic_supervisor_every=700");
const ADMIN: (&str, &str) = ("KEYGATE_ADMIN_TOKEN", "kg_the_admin_of_this_house");

const GOOGLE_KEYS: [(&str, &str, &str); 3] = [
    ("ALPHA_1", "alpha", "sim-google-alpha-1"),
    ("ALPHA_2", "alpha", "sim-google-alpha-2"),
    ("BETA_1", "beta", "sim-google-beta-1"),
];
const GOOGLE_ROWS: [GoogleRow; 10] = [
    GoogleRow::MinuteRequests,
    GoogleRow::MinuteTokens,
    GoogleRow::DayRequests,
    GoogleRow::ExhaustedBare,
    GoogleRow::KeyInvalid,
    GoogleRow::KeyExpired,
    GoogleRow::KeyLeaked,
    GoogleRow::ConsumerSuspended,
    GoogleRow::Internal,
    GoogleRow::Overloaded,
];
const ANAM_ROWS: [AnamRow; 4] =
    [AnamRow::InvalidApiKey, AnamRow::ConcurrentSessions, AnamRow::ServerError, AnamRow::NoEngines];
const STRATEGIES: [&str; 6] =
    ["round_robin", "weighted", "primary_backup", "least_recently_used", "health", "headroom"];

#[tokio::test]
async fn a_minute_of_chaos_breaks_no_promise_and_leaks_nothing() {
    let mut house = House::before(simulator(), calm(), &[PANICS, ADMIN]).await;
    let mut imp = Imp { random: Rng::with_seed(SEED) };
    let (backends, signpost) = Backends::start(house.gateway.url(""), SEED);
    let end = Instant::now() + SPAN;
    let mut dies_at = Instant::now() + LIFE;
    while Instant::now() < end {
        imp.strikes(&house).await;
        if Instant::now() >= dies_at {
            house = imp.ends_a_life(house, &signpost).await;
            dies_at = Instant::now() + LIFE;
        }
        sleep(PAUSE).await;
    }
    let tally = backends.end().await;
    assert!(tally.served > 100 && tally.refused > 0 && tally.met_nobody > 0, "{tally:?}");
    is_calm_again(house).await;
}

/// All keys, and users who may ask as often as they like.
fn calm() -> Value {
    let keys: Vec<Value> = GOOGLE_KEYS.iter().map(|(name, group, _)| key(name, group)).collect();
    json!({
        "limits": {"per_user": {"requests_per_minute": 100_000, "burst": 100_000, "max_concurrent": 1000}},
        "providers": {
            "google": {
                "keys": keys,
                "timeout": "5s",
                "retry": {"attempt_timeout": "1s", "stream_attempt_timeout": "1s"},
                "queue": {"max_wait": "500ms"},
            },
            "anam": {"timeout": "5s", "retry": {"attempt_timeout": "1s"}},
        },
    })
}

fn key(name: &str, group: &str) -> Value {
    json!({"secret": format!("env:{name}"), "label": name.to_lowercase(), "group": group})
}

/// Who makes the mischief.
struct Imp {
    random: Rng,
}

impl Imp {
    async fn strikes(&mut self, house: &House) {
        match self.random.u32(..10) {
            0..5 => house.sim.script([self.fault()]).expect("room"),
            5 => self.spoils_a_key(house),
            6 => heal(house).await,
            _ => self.reconfigures(house).await,
        }
    }

    fn fault(&mut self) -> Fault {
        let events = self.random.usize(..10);
        let action = match self.random.u32(..12) {
            0 => Action::Html502,
            1 => Action::Hang,
            2 => Action::Reset,
            3 => Action::Close,
            4 => Action::ResetAfterHeaders,
            5 => Action::HalfStream(HalfStream { events, ending: self.ending() }),
            6 => Action::ErrorInStream(StreamError { events, row: None, bare: self.random.bool() }),
            7 => Action::SlowChunks { pause: Duration::from_millis(20) },
            8 => return Fault::anam(*self.one_of(&ANAM_ROWS)).times(self.random.u64(1..4)),
            _ => return Fault::google(*self.one_of(&GOOGLE_ROWS)).times(self.random.u64(1..4)),
        };
        let provider = if self.random.u32(..5) == 0 { Provider::Anam } else { Provider::Google };
        Fault::new(action).provider(provider).times(self.random.u64(1..6))
    }

    fn ending(&mut self) -> StreamEnding {
        *self.one_of(&[StreamEnding::Close, StreamEnding::Reset, StreamEnding::MidEvent, StreamEnding::Hang])
    }

    fn spoils_a_key(&mut self, house: &House) {
        let (.., secret) = self.one_of(&GOOGLE_KEYS);
        let state = KeyState::Google(GoogleRow::KeyInvalid);
        house.sim.declare(states(&[(secret, state)])).expect("a known key");
    }

    /// Other keys in another order under another policy; now and then nonsense, which is refused.
    async fn reconfigures(&mut self, house: &House) {
        let yaml = if self.random.u32(..6) == 0 {
            "providers: [nonsense]\n".to_owned()
        } else {
            configuration(house.sim.endpoints(), &self.changes())
        };
        house.gateway.write("keygate.yaml", &yaml);
        match self.random.u32(..3) {
            0 => house.gateway.signal("HUP").await,
            1 => drop(house.post("/api/keys/reload", &json!({})).bearer_auth(ADMIN.1).send().await),
            _ => {} // It sees it by itself.
        }
    }

    fn changes(&mut self) -> Value {
        let mut keys: Vec<Value> = GOOGLE_KEYS.iter().map(|(name, group, _)| key(name, group)).collect();
        self.random.shuffle(&mut keys);
        keys.truncate(self.random.usize(1..=keys.len()));
        let mut changes = calm();
        let google = &mut changes["providers"]["google"];
        google["keys"] = json!(keys);
        google["strategy"] = json!(self.one_of(&STRATEGIES));
        if self.random.bool() {
            let limit = self.random.u32(20..2000);
            google["budgets"] = json!({"default": {"requests_per_minute": limit, "concurrent": 4}});
        }
        changes
    }

    async fn ends_a_life(&mut self, house: House, signpost: &Signpost) -> House {
        // So that the next one can start at all.
        house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &self.changes()));
        panicked_only_when_told_to(&house.gateway.stderr());
        signpost.goes();
        let house = if self.random.bool() { house.killed().await } else { house.restarted().await };
        signpost.comes(house.gateway.url(""));
        house
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.random.usize(..all.len())]
    }
}

/// Every key is good again, and the gateway is told so.
async fn heal(house: &House) {
    let good: Vec<(&str, KeyState)> =
        GOOGLE_KEYS.iter().map(|(.., secret)| (*secret, KeyState::Valid)).collect();
    house.sim.declare(states(&good)).expect("known keys");
    for provider in ["google", "anam"] {
        let path = format!("/api/{provider}/reset-keys");
        // It may be restarting just now.
        drop(house.post(&path, &json!({})).bearer_auth(ADMIN.1).send().await);
    }
}

/// Nothing is left of all that: no lease, no waiting caller, no stream, no file, no secret in any log.
async fn is_calm_again(house: House) {
    house.sim.clear_script();
    house.gateway.write("keygate.yaml", &configuration(house.sim.endpoints(), &calm()));
    let reloaded = async || {
        let answer = Answer::to(house.post("/api/keys/reload", &json!({})).bearer_auth(ADMIN.1)).await;
        (answer.status == 200).then_some(())
    };
    eventually("the calm configuration is in force", reloaded).await;
    eventually("the provider is trusted again", async || {
        heal(&house).await;
        (house.generate(FLASH, "hello").await.status == 200).then_some(())
    })
    .await;
    for provider in ["google", "anam"] {
        let pool = house.pool(provider).await;
        pool.balances();
        assert_eq!((&pool.0["draining"], &pool.0["waiting"]), (&json!(0), &json!(0)), "{pool:?}");
    }
    let streams = async || (house.counts().google.streams_open == 0).then_some(());
    eventually("no stream is left open", streams).await;
    // Listeners, the database, logs and idle connections: nothing that grows with requests.
    let files = async || (house.gateway.open_files() < 150).then_some(());
    eventually("no connection is left open", files).await;
    let written = bytes(house.gateway.home());
    for (name, secret) in SIMULATED_KEYS {
        assert!(!written.contains(secret), "the database holds the secret of {name}");
    }
    panicked_only_when_told_to(&house.gateway.stderr());
    house.close_restarted().await;
}

/// A promise of a pool that does not hold is a panic in a debug build.
#[track_caller]
fn panicked_only_when_told_to(log: &str) {
    let mut panics = log.lines().filter(|line| line.contains("panicked: ") || line.contains("panicked at "));
    let not_told_to = panics.find(|line| !line.contains("panicked: chaos: panic on ask"));
    assert_eq!(not_told_to, None, "{log}");
    for (name, secret) in SIMULATED_KEYS {
        assert!(!log.contains(secret), "the log holds the secret of {name}");
    }
}
