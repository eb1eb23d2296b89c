//! Finds the route of a path in a compiled table.

use std::sync::Arc;

use crate::error::RouterError;
use crate::flat::{HEADER_WORDS, LITERAL_WORDS, MAGIC, NODE_WORDS, NONE, PARAM_WORDS, VERSION};
use crate::params::Params;
use crate::pattern::Kind;

/// A compiled table, checked once and then read in place.
#[derive(Debug, Clone)]
pub struct Router {
    bytes: Arc<[u8]>,
    nodes: u32,
    literals_at: usize,
    params_at: usize,
    strings_at: usize,
}

impl Router {
    /// Takes a compiled table. Every offset is checked here, so that no later look-up can leave it.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self, RouterError> {
        let bytes: Arc<[u8]> = bytes.into();
        let header = |at: usize| read(&bytes, at * 4).ok_or(RouterError::Damaged("it is cut short"));
        if header(0)? != MAGIC {
            return Err(RouterError::Damaged("it does not begin as one"));
        }
        if header(1)? != VERSION {
            return Err(RouterError::Damaged("it is of another version"));
        }
        let count = |at, words: usize| -> Result<usize, RouterError> {
            (header(at)? as usize)
                .checked_mul(words * 4)
                .ok_or(RouterError::Damaged("its counts are too high"))
        };
        let nodes_at = HEADER_WORDS * 4;
        let add = |a: usize, b: usize| a.checked_add(b).ok_or(RouterError::Damaged("its counts are too high"));
        let literals_at = add(nodes_at, count(2, NODE_WORDS)?)?;
        let params_at = add(literals_at, count(3, LITERAL_WORDS)?)?;
        let strings_at = add(params_at, count(4, PARAM_WORDS)?)?;
        if add(strings_at, header(5)? as usize)? != bytes.len() {
            return Err(RouterError::Damaged("its length is wrong"));
        }
        let router = Self {
            nodes: header(2)?,
            bytes,
            literals_at,
            params_at,
            strings_at,
        };
        router.check()?;
        Ok(router)
    }

    /// Returns the id of the route that `path` matches, with the parameters in `params`.
    ///
    /// The path begins with a slash and has no query. Values are as they stand in the path.
    pub fn find<'p>(&'p self, path: &'p str, params: &mut Params<'p>) -> Option<u32> {
        params.truncate(0);
        self.walk(0, path.strip_prefix('/')?, params)
    }

    fn walk<'p>(&'p self, node: u32, path: &'p str, params: &mut Params<'p>) -> Option<u32> {
        let (segment, rest) = match path.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (path, None),
        };
        let known = params.len();
        if let Some(child) = self.literal(node, segment)
            && let Some(found) = self.enter(child, rest, params)
        {
            return Some(found);
        }
        let (first, count) = self.param_children(node);
        for at in first..first + count {
            let base = self.params_at + at * PARAM_WORDS * 4;
            let kind = Kind::from_u32(self.word(base))?;
            if kind.matches(segment) && params.push(self.text(base + 4), segment) {
                if let Some(found) = self.enter(self.word(base + 12), rest, params) {
                    return Some(found);
                }
                params.truncate(known);
            }
        }
        let base = Self::node_at(node);
        let route = self.word(base + 4);
        (route != NONE && !path.is_empty() && params.push(self.text(base + 8), path)).then_some(route)
    }

    fn enter<'p>(&'p self, node: u32, rest: Option<&'p str>, params: &mut Params<'p>) -> Option<u32> {
        match rest {
            Some(rest) => self.walk(node, rest, params),
            None => Some(self.word(Self::node_at(node))).filter(|route| *route != NONE),
        }
    }

    fn literal(&self, node: u32, segment: &str) -> Option<u32> {
        let base = Self::node_at(node);
        let first = self.word(base + 16) as usize;
        let (mut low, mut high) = (first, first + (self.word(base + 24) >> 16) as usize);
        while low < high {
            let middle = low.midpoint(high);
            let at = self.literals_at + middle * LITERAL_WORDS * 4;
            match self.text(at).cmp(segment) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(self.word(at + 8)),
            }
        }
        None
    }

    fn param_children(&self, node: u32) -> (usize, usize) {
        let base = Self::node_at(node);
        (self.word(base + 20) as usize, (self.word(base + 24) & 0xffff) as usize)
    }

    const fn node_at(node: u32) -> usize {
        HEADER_WORDS * 4 + node as usize * NODE_WORDS * 4
    }

    /// The word at a byte offset that `check` has found to be inside.
    fn word(&self, at: usize) -> u32 {
        read(&self.bytes, at).unwrap_or(NONE)
    }

    /// The text whose offset and length stand at `at`.
    fn text(&self, at: usize) -> &str {
        self.checked_text(at).unwrap_or("")
    }

    fn checked_text(&self, at: usize) -> Option<&str> {
        let start = self.strings_at.checked_add(read(&self.bytes, at)? as usize)?;
        let end = start.checked_add(read(&self.bytes, at + 4)? as usize)?;
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    fn check(&self) -> Result<(), RouterError> {
        let damaged = |reason| Err(RouterError::Damaged(reason));
        if self.nodes == 0 {
            return damaged("it has no root");
        }
        let literals = (self.params_at - self.literals_at) / (LITERAL_WORDS * 4);
        let params = (self.strings_at - self.params_at) / (PARAM_WORDS * 4);
        for node in 0..self.nodes {
            let base = Self::node_at(node);
            if self.checked_text(base + 8).is_none() {
                return damaged("a name is outside");
            }
            let first = self.word(base + 16) as usize;
            let count = (self.word(base + 24) >> 16) as usize;
            if first.checked_add(count).is_none_or(|end| end > literals) {
                return damaged("a literal is outside");
            }
            for at in first..first + count {
                let base = self.literals_at + at * LITERAL_WORDS * 4;
                let child = self.word(base + 8);
                if self.checked_text(base).is_none() || child <= node || child >= self.nodes {
                    return damaged("a literal leads outside");
                }
            }
            let (first, count) = self.param_children(node);
            if first.checked_add(count).is_none_or(|end| end > params) {
                return damaged("a parameter is outside");
            }
            for at in first..first + count {
                let base = self.params_at + at * PARAM_WORDS * 4;
                let child = self.word(base + 12);
                let known = Kind::from_u32(self.word(base)).is_some();
                if !known || self.checked_text(base + 4).is_none() || child <= node || child >= self.nodes {
                    return damaged("a parameter leads outside");
                }
            }
        }
        Ok(())
    }
}

fn read(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}
