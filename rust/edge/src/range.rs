//! A single range of bytes (RFC 9110, section 14).

/// What a `Range` field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it: there is no range, it is malformed, in another unit, or there are several.
    Whole,
    /// The bytes from the first to the one before the second.
    Part(u64, u64),
    /// None of it: the range begins behind the end.
    Nothing,
}

/// Reads a `Range` field for a body of `length` bytes.
pub(crate) fn asked(field: &str, length: u64) -> Asked {
    let Some((unit, spec)) = field.split_once('=') else {
        return Asked::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
        return Asked::Whole;
    }
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Asked::Whole;
    };
    match (number(first), number(last)) {
        (Some(None), Some(Some(0))) => Asked::Nothing,
        (Some(None), Some(Some(count))) if length > 0 => Asked::Part(length.saturating_sub(count), length),
        (Some(None), Some(Some(_))) => Asked::Nothing,
        (Some(Some(first)), Some(last)) => {
            if last.is_some_and(|last| last < first) {
                Asked::Whole
            } else if first >= length {
                Asked::Nothing
            } else {
                Asked::Part(first, last.map_or(length, |last| length.min(last.saturating_add(1))))
            }
        }
        _ => Asked::Whole,
    }
}

#[expect(clippy::option_option, reason = "malformed, empty and a number are three things")]
/// The number of a text: none of it where it is empty, and none at all where it is malformed.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        for (field, wanted) in [
            ("bytes=0-0", Asked::Part(0, 1)),
            ("bytes=2-5", Asked::Part(2, 6)),
            ("bytes=7-", Asked::Part(7, 10)),
            ("bytes=-3", Asked::Part(7, 10)),
            ("bytes=-99", Asked::Part(0, 10)),
            ("bytes=5-99999999999999999999", Asked::Part(5, 10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-2", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes", Asked::Whole),
            ("bytes=-", Asked::Whole),
        ] {
            assert_eq!(asked(field, 10), wanted, "{field}");
        }
        assert_eq!(asked("bytes=-1", 0), Asked::Nothing);
    }

    proptest! {
        #[test]
        fn a_part_lies_inside(field in "bytes=[0-9]{0,21}-[0-9]{0,21}", length in any::<u64>()) {
            if let Asked::Part(start, end) = asked(&field, length) {
                prop_assert!(start < end && end <= length);
            }
        }
    }
}
