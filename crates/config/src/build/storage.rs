//! `storage:`.

use super::Judge;
use crate::config::{StorageConfig, StoragePlace};
use crate::schema::StorageSection;
use crate::storage_url::StorageUrl;
use crate::units::Days;

/// Plans count months, and begin with what the ledger holds of this one.
const SHORTEST_RETENTION: Days = Days(32);

pub(crate) fn build(section: &StorageSection, judge: &mut Judge<'_>) -> StorageConfig {
    let place = match &section.url.0 {
        StorageUrl::Sqlite(path) => StoragePlace::File(path.clone()),
        StorageUrl::Memory => StoragePlace::Memory,
        StorageUrl::Postgres(url) => StoragePlace::Server(url.clone()),
    };
    let retention = section.ledger_retention.0;
    judge.require(
        retention.is_none_or(|retention| retention >= SHORTEST_RETENTION),
        "storage.ledger_retention",
        "is shorter than a month, which plans count",
        "keep the ledger for 32d at least, or leave it out for 400d",
    );
    StorageConfig { place, ledger_retention: retention.map(Days::duration) }
}
