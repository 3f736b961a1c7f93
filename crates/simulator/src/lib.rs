//! Simulated providers over real sockets: Gemini and Anam with the quota physics of the real
//! services, their exact error bodies and framings, and faults by script.
//!
//! It judges whoever talks to it, so it shares no code with the adapters it contradicts.
//! One thread owns everything ([`Simulator::start`]); the `/__sim` routes of the Gemini listener
//! and the methods of [`RunningSimulator`] are two doors to the same functions:
//!
//! | route | body or answer |
//! |---|---|
//! | `POST /__sim/script` | a [`Fault`], a list of them, or `{"faults": […]}`; appended |
//! | `GET`, `DELETE /__sim/script` | the faults still to come; forgets them |
//! | `POST /__sim/keys` | a [`Population`]: adds or replaces projects and organisations, sets states of keys |
//! | `POST /__sim/files` | a [`GeneratedFile`]: makes one, as models and batches do; `{"name": …}` |
//! | `GET /__sim/counts` | [`Counts`] |
//! | `GET /__sim/requests` | the last 1000 [`RequestRecord`]s, oldest first |
//! | `POST /__sim/reset` | back to the population of the start; the clock stays |
//! | `GET`, `POST /__sim/clock` | `{"now": …}`; `{"advance": "60s"}` |
//! | `GET /__sim/endpoints` | [`Endpoints`] |
//!
//! A fault in JSON: `{"key": "sim-google-alpha-1", "times": 2, "action": {"answer": {"row":
//! "day_requests"}}}`; rows are the variants of [`GoogleRow`] and [`AnamRow`] in snake case,
//! actions those of [`Action`]. `"times": null` is every call.
//!
//! The model says the user's last text back. A text that is a direction changes that:
//! `stream 50`, `stream 50 every 20ms`, `think 12`, `finish SAFETY`, `block SAFETY`; a turn of Live also `leave after 2`
//! (two pieces, and the connection is gone).

mod anam;
mod clock;
mod config;
mod control;
mod credential;
mod google;
mod journal;
mod quota;
mod record;
mod script;
mod simulator;
mod wire;
mod world;

pub use anam::AnamRow;
pub use config::{
    AnamConfig, AnamKey, AnamOrganization, AnamOrganizationState, GoogleConfig, GoogleKey, GoogleProject,
    KeyState, Population, SimConfig, Tier,
};
pub use credential::CredentialSeen;
pub use google::{GeneratedFile, GoogleRow};
pub use journal::{Counts, ProviderCounts, TokenCounts};
pub use quota::{MinuteShape, ModelLimits};
pub use record::{RequestRecord, StreamEnd};
pub use script::{Action, Fault, HalfBody, HalfStream, Row, ScriptedAnswer, StreamEnding, StreamError};
pub use simulator::{Endpoints, RunningSimulator, Simulator};
pub use world::Provider;
