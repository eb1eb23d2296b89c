//! Between what a tag may be left out (HTML Standard, section 13.1.2.4).

use super::content::{closes_paragraph, ends_with_its_content, is_metadata};
use super::tree::Tree;
use super::{Kind, Piece};
use crate::html::elements::Element;
use Element as E;

impl Tree<'_> {
    /// Whether the end tag of `element` in `parent` may be left out before `next`.
    pub(super) fn may_end(&self, element: Element, parent: Element, next: Option<&Piece<'_>>) -> bool {
        let starts = |which: &[Element]| {
            next.is_some_and(|next| {
                matches!(next.kind, Kind::Start { foreign: false, .. }) && which.contains(&next.element)
            })
        };
        // The end of what it stands in comes next.
        let ends = match next {
            // The end tag of a paragraph is never what ends another element.
            Some(next) => matches!(next.kind, Kind::End { foreign: false }) && next.element != E::P,
            None => self.is_page,
        };
        let ends_in = |parents: &[Element]| ends && parents.contains(&parent);
        let is_followed_by_comment = next.is_some_and(|next| next.kind == Kind::Comment);
        let is_followed_by_text = next.is_some_and(|next| matches!(next.kind, Kind::Text | Kind::Space));
        match element {
            E::Html | E::Body => self.is_page && !is_followed_by_comment && !is_followed_by_text,
            E::Head => self.is_page && !is_followed_by_comment && !is_followed_by_text,
            E::Li => starts(&[E::Li]) || ends_in(&[E::Ul, E::Ol, E::Menu, E::Dir]),
            E::Dt => starts(&[E::Dt, E::Dd]),
            E::Dd => starts(&[E::Dt, E::Dd]) || ends_in(&[E::Dl, E::Div]),
            E::P => {
                let closed = next.is_some_and(|next| {
                    matches!(next.kind, Kind::Start { foreign: false, .. })
                        && closes_paragraph(next.element)
                        && !(next.element == E::Table && self.quirks)
                        // Of elements that only some parsers know as ones that close a paragraph, none is relied on.
                        && !matches!(next.element, E::Search | E::Dialog)
                });
                closed || ends && (ends_with_its_content(parent) || parent == E::Body)
            }
            E::Rt | E::Rp => starts(&[E::Rt, E::Rp]) || ends_in(&[E::Ruby]),
            E::Option => starts(&[E::Option, E::Optgroup]) || ends_in(&[E::Select, E::Optgroup, E::Datalist]),
            E::Optgroup => starts(&[E::Optgroup]) || ends_in(&[E::Select]),
            E::Colgroup => {
                starts(&[E::Caption, E::Colgroup, E::Tbody, E::Tfoot, E::Thead, E::Tr]) || ends_in(&[E::Table])
            }
            E::Caption => {
                starts(&[E::Col, E::Colgroup, E::Tbody, E::Td, E::Tfoot, E::Th, E::Thead, E::Tr])
                    || ends_in(&[E::Table])
            }
            E::Thead => starts(&[E::Tbody, E::Tfoot]),
            E::Tbody => starts(&[E::Tbody, E::Tfoot]) || ends_in(&[E::Table]),
            E::Tfoot => ends_in(&[E::Table]),
            E::Tr => starts(&[E::Tr]) || ends_in(&[E::Tbody, E::Thead, E::Tfoot]),
            E::Td | E::Th => starts(&[E::Td, E::Th]) || ends_in(&[E::Tr]),
            _ => false,
        }
    }
}

/// Whether a start tag without attributes may be left out between `before` and `next`.
pub(super) fn may_begin(element: Element, before: Option<&Piece<'_>>, next: Option<&Piece<'_>>) -> bool {
    let kind = next.map(|next| next.kind);
    let next_starts = matches!(kind, Some(Kind::Start { foreign: false, .. }));
    let next_element = next.map_or(E::Other, |next| next.element);
    let follows_end_of = |which: &[Element]| {
        before.is_some_and(|before| matches!(before.kind, Kind::End { .. }) && which.contains(&before.element))
    };
    match element {
        E::Html => !matches!(kind, Some(Kind::Comment)),
        E::Head => next_starts || matches!(kind, Some(Kind::End { .. })) && next_element == E::Head,
        E::Body => {
            let is_held_off = matches!(kind, Some(Kind::Comment | Kind::Space) | None);
            !(is_held_off || next_starts && is_metadata(next_element))
        }
        E::Colgroup => next_starts && next_element == E::Col && !follows_end_of(&[E::Colgroup]),
        E::Tbody => next_starts && next_element == E::Tr && !follows_end_of(&[E::Tbody, E::Thead, E::Tfoot]),
        _ => false,
    }
}
