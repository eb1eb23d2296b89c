//! Which coding of a body a client wants (RFC 9110, section 12.5.3).

use hyperweb_pack::{Encoding, Entry, Variant};

/// Our order among what a client likes equally.
pub(crate) const PREFERENCE: [Encoding; 4] = [Encoding::Br, Encoding::Zstd, Encoding::Gzip, Encoding::Identity];

/// What a client accepts: a weight in thousandths for each coding, or none where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    weights: [Option<u16>; 4],
    others: Option<u16>,
}

impl Accepted {
    /// Reads `Accept-Encoding`; without it only what is not coded is sent, which every client can read.
    pub(crate) fn parse(field: Option<&str>) -> Self {
        let mut accepted = Self {
            weights: [None; 4],
            others: None,
        };
        for item in field.unwrap_or("").split(',') {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let name = name.trim();
            let Some(weight) = weight(parameters) else { continue };
            if name == "*" {
                accepted.others = Some(weight);
            }
            let slot = Encoding::ALL.iter().zip(&mut accepted.weights).find(|(encoding, _)| {
                name.eq_ignore_ascii_case(encoding.token())
                    || **encoding == Encoding::Gzip && name.eq_ignore_ascii_case("x-gzip")
            });
            if let Some((_, slot)) = slot {
                *slot = Some(weight);
            }
        }
        accepted
    }

    /// The weight of a coding: what is not named is not wanted, but for identity, which is unless it is excluded.
    pub(crate) fn weight(&self, encoding: Encoding) -> u16 {
        let named = self.weights.get(encoding as usize).copied().flatten();
        match (named, self.others, encoding) {
            (Some(weight), _, _) => weight,
            (None, Some(0), _) | (None, None, Encoding::Br | Encoding::Gzip | Encoding::Zstd) => 0,
            (None, Some(weight), Encoding::Br | Encoding::Gzip | Encoding::Zstd) => weight,
            // The least that is still wanted: anything that was named comes first.
            (None, _, Encoding::Identity) => 1,
        }
    }
}

/// The weight in a parameter list, in thousandths; none where it is not well formed.
fn weight(parameters: &str) -> Option<u16> {
    let mut weight = 1000;
    for parameter in parameters.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            let value = value.trim();
            let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
            if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
            weight = match whole {
                "0" => thousandths,
                "1" if thousandths == 0 => 1000,
                _ => return None,
            };
        }
    }
    Some(weight)
}

/// Chooses the variant of an entry, or none where the client refuses all there are.
pub(crate) fn choose<'p>(entry: &Entry<'p>, field: Option<&str>) -> Option<Variant<'p>> {
    let Some(field) = field else {
        return entry.variant(Encoding::Identity);
    };
    let accepted = Accepted::parse(Some(field));
    let mut best: Option<(u16, Variant<'p>)> = None;
    for encoding in PREFERENCE {
        let weight = accepted.weight(encoding);
        if weight > best.as_ref().map_or(0, |(weight, _)| *weight)
            && let Some(variant) = entry.variant(encoding)
        {
            best = Some((weight, variant));
        }
    }
    best.map(|(_, variant)| variant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best(field: &str) -> Option<Encoding> {
        let accepted = Accepted::parse(Some(field));
        let mut found = None;
        let mut most = 0;
        for encoding in PREFERENCE {
            if accepted.weight(encoding) > most {
                most = accepted.weight(encoding);
                found = Some(encoding);
            }
        }
        found
    }

    #[test]
    fn weights_decide_and_then_our_order() {
        assert_eq!(best("gzip, deflate, br, zstd"), Some(Encoding::Br));
        assert_eq!(best("gzip;q=1, br;q=0.5"), Some(Encoding::Gzip));
        assert_eq!(best("gzip;q=0.5, zstd;q=0.501"), Some(Encoding::Zstd));
        assert_eq!(best("br;q=0"), Some(Encoding::Identity));
        assert_eq!(best("*"), Some(Encoding::Br));
        assert_eq!(best("br;q=0, *;q=0.1"), Some(Encoding::Zstd));
        assert_eq!(best("identity;q=0"), None);
        assert_eq!(best("*;q=0"), None);
        assert_eq!(best("gzip;q=0.2, identity;q=0.9"), Some(Encoding::Identity));
        assert_eq!(best(""), Some(Encoding::Identity));
        assert_eq!(best("gzip;q=2, br;q=x"), Some(Encoding::Identity));
        assert_eq!(best("X-GZIP"), Some(Encoding::Gzip));
    }

    proptest! {
        #[test]
        fn no_field_is_too_odd(field in "([a-z*]|br|gzip|;q=|[0-9.]|, ?|;|=){0,30}") {
            let _ = best(&field);
        }
    }
}
