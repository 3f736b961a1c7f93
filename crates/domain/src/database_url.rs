//! The address of a database server, which may hold a password.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};
use url::Url;

/// The parameters that mean something, as in libpq. A password among them would be shown by whoever
/// shows an address; it belongs before the `@`.
const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name", "options"];

const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// The address of a PostgreSQL server and of a database on it: `postgres://user:password@host/name`.
/// Shows itself without its password wherever a value can be printed.
#[derive(Clone)]
pub struct DatabaseUrl {
    whole: Arc<SecretString>,
    password: Option<Arc<SecretString>>,
    shown: Arc<str>,
}

impl DatabaseUrl {
    /// Reads an address; `None` if it is none, or has parameters that nobody would read.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.fragment().is_some() {
            return None;
        }
        let are_known = url.query_pairs().all(|(name, value)| match &*name {
            "sslmode" => SSL_MODES.contains(&&*value),
            name => PARAMETERS.contains(&name),
        });
        if !are_known {
            return None;
        }
        let whole = Arc::new(SecretString::from(url.as_str().to_owned()));
        let password = url.password().map(|text| Arc::new(SecretString::from(decoded(text))));
        if password.is_some() {
            url.set_password(Some("***")).ok()?;
        }
        // Options of a session may be anything.
        url.set_query(None);
        Some(Self { whole, password, shown: url.as_str().into() })
    }

    /// The whole address: the only way out, so that every use can be found by this name.
    pub fn expose(&self) -> &str {
        self.whole.expose_secret()
    }

    /// The password, for those who keep it out of what they print.
    pub fn expose_password(&self) -> Option<&str> {
        self.password.as_ref().map(|password| password.expose_secret())
    }
}

/// A password as it is typed: addresses write `%40` for `@`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown)
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for DatabaseUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_of_printing_shows_the_password() {
        let url =
            DatabaseUrl::parse("postgres://keygate:hunt%40er2@db:5433/keygate?sslmode=require").unwrap();
        let printed = format!("{url} {url:?} {}", serde_json::to_string(&url).unwrap());
        assert!(!printed.contains("hunt"), "{printed}");
        assert_eq!(url.to_string(), "postgres://keygate:***@db:5433/keygate");
        assert_eq!(url.expose_password(), Some("hunt@er2"));
        assert!(url.expose().ends_with("sslmode=require"));
    }

    #[test]
    fn addresses() {
        for good in [
            "postgres://db/keygate",
            "postgresql://keygate@[::1]:5432/keygate",
            "postgres:///keygate?host=/run/postgresql",
            "postgres://keygate@db/keygate?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        ] {
            assert!(DatabaseUrl::parse(good).is_some(), "{good}");
        }
        for bad in [
            "mysql://db/keygate",
            "postgres://db/keygate?password=hunter2",
            "postgres://db/keygate?sslmode=sometimes",
            "postgres://db:port/keygate",
            "db",
        ] {
            assert!(DatabaseUrl::parse(bad).is_none(), "{bad}");
        }
    }
}
