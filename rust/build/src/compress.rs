//! Content codings, made once at build.

use std::cell::RefCell;
use std::io::Write;

use libdeflater::{CompressionLvl, Compressor};

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Brotli 5, gzip 4, Zstandard 1: for pages, which change.
    Fast,
    /// Brotli 11, gzip 12, Zstandard 19: for what is kept for ever.
    Best,
}

/// A body in the codings that save something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compressed {
    pub br: Option<Vec<u8>>,
    pub gzip: Option<Vec<u8>>,
    pub zstd: Option<Vec<u8>>,
}

/// A coding that saves less than one part of this many is not kept.
const LEAST_SAVING: usize = 33;
/// Smaller bodies fit one packet as they are.
const SMALLEST: usize = 200;

/// Whether bodies of a media type can be made smaller: text can, and what is compressed already cannot.
pub fn is_compressible(content_type: &str) -> bool {
    let bare = content_type.split(';').next().unwrap_or("").trim();
    bare.starts_with("text/")
        || bare.ends_with("+xml")
        || bare.ends_with("+json")
        || matches!(
            bare,
            "application/json"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/vnd.ms-fontobject"
                | "font/ttf"
                | "font/otf"
                | "image/bmp"
                | "image/vnd.microsoft.icon"
                | "image/x-icon"
        )
}

/// Compresses a body in each coding, and keeps those that save at least 3 %.
pub fn compress(body: &[u8], content_type: &str, level: Level) -> Compressed {
    if body.len() < SMALLEST || !is_compressible(content_type) {
        return Compressed::default();
    }
    let saving = |bytes: Vec<u8>| Some(bytes).filter(|bytes| bytes.len() + body.len() / LEAST_SAVING < body.len());
    Compressed {
        br: brotli(body, level).and_then(saving),
        gzip: gzip(body, level).and_then(saving),
        zstd: zstd(body, level).and_then(saving),
    }
}

fn brotli(body: &[u8], level: Level) -> Option<Vec<u8>> {
    let quality = if level == Level::Best { 11 } else { 5 };
    // The window need not be larger than the body (RFC 7932, section 9.1). With one of 16 bits the encoder takes a hash
    // table of 32 MiB, which is emptied for each body.
    let window = (usize::BITS - body.len().leading_zeros() + 1).clamp(17, 22);
    let mut writer = brotli::CompressorWriter::new(Vec::with_capacity(body.len() / 3), 4096, quality, window);
    writer.write_all(body).ok()?;
    writer.flush().ok()?;
    Some(writer.into_inner())
}

fn gzip(body: &[u8], level: Level) -> Option<Vec<u8>> {
    thread_local! {
        static FAST: RefCell<Compressor> = RefCell::new(Compressor::new(CompressionLvl::new(4).unwrap_or_default()));
        static BEST: RefCell<Compressor> = RefCell::new(Compressor::new(CompressionLvl::best()));
    }
    let compressor = if level == Level::Best { &BEST } else { &FAST };
    compressor.with(|compressor| {
        let mut compressor = compressor.borrow_mut();
        let mut out = vec![0; compressor.gzip_compress_bound(body.len())];
        let length = compressor.gzip_compress(body, &mut out).ok()?;
        out.truncate(length);
        Some(out)
    })
}

fn zstd(body: &[u8], level: Level) -> Option<Vec<u8>> {
    thread_local! {
        static FAST: RefCell<Option<zstd::bulk::Compressor<'static>>> = RefCell::new(zstd::bulk::Compressor::new(1).ok());
        static BEST: RefCell<Option<zstd::bulk::Compressor<'static>>> = RefCell::new(zstd::bulk::Compressor::new(19).ok());
    }
    let compressor = if level == Level::Best { &BEST } else { &FAST };
    compressor.with(|compressor| compressor.borrow_mut().as_mut()?.compress(body).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_coding_gives_the_body_back() {
        let body = "<p>The quick brown fox jumps over the lazy dog.</p>\n".repeat(200);
        for level in [Level::Fast, Level::Best] {
            let made = compress(body.as_bytes(), "text/html; charset=utf-8", level);
            let mut plain = Vec::new();
            brotli::Decompressor::new(&made.br.unwrap()[..], 4096)
                .read_to_end(&mut plain)
                .unwrap();
            assert_eq!(plain, body.as_bytes());
            assert_eq!(zstd::decode_all(&made.zstd.unwrap()[..]).unwrap(), body.as_bytes());
            let mut plain = vec![0; body.len()];
            let length = libdeflater::Decompressor::new()
                .gzip_decompress(&made.gzip.unwrap(), &mut plain)
                .unwrap();
            assert_eq!((length, &plain[..]), (body.len(), body.as_bytes()));
        }
    }

    #[test]
    fn what_saves_nothing_is_not_kept() {
        let noise: Vec<u8> = (0u32..4000)
            .flat_map(|n| blake3::hash(&n.to_le_bytes()).as_bytes()[..4].to_vec())
            .collect();
        assert_eq!(compress(&noise, "text/plain", Level::Fast), Compressed::default());
        assert_eq!(compress(&[b'a'; 5000], "image/png", Level::Fast), Compressed::default());
        assert_eq!(compress(b"short", "text/plain", Level::Fast), Compressed::default());
    }
}
