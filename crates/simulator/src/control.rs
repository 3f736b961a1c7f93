//! The operator's door: `/__sim/…`, and the same functions for the handle.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use jiff::fmt::serde::unsigned_duration::friendly::compact as text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Population;
use crate::google::{GeneratedFile, make_file as make_file_in};
use crate::record::RequestRecord;
use crate::script::Fault;
use crate::wire::{Answer, Call};
use crate::world::Shared;

pub(crate) fn add_faults(world: &Shared, faults: Vec<Fault>) -> Result<usize, String> {
    world.with(|world| world.script.add(faults))
}

pub(crate) fn clear_script(world: &Shared) {
    world.with(|world| world.script.clear());
}

pub(crate) fn declare(world: &Shared, population: &Population) -> Result<(), String> {
    world.with(|world| world.declare(population))
}

pub(crate) fn make_file(world: &Shared, file: &GeneratedFile) -> String {
    let now = world.clock.now();
    world.with(|world| make_file_in(world, file, now))
}

pub(crate) fn requests(world: &Shared) -> Vec<RequestRecord> {
    world.with(|world| world.journal.records())
}

pub(crate) fn advance(world: &Shared, by: Duration) -> Timestamp {
    world.clock.advance(by);
    world.clock.now()
}

pub(crate) fn reset(world: &Shared) -> Result<(), String> {
    let now = world.clock.now();
    world.with(|world| world.reset(now))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(with = "text::required")]
    advance: Duration,
}

#[derive(Serialize)]
struct ScriptOut<'a> {
    faults: &'a [Fault],
}

/// Answers a request of `/__sim/…`.
pub(crate) fn answer(world: &Shared, call: &Call) -> Answer {
    match (call.method.clone(), call.path.as_str()) {
        (Method::POST, "/__sim/script") => match read_faults(call) {
            Ok(faults) => done(add_faults(world, faults).map(|count| json!({"faults": count}))),
            Err(answer) => answer,
        },
        (Method::GET, "/__sim/script") => {
            world.with(|world| Answer::json(200, &ScriptOut { faults: world.script.faults() }))
        }
        (Method::DELETE, "/__sim/script") => {
            clear_script(world);
            done(Ok(json!({"faults": 0})))
        }
        (Method::POST, "/__sim/keys") => match read::<Population>(call) {
            Ok(population) => done(declare(world, &population).map(|()| json!({}))),
            Err(answer) => answer,
        },
        (Method::POST, "/__sim/files") => match read::<GeneratedFile>(call) {
            Ok(file) => done(Ok(json!({"name": make_file(world, &file)}))),
            Err(answer) => answer,
        },
        (Method::GET, "/__sim/counts") => Answer::json(200, &world.counts()),
        (Method::GET, "/__sim/requests") => Answer::json(200, &requests(world)),
        (Method::POST, "/__sim/reset") => done(reset(world).map(|()| json!({}))),
        (Method::GET, "/__sim/clock") => done(Ok(json!({"now": world.clock.now()}))),
        (Method::POST, "/__sim/clock") => match read::<Advance>(call) {
            Ok(by) => done(Ok(json!({"now": advance(world, by.advance)}))),
            Err(answer) => answer,
        },
        (Method::GET, "/__sim/endpoints") => Answer::json(200, world.endpoints.as_ref()),
        _ => Answer::json(404, &json!({"error": "no such control", "controls": CONTROLS})),
    }
}

const CONTROLS: [&str; 10] = [
    "POST /__sim/script",
    "GET /__sim/script",
    "DELETE /__sim/script",
    "POST /__sim/keys",
    "GET /__sim/counts",
    "GET /__sim/requests",
    "POST /__sim/reset",
    "GET /__sim/clock",
    "POST /__sim/clock",
    "GET /__sim/endpoints",
];

/// One fault, a list of them, or `{"faults": […]}`.
fn read_faults(call: &Call) -> Result<Vec<Fault>, Answer> {
    let mut value: Value = read(call)?;
    if let Some(faults) = value.get_mut("faults").map(Value::take) {
        value = faults;
    }
    let list = if value.is_array() { value } else { Value::Array(vec![value]) };
    serde_json::from_value(list).map_err(|error| refusal(&error.to_string()))
}

fn read<T: DeserializeOwned>(call: &Call) -> Result<T, Answer> {
    serde_json::from_slice(&call.body).map_err(|error| refusal(&error.to_string()))
}

fn done(outcome: Result<Value, String>) -> Answer {
    match outcome {
        Ok(value) => Answer::json(200, &value),
        Err(why) => refusal(&why),
    }
}

fn refusal(why: &str) -> Answer {
    Answer::json(400, &json!({"error": why}))
}
