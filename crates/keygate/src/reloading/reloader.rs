//! Puts another configuration in force, when files change or somebody asks for it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use keygate_actors::{KeySupervisor, Unavailable, audit_entry};
use keygate_config::{Config, LoadRequest, Loaded, Reading, Seen, Watcher};
use keygate_domain::{AuditAction, Redactor};
use keygate_http::{ConfigState, Crew, KeysChanged, ReloadOrders, ReloadRefused, ReloadReport, RuleBoard};
use keygate_pool::{KeyName, Reloaded};
use keygate_provider::Adapter;
use keygate_telemetry::metrics::{Metrics, Reload};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::difference::Difference;
use super::{Again, Hangups, events, first_state, reading, rules};
use crate::earlier_use::EarlierUse;
use crate::token_clerk::{NOBODY_HAS_A_TOKEN, any_is_valid};
use crate::wiring;

/// How often files are looked at. A change is read at the second look that finds it unmoved, and
/// an invalid one is told at the third: well within the two seconds that were promised.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// How often an actor is asked again that restarts just then; it is back in microseconds.
const ASKS: u32 = 5;

/// What a reload reaches into.
pub(crate) struct Surroundings {
    /// As it is on the board.
    pub(crate) state: ConfigState,
    pub(crate) board: RuleBoard,
    pub(crate) redactor: Redactor,
    pub(crate) crew: Crew,
    pub(crate) earlier: EarlierUse,
    pub(crate) orders: ReloadOrders,
    pub(crate) hangups: Hangups,
    /// Where reloads are counted, if they are.
    pub(crate) metrics: Option<Metrics>,
}

/// Knows what is in force.
pub(crate) struct Reloader {
    request: LoadRequest,
    catalogue: &'static [Adapter],
    running: Config,
    state: ConfigState,
    warned: BTreeSet<String>,
    watcher: Watcher,
    /// Set when a valid configuration could not be put in force as a whole.
    is_owed: bool,
    around: Surroundings,
}

impl Reloader {
    /// A reloader of what was `loaded` and put in force just now.
    pub(crate) fn new(
        again: Again,
        catalogue: &'static [Adapter],
        loaded: Loaded,
        around: Surroundings,
    ) -> Self {
        Self {
            request: again.request,
            catalogue,
            running: loaded.config,
            state: around.state.clone(),
            warned: loaded.warnings.iter().map(ToString::to_string).collect(),
            watcher: Watcher::new(again.read),
            is_owed: false,
            around,
        }
    }

    /// Reloads for ever.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look().await,
                () = self.around.hangups.next() => {
                    let outcome = self.reload_now().await;
                    self.audit("signal", &outcome);
                }
                Some(order) = self.around.orders.recv() => {
                    let outcome = self.reload_now().await;
                    // Whoever asked may be gone; it was done all the same.
                    let _ = order.send(outcome);
                }
            }
        }
    }

    async fn look(&mut self) {
        self.around.earlier.settle().await;
        let Ok(now) = reading::marks_of(self.watcher.files().clone()).await else { return };
        match self.watcher.look(now) {
            Seen::Changed => self.reload_from_files().await,
            Seen::Unchanged if self.is_owed => drop(self.reload_now().await),
            Seen::Unchanged | Seen::Changing => {}
        }
    }

    /// Files changed. What is invalid may be half of something, and has another chance.
    async fn reload_from_files(&mut self) {
        let Ok(Reading { outcome, marks }) = self.read().await else { return };
        match outcome {
            Ok(loaded) => {
                if self.watcher.read_valid(marks) {
                    let outcome = self.put_in_force(loaded).await;
                    self.audit("file", &outcome);
                }
            }
            Err(problems) => {
                if self.watcher.read_invalid(marks) {
                    let problem = reading::in_one_line(&problems, &self.around.redactor);
                    self.refuse(problem.clone());
                    self.audit("file", &Err(ReloadRefused::Invalid(problem)));
                }
            }
        }
    }

    /// Somebody asks for it, and is told whatever stands in the files now.
    async fn reload_now(&mut self) -> Result<ReloadReport, ReloadRefused> {
        let Ok(Reading { outcome, marks }) = self.read().await else {
            return Err(self.fail("reading the configuration failed".to_owned()));
        };
        match outcome {
            Ok(loaded) => {
                self.watcher = Watcher::new(marks);
                self.put_in_force(loaded).await
            }
            Err(problems) => {
                self.watcher.settle_for(marks);
                let problem = reading::in_one_line(&problems, &self.around.redactor);
                self.refuse(problem.clone());
                Err(ReloadRefused::Invalid(problem))
            }
        }
    }

    /// Whoever can write the files or send a signal is an operator too. What nobody changed is not told.
    fn audit(&self, who: &str, outcome: &Result<ReloadReport, ReloadRefused>) {
        let (action, details) = match outcome {
            Ok(report) if report.changed.is_empty() && report.needs_restart.is_empty() => return,
            Ok(report) => (AuditAction::ConfigReloaded, report.in_words()),
            Err(ReloadRefused::Invalid(why) | ReloadRefused::Failed(why)) => {
                (AuditAction::ConfigRefused, why.clone())
            }
        };
        self.around.crew.auditor.note(audit_entry(who, action, &details));
    }

    async fn read(&self) -> Result<Reading, tokio::task::JoinError> {
        reading::read(self.request.clone(), self.running.server.bind, self.catalogue).await
    }

    /// In this order: nobody is lent a key that could be printed, and requests follow other rules
    /// once the actors do.
    async fn put_in_force(&mut self, loaded: Loaded) -> Result<ReloadReport, ReloadRefused> {
        let Loaded { config: wanted, warnings, .. } = loaded;
        if let Err(why) = self.teach(wanted.clone()).await {
            return Err(self.fail(why));
        }
        let Difference { next, changed, needs_restart } = Difference::between(&self.running, wanted);
        let warned: BTreeSet<String> = warnings.iter().map(ToString::to_string).collect();
        let mut warnings: Vec<String> = warned.difference(&self.warned).cloned().collect();
        if next.clients != self.running.clients
            && next.clients.relies_on_kept_tokens()
            && !any_is_valid(&self.around.board.kept())
        {
            warnings.push(NOBODY_HAS_A_TOKEN.to_owned());
        }
        let mut report = ReloadReport { changed, needs_restart, warnings, ..ReloadReport::default() };
        if let Err(Unavailable { .. }) = self.tell_actors(&next, &mut report).await {
            return Err(self.fail("a part of the gateway is restarting".to_owned()));
        }
        self.running = next;
        self.warned = warned;
        self.is_owed = false;
        self.state = ConfigState { needs_restart: report.needs_restart.clone(), ..first_state() };
        self.post();
        self.count(Reload::Applied);
        events::reloaded(&report);
        Ok(report)
    }

    /// Takes time that the thread which watches over the others does not have.
    async fn teach(&self, wanted: Config) -> Result<(), String> {
        let redactor = self.around.redactor.clone();
        let taught = spawn_blocking(move || wiring::teach(&redactor, &wanted)).await;
        match taught {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_panicked) => Err("the redactor could not be built".to_owned()),
        }
    }

    /// What an actor took is noted at once: if another one cannot, the next try goes on from there.
    async fn tell_actors(&mut self, next: &Config, report: &mut ReloadReport) -> Result<(), Unavailable> {
        let supervisors = self.around.crew.supervisors.iter();
        for ((running, next), supervisor) in
            self.running.providers.iter_mut().zip(&next.providers).zip(supervisors)
        {
            if running.keys == next.keys && running.policy == next.policy {
                continue;
            }
            let told = tell(supervisor, next).await?;
            running.policy = next.policy.clone();
            if running.keys != next.keys {
                running.keys.clone_from(&next.keys);
                report.keys.insert(next.adapter.name.as_str(), in_words(told));
                wiring::tell_pool(next);
            }
        }
        if self.running.limits.per_user != next.limits.per_user {
            self.around.crew.limiter.set_policy(next.limits.per_user).await?;
        }
        if self.running.plans != next.plans {
            if let Some(began) = self.around.crew.limiter.set_plans(next.plans.clone()).await? {
                self.around.earlier.owe(began.wall);
            }
            self.running.plans.clone_from(&next.plans);
        }
        if self.running.storage.ledger_retention != next.storage.ledger_retention {
            self.around.crew.ledger.keep_for(next.storage.ledger_retention);
        }
        if self.running.alerts != next.alerts {
            self.around.crew.herald.set(next.alerts.clone());
        }
        if self.running.session_keepers != next.session_keepers {
            self.around.crew.keepers.set(next.session_keepers.clone());
        }
        self.around.earlier.settle().await;
        Ok(())
    }

    fn refuse(&mut self, problem: String) {
        events::refused(&problem);
        self.state.problem = Some(problem);
        self.count(Reload::Refused);
        self.post();
    }

    fn fail(&mut self, why: String) -> ReloadRefused {
        events::failed(&why);
        self.is_owed = true;
        self.state.problem = Some(why.clone());
        self.count(Reload::Failed);
        self.post();
        ReloadRefused::Failed(why)
    }

    fn count(&self, result: Reload) {
        if let Some(metrics) = &self.around.metrics {
            metrics.reloaded(result);
        }
    }

    fn post(&self) {
        self.around.board.post(rules(&self.running, self.state.clone()));
    }
}

async fn tell(
    supervisor: &KeySupervisor,
    next: &keygate_config::ProviderConfig,
) -> Result<Reloaded, Unavailable> {
    let mut asks = 1;
    loop {
        match supervisor.reload(next.keys.clone(), next.policy.clone()).await {
            Err(unavailable) if asks == ASKS => return Err(unavailable),
            Err(_) => sleep(Duration::from_millis(50)).await,
            Ok(told) => return Ok(told),
        }
        asks += 1;
    }
}

fn in_words(told: Reloaded) -> KeysChanged {
    let labels = |keys: Vec<KeyName>| keys.into_iter().map(|key| key.label.to_string()).collect();
    KeysChanged { added: labels(told.added), removed: labels(told.removed), kept: told.kept }
}
