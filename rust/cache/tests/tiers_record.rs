//! The stored form of records: what goes in comes out, and no bytes are taken for what they are not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use bytes::Bytes;
use hyperweb_cache::tiers::{Damage, Record, Slot, Stamp, Tags, Times};
use proptest::prelude::*;

fn records() -> impl Strategy<Value = Record> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from);
    let tags = prop::collection::vec("[a-z:/é]{0,12}", 0..5);
    (bytes(64), bytes(600), tags, any::<(u64, u64, u32)>(), any::<[u64; 4]>()).prop_map(
        |(key, value, tags, (fresh_until, dead_at, frequency), generations)| {
            let mut stamp = Stamp::default();
            for (slot, generation) in [Slot::Shared, Slot::Disk, Slot::Remote, Slot::Other]
                .into_iter()
                .zip(generations)
            {
                stamp.set(slot, generation);
            }
            let tags = Tags::new(tags.iter().map(String::as_str));
            let mut record = Record::new(key, value, tags, Times { fresh_until, dead_at }, stamp);
            record.frequency = frequency;
            record
        },
    )
}

proptest! {
    #[test]
    fn a_record_comes_out_as_it_went_in(record in records()) {
        let encoded = Bytes::from(record.encode());
        prop_assert_eq!(encoded.len(), record.encoded_len());
        prop_assert_eq!(Record::decode(encoded), Ok(record));
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Record::decode(Bytes::from(bytes)).is_err());
    }

    #[test]
    fn bytes_with_the_right_beginning_are_refused_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 76..400),
        lengths in any::<[u32; 3]>(),
    ) {
        let sample = Record::new(Bytes::new(), Bytes::new(), Tags::default(), Times::default(), Stamp::default());
        bytes[..4].copy_from_slice(&sample.encode()[..4]);
        for (at, length) in [64, 68, 72].into_iter().zip(lengths) {
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        prop_assert!(Record::decode(Bytes::from(bytes)).is_err());
    }

    #[test]
    fn one_changed_bit_is_noticed(record in records(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut encoded = record.encode();
        let at = at.index(encoded.len());
        encoded[at] ^= 1 << bit;
        prop_assert!(Record::decode(Bytes::from(encoded)).is_err());
    }

    #[test]
    fn a_record_that_is_cut_short_is_noticed(record in records(), length in any::<prop::sample::Index>()) {
        let encoded = record.encode();
        let short = Bytes::copy_from_slice(&encoded[..length.index(encoded.len())]);
        prop_assert_eq!(Record::decode(short), Err(Damage::Truncated));
    }
}

#[test]
fn a_record_of_another_schema_is_told_apart_from_a_damaged_one() {
    let record = Record::new(
        Bytes::from_static(b"key"),
        Bytes::from_static(b"value"),
        Tags::new(["tag"]),
        Times::default(),
        Stamp::default(),
    );
    let mut other = record.encode();
    other[0] += 1;
    assert_eq!(Record::decode(Bytes::from(other)), Err(Damage::OtherVersion));
    let mut damaged = record.encode();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(Record::decode(Bytes::from(damaged)), Err(Damage::WrongChecksum));
}
