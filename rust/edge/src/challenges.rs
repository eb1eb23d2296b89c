//! How it is proved to an authority that a host is served here (RFC 8555, section 8): what is to be answered now.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use parking_lot::RwLock;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::Deserialize;

use crate::body::Body;
use crate::error::EdgeError;

/// Where an authority looks for a token (section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";
/// What an authority says in a handshake that is only to prove who answers (RFC 8737, section 3).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// How it is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Proof {
    /// By a token over plain HTTP (RFC 8555, section 8.3).
    #[serde(rename = "http-01")]
    Http,
    /// By a certificate in a handshake (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn,
}

/// What is to be answered while authorities look. Nearly always it is empty, and that costs one look.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    placed: AtomicU64,
    /// What is answered for a token.
    tokens: RwLock<HashMap<String, String>>,
    /// What a host's handshake is answered with.
    certificates: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

/// Something to be answered, until it is dropped.
pub(crate) struct Placed {
    challenges: Arc<Challenges>,
    proof: Proof,
    name: String,
}

impl Challenges {
    /// Answers a token from now on.
    pub(crate) fn place_token(self: &Arc<Self>, token: &str, answer: &str) -> Placed {
        self.tokens.write().insert(token.to_owned(), answer.to_owned());
        self.placed(Proof::Http, token)
    }

    /// Answers handshakes for a host from now on with a certificate that says a digest.
    pub(crate) fn place_certificate(self: &Arc<Self>, host: &str, digest: &[u8]) -> Result<Placed, EdgeError> {
        let certificate = proving(host, digest)?;
        self.certificates.write().insert(host.to_owned(), Arc::new(certificate));
        Ok(self.placed(Proof::TlsAlpn, host))
    }

    fn placed(self: &Arc<Self>, proof: Proof, name: &str) -> Placed {
        self.placed.fetch_add(1, Ordering::AcqRel);
        Placed {
            challenges: Arc::clone(self),
            proof,
            name: name.to_owned(),
        }
    }

    /// Whether a target may be one of an authority's.
    pub(crate) fn concerns(&self, target: &str) -> bool {
        self.placed.load(Ordering::Acquire) > 0 && target.starts_with(PATH)
    }

    /// Answers an authority. What is no token of ours may be one of whoever is behind.
    pub(crate) fn answer(&self, method: &Method, target: &str) -> Option<Response<Body>> {
        if !self.concerns(target) || !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let answer = self.tokens.read().get(target.strip_prefix(PATH)?).cloned()?;
        let mut response = Response::new(Body::from(bytes::Bytes::from(answer)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Some(response)
    }

    /// The certificate that proves that a host is served here.
    pub(crate) fn certificate(&self, host: &str) -> Option<Arc<CertifiedKey>> {
        self.certificates.read().get(host).cloned()
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        match self.proof {
            Proof::Http => drop(self.challenges.tokens.write().remove(&self.name)),
            Proof::TlsAlpn => drop(self.challenges.certificates.write().remove(&self.name)),
        }
        self.challenges.placed.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A certificate for a host, signed by itself, that says a digest (RFC 8737, section 3).
fn proving(host: &str, digest: &[u8]) -> Result<CertifiedKey, EdgeError> {
    let failed = |error: rcgen::Error| EdgeError::Config(format!("no certificate can be made for {host}: {error}"));
    let mut params = CertificateParams::new([host.to_owned()]).map_err(failed)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(failed)?;
    let made = params.self_signed(&key).map_err(failed)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing =
        any_supported_type(&private).map_err(|error| EdgeError::Config(format!("a key cannot be used: {error}")))?;
    Ok(CertifiedKey::new(vec![made.der().clone()], signing))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_for_as_long_as_it_is_placed() {
        let challenges = Arc::new(Challenges::default());
        let target = "/.well-known/acme-challenge/token";
        assert!(challenges.answer(&Method::GET, target).is_none());
        let placed = challenges.place_token("token", "token.key");
        assert_eq!(challenges.answer(&Method::GET, target).unwrap().status(), 200);
        for (method, target) in [
            (Method::POST, target),
            (Method::GET, "/.well-known/acme-challenge/other"),
            (Method::GET, "/.well-known/acme-challenge/token?x"),
            (Method::GET, "/token"),
        ] {
            assert!(challenges.answer(&method, target).is_none(), "{target}");
        }
        drop(placed);
        assert!(challenges.answer(&Method::GET, target).is_none() && !challenges.concerns(target));
    }

    #[test]
    fn a_handshake_is_answered_for_as_long_as_it_is_placed() {
        let challenges = Arc::new(Challenges::default());
        let placed = challenges.place_certificate("a.example", &[7; 32]).unwrap();
        assert!(challenges.certificate("a.example").is_some() && challenges.certificate("b.example").is_none());
        drop(placed);
        assert!(challenges.certificate("a.example").is_none());
    }
}
