//! The request's way, from an authenticated call to an answer: one function, [`serve`]; and to a
//! conversation, [`connect`].
//!
//! Everything here runs on the worker that accepted the call. It waits for two mailboxes (the
//! user limiter, the key supervisor) and one upstream, and decides nothing by itself: the
//! adapter understands, the pool chooses, the retry plan says whether to try again.

mod answer;
mod attempt;
mod call;
mod connect;
mod conversation;
mod entry;
mod errand;
mod events;
mod gather;
mod headers;
mod inflow;
mod lane;
mod last_words;
mod lost;
mod orphan;
mod pieces;
mod probe;
mod pumping;
mod refuse;
mod relay;
mod scrub;
mod search;
mod serve;
mod settle;
mod switchboard;
mod told;

pub use answer::{Answer, AnswerBody, Facts, Refused};
pub use call::{Call, Caller, Identity};
pub use connect::{Connection, Door, connect};
pub use errand::Errands;
pub use inflow::{Inflow, Source, SourceBroke};
pub use lane::{House, Lane};
pub use orphan::OpenSession;
pub use probe::probe;
pub use refuse::restarting;
pub use relay::{Relay, RelayCut};
pub use serve::serve;
pub use switchboard::Switchboard;
