//! TLS to origins: whom the edge believes, and who it says it is.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::{read_chain, read_key};
use crate::error::EdgeError;
use crate::trust;

/// How TLS is spoken to origins.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OriginTlsConfig {
    /// A PEM file of the authorities that origins are checked by, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// The name that their certificates are to have, in place of the host in their address.
    pub name: Option<String>,
    /// The PEM files of a certificate to show to them, and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// What is needed for it.
#[derive(Clone)]
pub(crate) struct OriginTls {
    connector: TlsConnector,
    name: Option<ServerName<'static>>,
}

impl OriginTls {
    pub(crate) fn new(config: &OriginTlsConfig) -> Result<Self, EdgeError> {
        let roots = trust::roots(config.authorities.as_deref())?;
        let client = match &config.certificate {
            None => trust::client(roots)?,
            Some((cert, key)) => trust::client_known_by(roots, read_chain(cert)?, read_key(key)?).map_err(|error| {
                EdgeError::Certificate {
                    file: cert.clone(),
                    what: format!("it cannot be shown to origins: {error}"),
                    hint: "give a certificate for clients, and the key that it was made for",
                }
            })?,
        };
        let name = config.name.as_deref().map(name).transpose()?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            name,
        })
    }

    /// Shakes hands with the origin at `host`, whose certificate is checked.
    pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name(host).map_err(io::Error::other)?,
        };
        self.connector.connect(name, stream).await
    }
}

/// A host as TLS names it (RFC 6066, section 3): without a port, or the brackets of IPv6.
fn name(host: &str) -> Result<ServerName<'static>, EdgeError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned())
        .map_err(|_| EdgeError::Config(format!("{host} is no name that a certificate could have")))
}

/// What an operator is to know of a handshake that failed, where a certificate is why.
pub(crate) fn hint(error: &io::Error) -> Option<String> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let hint = match cause {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "give the PEM file of the authority that issued it with --origin-ca"
        }
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. },
        ) => "give the name that is in it with --origin-name",
        rustls::Error::InvalidCertificate(_) => "renew it on the origin",
        rustls::Error::AlertReceived(_) => "it may want a certificate: --origin-cert and --origin-key",
        _ => "look whether it speaks TLS 1.2 or 1.3 there",
    };
    Some(format!("{cause}\n  hint: {hint}"))
}
