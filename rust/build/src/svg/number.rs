//! Decimal numbers, exact.

/// More digits behind the point than any renderer tells apart.
const MOST_DIGITS: u32 = 24;
/// Sums and differences of a path of any length stay far from an overflow.
const LARGEST: i128 = 10_i128.pow(30);

/// A decimal number as it is read: `whole` tenths of `digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::svg) struct Decimal {
    whole: i128,
    /// How many digits stand behind the point; below zero, how many zeros are left out before it.
    digits: i32,
}

impl Decimal {
    pub(in crate::svg) const ZERO: Self = Self { whole: 0, digits: 0 };

    /// Reads a number without an exponent that has digits, and adds the exponent to it; none where it is too long.
    pub(in crate::svg) fn read(text: &str, exponent: &str) -> Option<Self> {
        let unsigned = text.trim_start_matches(['+', '-']);
        let (before, behind) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let behind = behind.trim_end_matches('0');
        let mut whole: i128 = 0;
        for digit in before.bytes().chain(behind.bytes()) {
            whole = whole
                .checked_mul(10)?
                .checked_add(i128::from(digit.wrapping_sub(b'0')))?;
        }
        let mut digits = i32::try_from(behind.len()).ok()?;
        if !exponent.is_empty() {
            digits = digits.checked_sub(exponent.parse().ok()?)?;
        }
        if whole == 0 {
            return Some(Self::ZERO);
        }
        while whole % 10 == 0 {
            whole /= 10;
            digits -= 1;
        }
        if text.starts_with('-') {
            whole = -whole;
        }
        Some(Self { whole, digits })
    }

    /// How many digits it needs behind the point.
    pub(in crate::svg) fn digits(self) -> u32 {
        u32::try_from(self.digits).unwrap_or(0)
    }

    /// Returns it in units of the last of so many digits behind the point; none where it is too large or too small.
    pub(in crate::svg) fn in_units(self, digits: u32) -> Option<i128> {
        if digits > MOST_DIGITS {
            return None;
        }
        let power = u32::try_from(i32::try_from(digits).ok()?.checked_sub(self.digits)?).ok()?;
        let units = self.whole.checked_mul(10_i128.checked_pow(power)?)?;
        (units.abs() <= LARGEST).then_some(units)
    }
}

/// Writes so many units of the last of `digits` behind the point, as short as can be.
///
/// Returns whether the number has a point, so that another may begin with its own.
pub(in crate::svg) fn push(out: &mut String, units: i128, digits: u32) -> bool {
    if units == 0 {
        out.push('0');
        return false;
    }
    if units < 0 {
        out.push('-');
    }
    let (mut whole, mut digits) = (units.unsigned_abs(), i64::from(digits));
    while whole % 10 == 0 {
        whole /= 10;
        digits -= 1;
    }
    let text = whole.to_string();
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let exponent = (-digits).to_string();
    let by_exponent = text.len() + 1 + exponent.len();
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let (plain, has_point) = if digits <= 0 {
        (text.clone() + &zeros(-digits), false)
    } else if length > digits {
        let (before, behind) = text.split_at(usize::try_from(length - digits).unwrap_or(0));
        (format!("{before}.{behind}"), true)
    } else {
        (format!(".{}{text}", zeros(digits - length)), true)
    };
    if by_exponent < plain.len() {
        out.push_str(&text);
        out.push('e');
        out.push_str(&exponent);
        return false;
    }
    out.push_str(&plain);
    has_point
}

/// Returns a number, or several between separators, each as short as can be; none where it is anything else.
///
/// `by_sign` tells whether a minus is separator enough.
pub(in crate::svg) fn list(text: &str, by_sign: bool) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let words = text.split(|c: char| c.is_ascii_whitespace() || c == ',');
    for word in words.filter(|word| !word.is_empty()) {
        let (plain, exponent) = word.split_once(['e', 'E']).unwrap_or((word, ""));
        let has_exponent = plain.len() < word.len();
        if !is_plain(plain) || has_exponent && exponent.is_empty() {
            return None;
        }
        let read = Decimal::read(plain, exponent)?;
        let from = out.len();
        push(&mut out, read.in_units(read.digits())?, read.digits());
        if from > 0 && !(by_sign && out.as_bytes().get(from) == Some(&b'-')) {
            out.insert(from, ' ');
        }
    }
    (!out.is_empty()).then_some(out)
}

/// Whether a text is a decimal number without an exponent.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (before, behind) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(before) && are_digits(behind) && !behind.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str, exponent: &str) -> Option<String> {
        let read = Decimal::read(text, exponent)?;
        let mut out = String::new();
        push(&mut out, read.in_units(read.digits())?, read.digits());
        Some(out)
    }

    #[test]
    fn numbers_are_as_short_as_can_be() {
        for (text, exponent, wanted) in [
            ("+001.50", "", "1.5"),
            ("-0.0", "", "0"),
            ("0.050", "", ".05"),
            ("-.0001", "", "-1e-4"),
            (".00012", "", "12e-5"),
            ("100", "", "100"),
            ("12000", "", "12e3"),
            ("1.5", "2", "150"),
            ("5", "-1", ".5"),
            ("1", "+4", "1e4"),
        ] {
            assert_eq!(written(text, exponent).as_deref(), Some(wanted), "{text}e{exponent}");
        }
        assert_eq!(written("1", "40"), None);
        assert_eq!(written("1", "-40"), None);
        assert_eq!(written(&"9".repeat(60), ""), None);
        assert_eq!(written("1", "99999999999"), None);
    }

    #[test]
    fn a_list_of_numbers_has_the_separators_it_needs() {
        for (text, wanted) in [
            ("0 0 16.0, 16", Some("0 0 16 16")),
            (" 1,-2.50 .5,0.5 -1", Some("1-2.5 .5 .5-1")),
            ("1000 2e3", Some("1e3 2e3")),
            ("0.0", Some("0")),
            ("100%", None),
            ("1. 2", None),
            ("1.2.3", None),
            ("--1", None),
            ("1e", None),
            ("1e+-2", None),
            ("", None),
        ] {
            assert_eq!(list(text, true).as_deref(), wanted, "{text}");
        }
        assert_eq!(list("1 -2", false).as_deref(), Some("1 -2"));
    }

    proptest! {
        #[test]
        fn a_number_stays_the_same(value in -1e7_f64..1e7, places in 0_usize..12) {
            let text = format!("{value:.places$}");
            let made = written(&text, "").unwrap_or_default();
            prop_assert_eq!(made.parse::<f64>().ok(), text.parse::<f64>().ok(), "{}", made);
            prop_assert!(made.len() <= text.len(), "{} is longer than {}", made, text);
        }
    }
}
