//! Lines of code that were taken apart before.
//!
//! The code of a site repeats itself: imports, prompts, closing brackets, the same call again and again. What a line is
//! taken apart into depends on the line and on the state before it, and on nothing else.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;
use syntect::parsing::{ParseState, ScopeStack};

/// A longer line is taken apart each time.
const LONGEST: usize = 512;
/// Bytes of lines, and states, that are kept at most; what comes after is taken apart each time.
const MOST_BYTES: usize = 16 << 20;
const MOST_STATES: usize = 4096;

/// What stands behind a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) parse: ParseState,
    pub(super) stack: ScopeStack,
}

/// A piece of a line: its length in bytes, and its class.
pub(super) type Piece = (usize, Option<&'static str>);

/// A line taken apart, and the number of the state behind it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) pieces: Arc<[Piece]>,
    pub(super) next: usize,
}

/// What was seen so far. States are named by numbers that stay.
#[derive(Debug, Default)]
pub(super) struct Seen {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: Vec<Arc<State>>,
    lines: Vec<HashMap<Box<str>, Line>>,
    starts: HashMap<String, usize>,
    bytes: usize,
}

impl Seen {
    /// The number of the state that code of a language begins with; `make` makes it where it is not known.
    pub(super) fn start(&self, language: &str, make: impl FnOnce() -> State) -> Option<usize> {
        let known = self.read(|inner| inner.starts.get(language).copied());
        known.or_else(|| {
            let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            let number = inner.number(make())?;
            inner.starts.insert(language.to_owned(), number);
            Some(number)
        })
    }

    /// The line, where it came after this state before.
    pub(super) fn line(&self, after: usize, line: &str) -> Option<Line> {
        self.read(|inner| inner.lines.get(after)?.get(line).cloned())
    }

    /// The state of a number.
    pub(super) fn state(&self, number: usize) -> Option<Arc<State>> {
        self.read(|inner| inner.states.get(number).cloned())
    }

    /// Keeps a line, and returns the number of the state behind it; none where enough is kept.
    pub(super) fn keep(&self, after: usize, line: &str, pieces: &[Piece], state: &State) -> Option<usize> {
        if line.len() > LONGEST {
            return None;
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if inner.bytes > MOST_BYTES {
            return None;
        }
        let next = inner.number(state.clone())?;
        inner.bytes += line.len() + size_of_val(pieces) + size_of::<Line>();
        let made = Line {
            pieces: pieces.into(),
            next,
        };
        inner.lines.get_mut(after)?.insert(line.into(), made);
        Some(next)
    }

    fn read<T>(&self, found: impl FnOnce(&Inner) -> T) -> T {
        found(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn number(&mut self, state: State) -> Option<usize> {
        if let Some(known) = self.states.iter().position(|known| **known == state) {
            return Some(known);
        }
        if self.states.len() >= MOST_STATES {
            return None;
        }
        self.states.push(Arc::new(state));
        self.lines.push(HashMap::default());
        Some(self.states.len() - 1)
    }
}
