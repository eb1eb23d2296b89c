//! A node of the tree a parser makes, with what is asked of it later.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use html5ever::{Attribute, QualName, ns};

pub(super) type Handle = Rc<Node>;

/// A node.
pub(super) struct Node {
    pub(super) name: QualName,
    pub(super) attributes: Vec<Attribute>,
    /// Where its tag begins.
    pub(super) at: usize,
    /// Whether its tag stands in the text, and the parser did not make it up.
    pub(super) is_written: bool,
    /// Whether it was put into the tree: only the first time counts.
    pub(super) is_placed: Cell<bool>,
    pub(super) parent: RefCell<Option<Handle>>,
    /// Whether something in it tells a reader what it is: text, or a picture's.
    pub(super) is_named: Cell<bool>,
    /// Whether it holds what a template holds.
    pub(super) is_template: bool,
}

impl Node {
    pub(super) fn new(name: QualName, attributes: Vec<Attribute>, at: usize, is_written: bool) -> Self {
        Self {
            name,
            attributes,
            at,
            is_written,
            is_placed: Cell::new(false),
            parent: RefCell::new(None),
            is_named: Cell::new(false),
            is_template: false,
        }
    }

    /// The name of an element of HTML; empty for all others.
    pub(super) fn html(&self) -> &str {
        if self.name.ns == ns!(html) {
            &self.name.local
        } else {
            ""
        }
    }

    /// The value of an attribute, its references decoded.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|one| &*one.name.local == name)?;
        Some(&found.value)
    }

    /// What it stands in, from the inside out.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = Handle> + use<> {
        std::iter::successors(self.parent.borrow().clone(), |node| node.parent.borrow().clone())
    }
}
