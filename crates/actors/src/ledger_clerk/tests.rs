//! What a request would notice of the ledger (nothing), and an operator.
#![expect(clippy::disallowed_types, reason = "a disk that the test looks at while it is written")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keygate_domain::{
    AnswerSource, ClientId, Fault, LedgerRow, Operation, Outcome, ProviderName, Usage, UserId,
};
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::{Ledger, LedgerEntry, LedgerShelf, LedgerSpec, start_ledger};
use crate::{Home, ShelfTrouble, clock};

const FORGOTTEN_AT_ONCE: usize = 5;
const RETENTION: Duration = Duration::from_hours(40 * 24);
const DAY: Duration = Duration::from_hours(24);

/// A database and a journal in memory, each of which can be out of order.
#[derive(Default)]
struct Desk {
    database: Mutex<Vec<LedgerRow>>,
    journal: Mutex<Vec<LedgerRow>>,
    database_is_gone: AtomicBool,
    journal_is_full: AtomicBool,
}

impl Desk {
    fn ids(&self) -> Vec<String> {
        self.database.lock().unwrap().iter().map(|row| row.id.clone()).collect()
    }
}

#[async_trait]
impl LedgerShelf for Desk {
    async fn enter(&self, rows: &[LedgerRow]) -> Result<(), ShelfTrouble> {
        if self.database_is_gone.load(Ordering::SeqCst) {
            return Err(ShelfTrouble::new("unreachable", "the database is gone"));
        }
        self.database.lock().unwrap().extend_from_slice(rows);
        Ok(())
    }

    async fn journal(&self, rows: &[LedgerRow]) -> Result<usize, ShelfTrouble> {
        if self.journal_is_full.load(Ordering::SeqCst) {
            return Ok(0);
        }
        self.journal.lock().unwrap().extend_from_slice(rows);
        Ok(rows.len())
    }

    async fn replay(&self) -> Result<u64, ShelfTrouble> {
        let held: Vec<LedgerRow> = self.journal.lock().unwrap().clone();
        self.enter(&held).await?;
        self.journal.lock().unwrap().clear();
        Ok(held.len() as u64)
    }

    async fn forget(&self, before_ms: i64) -> Result<u64, ShelfTrouble> {
        if self.database_is_gone.load(Ordering::SeqCst) {
            return Err(ShelfTrouble::new("unreachable", "the database is gone"));
        }
        let mut rows = self.database.lock().unwrap();
        let old = rows.extract_if(.., |row| row.time_ms < before_ms).take(FORGOTTEN_AT_ONCE).count();
        Ok(old as u64)
    }
}

fn entry() -> LedgerEntry {
    LedgerEntry {
        request_id: "r-1".into(),
        user: UserId { client: ClientId::from("shop"), name: "ann".into() },
        provider: ProviderName::new("google"),
        model: None,
        key: None,
        operation: Operation("generate_content"),
        attempt: 1,
        source: AnswerSource::Provider,
        sent: clock::now(),
    }
}

fn settle(ledger: &Ledger, rows: usize) {
    for _ in 0..rows {
        ledger.open(entry()).close(Outcome::Settled, None);
    }
}

async fn at_a_desk<F: Future<Output = ()>>(test: impl FnOnce(Arc<Desk>, Ledger) -> F) {
    LocalSet::new()
        .run_until(async {
            let desk = Arc::new(Desk::default());
            let spec = LedgerSpec { life: "life".to_owned(), retention: Some(RETENTION), unclean_end: None };
            let ledger = start_ledger(desk.clone(), spec, &Home::Here);
            test(desk, ledger).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_ends_is_a_row_within_a_second() {
    at_a_desk(async |desk, ledger| {
        let mut open = ledger.open(entry());
        sleep(Duration::from_millis(40)).await;
        open.answered(200);
        let usage = Usage { input_tokens: 3, output_tokens: 4, total_tokens: 7, ..Usage::default() };
        open.used(usage, false);
        sleep(Duration::from_millis(60)).await;
        open.close(Outcome::Settled, None);
        ledger.open(entry()).close(Outcome::Refunded, Some(Fault::RateLimited));
        drop(ledger.open(entry()));
        sleep(Duration::from_millis(900)).await;
        let rows = desk.database.lock().unwrap().clone();
        let told: Vec<_> =
            rows.iter().map(|row| (row.id.as_str(), row.outcome, row.fault.as_str())).collect();
        assert_eq!(
            told,
            [
                ("life-0", Outcome::Settled, ""),
                ("life-1", Outcome::Refunded, "rate_limited"),
                ("life-2", Outcome::Lost, ""),
            ]
        );
        assert_eq!((rows[0].status, rows[0].total_tokens), (200, 7));
        assert_eq!((rows[0].first_byte_ms, rows[0].latency_ms), (Some(40), 100));
        let counts = ledger.counts();
        assert_eq!((counts.opened, counts.open(), counts.entered), (3, 0, 3));
        assert!(counts.balances() && counts.is_well);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_gone_for_a_minute_misses_nothing_and_nothing_comes_twice() {
    at_a_desk(async |desk, ledger| {
        settle(&ledger, 2);
        sleep(Duration::from_secs(1)).await;
        desk.database_is_gone.store(true, Ordering::SeqCst);
        settle(&ledger, 3);
        sleep(Duration::from_secs(30)).await;
        settle(&ledger, 2);
        sleep(Duration::from_secs(30)).await;
        let counts = ledger.counts();
        assert_eq!((counts.entered, counts.journaled, counts.waiting, counts.is_well), (2, 5, 0, false));
        desk.database_is_gone.store(false, Ordering::SeqCst);
        settle(&ledger, 1);
        sleep(Duration::from_secs(3)).await;
        let mut ids = desk.ids();
        ids.sort();
        assert_eq!(ids, (0..8).map(|number| format!("life-{number}")).collect::<Vec<_>>());
        let counts = ledger.counts();
        assert_eq!((counts.entered, counts.journaled, counts.dropped, counts.is_well), (8, 0, 0, true));
        assert!(counts.balances());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_room_for_is_counted_exactly() {
    at_a_desk(async |desk, ledger| {
        desk.database_is_gone.store(true, Ordering::SeqCst);
        desk.journal_is_full.store(true, Ordering::SeqCst);
        settle(&ledger, 50_010);
        sleep(Duration::from_secs(10)).await;
        let counts = ledger.counts();
        assert_eq!((counts.waiting, counts.dropped), (50_000, 10));
        assert!(counts.balances());
        desk.database_is_gone.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(30)).await;
        assert_eq!(desk.ids().len(), 50_000);
        assert!(ledger.counts().balances());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_closing_house_writes_everything_down() {
    at_a_desk(async |desk, ledger| {
        sleep(Duration::from_secs(1)).await;
        settle(&ledger, 3);
        assert!(ledger.finish(Duration::from_secs(5)).await);
        assert_eq!(desk.ids().len(), 3);
        desk.database_is_gone.store(true, Ordering::SeqCst);
        settle(&ledger, 1);
        assert!(ledger.finish(Duration::from_secs(5)).await, "the journal is good enough");
        desk.journal_is_full.store(true, Ordering::SeqCst);
        settle(&ledger, 1);
        assert!(!ledger.finish(Duration::from_secs(5)).await);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_retention_is_forgotten_and_nothing_else() {
    at_a_desk(async |desk, ledger| {
        settle(&ledger, 12);
        sleep(20 * DAY).await;
        settle(&ledger, 3);
        sleep(19 * DAY).await;
        assert_eq!((desk.ids().len(), ledger.counts().forgotten), (15, 0));
        sleep(2 * DAY).await;
        assert_eq!((desk.ids().len(), ledger.counts().forgotten), (3, 12));
        let counts = ledger.counts();
        assert!(counts.balances() && counts.is_well && counts.entered == 15, "{counts:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn another_retention_holds_at_once_and_trouble_is_waited_out() {
    at_a_desk(async |desk, ledger| {
        settle(&ledger, 7);
        sleep(3 * DAY).await;
        desk.database_is_gone.store(true, Ordering::SeqCst);
        ledger.keep_for(Some(DAY));
        sleep(Duration::from_secs(30)).await;
        assert_eq!(desk.ids().len(), 7);
        desk.database_is_gone.store(false, Ordering::SeqCst);
        sleep(Duration::from_mins(2)).await;
        assert_eq!(desk.ids().len(), 0);
        settle(&ledger, 1);
        ledger.keep_for(None);
        sleep(900 * DAY).await;
        assert_eq!(desk.ids().len(), 1, "for ever");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_waits_for_what_there_was_and_not_for_what_comes_after() {
    at_a_desk(async |desk, ledger| {
        sleep(Duration::from_secs(1)).await;
        let traffic = async {
            loop {
                settle(&ledger, 1);
                sleep(Duration::from_micros(100)).await;
            }
        };
        tokio::select! {
            finished = ledger.finish(Duration::from_secs(1)) => assert!(finished),
            () = traffic => {}
        }
        assert!(!desk.ids().is_empty());
    })
    .await;
}
