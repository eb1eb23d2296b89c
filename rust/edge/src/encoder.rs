//! A body made smaller as it goes.

use std::io::{self, Write};

use bytes::Bytes;
use hyperweb_pack::Encoding;

/// Levels that keep up with what is sent: more would save a few percent, and take several times as long.
const BROTLI: u32 = 5;
const BROTLI_WINDOW: u32 = 20;
const GZIP: u32 = 6;
const ZSTD: i32 = 3;

/// What makes one body smaller.
pub(crate) enum Encoder {
    Br(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    /// None for what changes nothing.
    pub(crate) fn new(encoding: Encoding) -> Option<Self> {
        Some(match encoding {
            Encoding::Identity => return None,
            Encoding::Br => Self::Br(Box::new(brotli::CompressorWriter::new(
                Vec::new(),
                4096,
                BROTLI,
                BROTLI_WINDOW,
            ))),
            Encoding::Gzip => {
                let level = flate2::Compression::new(GZIP);
                Self::Gzip(Box::new(flate2::write::GzEncoder::new(Vec::new(), level)))
            }
            Encoding::Zstd => Self::Zstd(Box::new(zstd::stream::write::Encoder::new(Vec::new(), ZSTD).ok()?)),
        })
    }

    /// Takes a part, and returns all that a client needs to read it.
    pub(crate) fn push(&mut self, part: &[u8]) -> io::Result<Bytes> {
        let made = match self {
            Self::Br(writer) => {
                writer.write_all(part)?;
                writer.flush()?;
                std::mem::take(writer.get_mut())
            }
            Self::Gzip(writer) => {
                writer.write_all(part)?;
                writer.flush()?;
                std::mem::take(writer.get_mut())
            }
            Self::Zstd(writer) => {
                writer.write_all(part)?;
                writer.flush()?;
                std::mem::take(writer.get_mut())
            }
        };
        Ok(made.into())
    }

    /// Takes the last part, and returns what is left.
    pub(crate) fn finish(self, part: &[u8]) -> io::Result<Bytes> {
        let made = match self {
            Self::Br(mut writer) => {
                writer.write_all(part)?;
                writer.into_inner()
            }
            Self::Gzip(mut writer) => {
                writer.write_all(part)?;
                writer.finish()?
            }
            Self::Zstd(mut writer) => {
                writer.write_all(part)?;
                writer.finish()?
            }
        };
        Ok(made.into())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match encoding {
            Encoding::Identity => plain.extend_from_slice(bytes),
            Encoding::Br => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).unwrap()),
            Encoding::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
            Encoding::Zstd => plain = zstd::decode_all(bytes).unwrap(),
        }
        plain
    }

    proptest! {
        #[test]
        fn the_parts_give_the_body_back(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
            for encoding in [Encoding::Br, Encoding::Gzip, Encoding::Zstd] {
                let mut encoder = Encoder::new(encoding).unwrap();
                let mut made = Vec::new();
                for part in &parts {
                    made.extend_from_slice(&encoder.push(part).unwrap());
                }
                made.extend_from_slice(&encoder.finish(b"end").unwrap());
                let whole = [parts.concat(), b"end".to_vec()].concat();
                prop_assert_eq!(decode(encoding, &made), whole);
            }
        }
    }
}
