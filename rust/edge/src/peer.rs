//! Whom a connection is from, and how it came.

/// The client of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its address, as the log and the workers are told it.
    pub(crate) address: Box<str>,
    /// Whether it came over TLS.
    pub(crate) is_secure: bool,
    /// Where it came without TLS and is not served so: the port it is sent to.
    pub(crate) sent_to: Option<u16>,
    /// Whether it is a proxy that is believed about whom its requests are from.
    pub(crate) is_trusted: bool,
    /// The host that its certificate was chosen for, where it came over TLS to this edge; empty is none.
    pub(crate) certified: Option<Box<str>>,
}

impl Peer {
    /// This machine itself.
    pub(crate) fn local() -> Self {
        Self {
            address: "127.0.0.1".into(),
            is_secure: false,
            sent_to: None,
            is_trusted: false,
            certified: None,
        }
    }

    /// The scheme of what is asked for over the connection (RFC 9110, section 4.2).
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}
