//! Watching answers pass: usage, faults told inside a success, who answered.
//!
//! One [`scanner::Scanner`] reads every framing. It keeps no body: only the raw bytes of the few
//! fields it looks for, each with a bound, so a 100 MB answer costs as little memory as a short
//! one. [`events::Events`] takes the framing of server-sent events off before it, and
//! [`skim`] spares it the events that only repeat what later ones say again.

mod count;
mod counts;
mod events;
mod findings;
mod meters;
mod scanner;
mod skim;
mod words;

pub(crate) use count::Count;
pub(crate) use meters::meter;
