//! The request's way, from an authenticated call to an answer: one function, [`serve`].
//!
//! Everything here runs on the worker that accepted the call. It waits for two mailboxes (the
//! user limiter, the key supervisor) and one upstream, and decides nothing by itself: the
//! adapter understands, the pool chooses, the retry plan says whether to try again.

mod answer;
mod attempt;
mod call;
mod events;
mod gather;
mod headers;
mod lane;
mod pieces;
mod probe;
mod refuse;
mod relay;
mod scrub;
mod search;
mod serve;
mod settle;
mod told;

pub use answer::{Answer, AnswerBody, Facts, Refused};
pub use call::{Call, Caller, Identity};
pub use lane::{House, Lane};
pub use probe::probe;
pub use refuse::restarting;
pub use relay::{Relay, RelayCut};
pub use serve::serve;
