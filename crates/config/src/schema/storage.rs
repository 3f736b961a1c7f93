//! `storage:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;
use crate::storage_url::StorageUrl;
use crate::units::Days;

/// What outlives the process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageSection {
    /// The database. `sqlite://` and a path, relative to the working directory unless it begins with
    /// a slash (`sqlite:///var/lib/keygate/keygate.db`): a file, created on the first start. Or
    /// `postgres://user:password@host/name`, with libpq's `sslmode`, `sslrootcert`, `sslcert`,
    /// `sslkey`, `host` and `options`: a database of a PostgreSQL server, which must be there. One
    /// gateway a file or schema. It holds the rests of keys, what was learned of them, who owns which
    /// resource and what was used, and no secret. `sqlite::memory:` forgets it all when the gateway
    /// ends. See docs/storage.md.
    pub(crate) url: Setting<StorageUrl>,
    /// How long the ledger is kept, in whole days: what was used is forgotten with the day it was used on, once that
    /// is longer ago. At least 32d, since plans count months; `null` keeps it for ever.
    pub(crate) ledger_retention: Setting<Option<Days>>,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self { url: Setting::default(), ledger_retention: Setting(Some(Days(400))) }
    }
}
