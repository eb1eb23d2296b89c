//! One certificate with its key, as read from PEM files (RFC 7468).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::CertificateConfig;
use crate::error::EdgeError;

/// A larger file is none of these.
const LARGEST: u64 = 1 << 20;
/// How long before its end it is said that a certificate ends.
const SOON: Duration = Duration::from_hours(14 * 24);
static NOTHING: CertificateDer<'static> = CertificateDer::from_slice(&[]);

/// A certificate that can be used.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) key: Arc<CertifiedKey>,
    /// The host names it is used for, in lower case; one may begin with `*.`, which stands for one label.
    pub(crate) names: Vec<String>,
    /// When it begins and ends.
    pub(crate) begins: SystemTime,
    pub(crate) ends: SystemTime,
    file: PathBuf,
    /// Whether the edge itself renews it.
    is_renewed: bool,
}

impl Certificate {
    /// Reads the files, and checks that they belong together.
    pub(crate) fn read(config: &CertificateConfig) -> Result<Self, EdgeError> {
        let chain = read_chain(&config.cert)?;
        let key = read_key(&config.key)?;
        let signing = any_supported_type(&key).map_err(|_| {
            bad(
                &config.key,
                "this kind of private key is not supported",
                "use an ECDSA (P-256, P-384), Ed25519 or RSA key (2048 bits and more)",
            )
        })?;
        let mut certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(TlsError::InconsistentKeys(_)) => {
                return Err(bad(
                    &config.key,
                    &format!("this is not the key of the certificate in {}", config.cert.display()),
                    "give the key that the certificate was made for; in a chain the site's own certificate is first",
                ));
            }
            Err(error) => return Err(unreadable(&config.cert, &error.to_string())),
        }
        if let Some(file) = &config.ocsp {
            certified.ocsp = Some(read_file(file)?);
        }
        let first = certified
            .cert
            .first()
            .ok_or_else(|| unreadable(&config.cert, "it is empty"))?;
        let (_, parsed) =
            X509Certificate::from_der(first).map_err(|error| unreadable(&config.cert, &error.to_string()))?;
        let names = if config.hosts.is_empty() {
            names_of(&parsed)
        } else {
            config.hosts.clone()
        };
        let (begins, ends) = (parsed.validity().not_before, parsed.validity().not_after);
        Ok(Self {
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            begins: time(begins.timestamp()),
            ends: time(ends.timestamp()),
            file: config.cert.clone(),
            is_renewed: config.awaited,
            key: Arc::new(certified),
        })
    }

    /// The certificate itself, without those that lead to its issuer.
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.key.cert.first().unwrap_or(&NOTHING)
    }

    /// Whether it is used for a host by its own name.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// A number from nought to one, drawn once for each certificate.
    pub(crate) fn lot(&self) -> f64 {
        let hash = blake3::hash(self.der());
        let [one, two, ..] = hash.as_bytes();
        f64::from(u16::from_le_bytes([*one, *two])) / f64::from(u16::MAX)
    }

    /// What an operator should know of it, if anything.
    pub(crate) fn warning(&self, now: SystemTime) -> Option<String> {
        let file = self.file.display();
        if now < self.begins {
            return Some(format!(
                "the certificate in {file} is not valid yet: browsers will refuse it"
            ));
        }
        match self.ends.duration_since(now) {
            Err(_) => Some(format!(
                "the certificate in {file} has expired: browsers refuse it; renew it"
            )),
            // One that is fetched anew in time is not worth a word.
            Ok(left) if left < SOON && !self.is_renewed => {
                let days = left.as_secs() / 86_400;
                Some(format!("the certificate in {file} expires in {days} days: renew it"))
            }
            Ok(_) => None,
        }
    }
}

/// The names and addresses a certificate is for (RFC 5280, section 4.2.1.6).
fn names_of(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}

fn time(seconds: i64) -> SystemTime {
    u64::try_from(seconds).map_or(SystemTime::UNIX_EPOCH, |seconds| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    })
}

pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, EdgeError> {
    let text = read_file(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| not_pem(path, "certificate", &error))?;
    if chain.is_empty() {
        return Err(not_pem(path, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(chain)
}

pub(crate) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, EdgeError> {
    let text = read_file(path)?;
    if memchr::memmem::find(&text, b"BEGIN ENCRYPTED PRIVATE KEY").is_some() {
        return Err(bad(
            path,
            "the private key is encrypted",
            "decrypt it: openssl pkey -in KEY -out PLAIN_KEY, readable by the server alone",
        ));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| not_pem(path, "private key", &error))
}

fn read_file(path: &Path) -> Result<Vec<u8>, EdgeError> {
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => {
                "give the path of a PEM file; a path in site.toml is seen from the site's folder"
            }
            io::ErrorKind::PermissionDenied => "let the user that the server runs as read it",
            _ => "give the path of a PEM file",
        };
        bad(path, &format!("it cannot be read: {error}"), hint)
    })
}

fn not_pem(path: &Path, wanted: &str, error: &pem::Error) -> EdgeError {
    let what = match error {
        pem::Error::NoItemsFound => format!("there is no {wanted} in it"),
        error => format!("there is no readable {wanted} in it: {error}"),
    };
    bad(
        path,
        &what,
        "give a PEM file, which has lines such as -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE KEY-----",
    )
}

fn unreadable(path: &Path, why: &str) -> EdgeError {
    bad(
        path,
        &format!("the certificate is damaged: {why}"),
        "get it anew from whoever issued it",
    )
}

fn bad(path: &Path, what: &str, hint: &'static str) -> EdgeError {
    EdgeError::Certificate {
        file: path.to_owned(),
        what: what.to_owned(),
        hint,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use time::{Duration as Days, OffsetDateTime};

    use super::*;

    /// Writes a certificate that ends in so many days, and its key.
    fn made(folder: &Path, days: i64) -> CertificateConfig {
        let mut params = CertificateParams::new(["A.example".to_owned(), "*.b.example".to_owned()]).unwrap();
        params.not_before = OffsetDateTime::now_utc() - Days::days(400);
        params.not_after = OffsetDateTime::now_utc() + Days::days(days) + Days::hours(1);
        let key = KeyPair::generate().unwrap();
        let config = CertificateConfig {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            hosts: Vec::new(),
            ocsp: None,
            awaited: false,
        };
        std::fs::write(&config.cert, params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(&config.key, key.serialize_pem()).unwrap();
        config
    }

    #[test]
    fn a_certificate_names_its_hosts_and_says_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let warning = |days| {
            let read = Certificate::read(&made(folder.path(), days)).unwrap();
            assert_eq!(read.names, ["a.example", "*.b.example"]);
            read.warning(SystemTime::now())
        };
        assert_eq!(warning(100), None);
        assert!(warning(5).unwrap().contains("expires in 5 days"));
        assert!(warning(-3).unwrap().contains("has expired"));
        let read = Certificate::read(&made(folder.path(), 9)).unwrap();
        assert!(read.warning(SystemTime::UNIX_EPOCH).unwrap().contains("not valid yet"));
    }

    #[test]
    fn a_response_of_ocsp_is_sent_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ocsp.der");
        let config = CertificateConfig {
            ocsp: Some(file.clone()),
            ..made(folder.path(), 100)
        };
        assert!(Certificate::read(&config).unwrap_err().to_string().contains("ocsp.der"));
        std::fs::write(file, b"response").unwrap();
        assert_eq!(
            Certificate::read(&config).unwrap().key.ocsp.as_deref(),
            Some(&b"response"[..])
        );
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = made(folder.path(), 100);
        let hosts = vec!["Other.example".to_owned()];
        let named = Certificate::read(&CertificateConfig {
            hosts,
            ..config.clone()
        });
        assert_eq!(named.unwrap().names, ["other.example"]);
        let whole = std::fs::read(&config.cert).unwrap();
        let fails = |cut: &[u8]| {
            std::fs::write(&config.cert, cut).unwrap();
            let error = Certificate::read(&config).unwrap_err().to_string();
            assert!(error.contains("cert.pem") && error.contains("hint: "), "{error}");
        };
        fails(b"");
        fails(b"nonsense");
        for cut in [30, whole.len() / 2, whole.len() - 30] {
            fails(&whole[..cut]);
        }
        std::fs::write(
            &config.key,
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        )
        .unwrap();
        std::fs::write(&config.cert, whole).unwrap();
        let error = Certificate::read(&config).unwrap_err().to_string();
        assert!(error.contains("key.pem: the private key is encrypted"), "{error}");
    }
}
