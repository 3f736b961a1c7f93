//! TLS towards clients: the certificate is looked up in the rules for each handshake, so that another one
//! holds without a restart.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use crate::rules::{Posted, RuleBoard};

/// How handshakes are answered. Nothing but HTTP/1.1 is offered: a WebSocket needs it, and clients that know
/// HTTP/2 know both.
pub(crate) fn answering(board: &RuleBoard) -> Result<ServerConfig, rustls::Error> {
    let posted = Arc::new(Certificates { posted: board.reader() });
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_no_client_auth().with_cert_resolver(posted))
}

struct Certificates {
    posted: watch::Receiver<Arc<Posted>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.posted.borrow().rules.tls.as_ref().map(keygate_config::TlsIdentity::certified)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
