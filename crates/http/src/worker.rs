//! What one worker owns: its HTTP client and the house built on it.

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::ErrorInternalServerError;
use actix_web::{FromRequest, HttpRequest, web};
use http::HeaderName;
use keygate_actors::{Auditor, Bookkeeper, Herald, KeySupervisor};
use keygate_config::ProviderConfig;
use keygate_domain::Redactor;
use keygate_journey::{AnswerDesk, Errands, House, Lane, StoredAnswers, Switchboard, Tally};
use keygate_telemetry::metrics::{Metrics, WorkerMetrics};
use keygate_upstream::UpstreamClient;
use tokio::sync::watch;

use crate::credentials::Doorkeeper;
use crate::departure::Departure;
use crate::error_response::status_of;
use crate::front::{Crew, FrontSettings};
use crate::metrics::Observatory;
use crate::reload::ReloadDesk;
use crate::rules::{Posted, Rules};
use crate::usage::UsageBooks;

/// A worker's place. Never leaves its thread: connections belong to the runtime that opened them.
pub(crate) struct Station {
    tools: Tools,
    board: RefCell<watch::Receiver<Arc<Posted>>>,
    on_duty: RefCell<Rc<Worker>>,
}

/// What every worker of this thread is made with, whatever the rules.
struct Tools {
    crew: Crew,
    client: UpstreamClient,
    redactor: Redactor,
    reloads: Option<ReloadDesk>,
    answers: Option<AnswerDesk>,
    tally: Arc<Tally>,
    switchboard: Switchboard,
    metrics: Option<WorkerMetrics>,
    observatory: Option<Observatory>,
    departure: Departure,
}

/// What a worker serves with, made anew when other rules are posted. Requests that began under
/// earlier ones keep theirs.
pub(crate) struct Worker {
    pub(crate) house: House,
    pub(crate) bookkeeper: Bookkeeper,
    pub(crate) books: UsageBooks,
    pub(crate) auditor: Auditor,
    pub(crate) herald: Herald,
    pub(crate) doorkeeper: Arc<Doorkeeper>,
    pub(crate) rules: Arc<Rules>,
    /// The header that names the user, as it is looked for; none if the configured one can be no header's.
    pub(crate) user_header: Option<HeaderName>,
    pub(crate) reloads: Option<ReloadDesk>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) max_body_bytes: usize,
    pub(crate) switchboard: Switchboard,
    pub(crate) departure: Departure,
    /// Where metrics are read off, if there are any.
    pub(crate) observatory: Option<Observatory>,
}

impl Station {
    pub(crate) fn new(
        settings: &FrontSettings,
        crew: Crew,
        client: UpstreamClient,
        switchboard: Switchboard,
        departure: Departure,
    ) -> Self {
        let mut board = settings.board.reader();
        let posted = Arc::clone(&board.borrow_and_update());
        let observatory = settings.metrics.clone();
        let observatory =
            observatory.map(|metrics| Observatory::new(metrics, crew.clone(), settings.board.clone()));
        let tools = Tools {
            crew,
            client,
            redactor: settings.redactor.clone(),
            reloads: settings.reloads.clone(),
            answers: settings.answers.clone(),
            tally: settings.board.tally(),
            switchboard,
            metrics: settings.metrics.as_ref().map(Metrics::worker),
            observatory,
            departure,
        };
        let on_duty = RefCell::new(Rc::new(tools.worker(&posted)));
        Self { tools, board: RefCell::new(board), on_duty }
    }

    /// The worker under the rules in force. Between two postings this is one look at a number.
    fn on_duty(&self) -> Rc<Worker> {
        // Nobody posts any more once the sender is gone; what was posted last holds.
        if self.board.borrow().has_changed().unwrap_or_default() {
            let posted = Arc::clone(&self.board.borrow_mut().borrow_and_update());
            self.on_duty.replace(Rc::new(self.tools.worker(&posted)));
        }
        Rc::clone(&self.on_duty.borrow())
    }
}

impl Tools {
    fn worker(&self, posted: &Posted) -> Worker {
        let rules = Arc::clone(&posted.rules);
        let lanes = rules.providers.iter().zip(&self.crew.supervisors);
        let lanes =
            lanes.map(|(config, supervisor)| (config.adapter.name, lane(config, supervisor, &self.client)));
        let house = House {
            lanes: lanes.collect(),
            limiter: self.crew.limiter.clone(),
            ledger: self.crew.ledger.clone(),
            errands: Errands::default(),
            keepers: self.crew.keepers.clone(),
            redactor: self.redactor.clone(),
            cache: posted.cache.clone(),
            answers: self.answers.clone().filter(|_| rules.answers.enabled).map(|desk| StoredAnswers {
                desk,
                threshold: rules.answers.threshold,
                catch_all: rules.answers.catch_all,
            }),
            status_of,
            metrics: self.metrics.clone(),
        };
        Worker {
            house,
            bookkeeper: self.crew.bookkeeper.clone(),
            books: self.crew.books.clone(),
            auditor: self.crew.auditor.clone(),
            herald: self.crew.herald.clone(),
            user_header: HeaderName::from_bytes(rules.user_header.as_bytes()).ok(),
            doorkeeper: Arc::clone(&posted.doorkeeper),
            max_body_bytes: usize::try_from(rules.max_body).unwrap_or(usize::MAX),
            rules,
            reloads: self.reloads.clone(),
            tally: Arc::clone(&self.tally),
            switchboard: self.switchboard.clone(),
            departure: self.departure.clone(),
            observatory: self.observatory.clone(),
        }
    }
}

impl Worker {
    /// In a word or two why what is to be kept does not reach the disk, if it does not.
    pub(crate) fn storage_trouble(&self) -> Option<&'static str> {
        self.bookkeeper.trouble().or_else(|| self.auditor.trouble())
    }
}

fn lane(config: &ProviderConfig, supervisor: &KeySupervisor, client: &UpstreamClient) -> Lane {
    Lane {
        adapter: config.adapter,
        provider: (config.adapter.build)(&config.options),
        strategy: config.policy.strategy,
        supervisor: supervisor.clone(),
        upstream: client.upstream(config.base_url.clone()),
        retry: config.retry,
        timeout: config.timeout,
        messages: config.messages.clone(),
        model_fallback: Arc::clone(&config.model_fallback),
    }
}

/// The worker that serves a request, from its beginning to its end. The only way in which a
/// handler gets one.
#[derive(Clone)]
pub(crate) struct OnDuty(Rc<Worker>);

impl Deref for OnDuty {
    type Target = Worker;

    fn deref(&self) -> &Worker {
        &self.0
    }
}

impl FromRequest for OnDuty {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let station = request.app_data::<web::Data<Station>>();
        ready(
            station
                .map(|station| Self(station.on_duty()))
                .ok_or_else(|| ErrorInternalServerError("no station")),
        )
    }
}
