//! The request's way, from an authenticated call to an answer: one function, [`serve`]; and to a
//! conversation, [`connect`].
//!
//! Everything here runs on the worker that accepted the call. It waits for two mailboxes (the
//! user limiter, the key supervisor) and one upstream, and decides nothing by itself: the
//! adapter understands, the pool chooses, the retry plan says whether to try again.

mod account;
mod answer;
mod attempt;
mod cache;
mod call;
mod connect;
mod conversation;
mod entry;
mod errand;
mod events;
mod gather;
mod headers;
mod inflow;
mod keeping;
mod lane;
mod last_words;
mod lost;
mod orphan;
mod pieces;
mod probe;
mod pumping;
mod refuse;
mod relay;
mod resorts;
mod said;
mod scrub;
mod search;
mod serve;
mod settle;
mod stored;
mod switchboard;
mod timer;
mod told;

pub use answer::{Answer, AnswerBody, CacheUse, Facts, Refused};
pub use cache::{CacheSettings, ResponseCache, Tally, Told as Tallied};
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
pub use stored::{AnswerDesk, AnswerShelf, LookTrouble, StoredAnswers};
pub use switchboard::Switchboard;
pub use timer::RequestTimer;
