//! `storage:`.

use super::Judge;
use crate::config::{StorageConfig, StoragePlace};
use crate::schema::StorageSection;
use crate::storage_url::StorageUrl;

pub(crate) fn build(section: &StorageSection, judge: &mut Judge<'_>) -> StorageConfig {
    judge.require(
        section.url.0 != StorageUrl::Postgres,
        "storage.url",
        "names PostgreSQL, which this version does not know yet",
        "the default is sqlite://keygate.db",
    );
    let place = match &section.url.0 {
        StorageUrl::Sqlite(path) => StoragePlace::File(path.clone()),
        StorageUrl::Memory | StorageUrl::Postgres => StoragePlace::Memory,
    };
    StorageConfig { place }
}
