//! A plan against what happens: the same requests at the same moments, once through the planner, once through the
//! gateway's own journey, actors, pool, adapter and HTTP client to a simulated provider over real sockets.
//!
//! Time is one clock that this test moves: tokio's is paused, so that all timers of the house follow it, and the
//! simulator's stands still but for what it is advanced. It moves only while nothing is under way; so an hour of
//! traffic takes seconds, and a busy machine changes nothing.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests report by panicking")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use jiff::tz::TimeZone;
use keygate_actors::{
    Home, Keepers, LedgerShelf, LedgerSpec, ShelfTrouble, SupervisorSpec, clock, start_ledger, start_limiter,
    start_supervisor,
};
use keygate_domain::{
    Allowance, ApiKey, ClientId, ClientProfile, GroupId, KeySpec, LedgerRow, Messages, Redactor, Reset,
    Right, Role, UserId,
};
use keygate_journey::{Call, Caller, Errands, House, Identity, Lane, serve};
use keygate_limits::{Plans, RetryPolicy, UserPolicy};
use keygate_planner::{Arrival, Profile, Report, Scenario, Shape, Traffic as _, rehearse};
use keygate_pool::{Budgets, Policy};
use keygate_provider::{Origin, ProviderOptions};
use keygate_provider_google::ADAPTER;
use keygate_telemetry::metrics::RequestMetrics;
use keygate_tests::sim::{
    GoogleConfig, GoogleKey, GoogleProject, MinuteShape, ModelLimits, Population, RunningSimulator,
    SimConfig, Simulator,
};
use keygate_upstream::{ClientSettings, UpstreamClient};
use tokio::task::LocalSet;

const MODEL: &str = "gemini-2.5-flash";
const PROJECTS: [(&str, &[&str]); 2] =
    [("alpha", &["key-alpha-1", "key-alpha-2"]), ("beta", &["key-beta-1"])];
const SPAN: Duration = Duration::from_mins(12);
/// How far time moves at once while somebody waits.
const STEP: Duration = Duration::from_millis(100);
/// Looks after which a request that is neither answered, waiting nor sent must be pausing.
const PAUSING: u32 = 100;
/// Looks after which a test gives up.
const LOOKS: u32 = 10_000_000;

/// What each project may do; a third more than that is asked for.
fn granted() -> Allowance {
    Allowance { requests_per_minute: Some(30), ..Allowance::default() }
}

/// Bursts of four of forty users, 90 requests a minute.
fn shape(starts: jiff::Timestamp) -> Shape {
    Shape {
        users: Shape::users(40),
        requests_per_user_per_day: 90.0 * 1440.0 / 40.0,
        burst: 4,
        burst_gap: Duration::from_millis(700),
        profile: Profile::EVEN,
        zone: TimeZone::UTC,
        models: vec![MODEL.into()],
        shares: vec![1.0],
        input_tokens: 10,
        output_tokens: 10,
        starts,
        span: SPAN,
        seed: 11,
    }
}

fn scenario(budgets: Allowance, starts: jiff::Timestamp) -> Scenario {
    let keys = PROJECTS.iter().flat_map(|(project, keys)| keys.iter().map(move |key| (project, key)));
    let budgets = Budgets {
        default: budgets,
        day: Reset::Midnight("America/Los_Angeles"),
        month: Reset::MonthEnd("America/Los_Angeles"),
        ..Budgets::default()
    };
    Scenario {
        keys: keys
            .map(|(project, key)| KeySpec {
                secret: ApiKey::new((*key).to_owned()),
                label: (*key).to_owned(),
                group: Some(GroupId::from(*project)),
                weight: 1,
                role: Role::Primary,
                allowance: Allowance::default(),
            })
            .collect(),
        policy: Policy { budgets, ..Policy::default() },
        retry: RetryPolicy::default(),
        per_user: UserPolicy { requests_per_minute: 6, burst: 6, ..UserPolicy::default() },
        timeout: Duration::from_mins(2),
        patience: None,
        granted: granted(),
        // The simulator answers at once.
        latency: Duration::ZERO,
        session_length: None,
        starts,
        span: SPAN,
        zone: TimeZone::UTC,
        seed: 5,
    }
}

/// What became of the requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Outcome {
    served: u64,
    by_user: u64,
    refused: u64,
    provider_429s: u64,
}

impl Outcome {
    fn of(report: &Report) -> Self {
        Self {
            served: report.served,
            by_user: report.refused_by_user.total,
            refused: report.refused(),
            provider_429s: report.provider_429s,
        }
    }

    fn requests(&self) -> u64 {
        self.served + self.by_user + self.refused
    }
}

fn simulator(starts: jiff::Timestamp) -> RunningSimulator {
    let limits = granted().requests_per_minute;
    let limits = ModelLimits { model: "*".to_owned(), requests_per_minute: limits, ..ModelLimits::default() };
    let projects = PROJECTS.iter().map(|(name, keys)| GoogleProject {
        keys: keys.iter().map(|key| GoogleKey::new(*key)).collect(),
        limits: vec![limits.clone()],
        minute: MinuteShape::Clock,
        ..GoogleProject::named(*name)
    });
    let google = GoogleConfig { projects: projects.collect() };
    let population = Population { google, ..Population::empty() };
    let still = SimConfig { speed: 0.0, starts_at: Some(starts), population, ..SimConfig::default() };
    Simulator::start(still).expect("the simulator starts")
}

/// What attempts cost is nobody's concern here.
struct Nowhere;

#[async_trait]
impl LedgerShelf for Nowhere {
    async fn enter(&self, _: &[LedgerRow]) -> Result<(), ShelfTrouble> {
        Ok(())
    }

    async fn journal(&self, rows: &[LedgerRow]) -> Result<usize, ShelfTrouble> {
        Ok(rows.len())
    }

    async fn replay(&self) -> Result<u64, ShelfTrouble> {
        Ok(0)
    }

    async fn forget(&self, _: i64) -> Result<u64, ShelfTrouble> {
        Ok(0)
    }
}

/// The house without its front door, on this thread.
struct Stage {
    sim: RunningSimulator,
    house: Rc<House>,
    open: Rc<Cell<usize>>,
    outcome: Rc<RefCell<Outcome>>,
    at: Cell<Duration>,
}

impl Stage {
    fn set(scenario: &Scenario, sim: RunningSimulator) -> Self {
        let supervisor = start_supervisor(
            SupervisorSpec {
                provider: ADAPTER.name,
                keys: scenario.keys.clone(),
                policy: scenario.policy.clone(),
                seed: 3,
                gate: 4096,
                chaos: None,
                memory: Arc::default(),
                bookkeeper: None,
                prober: None,
            },
            &Home::Here,
        );
        let client = UpstreamClient::new(ClientSettings::default()).expect("a client");
        let lane = Lane {
            adapter: ADAPTER,
            provider: (ADAPTER.build)(&ProviderOptions::default()),
            supervisor,
            upstream: client.upstream(sim.google_url().parse().expect("an address")),
            strategy: scenario.policy.strategy,
            retry: scenario.retry,
            timeout: scenario.timeout,
            messages: Messages::default(),
            model_fallback: Arc::default(),
        };
        let house = House {
            lanes: BTreeMap::from([(ADAPTER.name, lane)]),
            limiter: start_limiter(scenario.per_user, Plans::default(), vec![], 4096, &Home::Here),
            ledger: start_ledger(Arc::new(Nowhere), LedgerSpec::default(), &Home::Here),
            errands: Errands::default(),
            keepers: Keepers::none(),
            redactor: Redactor::new([], &[]).expect("a redactor"),
            cache: None,
            answers: None,
            status_of: |_| 500,
            metrics: None,
        };
        Self { sim, house: Rc::new(house), open: Rc::default(), outcome: Rc::default(), at: Cell::default() }
    }

    fn fire(&self, user: Arc<str>) {
        let (house, open, outcome) =
            (Rc::clone(&self.house), Rc::clone(&self.open), Rc::clone(&self.outcome));
        open.set(open.get() + 1);
        tokio::task::spawn_local(async move {
            let client = ClientId::from("app");
            let user = UserId { client: client.clone(), name: user };
            let path = format!("/v1beta/models/{MODEL}:generateContent");
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "application/json".parse().expect("a header"));
            let profile = Arc::new(ClientProfile::with_rights(&[Right::Chat]));
            let call = Call {
                method: Method::POST,
                path: &path,
                query: None,
                headers,
                body: br#"{"contents":[{"parts":[{"text":"hello"}]}]}"#.as_slice().into(),
                inflow: None,
                began: clock::now(),
                identity: Identity::Known(Caller { client, user, profile }),
                request_id: "a request",
                origin: Origin::INSIDE,
                span: tracing::Span::none(),
                metrics: RequestMetrics::default(),
            };
            let answer = serve(&house, &house.lanes[&ADAPTER.name], &call, std::future::pending()).await;
            let mut outcome = outcome.borrow_mut();
            match answer {
                Ok(answer) if answer.status == 200 => outcome.served += 1,
                Err(refused) if refused.turned_away.is_some() => outcome.by_user += 1,
                Ok(_) | Err(_) => outcome.refused += 1,
            }
            open.set(open.get() - 1);
        });
    }

    /// Waits until everybody has an answer, or a place in the queue. How many have one.
    async fn quiet(&self) -> usize {
        let mut looks = 0;
        for _ in 0..LOOKS {
            let pool =
                self.house.lanes[&ADAPTER.name].supervisor.observe().await.expect("the supervisor answers");
            let is_on_the_wire = pool.ledger.in_flight > 0;
            if self.open.get() == pool.waiting && !is_on_the_wire {
                return pool.waiting;
            }
            looks = if is_on_the_wire { 0 } else { looks + 1 };
            if looks == PAUSING {
                // Nothing is under way but a timer's least: the pause before another attempt.
                looks = 0;
                self.advance(Duration::from_millis(1)).await;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} requests never come to rest", self.open.get());
    }

    /// Moves both clocks.
    async fn advance(&self, step: Duration) {
        self.sim.advance(step);
        tokio::time::advance(step).await;
        self.at.set(self.at.get() + step);
    }

    /// Lets time pass, in steps while somebody waits.
    async fn pass_until(&self, until: Duration) {
        while self.at.get() < until {
            let waiting = self.quiet().await;
            let left = until.saturating_sub(self.at.get());
            self.advance(if waiting > 0 { left.min(STEP) } else { left }).await;
        }
        self.quiet().await;
    }

    async fn run(self, users: &[Arc<str>], arrivals: impl Iterator<Item = Arrival>) -> Outcome {
        for arrival in arrivals.take_while(|arrival| arrival.at < SPAN) {
            self.pass_until(arrival.at).await;
            self.fire(Arc::clone(&users[arrival.user as usize]));
        }
        self.pass_until(SPAN + Duration::from_mins(1)).await;
        assert_eq!(self.open.get(), 0, "nobody waits for ever");
        let provider_429s = self.sim.counts().google.refused_429;
        Outcome { provider_429s, ..*self.outcome.borrow() }
    }
}

/// Keeps tokio's paused clock from moving by itself while sockets are waited for: it never does while a blocking
/// task runs.
struct HeldClock {
    _until_dropped: mpsc::Sender<()>,
}

impl HeldClock {
    fn hold() -> Self {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv());
        Self { _until_dropped: sender }
    }
}

/// The same traffic planned, and for real.
async fn both(budgets: Allowance) -> (Outcome, Outcome) {
    let _held = HeldClock::hold();
    let starts = clock::now().wall;
    let (scenario, traffic) = (scenario(budgets, starts), shape(starts));
    let planned = rehearse(&scenario, &traffic, &mut |_| ControlFlow::Continue(()));
    let real = LocalSet::new()
        .run_until(async {
            Stage::set(&scenario, simulator(starts)).run(traffic.users(), traffic.arrivals()).await
        })
        .await;
    (Outcome::of(&planned), real)
}

fn agree(planned: Outcome, real: Outcome) {
    let requests = real.requests();
    assert_eq!(planned.requests(), requests);
    assert!(
        real.refused > requests / 10 && real.by_user > requests / 50,
        "{real:?} puts nothing to the test"
    );
    for (what, planned, real) in [
        ("refused", planned.refused, real.refused),
        ("refused by the limit of their user", planned.by_user, real.by_user),
        ("served", planned.served, real.served),
    ] {
        assert!(
            planned.abs_diff(real) * 50 <= requests,
            "{what}: planned {planned}, really {real} of {requests}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn with_budgets_as_many_are_refused_as_planned_and_no_429_comes() {
    let (planned, real) = both(granted()).await;
    agree(planned, real);
    assert_eq!((planned.provider_429s, real.provider_429s), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_budgets_too() {
    let (planned, real) = both(Allowance::default()).await;
    agree(planned, real);
    assert!(planned.provider_429s > 0 && real.provider_429s > 0, "limits are learned by meeting them");
}
