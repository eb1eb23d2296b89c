//! TLS (RFC 8446, and RFC 5246 for version 1.2), which rustls speaks.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ServerSessionMemoryCache;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::acme::Acme;
use crate::certificates::Certificates;
use crate::challenges::{ACME_TLS, Challenges, Proof};
use crate::client::Client;
use crate::config::{CertificateConfig, TlsConfig, TlsVersion};
use crate::error::EdgeError;
use crate::replay::Replay;

/// Sessions of TLS 1.2 clients without tickets that can be resumed.
const SESSIONS: usize = 10_000;
/// The first byte of a connection that begins with TLS: a record of a handshake (RFC 8446, section 5.1).
pub(crate) const HANDSHAKE: u8 = 22;

const H2: &[u8] = b"h2";

/// What TLS needs of the edge.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    /// The same for QUIC, where that is spoken.
    pub(crate) quic: Option<Arc<ServerConfig>>,
    pub(crate) certificates: Arc<Certificates>,
    /// What fetches certificates, where they are.
    pub(crate) acme: Option<Arc<Acme>>,
}

/// What came of a handshake.
pub(crate) struct Agreed {
    pub(crate) client: Client,
    /// Whether HTTP/2 was chosen (RFC 7301).
    pub(crate) is_http2: bool,
    /// The host that the client named (RFC 6066, section 3), or nothing.
    pub(crate) name: Box<str>,
    /// Whether an earlier session was resumed.
    pub(crate) is_resumed: bool,
    /// Whether all of it was to prove who answers (RFC 8737): nothing follows.
    pub(crate) is_proof: bool,
}

impl Tls {
    pub(crate) fn new(config: &TlsConfig) -> Result<Self, EdgeError> {
        let challenges = Arc::new(Challenges::default());
        let acme = config.acme.as_ref();
        let acme = acme.map(|acme| Acme::new(acme, Arc::clone(&challenges))).transpose()?;
        let mut configs = config.certificates.clone();
        if let Some(acme) = &acme {
            let hosts = acme.config.domains.iter();
            configs.extend(hosts.map(|host| CertificateConfig::kept(acme.store.file(host), host)));
        }
        let certificates = Certificates::read(&configs, challenges)?;
        let failed = |error: rustls::Error| EdgeError::Config(format!("TLS cannot be set up: {error}"));
        let versions: &[_] = match config.least {
            TlsVersion::V12 => &[&TLS13, &TLS12],
            TlsVersion::V13 => &[&TLS13],
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as _);
        server.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        if acme.as_ref().is_some_and(|acme| acme.config.proof == Proof::TlsAlpn) {
            server.alpn_protocols.push(ACME_TLS.to_vec());
        }
        // The keys of tickets are made here and change every few hours: all threads share them, and no file has them.
        server.ticketer = ring::Ticketer::new().map_err(failed)?;
        server.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        let quic = if config.http3 {
            // QUIC has TLS 1.3 alone (RFC 9001, section 4.2).
            let mut own = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(&[&TLS13])
                .map_err(failed)?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&certificates) as _);
            own.alpn_protocols = vec![b"h3".to_vec()];
            own.ticketer = Arc::clone(&server.ticketer);
            Some(Arc::new(own))
        } else {
            None
        };
        Ok(Self {
            quic,
            acceptor: TlsAcceptor::from(Arc::new(server)),
            certificates,
            acme: acme.map(Arc::new),
        })
    }

    /// Shakes hands. The client is told by an alert why that fails.
    pub(crate) async fn accept(&self, stream: Replay<TcpStream>) -> io::Result<Agreed> {
        let stream = self.acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        Ok(Agreed {
            is_http2: session.alpn_protocol() == Some(H2),
            name: session.server_name().unwrap_or_default().into(),
            is_proof: session.alpn_protocol() == Some(ACME_TLS),
            is_resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            client: Client::secure(stream),
        })
    }
}
