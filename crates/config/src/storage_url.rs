//! `storage.url` as it is written.

use std::path::{Path, PathBuf};

use keygate_domain::DatabaseUrl;
use schemars::{Schema, json_schema};

use crate::setting::Scalar;

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StorageUrl {
    /// A file.
    Sqlite(PathBuf),
    /// In memory.
    Memory,
    /// On a server.
    Postgres(DatabaseUrl),
}

impl std::fmt::Debug for StorageUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.shown())
    }
}

impl Default for StorageUrl {
    fn default() -> Self {
        Self::Sqlite("keygate.db".into())
    }
}

impl Scalar for StorageUrl {
    const EXPECTED: &'static str = "a storage URL, such as sqlite://keygate.db or postgres://user:password@host/name?sslmode=verify-full";

    fn read(text: &str) -> Option<Self> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return DatabaseUrl::parse(text).map(Self::Postgres);
        }
        let path = text.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            ":memory:" => Some(Self::Memory),
            // A folder, no name at all, or parameters that nobody would read.
            _ if path.is_empty() || path.ends_with('/') || path.contains(['?', '#']) => None,
            _ => Some(Self::Sqlite(Path::new(path).to_owned())),
        }
    }

    fn shown(&self) -> serde_json::Value {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()).into(),
            Self::Memory => "sqlite::memory:".into(),
            Self::Postgres(url) => url.to_string().into(),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^(sqlite:|postgres(ql)?://).+" })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sqlite://keygate.db", Some("sqlite://keygate.db"))]
    #[case("sqlite:keygate.db", Some("sqlite://keygate.db"))]
    #[case("sqlite:///var/lib/keygate.db", Some("sqlite:///var/lib/keygate.db"))]
    #[case("sqlite:///with a space/%41.db", Some("sqlite:///with a space/%41.db"))]
    #[case("sqlite::memory:", Some("sqlite::memory:"))]
    #[case("sqlite://:memory:", Some("sqlite::memory:"))]
    #[case("postgres://keygate:hunter2@db/keygate", Some("postgres://keygate:***@db/keygate"))]
    #[case("postgresql://db:5433/keygate?sslmode=require", Some("postgresql://db:5433/keygate"))]
    #[case("postgres://db/keygate?password=hunter2", None)]
    #[case("sqlite://", None)]
    #[case("sqlite://folder/", None)]
    #[case("sqlite://keygate.db?mode=ro", None)]
    #[case("keygate.db", None)]
    #[case("mysql://db/keygate", None)]
    fn urls(#[case] text: &str, #[case] shown: Option<&str>) {
        assert_eq!(StorageUrl::read(text).map(|url| url.shown()), shown.map(Into::into));
    }
}
