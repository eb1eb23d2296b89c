//! What mostly comes next.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use hyperweb_cache::{Markov, MarkovConfig, PrefetchGate, SnapshotError};
use proptest::prelude::*;

fn sure() -> MarkovConfig {
    MarkovConfig {
        doubt: 0.0,
        ..MarkovConfig::default()
    }
}

fn named(model: &Markov, from: &[u8]) -> Vec<(String, f64)> {
    let found = model.predict(from, 0.0, 100).into_iter();
    found
        .map(|one| (String::from_utf8_lossy(&one.key).into_owned(), one.probability))
        .collect()
}

proptest! {
    /// With few keys and no halving the model is exact.
    #[test]
    fn probabilities_are_what_was_counted(steps in prop::collection::vec((0..6u8, 0..6u8), 0..500)) {
        let model = Markov::new(sure());
        let mut counts: HashMap<u8, HashMap<u8, u32>> = HashMap::new();
        for (from, to) in steps {
            model.feed(&[from], &[to]);
            if from != to {
                *counts.entry(from).or_default().entry(to).or_default() += 1;
            }
        }
        for from in 0..6u8 {
            let found = model.predict(&[from], 0.0, 100);
            let row = counts.remove(&from).unwrap_or_default();
            let whole: u32 = row.values().sum();
            prop_assert_eq!(found.len(), row.len());
            for one in &found {
                prop_assert!((one.probability - f64::from(row[&one.key[0]]) / f64::from(whole)).abs() < 1e-9);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        }
    }

    /// What was saved foretells the same, and is saved the same again.
    #[test]
    fn a_model_that_was_saved_knows_what_it_knew(steps in prop::collection::vec((0..40u8, 0..40u8), 0..2000)) {
        let model = Markov::new(sure());
        for (from, to) in steps {
            model.feed(&[from], &[to]);
        }
        let again = Markov::decode(&model.encode(), sure()).unwrap();
        for from in 0..40u8 {
            prop_assert_eq!(named(&model, &[from]), named(&again, &[from]));
        }
        again.feed(b"a", b"b");
        prop_assert_eq!(named(&again, b"a"), [("b".to_owned(), 1.0)]);
    }

    /// Whatever stands in the file: it is refused, or read without harm.
    #[test]
    fn damage_is_found(at in 0usize..2000, bit in 0u8..8, cut in 0usize..2000) {
        let model = Markov::new(sure());
        for number in 0..20u8 {
            model.feed(&[number], &[number + 1]);
        }
        let whole = model.encode();
        let mut damaged = whole.clone();
        let at = at % damaged.len();
        damaged[at] ^= 1 << bit;
        prop_assert!(Markov::decode(&damaged, sure()).is_err());
        prop_assert!(Markov::decode(&whole[..cut % whole.len()], sure()).is_err());
    }

    /// However small it is and whatever it is fed.
    #[test]
    fn probabilities_never_sum_to_more_than_one(steps in prop::collection::vec((0..200u16, 0..200u16), 0..3000), rows in 0..16usize) {
        let model = Markov::new(MarkovConfig { rows, names: 64, ..sure() });
        for (from, to) in steps {
            model.feed(&from.to_le_bytes(), &to.to_le_bytes());
        }
        for from in 0..200u16 {
            let sum: f64 = model.predict(&from.to_le_bytes(), 0.0, 100).iter().map(|one| one.probability).sum();
            prop_assert!(sum <= 1.0 + 1e-9, "{sum}");
        }
    }
}

#[test]
fn a_model_is_read_from_its_file_and_what_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    assert!(matches!(Markov::load(&path, sure()), Err(SnapshotError::Io(_))));
    let model = Markov::new(sure());
    model.feed(b"/", b"/docs");
    model.save(&path).unwrap();
    assert_eq!(named(&Markov::load(&path, sure()).unwrap(), b"/"), named(&model, b"/"));
    std::fs::write(&path, vec![0; 64 << 20]).unwrap();
    assert!(matches!(Markov::load(&path, sure()), Err(SnapshotError::TooLarge)));
    std::fs::write(&path, b"something else").unwrap();
    assert!(matches!(Markov::load(&path, sure()), Err(SnapshotError::Format(_))));
}

#[test]
fn a_habit_that_changes_is_followed() {
    let model = Markov::default();
    for _ in 0..3000 {
        model.feed(b"/", b"/old");
    }
    for _ in 0..2000 {
        model.feed(b"/", b"/new");
    }
    let found = named(&model, b"/");
    assert!(found[0].0 == "/new" && found[0].1 > 0.7, "{found:?}");
    let before = found[0].1;
    model.decay();
    let after = named(&model, b"/")[0].1;
    assert!(
        (before - after).abs() < 0.02,
        "halving changes what is known of, not what is known"
    );
    for _ in 0..20 {
        model.decay();
    }
    assert!(named(&model, b"/").is_empty());
}

#[test]
fn what_was_seen_once_is_doubted() {
    let model = Markov::default();
    model.feed(b"a", b"b");
    assert!(model.predict(b"a", 0.2, 10).is_empty());
    for _ in 0..99 {
        model.feed(b"a", b"b");
    }
    assert!(model.predict(b"a", 0.9, 10)[0].probability < 0.95);
}

#[test]
fn what_is_followed_often_stays_among_a_million_that_come_once() {
    let model = Markov::new(MarkovConfig {
        rows: 64,
        names: 64,
        ..MarkovConfig::default()
    });
    let before = model.table_bytes();
    for number in 0..1_000_000u32 {
        model.feed(&number.to_le_bytes(), &(number + 1).to_le_bytes());
        if number % 10 == 0 {
            model.feed(b"/", b"/docs");
        }
    }
    model.feed(b"/", b"/docs");
    assert_eq!(model.table_bytes(), before);
    let found = named(&model, b"/");
    assert!(found.len() == 1 && found[0].1 > 0.9, "{found:?}");
    model.feed(&[7; 600], b"x");
    assert!(
        model.predict(&[7; 600], 0.0, 10).is_empty(),
        "a key that is too long is not learned"
    );
}

#[test]
fn each_client_has_its_own_trail_and_it_ends_when_it_goes_away() {
    let model = Markov::new(sure());
    let minute = 60_000;
    for visit in 0..10 {
        let start = visit * 100 * minute;
        // The two are on the site at once; neither's pages follow the other's.
        for (client, pages) in [(1, ["a", "b", "c"]), (2, ["x", "y", "z"])] {
            model.observe(client, pages[0].as_bytes(), start);
        }
        for step in 1..3 {
            for (client, pages) in [(1, ["a", "b", "c"]), (2, ["x", "y", "z"])] {
                model.observe(client, pages[step].as_bytes(), start + step as u64 * minute);
            }
        }
    }
    assert_eq!(named(&model, b"a"), [("b".to_owned(), 1.0)]);
    assert_eq!(named(&model, b"y"), [("z".to_owned(), 1.0)]);
    assert!(named(&model, b"c").is_empty(), "the next visit is no transition");
}

#[test]
fn only_what_is_missing_and_likely_is_fetched() {
    let model = Markov::new(sure());
    for (to, count) in [("b", 60), ("c", 25), ("d", 10), ("e", 5)] {
        for _ in 0..count {
            model.feed(b"a", to.as_bytes());
        }
    }
    let mut fetched = Vec::new();
    let count = model.prefetch(b"a", 0.1, 2, |key| key != b"b", |one| fetched.push(one.key.to_vec()));
    assert_eq!((count, fetched), (2, vec![b"c".to_vec(), b"d".to_vec()]));
}

#[test]
fn threads_that_feed_at_once_lose_almost_nothing() {
    let model = Markov::new(sure());
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let model = &model;
            scope.spawn(move || {
                for number in 0..50_000u32 {
                    model.feed(&[(number % 50) as u8], &[100 + (number / 50 % 4) as u8]);
                    model.predict(&[thread], 0.1, 3);
                }
            });
        }
    });
    for from in 0..50u8 {
        let found = model.predict(&[from], 0.0, 10);
        assert_eq!(found.len(), 4);
        assert!(
            found.iter().all(|one| (0.2..0.3).contains(&one.probability)),
            "{found:?}"
        );
    }
}

/// Fetches what is likely enough, of which `part` in a hundred is used, and returns where the bar comes to stand.
fn bar_after(gate: &PrefetchGate, part: u64) -> f64 {
    for number in 0..20_000u64 {
        if gate.least() <= 0.5 {
            gate.fetched(1000);
            if number * part / 100 != (number + 1) * part / 100 {
                gate.used(1000);
            }
        }
    }
    gate.least()
}

#[test]
fn the_gate_closes_where_fetching_ahead_is_wasted_and_opens_where_it_pays() {
    let gate = PrefetchGate::new(0.4);
    assert!(bar_after(&gate, 5) > 0.45);
    assert!(bar_after(&gate, 90) < 0.1, "it looks again from time to time");
    assert!(bar_after(&gate, 0) > 0.45);
}
