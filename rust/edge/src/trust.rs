//! Whom the edge believes when it is the client of TLS: the authorities of the system, or those of a file.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::certificate::read_chain;
use crate::error::EdgeError;

/// Reads the authorities of a PEM file, or without one those of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name
/// others).
pub(crate) fn roots(file: Option<&Path>) -> Result<RootCertStore, EdgeError> {
    let mut store = RootCertStore::empty();
    if let Some(file) = file {
        for one in read_chain(file)? {
            store.add(one).map_err(|error| EdgeError::Certificate {
                file: file.to_owned(),
                what: format!("this is no certificate of an authority: {error}"),
                hint: "give the PEM file of the authority that issued the server's certificate",
            })?;
        }
        return Ok(store);
    }
    let found = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(found.certs);
    if store.is_empty() {
        let why = found
            .errors
            .first()
            .map_or_else(String::new, |error| format!(": {error}"));
        return Err(EdgeError::Config(format!(
            "no authority that servers could be checked by was found on this system{why}; install ca-certificates, or give \
             the file of one"
        )));
    }
    Ok(store)
}

/// What a client speaks that believes some authorities.
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, EdgeError> {
    let failed = |error: rustls::Error| EdgeError::Config(format!("TLS cannot be set up: {error}"));
    let config = begin()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(over_http1(config))
}

/// The same of one that has a certificate to show.
pub(crate) fn client_known_by(
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, rustls::Error> {
    let config = begin()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(over_http1(config))
}

fn begin() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()
}

fn over_http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}
