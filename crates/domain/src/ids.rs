//! Names of things: providers, keys, groups, models, clients, users, leases.

use std::borrow::Borrow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of a provider as the catalogue and the YAML spell it: `google`, `anam`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ProviderName(&'static str);

impl ProviderName {
    /// Names a provider. The catalogue is compiled in, hence `'static`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! shared_text_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    )+};
}

shared_text_id! {
    /// A key's stable public name: the first 12 hex digits of the SHA-256 of its secret.
    KeyId,
    /// What the provider really meters: a Google Cloud project, an Anam organisation.
    GroupId,
    /// A model as the request names it, without the `models/` prefix.
    ModelName,
    /// The quota bucket a provider counts a model in; several model names may share one.
    BucketName,
    /// A backend with a gateway token, or the anonymous client of an open gateway.
    ClientId,
    /// A plan of the configuration.
    PlanName,
    /// A client token's stable public name: the first 12 hex digits of its SHA-256.
    TokenId,
}

impl GroupId {
    /// The first 16 hex digits of the SHA-256 of the name: what is told of a group to those who must not know
    /// how the operator calls it.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.as_str().as_bytes());
        digest.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl ClientId {
    /// Stands for nobody: what belongs to it was not made through this gateway, as far as is known, and is
    /// anybody's. No client can be called so.
    pub fn nobody() -> Self {
        Self::from("")
    }

    /// Whether it is nobody.
    pub fn is_nobody(&self) -> bool {
        self.as_str().is_empty()
    }
}

/// The person behind a request, named by a client. Two clients' users never mix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId {
    /// The client that vouches for the name.
    pub client: ClientId,
    /// The name as the client gave it, without NUL.
    pub name: Arc<str>,
}

impl UserId {
    /// Longest user name admitted, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// The user whom `client` calls so. PostgreSQL keeps no NUL in its texts, and a user must be the same one in
    /// memory and in the ledger: each is `␀`, the sign for it.
    pub fn named(client: ClientId, name: &str) -> Self {
        let name = if name.contains('\0') { name.replace('\0', "␀").into() } else { Arc::from(name) };
        Self { client, name }
    }
}

/// One use of one key. `life` counts restarts of the pool, so that a settlement
/// meant for an earlier life cannot touch a lease of this one (KP-8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LeaseId {
    /// Which life of the pool issued it.
    pub life: u64,
    /// Its number within that life.
    pub number: u64,
}
