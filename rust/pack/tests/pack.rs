//! Packs written and read back, and packs that were damaged on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;

use hyperweb_pack::{Body, BodyIn, Encoding, Pack, PackError, PackWriter, Response, VariantIn, diff, read_id};
use proptest::prelude::*;

fn plain(body: &[u8]) -> [VariantIn<'_>; 1] {
    [VariantIn {
        encoding: Encoding::Identity,
        body: BodyIn::Bytes(body),
    }]
}

fn response<'a>(path: &'a str, variants: &'a [VariantIn<'a>]) -> Response<'a> {
    Response {
        path,
        status: 200,
        content_type: "text/html; charset=utf-8",
        last_modified: 1_700_000_000,
        headers: &[("cache-control", "max-age=60"), ("x-a", "b")],
        tags: &["t1", "t2"],
        variants,
    }
}

fn small(dest: &Path) -> Pack {
    let mut writer = PackWriter::create(dest).unwrap();
    writer.add(&response("/", &plain(b"hello"))).unwrap();
    let both = [
        plain(b"page")[0],
        VariantIn {
            encoding: Encoding::Br,
            body: BodyIn::Bytes(b"pg"),
        },
    ];
    writer.add(&response("/a/", &both)).unwrap();
    writer.set_meta(b"{}".to_vec());
    writer.set_router(vec![1, 2, 3]);
    writer.set_manifest(b"{\"a\":1}".to_vec());
    writer.finish().unwrap();
    Pack::open(dest).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("site.pack");
    let pack = small(&dest);
    let entry = pack.get(b"/a/").unwrap();
    assert_eq!(
        (entry.path(), entry.status(), entry.content_type()),
        ("/a/", 200, "text/html; charset=utf-8")
    );
    assert_eq!(entry.tags().collect::<Vec<_>>(), ["t1", "t2"]);
    let variant = entry.variant(Encoding::Br).unwrap();
    let head = std::str::from_utf8(variant.head()).unwrap();
    for line in [
        "content-length: 2\r\n",
        "content-encoding: br\r\n",
        "vary: accept-encoding\r\n",
        "x-a: b\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(head.ends_with("\r\n\r\n") && head.contains(&format!("etag: {}\r\n", variant.etag())));
    assert_eq!(variant.head_and_body(), [variant.head(), b"pg"].concat());
    assert_eq!(variant.body_bytes(), "pg");
    assert!(matches!(variant.body(), Body::Bytes(body) if body.as_ptr().align_offset(64) == 0));
    let identity = entry.variant(Encoding::Identity).unwrap();
    assert_ne!(identity.etag(), variant.etag());
    let not_modified = std::str::from_utf8(identity.not_modified_head()).unwrap();
    assert!(
        not_modified.contains("cache-control: max-age=60\r\n") && not_modified.contains("last-modified: Tue, 14 Nov")
    );
    assert!(!not_modified.contains("content-"));
    assert_eq!(
        (pack.router(), pack.meta(), pack.manifest()),
        (&[1, 2, 3][..], &b"{}"[..], &b"{\"a\":1}"[..])
    );
    assert!(pack.get(b"/b").is_none() && pack.get(b"").is_none());
    assert_eq!(read_id(&dest).unwrap(), pack.id());
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside the pack"
    );
}

#[test]
fn bytes_of_a_body_outlive_the_pack() {
    let folder = tempfile::tempdir().unwrap();
    let pack = small(&folder.path().join("p"));
    let bytes = pack
        .get(b"/")
        .unwrap()
        .variant(Encoding::Identity)
        .unwrap()
        .body_bytes();
    drop(pack);
    drop(folder);
    assert_eq!(bytes, "hello");
}

#[test]
fn an_entry_is_copied_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let old = small(&folder.path().join("old"));
    let dest = folder.path().join("new");
    let mut writer = PackWriter::create(&dest).unwrap();
    for entry in old.iter() {
        writer.add_entry(&entry).unwrap();
    }
    let file = BodyIn::File {
        path: "big/v.bin",
        size: 9,
        hash: [7; 32],
    };
    writer
        .add(&response(
            "/v",
            &[VariantIn {
                encoding: Encoding::Identity,
                body: file,
            }],
        ))
        .unwrap();
    writer.finish().unwrap();
    let new = Pack::open(&dest).unwrap();
    for entry in old.iter() {
        let copy = new.get(entry.path().as_bytes()).unwrap();
        for (one, other) in entry.variants().zip(copy.variants()) {
            assert_eq!(one.head_and_body(), other.head_and_body());
            assert_eq!(
                (one.etag(), one.not_modified_head()),
                (other.etag(), other.not_modified_head())
            );
        }
    }
    let variant = new.get(b"/v").unwrap().variant(Encoding::Identity).unwrap();
    assert!(matches!(
        variant.body(),
        Body::File {
            path: "big/v.bin",
            size: 9,
            ..
        }
    ));
    let changes = diff(&old, &new);
    assert_eq!(
        (changes.added, changes.changed, changes.removed),
        (vec!["/v".to_owned()], vec![], vec![])
    );
}

#[test]
fn the_same_responses_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1"), folder.path().join("2"));
    small(&one);
    small(&two);
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
}

#[test]
fn a_bad_response_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = PackWriter::create(&folder.path().join("p")).unwrap();
    let body = plain(b"x");
    let good = response("/x", &body);
    for bad in [
        Response { path: "x", ..good },
        Response { variants: &[], ..good },
        Response {
            headers: &[("a", "b\r\nc: d")],
            ..good
        },
        Response {
            headers: &[("a b", "c")],
            ..good
        },
        Response {
            content_type: "a\0",
            ..good
        },
        Response {
            tags: &["a\nb"],
            ..good
        },
    ] {
        assert!(matches!(writer.add(&bad), Err(PackError::Response { .. })), "{bad:?}");
    }
    for path in ["../x", "/etc/passwd", "a/../b", "a//b"] {
        let file = [VariantIn {
            encoding: Encoding::Identity,
            body: BodyIn::File {
                path,
                size: 1,
                hash: [0; 32],
            },
        }];
        assert!(
            writer
                .add(&Response {
                    variants: &file,
                    ..good
                })
                .is_err(),
            "{path}"
        );
    }
    writer.add(&good).unwrap();
    assert!(writer.add(&good).is_err(), "two of one path");
    drop(writer);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "an unfinished pack leaves nothing"
    );
}

fn refusal(path: &Path) -> &'static str {
    match Pack::open(path) {
        Err(PackError::Refused { section, .. }) => section,
        Err(other) => panic!("{other}"),
        Ok(_) => "accepted",
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("p");
    small(&dest);
    let good = fs::read(&dest).unwrap();
    let bad = folder.path().join("bad");
    for length in 0..good.len() {
        fs::write(&bad, &good[..length]).unwrap();
        assert_eq!(refusal(&bad), "HEADER", "cut to {length}");
    }
    let mut seen = std::collections::BTreeSet::new();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&bad, &bytes).unwrap();
        let section = refusal(&bad);
        assert_ne!(section, "accepted", "bit {bit}");
        seen.insert(section);
    }
    for section in ["BODIES", "META", "INDEX", "ENTRIES", "STRINGS", "ROUTER", "MANIFEST"] {
        assert!(seen.contains(section), "no flip was found in {section}");
    }
    let mut longer = good.clone();
    longer.push(0);
    fs::write(&bad, &longer).unwrap();
    assert_eq!(refusal(&bad), "HEADER");
}

#[test]
fn bodies_are_side_by_side_by_coding() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("p");
    let mut writer = PackWriter::create(&dest).unwrap();
    let bodies: Vec<[Vec<u8>; 2]> = (0..40u8).map(|n| [vec![n; 700], vec![n + 100; 90]]).collect();
    for (number, [identity, br]) in bodies.iter().enumerate() {
        let variants = [
            plain(identity)[0],
            VariantIn {
                encoding: Encoding::Br,
                body: BodyIn::Bytes(br),
            },
        ];
        writer.add(&response(&format!("/{number}/"), &variants)).unwrap();
    }
    writer.finish().unwrap();
    let pack = Pack::open(&dest).unwrap();
    let places = |encoding| {
        let bodies = pack.iter().map(move |entry| match entry.variant(encoding).unwrap().body() {
            Body::Bytes(bytes) => bytes.as_ptr() as usize,
            Body::File { .. } => panic!("a small body is in the pack"),
        });
        bodies.collect::<Vec<_>>()
    };
    assert!(places(Encoding::Identity).iter().max() < places(Encoding::Br).iter().min());
    for (number, [identity, br]) in bodies.iter().enumerate() {
        let entry = pack.get(format!("/{number}/").as_bytes()).unwrap();
        assert_eq!(entry.variant(Encoding::Identity).unwrap().body_bytes(), identity[..]);
        assert_eq!(entry.variant(Encoding::Br).unwrap().body_bytes(), br[..]);
    }
}

#[test]
fn a_pack_that_is_answered_from_at_once_is_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("p");
    drop(small(&dest));
    let (pack, bodies) = Pack::open_deferred(&dest).unwrap();
    assert_eq!(pack.len(), 2);
    bodies.verify().unwrap();
    let mut bytes = fs::read(&dest).unwrap();
    let at = bytes.windows(5).position(|part| part == b"hello").unwrap();
    bytes[at] ^= 1;
    fs::write(&dest, &bytes).unwrap();
    let (_, bodies) = Pack::open_deferred(&dest).unwrap();
    let said = bodies.verify().unwrap_err().to_string();
    assert!(said.contains("BODIES"), "{said}");
    assert_eq!(refusal(&dest), "BODIES");
}

#[test]
fn another_version_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("p");
    small(&dest);
    let mut bytes = fs::read(&dest).unwrap();
    bytes[8] = 9;
    fs::write(&dest, bytes).unwrap();
    let said = Pack::open(&dest).unwrap_err().to_string();
    assert!(
        said.contains("version 9") && said.contains("build the site again"),
        "{said}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_responses_come_back(items in proptest::collection::btree_map(
        "/[a-zé/]{0,12}", (proptest::collection::vec(any::<u8>(), 0..300), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..90)), 100u16..600), 0..40)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let dest = folder.path().join("p");
        let mut writer = PackWriter::create(&dest).unwrap();
        for (path, (body, gzip, status)) in &items {
            let mut variants = plain(body).to_vec();
            if let Some(gzip) = gzip {
                variants.push(VariantIn { encoding: Encoding::Gzip, body: BodyIn::Bytes(gzip) });
            }
            writer.add(&Response { status: *status, ..response(path, &variants) }).unwrap();
        }
        let summary = writer.finish().unwrap();
        let pack = Pack::open(&dest).unwrap();
        prop_assert_eq!((pack.len(), pack.id()), (items.len(), summary.id));
        let in_order: Vec<_> = pack.iter().map(|entry| entry.path().to_owned()).collect();
        prop_assert_eq!(in_order, items.keys().cloned().collect::<Vec<_>>());
        for (path, (body, gzip, status)) in &items {
            let entry = pack.get(path.as_bytes()).unwrap();
            prop_assert_eq!(entry.status(), *status);
            prop_assert_eq!(&entry.variant(Encoding::Identity).unwrap().body_bytes(), body);
            prop_assert_eq!(entry.variant(Encoding::Gzip).map(|variant| variant.body_bytes().to_vec()), gzip.clone());
        }
    }

    #[test]
    fn bytes_that_are_no_pack_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        fs::write(&file, bytes).unwrap();
        prop_assert!(Pack::open(&file).is_err());
    }
}
