//! Mailboxes around the pure machines: key supervisors, the user limiter, the bookkeeper, the prober. The
//! auditor, the herald and the session keepers are queues instead: nobody waits for their answers.
//!
//! The only crate that knows actix. An actor in here is a mailbox, a clock reading and a panic
//! fence around one machine of floor 1, and decides nothing itself. Outside there are handles,
//! which are `Clone + Send` and may be used from any thread and runtime.

mod alarm;
mod arbiters;
mod auditor;
mod bookkeeper;
mod chaos;
pub mod clock;
mod events;
mod fence;
mod gate;
mod herald;
mod key_supervisor;
mod ledger_clerk;
mod note_book;
mod prober;
mod scheduling;
mod session_keeper;
mod tray;
mod user_limiter;
mod vitals;

pub use arbiters::{Arbiters, Clerks, Home};
pub use auditor::{AuditBook, Auditor, StrangeLogin, audit_entry, start_auditor};
pub use bookkeeper::{Bookkeeper, Shelf, ShelfTrouble, start_bookkeeper};
pub use chaos::{Chaos, InvalidChaos};
pub use gate::Unavailable;
pub use herald::{Courier, Herald, HeraldPost, HeraldWatch, WatchedPool, herald, key_ages, key_ages_topic};
pub use key_supervisor::{
    GroupPass, KeyLease, KeySupervisor, LeaseRefused, Leased, SupervisorSpec, start_supervisor,
};
pub use ledger_clerk::{Ledger, LedgerCounts, LedgerEntry, LedgerShelf, LedgerSpec, OpenEntry, start_ledger};
pub use note_book::NoteBook;
pub use prober::{Errand, Prober, start_prober};
pub use session_keeper::{
    KeeperErrand, Keepers, KeepersNoted, KeepersPost, LimitMet, RefreshWish, session_keepers,
};
pub use user_limiter::{Admission, LimiterRefusal, UserCall, UserLimiter, start_limiter};
pub use vitals::{Vital, Vitals, beyond_repair};
