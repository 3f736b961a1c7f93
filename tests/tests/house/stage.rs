//! A house on stage: one simulator, one gateway in front of it, and what a backend would do with them.

use keygate_tests::sim::{Counts, KeyState, Population, RunningSimulator, SimConfig, Simulator};
use keygate_tests::{Keygate, PATIENCE, SIMULATED_KEYS, configuration, eventually, simulator};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::answer::{Answer, json_body};
use super::pool::Pool;

/// Pauses between attempts that are short enough not to be noticed, and a log that tells everything.
const SETTINGS: &[(&str, &str)] = &[
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_LEAST", "20ms"),
    ("KEYGATE__PROVIDERS__GOOGLE__COOLDOWNS__OVERLOADED__AT_MOST", "50ms"),
    ("KEYGATE__PROVIDERS__ANAM__COOLDOWNS__OVERLOADED__AT_LEAST", "20ms"),
    ("KEYGATE__PROVIDERS__ANAM__COOLDOWNS__OVERLOADED__AT_MOST", "50ms"),
    ("LOG_LEVEL", "debug"),
];

/// A model of the simulator's catalogue.
pub(crate) const FLASH: &str = "gemini-2.5-flash";
/// Another one, with quotas of its own.
pub(crate) const PRO: &str = "gemini-2.5-pro";

/// A running house.
pub(crate) struct House {
    pub(crate) gateway: Keygate,
    pub(crate) sim: RunningSimulator,
    http: Client,
    env: Vec<(String, String)>,
}

impl House {
    /// The usual five keys, with `changes` to the configuration.
    pub(crate) async fn open(changes: Value) -> Self {
        Self::before(simulator(), changes, &[]).await
    }

    /// A gateway before `sim`, with further environment variables.
    pub(crate) async fn before(sim: RunningSimulator, changes: Value, env: &[(&str, &str)]) -> Self {
        let yaml = configuration(sim.endpoints(), &changes);
        let env = [SIMULATED_KEYS, SETTINGS, env].concat();
        let gateway = Keygate::start(&yaml, &env).await;
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { gateway, sim, http: client(), env }
    }

    /// The same with a gateway that another command becomes.
    pub(crate) async fn under(wrapper: &[&str], changes: Value) -> Self {
        let sim = simulator();
        let yaml = configuration(sim.endpoints(), &changes);
        let env = [SIMULATED_KEYS, SETTINGS].concat();
        let gateway = Keygate::start_under(wrapper, &yaml, &env).await;
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { gateway, sim, http: client(), env }
    }

    /// Kills the gateway in the middle of whatever it does; another goes on in its folder.
    pub(crate) async fn killed(self) -> Self {
        let Self { gateway, sim, http, env } = self;
        let home = gateway.kill().await;
        Self { gateway: Keygate::start_in(home, &borrowed(&env)).await, sim, http, env }
    }

    /// Ends the gateway gracefully; another goes on in its folder.
    pub(crate) async fn restarted(self) -> Self {
        let Self { gateway, sim, http, env } = self;
        let (exit, home) = gateway.leave().await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        Self { gateway: Keygate::start_in(home, &borrowed(&env)).await, sim, http, env }
    }

    /// `POST path` with a JSON body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        json_body(self.http.post(self.gateway.url(path)), body)
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.gateway.url(path))
    }

    /// A chat in one piece, on Gemini's own surface.
    pub(crate) async fn generate(&self, model: &str, text: &str) -> Answer {
        Answer::to(self.post(&generate_path(model), &chat(text))).await
    }

    /// A chat as server-sent events.
    pub(crate) fn stream(&self, text: &str) -> RequestBuilder {
        self.post(&stream_path(FLASH), &chat(text))
    }

    /// A chat on the surface of `OpenAI`.
    pub(crate) fn openai(&self, text: &str) -> RequestBuilder {
        self.post(OPENAI_CHAT, &openai_chat(text, false))
    }

    /// What the provider counted.
    pub(crate) fn counts(&self) -> Counts {
        self.sim.counts()
    }

    /// How many requests Gemini got.
    pub(crate) fn upstream_requests(&self) -> u64 {
        self.counts().google.requests
    }

    /// How many requests Gemini got with this key.
    pub(crate) fn asked(&self, key: &str) -> u64 {
        self.counts().google.by_key.get(key).copied().unwrap_or_default()
    }

    /// Gemini's keys, once every lease has come back.
    pub(crate) async fn google(&self) -> Pool {
        self.pool("google").await
    }

    /// Anam's keys, once every lease has come back.
    pub(crate) async fn anam(&self) -> Pool {
        self.pool("anam").await
    }

    /// A provider's keys, once every lease has come back.
    pub(crate) async fn pool(&self, provider: &str) -> Pool {
        eventually("every lease comes back", async || {
            let pool = self.pool_now(provider).await;
            (pool.in_flight() == 0).then_some(pool)
        })
        .await
    }

    /// A provider's keys at this moment.
    pub(crate) async fn pool_now(&self, provider: &str) -> Pool {
        let answer = Answer::to(self.get(&format!("/api/{provider}/status"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Pool(answer.json())
    }

    /// Ends the gateway gracefully and checks what must hold at the end of any story.
    pub(crate) async fn close(self) {
        for provider in ["google", "anam"] {
            let pool = self.pool(provider).await;
            pool.balances();
            assert_eq!(pool.restarts(), 0, "the supervisor of {provider} was restarted");
        }
        self.close_restarted().await;
    }

    /// The same where the supervisors were made to panic.
    pub(crate) async fn close_restarted(self) {
        let exit = self.gateway.stop().await;
        assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
        for (name, secret) in SIMULATED_KEYS {
            assert!(!exit.stderr.contains(secret), "the log holds the secret of {name}");
            assert!(!exit.stdout.contains(secret), "stdout holds the secret of {name}");
        }
    }
}

fn borrowed(env: &[(String, String)]) -> Vec<(&str, &str)> {
    env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Keys of one project only: a provider in trouble is one project's word then, and no breaker opens.
pub(crate) fn one_project() -> Value {
    json!({"providers": {"google": {"keys": [
        {"secret": "env:ALPHA_1", "label": "alpha_1", "group": "alpha"},
        {"secret": "env:ALPHA_2", "label": "alpha_2", "group": "alpha"},
    ]}}})
}

/// A client that shares no connections, so that a story ends when it ends.
pub(crate) fn client() -> Client {
    let builder = Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0);
    builder.timeout(PATIENCE).build().expect("a client can be built")
}

/// A simulator whose clock stands still: two of them answer the same requests with the same bytes.
pub(crate) fn twin() -> RunningSimulator {
    let still = json!({"speed": 0.0, "starts_at": "2026-11-20T12:00:00Z"});
    let config: SimConfig = serde_json::from_value(still).expect("a configuration of the simulator");
    Simulator::start(config).expect("the simulator starts")
}

/// What `sim` itself answers: the bytes a caller without a gateway would get.
pub(crate) async fn direct(sim: &RunningSimulator, path: &str, body: &Value) -> Answer {
    let request = json_body(client().post(format!("{}{path}", sim.google_url())), body);
    let is_openai = path.contains("/openai/");
    let key = "sim-google-alpha-1";
    let request = if is_openai { request.bearer_auth(key) } else { request.header("x-goog-api-key", key) };
    Answer::to(request).await
}

/// The words of an error that `sim` answered on `path`, as the gateway tells them: to the byte, but on the surface
/// of `OpenAI` without the array around them, in which its SDKs find no message.
pub(crate) fn words_on(path: &str, error: &Answer) -> String {
    let words = error.text();
    if path.contains("/openai/") { words.trim().trim_matches(['[', ']']).trim().to_owned() } else { words }
}

/// Nobody new, but these keys in these states.
pub(crate) fn states(states: &[(&str, KeyState)]) -> Population {
    let states = states.iter().map(|(key, state)| ((*key).to_owned(), *state)).collect();
    Population { states, ..Population::empty() }
}

/// The path of a chat in one piece.
pub(crate) fn generate_path(model: &str) -> String {
    format!("/v1beta/models/{model}:generateContent")
}

/// The path of a chat as server-sent events.
pub(crate) fn stream_path(model: &str) -> String {
    format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
}

/// The path of a chat as one array that grows.
pub(crate) fn array_path(model: &str) -> String {
    format!("/v1beta/models/{model}:streamGenerateContent")
}

/// The path of a chat on the surface of `OpenAI`.
pub(crate) const OPENAI_CHAT: &str = "/v1beta/openai/chat/completions";

/// The body of a chat. `stream 5` makes the simulator answer with five events.
pub(crate) fn chat(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

/// The body of a chat on the surface of `OpenAI`.
pub(crate) fn openai_chat(text: &str, stream: bool) -> Value {
    json!({"model": FLASH, "stream": stream, "messages": [{"role": "user", "content": text}]})
}
