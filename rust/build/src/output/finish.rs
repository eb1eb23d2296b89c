//! The last step of a body: minified and compressed.

use hyperweb_pack::{BodyIn, Encoding, VariantIn};

use crate::compress::{Compressed, Level, compress};
use crate::css::Targets;
use crate::{html, svg, text};

/// Which minifier a body takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    None,
    Html,
    Xml,
    Svg,
    Json,
}

impl Finish {
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "html" => Self::Html,
            "xml" => Self::Xml,
            "svg" => Self::Svg,
            "json" => Self::Json,
            _ => return None,
        })
    }

    /// Returns the body, smaller; a body that is not what it should be stays as it is.
    pub(crate) fn apply(self, body: Vec<u8>, targets: Targets) -> Vec<u8> {
        let Ok(source) = std::str::from_utf8(&body) else {
            return body;
        };
        let made = match self {
            Self::None => None,
            Self::Html => Some(html::minify(source, targets)),
            Self::Xml => Some(text::xml(source)),
            Self::Svg => Some(svg::minify(source, targets)),
            Self::Json => text::json(source),
        };
        made.map_or(body, String::into_bytes)
    }
}

/// A body in all its codings.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) plain: Vec<u8>,
    compressed: Compressed,
}

impl Body {
    pub(crate) fn make(body: Vec<u8>, finish: Finish, targets: Targets, content_type: &str, level: Level) -> Self {
        let plain = finish.apply(body, targets);
        let compressed = compress(&plain, content_type, level);
        Self { plain, compressed }
    }

    pub(crate) fn variants(&self) -> Vec<VariantIn<'_>> {
        let all = [
            (Encoding::Identity, Some(&self.plain)),
            (Encoding::Br, self.compressed.br.as_ref()),
            (Encoding::Gzip, self.compressed.gzip.as_ref()),
            (Encoding::Zstd, self.compressed.zstd.as_ref()),
        ];
        let found = all.into_iter().filter_map(|(encoding, body)| Some((encoding, body?)));
        found
            .map(|(encoding, body)| VariantIn {
                encoding,
                body: BodyIn::Bytes(body),
            })
            .collect()
    }
}
