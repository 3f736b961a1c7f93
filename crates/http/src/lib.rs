//! The only crate that knows actix-web: it reads requests, finds out who asks, hands them to the
//! journey, and writes answers and refusals in the shape of the surface they were asked on.

mod admin;
mod answer_out;
mod answers_status;
mod assistant;
mod audit;
mod avatar_session;
mod caller;
mod caller_line;
mod cors;
mod credentials;
mod departure;
mod documents;
mod error_response;
mod explain;
mod explained;
mod friendly;
mod front;
mod health;
mod house_routes;
mod inflow;
mod learned_status;
mod line;
mod origin;
mod panic_response;
mod proxy;
mod rate_limit_headers;
mod reader;
mod reload;
mod request_id;
mod rules;
mod server;
mod sockets;
mod status;
mod switch_key;
mod tls;
mod usage;
mod user_usage;
mod worker;

pub use error_response::status_of;
pub use front::{Crew, FrontSettings};
pub use reload::{KeysChanged, ReloadDesk, ReloadOrders, ReloadRefused, ReloadReport, reload_desk};
pub use rules::{ConfigState, RuleBoard, Rules};
pub use server::{Front, FrontError, FrontHandle};
pub use usage::{UsageBooks, UsageSource, UsageUnavailable};
