//! The parameters of a match.

/// The most parameters a pattern may have.
pub const MAX_PARAMS: usize = 16;

/// The parameters of a match, in the order of the path: names and raw values, still percent-encoded.
#[derive(Debug, Clone, Copy)]
pub struct Params<'p> {
    items: [(&'p str, &'p str); MAX_PARAMS],
    len: usize,
}

impl<'p> Params<'p> {
    pub const fn new() -> Self {
        Self {
            items: [("", ""); MAX_PARAMS],
            len: 0,
        }
    }

    /// The names and values.
    pub fn as_slice(&self) -> &[(&'p str, &'p str)] {
        self.items.get(..self.len).unwrap_or(&[])
    }

    /// The value of the parameter `name`.
    pub fn get(&self, name: &str) -> Option<&'p str> {
        self.as_slice()
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Adds a parameter; false where there is no room, which a compiled table never needs.
    pub(crate) fn push(&mut self, name: &'p str, value: &'p str) -> bool {
        match self.items.get_mut(self.len) {
            Some(slot) => {
                *slot = (name, value);
                self.len += 1;
                true
            }
            None => false,
        }
    }

    pub(crate) const fn truncate(&mut self, len: usize) {
        self.len = len;
    }
}

impl Default for Params<'_> {
    fn default() -> Self {
        Self::new()
    }
}
