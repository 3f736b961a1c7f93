//! The certificate with which the gateway speaks to its clients.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

/// A certificate, those it was issued by, and the private key that belongs to it. Two are equal when
/// their files hold the same.
#[derive(Clone)]
pub struct TlsIdentity {
    certified: Arc<CertifiedKey>,
    sha256: [u8; 32],
}

/// Why files make no identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoIdentity {
    /// There is no certificate in the file.
    Certificate,
    /// There is no private key in the file.
    Key,
    /// The key is of an unknown kind, or belongs to another certificate.
    Mismatch,
}

impl TlsIdentity {
    /// Reads PEM files.
    pub(crate) fn of_pem(certificates: &str, key: &str) -> Result<Self, NoIdentity> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(NoIdentity::Certificate)?;
        let private = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| NoIdentity::Key)?;
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
        let certified = Arc::new(certified.map_err(|_| NoIdentity::Mismatch)?);
        let sha256 = Sha256::new().chain_update(certificates).chain_update([0]).chain_update(key).finalize();
        Ok(Self { certified, sha256: sha256.into() })
    }

    /// What a handshake is answered with.
    pub fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl PartialEq for TlsIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for TlsIdentity {}

impl fmt::Debug for TlsIdentity {
    /// A private key has no printable form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsIdentity(***)")
    }
}
