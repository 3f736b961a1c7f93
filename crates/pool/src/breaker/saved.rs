//! A circuit as it outlives a restart: without its leases, which are gone.

use jiff::Timestamp;
use keygate_domain::{BucketName, Fault, Moment};
use serde::{Deserialize, Serialize};

use super::circuit::{Circuit, Opening, Phase};
use super::{Breaker, Extent};
use crate::Overloaded;

/// Times are wall times, so that it means the same in another process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedCircuit {
    /// What it is in the way of; `None` is everything.
    bucket: Option<BucketName>,
    since: Timestamp,
    began: Timestamp,
    fault: Fault,
    reason: String,
    level: u32,
    phase: SavedPhase,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedPhase {
    /// Nobody passed before then.
    Open(Timestamp),
    /// Closed then.
    Recovering(Timestamp),
}

impl Breaker {
    /// Every circuit, written out.
    pub(crate) fn save(&self) -> Vec<SavedCircuit> {
        self.all().map(|(bucket, circuit)| save(bucket, circuit)).collect()
    }

    /// Puts the circuits of an earlier life back; `at` finds the moment of a wall time.
    pub(crate) fn remember(
        &mut self,
        saved: &[SavedCircuit],
        waits: &Overloaded,
        at: impl Fn(Timestamp) -> Moment,
    ) {
        for one in saved {
            let (phase, until) = match one.phase {
                SavedPhase::Open(until) => {
                    (Phase::Open { until: at(until), probe: None, silent: 0 }, at(until))
                }
                SavedPhase::Recovering(since) => {
                    let since = at(since);
                    (Phase::Recovering { since, step: waits.step(), served: 0 }, since)
                }
            };
            let opening = Opening {
                began: at(one.began),
                fault: one.fault,
                reason: one.reason.clone().into(),
                level: one.level,
                until,
                now: until,
            };
            self.restore(one.bucket.clone(), Circuit::restored(opening, at(one.since), phase));
        }
    }
}

fn save(bucket: Extent, circuit: &Circuit) -> SavedCircuit {
    SavedCircuit {
        bucket,
        since: circuit.since.wall,
        began: circuit.began.wall,
        fault: circuit.fault,
        reason: circuit.reason.to_string(),
        level: circuit.level,
        phase: match circuit.phase {
            Phase::Open { until, .. } => SavedPhase::Open(until.wall),
            Phase::Recovering { since, .. } => SavedPhase::Recovering(since.wall),
        },
    }
}
