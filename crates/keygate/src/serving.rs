//! A running gateway: from a validated configuration to the last answer.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_rt::System;
use futures_util::future::join;
use jiff::Timestamp;
use keygate_actors::{
    Arbiters, Auditor, Bookkeeper, Chaos, Herald, HeraldPost, Home, Keepers, KeepersNoted, KeepersPost,
    KeySupervisor, Ledger, NoteBook, Prober, Vital, beyond_repair, clock, herald, session_keepers,
    start_limiter,
};
use keygate_config::{Config, Loaded, ProviderConfig};
use keygate_domain::{ClientToken, Redactor, UserId};
use keygate_http::{Crew, Front, FrontError, FrontSettings, Observatory, RuleBoard, UsageBooks, reload_desk};
use keygate_limits::Used;
use keygate_provider::Adapter;
use keygate_storage::{Storage, StorageError};
use keygate_telemetry::metrics::Metrics;
use keygate_telemetry::{MetricsPush, Telemetry};
use thiserror::Error;

use crate::commands::print;
use crate::earlier_use::{EarlierUse, plan_use};
use crate::exit::Exit;
use crate::memory::{Memories, Memory};
use crate::reloading::{Again, Hangups, Reloader, Surroundings, first_state, rules};
use crate::shutdown::Signals;
use crate::token_clerk::{NOBODY_HAS_A_TOKEN, TokenClerk, any_is_valid};
use crate::{alerting, answers, probing, session_keeping, wiring};

/// How long the end of the process waits for bots that are being asked.
const LAST_ERRANDS: Duration = Duration::from_secs(5);

/// Why the gateway does not come up.
#[derive(Debug, Error)]
enum CannotServe {
    #[error(transparent)]
    Front(#[from] FrontError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the system refuses a thread or a signal handler")]
    System(#[from] io::Error),
}

impl CannotServe {
    fn exit(&self) -> Exit {
        match self {
            Self::Front(_) | Self::System(_) => Exit::Unavailable,
            Self::Storage(_) => Exit::Storage,
        }
    }
}

/// Serves until a signal; tells the address once it listens.
pub(crate) fn run(
    loaded: Loaded,
    again: Again,
    catalogue: &'static [Adapter],
    ready: impl FnOnce(SocketAddr),
) -> Exit {
    run_with(loaded, Some(again), catalogue, |address| {
        ready(address);
        std::future::pending()
    })
}

/// Serves until a signal, or until `companion` ends with an exit of its own. What was read from
/// files is read `again` when they change.
pub(crate) fn run_with<F>(
    loaded: Loaded,
    again: Option<Again>,
    catalogue: &'static [Adapter],
    companion: impl FnOnce(SocketAddr) -> F,
) -> Exit
where
    F: Future<Output = Option<Exit>>,
{
    let redactor = match wiring::redactor(&loaded.config, catalogue) {
        Ok(redactor) => redactor,
        Err(error) => return failed(&error, Exit::Internal),
    };
    let chaos = match wiring::chaos() {
        Ok(chaos) => chaos,
        Err(error) => return failed(&error, Exit::Usage),
    };
    let settings = wiring::telemetry(&loaded.config);
    let telemetry = match keygate_telemetry::start(&settings, redactor.clone()) {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(&error, Exit::Usage),
    };
    for warning in &loaded.warnings {
        tracing::warn!(event = "config.warning", "{warning}");
    }
    let exit = System::new()
        .block_on(serve(
            loaded,
            again.map(|again| (again, catalogue)),
            (&telemetry, redactor),
            chaos,
            companion,
        ))
        .unwrap_or_else(|error| failed(&error, error.exit()));
    telemetry.shutdown();
    exit
}

fn failed(error: &dyn std::error::Error, exit: Exit) -> Exit {
    print::failure(error);
    exit
}

async fn serve<F>(
    loaded: Loaded,
    again: Option<(Again, &'static [Adapter])>,
    (telemetry, redactor): (&Telemetry, Redactor),
    chaos: Option<Chaos>,
    companion: impl FnOnce(SocketAddr) -> F,
) -> Result<Exit, CannotServe>
where
    F: Future<Output = Option<Exit>>,
{
    let signals = Signals::listen()?;
    let hangups = again.is_some().then(Hangups::listen).transpose()?;
    let config = loaded.config.clone();
    let (storage, memories) = Memory::open(&config.storage, &config.providers).await?;
    let plan_use = earlier_use(&config, &storage).await?;
    let mut memory = Memory::start(storage, &config.storage)?;
    let dwelling = Dwelling::for_workers(config.server.workers)?;
    let memories = Arc::new(memories);
    let state = first_state();
    let (clerk, tokens) = TokenClerk::begin(memory.storage()).await?;
    warn_if_nobody_may_in(&config, &tokens);
    let board = RuleBoard::new(rules(&config, state.clone()), tokens);
    let metrics = config.telemetry.metrics.then(|| Metrics::new(clock::now(), telemetry.deliveries()));
    let (messengers, posts) = messengers(&config, &memory).await;
    let crew = CrewPlan {
        chaos,
        homes: dwelling.homes(),
        bookkeeper: memory.bookkeeper(),
        plan_use,
        ledger: memory.ledger(),
        books: memory.books(),
        auditor: memory.auditor(),
        messengers: messengers.clone(),
        prober: probing::start(board.clone(), &memory.clerks()),
        memories: Arc::downgrade(&memories),
    };
    let (desk, orders) = reload_desk();
    let front = Front::open(FrontSettings {
        server: config.server.clone(),
        board: board.clone(),
        reloads: again.is_some().then_some(desk),
        answers: Some(answers::desk(memory.storage(), memory.clerks(), board.tally())),
        start_crew: crew_starter(config.clone(), crew),
        redactor: redactor.clone(),
        metrics: metrics.clone(),
    })
    .await?;
    drop(memories);
    memory.begin();
    tracing::info!(event = "gateway.listening", address = %front.address(), "listening");
    let crew = front.crew().clone();
    let earlier = EarlierUse::new(memory.storage(), crew.ledger.clone(), crew.limiter.clone());
    posts.begin(&crew, &config.providers, &memory, &redactor);
    drop(config);
    let push = pushing(telemetry, metrics.as_ref(), &crew, &board);
    let companion = companion(front.address());
    let reloader = again.zip(hangups).map(|((again, catalogue), hangups)| {
        let (board, crew) = (board.clone(), crew.clone());
        let around = Surroundings { state, board, redactor, crew, earlier, orders, hangups, metrics };
        Reloader::new(again, catalogue, loaded, around)
    });
    let clerks = async { join(reloading(reloader), clerk.run(board)).await.0 };
    let exit = until_the_end(front, signals, &watched(&crew), companion, clerks).await;
    messengers.finish().await;
    pushed(push).await;
    dwelling.stop();
    memory.close(&crew.supervisors).await;
    exit
}

/// Has metrics sent, if they are.
fn pushing(
    telemetry: &Telemetry,
    metrics: Option<&Metrics>,
    crew: &Crew,
    board: &RuleBoard,
) -> Option<MetricsPush> {
    let metrics = metrics?.clone();
    let observatory = Observatory::new(metrics.clone(), crew.clone(), board.clone());
    telemetry.push_metrics(metrics, observatory)
}

/// Sends what was counted last.
async fn pushed(push: Option<MetricsPush>) {
    if let Some(push) = push {
        push.finish().await;
    }
}

/// What users had of their plans, if there are any.
async fn earlier_use(config: &Config, storage: &Storage) -> Result<Vec<(UserId, Used)>, StorageError> {
    if config.plans.are_none() { Ok(Vec::new()) } else { plan_use(storage, Timestamp::MAX).await }
}

fn warn_if_nobody_may_in(config: &Config, tokens: &[ClientToken]) {
    if config.clients.relies_on_kept_tokens() && !any_is_valid(tokens) {
        tracing::warn!(event = "tokens.none", "{NOBODY_HAS_A_TOKEN}");
    }
}

/// Who speaks with people and bots.
#[derive(Clone)]
struct Messengers {
    herald: Herald,
    keepers: Keepers,
}

impl Messengers {
    /// Lets bots that are being asked answer, and letters arrive.
    async fn finish(&self) {
        let (bots_answered, is_kept) =
            join(self.keepers.finish(LAST_ERRANDS), self.herald.finish(LAST_ERRANDS)).await;
        if !bots_answered {
            tracing::warn!(event = "bot.abandoned", "a bot was still being asked to renew its session");
        }
        if !is_kept {
            tracing::warn!(
                event = "alert.unkept",
                "what was told last could not be kept: it may be told anew"
            );
        }
    }
}

/// Where they begin, once there is something to look at.
struct Posts {
    herald: HeraldPost,
    keepers: KeepersPost,
}

async fn messengers(config: &Config, memory: &Memory) -> (Messengers, Posts) {
    let (herald, herald_post) = herald(config.alerts.clone());
    let noted = KeepersNoted::read(&alerting::Notes(memory.storage())).await;
    let (keepers, keepers_post) = session_keepers(config.session_keepers.clone(), &noted);
    (Messengers { herald, keepers }, Posts { herald: herald_post, keepers: keepers_post })
}

impl Posts {
    fn begin(self, crew: &Crew, providers: &[ProviderConfig], memory: &Memory, redactor: &Redactor) {
        let notes: Arc<dyn NoteBook> = Arc::new(alerting::Notes(memory.storage()));
        session_keeping::start(self.keepers, Arc::clone(&notes), redactor.clone(), &memory.clerks());
        alerting::start(self.herald, crew, providers, notes, redactor.clone(), &memory.clerks());
    }
}

/// Where the actors live.
enum Dwelling {
    /// On threads of their own, apart from the workers that ask them.
    Arbiters(Arbiters),
    /// With the only worker: another thread would not work beside it but in turn with it, and each
    /// message would cost two changes of threads.
    WithTheWorker,
}

impl Dwelling {
    fn for_workers(workers: NonZeroU32) -> io::Result<Self> {
        if workers.get() == 1 { Ok(Self::WithTheWorker) } else { Arbiters::start().map(Self::Arbiters) }
    }

    fn homes(&self) -> Homes {
        match self {
            Self::Arbiters(arbiters) => Homes { admission: arbiters.admission(), keys: arbiters.keys() },
            Self::WithTheWorker => Homes { admission: Home::Here, keys: Home::Here },
        }
    }

    /// The worker's has gone with it.
    fn stop(self) {
        match self {
            Self::Arbiters(arbiters) => arbiters.stop(),
            Self::WithTheWorker => {}
        }
    }
}

/// Where each kind of actor is started.
struct Homes {
    admission: Home,
    keys: Home,
}

/// What the crew is started with.
struct CrewPlan {
    chaos: Option<Chaos>,
    homes: Homes,
    bookkeeper: Bookkeeper,
    /// What users had of their plans; read once, like the memories.
    plan_use: Vec<(UserId, Used)>,
    ledger: Ledger,
    books: UsageBooks,
    auditor: Auditor,
    messengers: Messengers,
    prober: Prober,
    /// Read once, while the front opens; who plans holds no second copy of it ever after.
    memories: Weak<Memories>,
}

impl CrewPlan {
    fn supervisor(&self, provider: &ProviderConfig) -> KeySupervisor {
        let memories = self.memories.upgrade().unwrap_or_default();
        let memory = memories.get(&provider.adapter.name).cloned().unwrap_or_default();
        let (bookkeeper, prober) = (self.bookkeeper.clone(), self.prober.clone());
        wiring::supervisor(provider, self.chaos, memory, bookkeeper, prober, &self.homes.keys)
    }
}

type CrewStarter = Box<dyn Fn() -> Crew + Send + Sync>;

fn crew_starter(config: Config, plan: CrewPlan) -> CrewStarter {
    let Config { limits, plans, providers, .. } = config;
    Box::new(move || Crew {
        limiter: start_limiter(
            limits.per_user,
            plans.clone(),
            plan.plan_use.clone(),
            wiring::GATE,
            &plan.homes.admission,
        ),
        supervisors: providers.iter().map(|provider| plan.supervisor(provider)).collect(),
        bookkeeper: plan.bookkeeper.clone(),
        ledger: plan.ledger.clone(),
        books: plan.books.clone(),
        auditor: plan.auditor.clone(),
        herald: plan.messengers.herald.clone(),
        keepers: plan.messengers.keepers.clone(),
    })
}

/// Reloads for as long as anybody polls it.
async fn reloading(reloader: Option<Reloader>) -> Infallible {
    match reloader {
        Some(reloader) => reloader.run().await,
        None => std::future::pending().await,
    }
}

fn watched(crew: &Crew) -> Vec<Arc<dyn Vital>> {
    let supervisors = crew.supervisors.iter().cloned().map(|s| Arc::new(s) as Arc<dyn Vital>);
    supervisors.chain([Arc::new(crew.limiter.clone()) as Arc<dyn Vital>]).collect()
}

/// Serves until the first of: a signal (running answers may end, a second signal cuts them), an
/// actor beyond repair, the companion's end.
async fn until_the_end(
    front: Front,
    mut signals: Signals,
    watched: &[Arc<dyn Vital>],
    companion: impl Future<Output = Option<Exit>>,
    clerks: impl Future<Output = Infallible>,
) -> Result<Exit, CannotServe> {
    let handle = front.handle();
    let mut serving = pin!(front.run());
    let exit = tokio::select! {
        ended = &mut serving => {
            ended?;
            return Ok(Exit::Internal);
        }
        () = signals.next() => Exit::Done,
        Some(exit) = companion => exit,
        never = clerks => match never {},
        name = beyond_repair(watched) => {
            tracing::error!(
                event = "gateway.beyond_repair", actor = name, "restarting does not cure it; giving up"
            );
            Exit::Internal
        }
    };
    tracing::info!(event = "gateway.stopping", "stopping: running answers may end");
    let mut stopping = pin!(async {
        // Who stops because nothing cures it has nothing to offer meanwhile.
        if exit == Exit::Done {
            handle.announce().await;
        }
        handle.stop().await;
    });
    tokio::select! {
        () = &mut stopping => {}
        _ = &mut serving => {}
        // Leaving cuts what still runs: nobody is left to wait for.
        () = signals.next() => tracing::warn!(event = "gateway.cut", "stopping at once"),
    }
    Ok(exit)
}
