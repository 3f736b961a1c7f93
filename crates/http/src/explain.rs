//! `GET /api/{provider}/explain`: which key a request would get, and why no other.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use keygate_actors::UserCall;
use keygate_config::AuthMode;
use keygate_domain::{Access, ClientId, ErrorKind, ModelName, Placement, Refusal, Spend, UserId};
use keygate_journey::Lane;
use keygate_pool::Ask;
use keygate_provider::KnownOperation;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::admin::{no_such_provider, unavailable};
use crate::caller::OPEN_CLIENT;
use crate::explained::{Asked, Explained, UserTold};
use crate::reader::{Reader, reader};
use crate::status::respond;
use crate::worker::{OnDuty, Worker};

/// What the request would be. All of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The model; without one no budget of a model is looked at.
    model: Option<String>,
    /// The operation; the provider's usual one.
    operation: Option<String>,
    /// The tokens that are sent, for whoever asks about a large request.
    tokens: Option<u64>,
    /// The user, whose own limits are told then.
    user: Option<String>,
    /// The client whose user that is; the asker itself, or the only one there is.
    client: Option<String>,
    /// A client's token may be shown here.
    #[serde(rename = "key")]
    _key: Option<IgnoredAny>,
}

/// Longest name of a model, in bytes.
const LONGEST_MODEL_BYTES: usize = 256;

/// Nobody in particular: who asks without naming a user.
const NOBODY: &str = "explain";

/// `GET /api/{provider}/explain`.
pub(crate) async fn explain(
    request: HttpRequest,
    provider: web::Path<String>,
    worker: OnDuty,
) -> HttpResponse {
    respond(&request, explained(&worker, &request, &provider).await)
}

async fn explained(worker: &Worker, request: &HttpRequest, provider: &str) -> Result<Explained, Refusal> {
    let reader = reader(worker, request).await?;
    let lane = worker.house.lane_called(provider).ok_or_else(|| no_such_provider(provider))?;
    let question = question(request.query_string())?;
    let known = operation(lane, question.operation.as_deref())?;
    let model = model(known, question.model.as_deref())?;
    let user = user(worker, &reader, &question)?;
    let standing = match &user {
        Some(user) => {
            let limits = worker.doorkeeper.limits_of(&user.client);
            let plan = worker.doorkeeper.plan_of(&user.client);
            let call = UserCall { user: user.clone(), units: 1, limits, plan, tokens: 0 };
            Some(worker.house.limiter.look(call).await.map_err(unavailable)?)
        }
        None => None,
    };
    let tokens = question.tokens.unwrap_or_default();
    let ask = ask(lane, known, model.clone(), tokens, user.clone());
    let decision = lane.supervisor.explain(ask).await.map_err(unavailable)?;
    let user = user.zip(standing).map(|(user, standing)| UserTold::of(&user, &standing));
    let asked = Asked { provider: lane.adapter.name, operation: known.operation, model };
    Ok(Explained::of(asked, decision, user))
}

fn question(query: &str) -> Result<Question, Refusal> {
    let read = web::Query::<Question>::from_query(query).map(web::Query::into_inner);
    read.map_err(|error| bad(format!("The query is not understood: {error}.")))
}

fn operation(lane: &Lane, named: Option<&str>) -> Result<KnownOperation, Refusal> {
    let operations = lane.adapter.operations;
    let found = match named {
        None => operations.first(),
        Some(name) => operations.iter().find(|known| known.operation.0 == name),
    };
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = operations.iter().map(|known| known.operation.0).collect();
        bad(format!("No such operation of {}. There are: {}.", lane.adapter.name, names.join(", ")))
    })
}

fn model(known: KnownOperation, named: Option<&str>) -> Result<Option<ModelName>, Refusal> {
    let Some(name) = named.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if !known.takes_model {
        return Err(bad(format!("{} names no model: leave it out.", known.operation)));
    }
    if name.len() > LONGEST_MODEL_BYTES {
        return Err(bad(format!("The model's name may hold at most {LONGEST_MODEL_BYTES} bytes.")));
    }
    Ok(Some(ModelName::from(name)))
}

/// The user asked about. How a user stands is told to operators and to the user's own client.
fn user(worker: &Worker, reader: &Reader, question: &Question) -> Result<Option<UserId>, Refusal> {
    let client = question.client.as_deref();
    let Some(name) = question.user.as_deref().map(str::trim).filter(|name| !name.is_empty()) else {
        return match client {
            Some(_) => Err(bad("A client is named without a user: add user=…")),
            None => Ok(None),
        };
    };
    if name.len() > UserId::MAX_BYTES {
        return Err(bad(format!("A user's name may hold at most {} bytes.", UserId::MAX_BYTES)));
    }
    let client = match (reader, client) {
        (Reader::Operator, None) => only_client(worker)?,
        (Reader::Operator, Some(named)) => known_client(worker, named)?,
        (Reader::Client(own), None) => own.clone(),
        (Reader::Client(own), Some(named)) if own.as_str() == named => own.clone(),
        (Reader::Client(_) | Reader::Anybody, _) => {
            let message = "How a user stands is told to the user's own client and to operators.";
            return Err(Refusal::new(ErrorKind::Forbidden, message));
        }
    };
    Ok(Some(UserId::named(client, name)))
}

fn is_open(worker: &Worker) -> bool {
    worker.rules.clients.auth == AuthMode::Open
}

/// Whose user is meant where nobody says: everybody's on an open gateway, else the only client's.
pub(crate) fn only_client(worker: &Worker) -> Result<ClientId, Refusal> {
    match worker.doorkeeper.only_client() {
        _ if is_open(worker) => Ok(ClientId::from(OPEN_CLIENT)),
        Some(only) => Ok(only.clone()),
        None => Err(bad("There are several clients: say with client=… whose user is meant.")),
    }
}

pub(crate) fn known_client(worker: &Worker, named: &str) -> Result<ClientId, Refusal> {
    if worker.doorkeeper.knows(named) || (named == OPEN_CLIENT && is_open(worker)) {
        return Ok(ClientId::from(named));
    }
    Err(bad("No client of that name is known."))
}

fn ask(
    lane: &Lane,
    known: KnownOperation,
    model: Option<ModelName>,
    tokens: u64,
    user: Option<UserId>,
) -> Ask {
    let user = user.unwrap_or_else(|| UserId { client: ClientId::from(NOBODY), name: Arc::from(NOBODY) });
    Ask {
        operation: known.operation,
        model,
        opens_session: known.opens_session,
        references: Vec::new(),
        placement: Placement::Any,
        client: user.client.clone(),
        user,
        access: Access::Token,
        tried: Vec::new(),
        estimate: Spend { requests: u32::from(known.is_counted), input_tokens: tokens, output_tokens: 0 },
        patience: lane.timeout,
        hold: lane.timeout,
    }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::BadRequest, message)
}
