//! `storage:`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Setting;
use crate::storage_url::StorageUrl;

/// What outlives the process.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageSection {
    /// The database, created on the first start: `sqlite://` and a path, which is relative to the
    /// working directory unless it begins with a slash (`sqlite:///var/lib/keygate/keygate.db`).
    /// It holds the rests of keys, what was learned of them and who owns which resource, and no
    /// secret. `sqlite::memory:` forgets it all when the gateway ends.
    pub(crate) url: Setting<StorageUrl>,
}
