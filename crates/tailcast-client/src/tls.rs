//! TLS: trusted authorities, and the client's side of a TLS connection.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// The trusted certificate authorities.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// `None`: those of the system.
    own: Option<Arc<RootCertStore>>,
}

/// Why no certificate can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The text has no readable certificate.
    #[error(
        "holds no certificate of an authority: {0}; expected PEM (`-----BEGIN CERTIFICATE-----`)"
    )]
    Pem(String),
    /// The system has none.
    #[error(
        "the system trusts no authority{0}; install its certificates (ca-certificates), or name \
         one with --ca FILE"
    )]
    NoSystemRoots(String),
    /// The TLS library rejected the settings.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[from] rustls::Error),
}

impl Trust {
    /// Only the authorities in this PEM text, and not those of the system.
    pub fn only(pem: &[u8]) -> Result<Self, TrustError> {
        let wrong = |error: &dyn std::fmt::Display| TrustError::Pem(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots
                .add(certificate.map_err(|error| wrong(&error))?)
                .map_err(|error| wrong(&error))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"it is empty or of another kind"));
        }
        Ok(Trust { own: Some(Arc::new(roots)) })
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TrustError> {
        if let Some(own) = &self.own {
            return Ok(Arc::clone(own));
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Some system certificates cannot be parsed; the others count.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let errors = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>();
            let why =
                if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
            return Err(TrustError::NoSystemRoots(why));
        }
        Ok(Arc::new(roots))
    }
}

/// Makes encrypted connections; the authorities are read when the first one is made.
#[derive(Debug, Default)]
pub struct Tls {
    trust: Trust,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// Uses these authorities; nothing is read yet.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Tls { trust, config: OnceCell::new() }
    }

    /// The client's side, with TLS 1.2 and 1.3.
    pub async fn connector(&self) -> Result<TlsConnector, TrustError> {
        let config = self.config.get_or_try_init(|| async { config(&self.trust) }).await?;
        Ok(TlsConnector::from(Arc::clone(config)))
    }
}

fn config(trust: &Trust) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trust.roots()?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::Trust;

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            let error = Trust::only(pem.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("PEM"), "{pem:?}: {error}");
        }
    }
}
