//! A response of another pack whose sources were saved again without a change: only its date is another.

use hyperweb_pack::{Body, BodyIn, Encoding, Entry, PackError, PackWriter, Response, VariantIn};

/// Where the fields begin that a pack does not make itself: behind this line of the plain body's head.
const LAST_MADE: &str = "\r\naccept-ranges: bytes\r\n";

/// Adds `entry` to `pack` with another time of its last change, in seconds since 1970.
pub(crate) fn redated(pack: &mut PackWriter, entry: &Entry<'_>, modified: u64) -> Result<(), PackError> {
    let Some(plain) = entry.variant(Encoding::Identity) else {
        return pack.add_entry(entry);
    };
    let head = text(plain.head());
    let given = head.split_once(LAST_MADE).map_or("", |(_, given)| given);
    let caching = text(plain.not_modified_head());
    let caching = fields(caching).filter(|(name, _)| *name == "cache-control");
    let headers: Vec<(&str, &str)> = caching.chain(fields(given)).collect();
    let tags: Vec<&str> = entry.tags().collect();
    let variants: Vec<VariantIn<'_>> = entry
        .variants()
        .map(|variant| VariantIn {
            encoding: variant.encoding(),
            body: match variant.body() {
                Body::Bytes(bytes) => BodyIn::Bytes(bytes),
                Body::File { path, size, hash } => BodyIn::File {
                    path,
                    size,
                    hash: blake3::Hash::from_hex(hash).map_or([0; 32], Into::into),
                },
            },
        })
        .collect();
    pack.add(&Response {
        path: entry.path(),
        status: entry.status(),
        content_type: entry.content_type(),
        last_modified: modified,
        headers: &headers,
        tags: &tags,
        variants: &variants,
    })
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

fn fields(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.split("\r\n").filter_map(|line| line.split_once(": "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hyperweb_pack::Pack;

    use super::*;

    fn written(modified: u64, from: Option<&Pack>) -> (Vec<u8>, Pack) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("site.pack");
        let mut pack = PackWriter::create(&file).unwrap();
        let variants = [
            VariantIn {
                encoding: Encoding::Identity,
                body: BodyIn::Bytes(b"some text"),
            },
            VariantIn {
                encoding: Encoding::Br,
                body: BodyIn::Bytes(b"text"),
            },
        ];
        let large = [VariantIn {
            encoding: Encoding::Identity,
            body: BodyIn::File {
                path: "big.bin",
                size: 7,
                hash: [7; 32],
            },
        }];
        for (path, variants) in [("/", &variants[..]), ("/big.bin", &large)] {
            match from {
                Some(from) => redated(&mut pack, &from.get(path.as_bytes()).unwrap(), modified).unwrap(),
                None => pack
                    .add(&Response {
                        path,
                        status: 404,
                        content_type: "text/html",
                        last_modified: modified,
                        headers: &[("cache-control", "no-cache"), ("vary", "x"), ("location", "/y: z")],
                        tags: &["a", "b"],
                        variants,
                    })
                    .unwrap(),
            }
        }
        pack.finish().unwrap();
        (std::fs::read(&file).unwrap(), Pack::open(&file).unwrap())
    }

    #[test]
    fn a_response_dated_anew_is_the_one_that_is_made_with_that_date() {
        let (old, pack) = written(1_700_000_000, None);
        let (wanted, _) = written(1_800_000_000, None);
        assert_ne!(old, wanted);
        assert_eq!(written(1_800_000_000, Some(&pack)).0, wanted);
        // One without a date takes one on, and loses it.
        let (undated, without) = written(0, None);
        assert_eq!(written(1_800_000_000, Some(&without)).0, wanted);
        assert_eq!(written(0, Some(&pack)).0, undated);
    }
}
