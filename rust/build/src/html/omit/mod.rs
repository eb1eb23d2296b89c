//! Which tags may be left out (HTML Standard, section 13.1.2.4).
//!
//! A page is read once as a parser's tree construction would (section 13.2.6), as far as that only follows the tags. In a
//! page where it does more (it moves, adopts or drops something) nothing is left out.

mod content;
mod edges;
mod tree;

use crate::html::elements::Element;
use Element as E;
use edges::may_begin;
use tree::Tree;

/// A piece of the page that is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub kind: Kind,
    pub element: Element,
    pub name: &'a str,
    /// Where it ends in what is written; it begins where the one before it ends.
    pub end: usize,
    /// Whether it is known to be of no use: white space that turned out to end a line.
    pub is_idle: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that is shown, or what an element holds that has no tags.
    Text,
    /// White space alone.
    Space,
    Comment,
    Doctype,
    /// A start tag: whether it has attributes, and whether it is one that has no end.
    Start {
        bare: bool,
        alone: bool,
        foreign: bool,
    },
    End {
        foreign: bool,
    },
}

/// Browsers nest no deeper than this.
const DEEPEST: usize = 512;

/// Returns for each piece whether it may be left out; none where that is not known.
pub(crate) fn omissible(pieces: &[Piece<'_>]) -> Option<Vec<bool>> {
    let is_page = pieces.iter().any(|piece| piece.kind == Kind::Doctype)
        || pieces
            .iter()
            .any(|piece| piece.element == E::Html && matches!(piece.kind, Kind::Start { .. }));
    let has_doctype = pieces.first().is_some_and(|piece| piece.kind == Kind::Doctype);
    let mut tree = Tree::new(is_page, !has_doctype);
    let mut omitted = vec![false; pieces.len()];
    for (at, piece) in pieces.iter().enumerate() {
        // Parsers put no element deeper than some depth of their own.
        if tree.depth() > DEEPEST {
            return None;
        }
        let next = pieces.get(at + 1);
        match piece.kind {
            Kind::Doctype | Kind::Comment => {}
            Kind::Space => {}
            Kind::Text => tree.text()?,
            Kind::Start { bare, alone, foreign } => {
                tree.start(piece, alone, foreign)?;
                let before = at.checked_sub(1).and_then(|before| pieces.get(before));
                if let Some(mark) = omitted.get_mut(at) {
                    *mark = bare
                        && !foreign
                        && tree.without_script == 0
                        && is_page
                        && may_begin(piece.element, before, next);
                }
            }
            Kind::End { foreign } => {
                let depth = tree.depth();
                let parent = tree.end(piece, foreign)?;
                // What it closes beside its own element, nothing else might.
                let alone = tree.depth() + 1 == depth || matches!(piece.element, E::Body | E::Html);
                if let Some(mark) = omitted.get_mut(at) {
                    *mark = alone && !foreign && tree.without_script == 0 && tree.may_end(piece.element, parent, next);
                }
            }
        }
    }
    for (mark, piece) in omitted.iter_mut().zip(pieces) {
        *mark |= piece.is_idle;
    }
    Some(omitted)
}
