//! `storage:`.

use crate::config::{StorageConfig, StoragePlace};
use crate::schema::StorageSection;
use crate::storage_url::StorageUrl;

pub(crate) fn build(section: &StorageSection) -> StorageConfig {
    let place = match &section.url.0 {
        StorageUrl::Sqlite(path) => StoragePlace::File(path.clone()),
        StorageUrl::Memory => StoragePlace::Memory,
        StorageUrl::Postgres(url) => StoragePlace::Server(url.clone()),
    };
    StorageConfig { place }
}
