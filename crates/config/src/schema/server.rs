//! `server:`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::or_default;
use crate::setting::{Setting, count};
use crate::units::ByteSize;

/// The front door: where the gateway listens and what it accepts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerSection {
    /// IP address and port to listen on. On a loopback address no token is needed unless
    /// `clients.auth` says so.
    pub(crate) bind: Setting<SocketAddr>,
    /// The certificate with which clients are spoken with over TLS. Without one it is plain HTTP.
    #[serde(deserialize_with = "or_default")]
    pub(crate) tls: TlsSection,
    /// Worker threads of the HTTP front, 1 to 256.
    pub(crate) workers: Setting<NonZeroU32>,
    /// The largest request body, with its unit (`110MiB`). Larger ones are refused with 413.
    pub(crate) max_body: Setting<ByteSize>,
    /// The largest upload, all of its chunks together, with its unit (`2GiB`). Uploads pass through in pieces and
    /// are never held in memory. Larger ones are refused with 413, at the start where it announces its length.
    pub(crate) max_upload: Setting<ByteSize>,
    /// Where clients reach the gateway (`https://ai.example.com`), for addresses that answers name: upload
    /// and download URLs. By default what each request says of it (`Host`, `X-Forwarded-Proto`).
    pub(crate) public_url: Setting<Option<Url>>,
    /// How long the gateway goes on as before when it is told to stop, with `/readyz` red from the first moment:
    /// for load balancers that need some seconds to look elsewhere.
    pub(crate) shutdown_delay: Setting<Duration>,
    /// How long running requests may take to finish when the gateway stops.
    pub(crate) shutdown_grace: Setting<Duration>,
    /// Whether the status routes are open to everybody, not only to loopback and to tokens with
    /// the scope `status`.
    pub(crate) status_public: Setting<bool>,
    /// Connections of clients at the same time, over all workers.
    pub(crate) max_connections: Setting<NonZeroU32>,
    /// How long a client may take to send the head of a request before it is cut off.
    pub(crate) request_head_timeout: Setting<Duration>,
    /// Which pages in browsers may use the gateway.
    #[serde(deserialize_with = "or_default")]
    pub(crate) cors: CorsSection,
}

/// Which pages in browsers may use the gateway (CORS). Without it none may, as browsers see it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CorsSection {
    /// Origins, such as `https://app.example.com`; `"*"` for every page there is.
    #[serde(deserialize_with = "or_default")]
    pub(crate) allow_origins: Vec<Setting<String>>,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            bind: Setting(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            tls: TlsSection::default(),
            workers: count(2),
            max_body: Setting(ByteSize(110 << 20)),
            max_upload: Setting(ByteSize(2 << 30)),
            public_url: Setting(None),
            shutdown_delay: Setting(Duration::ZERO),
            shutdown_grace: Setting(Duration::from_secs(30)),
            status_public: Setting(false),
            max_connections: count(10_000),
            request_head_timeout: Setting(Duration::from_secs(10)),
            cors: CorsSection::default(),
        }
    }
}

/// The certificate with which clients are spoken with over TLS. Changed files are read again without a
/// restart; switching TLS on or off needs one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSection {
    /// The PEM file of the certificate, followed by those it was issued by; relative to this file.
    pub(crate) cert: Setting<Option<String>>,
    /// The PEM file of the certificate's private key, not encrypted; relative to this file.
    pub(crate) key: Setting<Option<String>>,
}
