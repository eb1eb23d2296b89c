//! What is put into a pack.

use crate::encoding::Encoding;

/// One response.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// The URL path, decoded: `/posts/a/`.
    pub path: &'a str,
    /// The status: 200, 404 for the page shown where nothing is found, 308 for a redirect.
    pub status: u16,
    /// The media type.
    pub content_type: &'a str,
    /// When its sources last changed, in seconds since 1970 (UTC); 0 leaves the header out.
    pub last_modified: u64,
    /// Further header fields, in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The tags it can be purged by; never sent.
    pub tags: &'a [&'a str],
    /// The body in each coding; identity is always there.
    pub variants: &'a [VariantIn<'a>],
}

/// A body in one coding.
#[derive(Debug, Clone, Copy)]
pub struct VariantIn<'a> {
    pub encoding: Encoding,
    pub body: BodyIn<'a>,
}

/// Where the bytes of a body are.
#[derive(Debug, Clone, Copy)]
pub enum BodyIn<'a> {
    /// Here, to be kept in the pack.
    Bytes(&'a [u8]),
    /// In a file beside the pack, relative to the folder of plain files.
    File { path: &'a str, size: u64, hash: [u8; 32] },
}
