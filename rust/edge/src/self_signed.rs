//! A certificate that only its maker trusts, for development.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::error::EdgeError;

/// Days it can be used; browsers refuse what is valid for longer than 398.
const DAYS: i64 = 365;

/// Makes a certificate for some host names and addresses, and its key: both as PEM (RFC 7468).
pub fn self_signed(hosts: &[String]) -> Result<(String, String), EdgeError> {
    let failed = |error: rcgen::Error| {
        EdgeError::Config(format!(
            "a certificate for {} cannot be made: {error}",
            hosts.join(", ")
        ))
    };
    let mut params = CertificateParams::new(hosts).map_err(failed)?;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(DAYS);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "hyperweb development");
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
