//! One path pattern, taken apart.

use crate::error::RouterError;
use crate::params::MAX_PARAMS;

/// What a parameter's value must look like. The order is that of trying: the narrower first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(crate) enum Kind {
    Int = 0,
    Float = 1,
    Uuid = 2,
    Text = 3,
}

impl Kind {
    pub(crate) const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Int),
            1 => Some(Self::Float),
            2 => Some(Self::Uuid),
            3 => Some(Self::Text),
            _ => None,
        }
    }

    pub(crate) fn matches(self, value: &str) -> bool {
        let bytes = value.as_bytes();
        match self {
            Self::Text => !bytes.is_empty(),
            Self::Int => is_digits(bytes.strip_prefix(b"-").unwrap_or(bytes)),
            Self::Float => {
                let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
                match bytes.iter().position(|&byte| byte == b'.') {
                    None => is_digits(bytes),
                    Some(dot) => bytes.get(..dot).is_some_and(is_digits) && bytes.get(dot + 1..).is_some_and(is_digits),
                }
            }
            Self::Uuid => {
                bytes.len() == 36
                    && bytes.iter().enumerate().all(|(at, byte)| match at {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
        }
    }
}

fn is_digits(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    Literal(&'a str),
    Param(&'a str, Kind),
    Rest(&'a str),
}

/// Takes a pattern apart at its slashes; a slash at the end is an empty last segment.
pub(crate) fn segments(pattern: &str) -> Result<Vec<Segment<'_>>, RouterError> {
    let fail = |reason| RouterError::Pattern {
        pattern: pattern.to_owned(),
        reason,
    };
    let inner = pattern
        .strip_prefix('/')
        .ok_or_else(|| fail("must begin with a slash"))?;
    let mut found = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for part in inner.split('/') {
        if matches!(found.last(), Some(Segment::Rest(_))) {
            return Err(fail("has something after the rest of the path"));
        }
        if !part.contains(['{', '}']) {
            found.push(Segment::Literal(part));
            continue;
        }
        let named = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
            .filter(|part| !part.contains(['{', '}']))
            .ok_or_else(|| fail("has a parameter that is not a whole segment: write `/{name}/`"))?;
        let (name, kind) = named.split_once(':').unwrap_or((named, "str"));
        let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !valid || name.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return Err(fail("has a parameter whose name is not an identifier"));
        }
        if names.contains(&name) {
            return Err(fail("has two parameters of one name"));
        }
        names.push(name);
        if names.len() > MAX_PARAMS {
            return Err(fail("has more than 16 parameters"));
        }
        found.push(match kind {
            "str" => Segment::Param(name, Kind::Text),
            "int" => Segment::Param(name, Kind::Int),
            "float" => Segment::Param(name, Kind::Float),
            "uuid" => Segment::Param(name, Kind::Uuid),
            "path" => Segment::Rest(name),
            _ => {
                return Err(fail(
                    "has a parameter of unknown kind: use str, int, float, uuid or path",
                ));
            }
        });
    }
    Ok(found)
}
