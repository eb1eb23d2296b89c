//! Which route a path finds, against examples and against a matcher that tries every pattern.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use hyperweb_router::{Params, RouteTable, Router, RouterError};
use proptest::prelude::*;

fn router(patterns: &[&str]) -> Router {
    let mut table = RouteTable::new();
    for (id, pattern) in (0..).zip(patterns) {
        table.add(pattern, id).unwrap();
    }
    Router::from_bytes(table.compile()).unwrap()
}

fn find(router: &Router, path: &str) -> Option<(u32, Vec<(String, String)>)> {
    let mut params = Params::new();
    let id = router.find(path, &mut params)?;
    let found = params
        .as_slice()
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Some((id, found.collect()))
}

#[test]
fn the_narrower_pattern_wins() {
    let router = router(&[
        "/a/{x}",
        "/a/b",
        "/a/{n:int}",
        "/a/{rest:path}",
        "/",
        "/a/{x}/c",
        "/a/{u:uuid}",
    ]);
    assert_eq!(find(&router, "/a/b"), Some((1, vec![])));
    assert_eq!(find(&router, "/a/-7"), Some((2, vec![("n".into(), "-7".into())])));
    assert_eq!(find(&router, "/a/q"), Some((0, vec![("x".into(), "q".into())])));
    assert_eq!(
        find(&router, "/a/q/r/s"),
        Some((3, vec![("rest".into(), "q/r/s".into())]))
    );
    assert_eq!(find(&router, "/a/b/c"), Some((5, vec![("x".into(), "b".into())])));
    assert_eq!(find(&router, "/a/123e4567-e89b-12d3-a456-426614174000").unwrap().0, 6);
    assert_eq!(find(&router, "/"), Some((4, vec![])));
    assert_eq!(find(&router, "/a"), None);
    assert_eq!(find(&router, ""), None);
    assert_eq!(find(&router, "a/b"), None);
}

#[test]
fn a_slash_at_the_end_matters() {
    let router = router(&["/x/{y}/", "/x/{y}"]);
    assert_eq!(find(&router, "/x/1/").unwrap().0, 0);
    assert_eq!(find(&router, "/x/1").unwrap().0, 1);
    assert_eq!(find(&router, "/x//"), None);
}

#[test]
fn two_names_for_one_parameter_are_both_tried() {
    let router = router(&["/{a}/one", "/{b}/two"]);
    assert_eq!(find(&router, "/z/two"), Some((1, vec![("b".into(), "z".into())])));
}

#[test]
fn bad_patterns_are_refused() {
    let mut table = RouteTable::new();
    for pattern in [
        "a",
        "/{",
        "/{}",
        "/a{b}",
        "/{a}/{a}",
        "/{a:path}/b",
        "/{a:nope}",
        "/{1a}",
        "/}{",
    ] {
        assert!(
            matches!(table.add(pattern, 1), Err(RouterError::Pattern { .. })),
            "{pattern}"
        );
    }
    table.add("/x/{a}", 1).unwrap();
    assert_eq!(
        table.add("/x/{a}", 2),
        Err(RouterError::Duplicate {
            pattern: "/x/{a}".into(),
            other: 1,
            other_pattern: "/x/{a}".into()
        })
    );
    // Names do not tell paths apart; kinds do, and so does what stands behind.
    let error = table.add("/x/{b}", 2).unwrap_err();
    assert!(error.to_string().contains("`/x/{b}`") && error.to_string().contains("`/x/{a}`"));
    table.add("/x/{b:int}", 3).unwrap();
    table.add("/x/{b}/y", 4).unwrap();
    assert!(table.add("/x/{a}/y", 5).is_err());
    table.add("/x/{a:path}", 6).unwrap();
    assert!(table.add("/x/{b:path}", 7).is_err());
    let many: String = (0..17).fold(String::new(), |all, number| all + &format!("/{{p{number}}}"));
    assert!(table.add(&many, 3).is_err());
}

/// Tries every pattern and keeps the best by the same order of preference, segment by segment.
fn naive(patterns: &[String], path: &str) -> Option<u32> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let mut best: Option<(Vec<u8>, u32)> = None;
    for (id, pattern) in (0..).zip(patterns) {
        let wanted: Vec<&str> = pattern[1..].split('/').collect();
        let mut rank = Vec::new();
        let matched = 'matching: {
            for (at, segment) in wanted.iter().enumerate() {
                let Some(part) = parts.get(at) else {
                    break 'matching false;
                };
                if segment.ends_with(":path}") {
                    rank.push(9);
                    break 'matching !parts[at..].join("/").is_empty();
                }
                let fits = match *segment {
                    "{n:int}" => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
                    "{x}" => !part.is_empty(),
                    literal => literal == *part,
                };
                if !fits {
                    break 'matching false;
                }
                rank.push(match *segment {
                    "{n:int}" => 1,
                    "{x}" => 2,
                    _ => 0,
                });
            }
            parts.len() == wanted.len()
        };
        if matched && best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, id));
        }
    }
    best.map(|(_, id)| id)
}

proptest! {
    #[test]
    fn finds_what_trying_every_pattern_finds(
        raw in proptest::collection::vec(("(/(a|b|12)?){0,2}", prop_oneof![
            Just(""), Just("/{x}"), Just("/{n:int}"), Just("/{r:path}"), Just("/{x}/a"), Just("/{n:int}/b")
        ]), 1..12),
        paths in proptest::collection::vec("(/(a|b|12|7|c)?){1,4}", 1..20),
    ) {
        let mut patterns: Vec<String> = raw.iter().map(|(head, tail)| format!("{head}{tail}")).filter(|one| !one.is_empty()).collect();
        patterns.sort();
        patterns.dedup();
        let mut table = RouteTable::new();
        let mut taken = Vec::new();
        for pattern in patterns {
            if table.add(&pattern, u32::try_from(taken.len()).unwrap()).is_ok() {
                taken.push(pattern);
            }
        }
        let router = Router::from_bytes(table.compile()).unwrap();
        for path in &paths {
            prop_assert_eq!(find(&router, path).map(|found| found.0), naive(&taken, path), "{} in {:?}", path, taken);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless(flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), path in "(/[a-z0-9]{0,3}){0,4}") {
        let mut table = RouteTable::new();
        for (id, pattern) in (0..).zip(["/a/{x}", "/a/{n:int}/b", "/c/{r:path}", "/"]) {
            table.add(pattern, id).unwrap();
        }
        let mut bytes = table.compile();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] ^= value;
        }
        if let Ok(router) = Router::from_bytes(bytes) {
            find(&router, &path);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(router) = Router::from_bytes(bytes) {
            find(&router, "/a/b");
        }
    }
}
