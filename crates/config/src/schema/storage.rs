//! `storage:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;
use crate::storage_url::StorageUrl;

/// What outlives the process.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
}
