//! What a parser makes of a page, as far as that only follows its tags.

use super::Piece;
use super::content::{
    closes_paragraph, ends_with_its_content, is_closed_by_others, is_heading, is_metadata, is_of_table,
    is_part_of_table, is_special,
};
use crate::html::elements::Element;
use Element as E;

/// How far a page has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Nothing,
    Head,
    Body,
    /// The body is closed.
    End,
}

struct Open<'a> {
    element: Element,
    name: &'a str,
    foreign: bool,
    /// Of a template: what it has held so far. The first thing decides how a parser takes what follows.
    held: Option<Element>,
}

pub(super) struct Tree<'a> {
    open: Vec<Open<'a>>,
    /// Whether it is a whole page and no part of one.
    pub is_page: bool,
    /// Whether a table may stand in a paragraph.
    pub quirks: bool,
    reached: Reached,
    /// How many `noscript` elements are open: what they hold is text to some parsers.
    pub without_script: usize,
}

impl Open<'_> {
    /// Whether it is the one element of SVG that is there to hold HTML.
    fn holds_html(&self) -> bool {
        self.name.eq_ignore_ascii_case("foreignobject")
    }
}

impl<'a> Tree<'a> {
    pub(super) const fn new(is_page: bool, quirks: bool) -> Self {
        Self {
            open: Vec::new(),
            is_page,
            quirks,
            reached: Reached::Nothing,
            without_script: 0,
        }
    }

    /// How many elements are open.
    pub(super) const fn depth(&self) -> usize {
        self.open.len()
    }

    fn top_or_other(&self) -> Element {
        self.top().unwrap_or(E::Other)
    }

    fn top(&self) -> Option<Element> {
        self.open.last().map(|open| open.element)
    }

    fn push(&mut self, element: Element) {
        self.open.push(Open {
            element,
            name: "",
            foreign: false,
            held: None,
        });
    }

    /// Opens what a page has whether or not it says so, before something of the body.
    fn enter_body(&mut self) -> Option<()> {
        if !self.is_page {
            return Some(());
        }
        if self.reached == Reached::End {
            return None;
        }
        if self.open.is_empty() {
            self.push(E::Html);
        }
        if self.top() == Some(E::Head) {
            self.open.pop();
        }
        if self.top() == Some(E::Html) {
            self.enter(E::Body)?;
        }
        Some(())
    }

    fn enter(&mut self, element: Element) -> Option<()> {
        let reached = if element == E::Head {
            Reached::Head
        } else {
            Reached::Body
        };
        if self.reached >= reached {
            return None;
        }
        self.reached = reached;
        self.push(element);
        Some(())
    }

    pub(super) fn text(&mut self) -> Option<()> {
        match self.top() {
            // What an element without tags holds stands where the element does.
            Some(top) if top.is_raw_text() => return Some(()),
            Some(E::Head | E::Html) | None => self.enter_body()?,
            _ => {}
        }
        self.hold_in_template(E::Other)?;
        let top = self.open.last();
        let holds_text = !top.is_some_and(|top| !top.foreign && (is_of_table(top.element) || top.element == E::Select));
        holds_text.then_some(())
    }

    pub(super) fn start(&mut self, piece: &Piece<'a>, alone: bool, foreign: bool) -> Option<()> {
        let element = piece.element;
        if foreign {
            return self.start_foreign(piece, alone);
        }
        if self
            .open
            .last()
            .is_some_and(|top| top.foreign && !top.holds_html() || !top.foreign && top.element.is_raw_text())
        {
            return None;
        }
        match element {
            E::Html => {
                let is_first = self.open.is_empty() && self.reached == Reached::Nothing;
                return (self.is_page && is_first).then(|| self.push(E::Html));
            }
            E::Head | E::Body => {
                if self.open.is_empty() && self.is_page {
                    self.push(E::Html);
                }
                if element == E::Body && self.top() == Some(E::Head) {
                    self.open.pop();
                }
                if self.top() != Some(E::Html) {
                    return None;
                }
                return self.enter(element);
            }
            E::Frameset
            | E::Frame
            | E::Image
            | E::Isindex
            | E::Keygen
            | E::Basefont
            | E::Bgsound
            | E::Plaintext
            | E::Applet
            | E::Marquee
            | E::Noembed => return None,
            _ => {}
        }
        if self.is_page && matches!(self.top(), None | Some(E::Html | E::Head)) {
            if is_metadata(element) {
                if self.top() != Some(E::Head) {
                    if self.open.is_empty() {
                        self.push(E::Html);
                    }
                    self.enter(E::Head)?;
                }
            } else {
                self.enter_body()?;
            }
        }
        self.make_room(element)?;
        if !element.is_void() {
            self.open.push(Open {
                element,
                name: piece.name,
                foreign: false,
                held: None,
            });
            self.without_script += usize::from(element == E::Noscript);
        }
        Some(())
    }

    fn start_foreign(&mut self, piece: &Piece<'a>, alone: bool) -> Option<()> {
        let in_foreign = self.open.last().is_some_and(|top| top.foreign);
        if !in_foreign {
            self.enter_body()?;
            if self.top().is_some_and(|top| is_of_table(top) || top == E::Select) {
                return None;
            }
        }
        if !alone {
            self.open.push(Open {
                element: piece.element,
                name: piece.name,
                foreign: true,
                held: None,
            });
        }
        Some(())
    }

    /// Closes what a start tag closes, and refuses one that is not put where it stands.
    fn make_room(&mut self, element: Element) -> Option<()> {
        if closes_paragraph(element) && !(element == E::Table && self.quirks) {
            self.close_paragraph()?;
        }
        match element {
            E::Li => self.close_nearest(&[E::Li])?,
            E::Dt | E::Dd => self.close_nearest(&[E::Dt, E::Dd])?,
            E::Option | E::Optgroup => {
                self.pop_if(&[E::Option]);
                if element == E::Optgroup {
                    self.pop_if(&[E::Optgroup]);
                }
            }
            E::Rt | E::Rp => {
                self.pop_if(&[E::Rt, E::Rp]);
                (self.top() == Some(E::Ruby)).then_some(())?;
            }
            E::Rb | E::Rtc => return None,
            E::H1 | E::H2 | E::H3 | E::H4 | E::H5 | E::H6 => {
                (!self.top().is_some_and(is_heading)).then_some(())?;
            }
            E::A | E::Nobr | E::Button | E::Form => {
                (!self.open.iter().any(|open| open.element == element)).then_some(())?;
            }
            _ => {}
        }
        self.make_room_in_table(element)?;
        self.hold_in_template(element)?;
        match self.top() {
            Some(E::Select) => {
                matches!(element, E::Option | E::Optgroup | E::Hr | E::Script | E::Template).then_some(())
            }
            Some(E::Optgroup) => matches!(element, E::Option | E::Script | E::Template).then_some(()),
            Some(E::Option) => {
                let in_select = self.open.iter().any(|open| open.element == E::Select);
                (!in_select).then_some(())
            }
            Some(E::Colgroup) => matches!(element, E::Col).then_some(()),
            _ => Some(()),
        }
    }

    /// Refuses a template that holds parts of tables beside anything else.
    fn hold_in_template(&mut self, element: Element) -> Option<()> {
        let Some(top) = self.open.last_mut().filter(|top| top.element == E::Template) else {
            return Some(());
        };
        let held = match element {
            E::Th => E::Td,
            part if is_part_of_table(part) || part == E::Col => part,
            _ => E::Other,
        };
        (*top.held.get_or_insert(held) == held).then_some(())
    }

    fn make_room_in_table(&mut self, element: Element) -> Option<()> {
        match element {
            E::Caption | E::Colgroup | E::Col | E::Tbody | E::Thead | E::Tfoot => {
                let closed: &[Element] = if element == E::Col {
                    &[]
                } else {
                    &[
                        E::Td,
                        E::Th,
                        E::Tr,
                        E::Tbody,
                        E::Thead,
                        E::Tfoot,
                        E::Colgroup,
                        E::Caption,
                    ]
                };
                while closed.iter().any(|one| self.top() == Some(*one)) {
                    self.open.pop();
                }
                match self.top() {
                    Some(E::Table | E::Template) => {
                        if element == E::Col && self.top() == Some(E::Table) {
                            self.push(E::Colgroup);
                        }
                        Some(())
                    }
                    Some(E::Colgroup) if element == E::Col => Some(()),
                    _ => None,
                }
            }
            E::Tr => {
                while matches!(self.top(), Some(E::Td | E::Th | E::Tr | E::Colgroup | E::Caption)) {
                    self.open.pop();
                }
                match self.top() {
                    Some(E::Table) => {
                        self.push(E::Tbody);
                        Some(())
                    }
                    Some(E::Tbody | E::Thead | E::Tfoot | E::Template) => Some(()),
                    _ => None,
                }
            }
            E::Td | E::Th => {
                while matches!(self.top(), Some(E::Td | E::Th)) {
                    self.open.pop();
                }
                matches!(self.top(), Some(E::Tr | E::Template)).then_some(())
            }
            E::Script | E::Style | E::Template => Some(()),
            _ => (!self.top().is_some_and(is_of_table)).then_some(()),
        }
    }

    fn pop_if(&mut self, which: &[Element]) {
        if self.top().is_some_and(|top| which.contains(&top)) {
            self.open.pop();
        }
    }

    /// How many elements are open in the innermost paragraph there is (section 13.2.4.2, button scope).
    fn paragraph(&self) -> Option<usize> {
        let bounds = |open: &Open<'_>| {
            open.foreign
                || matches!(
                    open.element,
                    E::Html | E::Table | E::Td | E::Th | E::Caption | E::Object | E::Template | E::Button
                )
        };
        self.open
            .iter()
            .rev()
            .take_while(|open| !bounds(open))
            .position(|open| open.element == E::P)
    }

    /// Closes the paragraph that is open. One that is not the innermost would take others with it.
    fn close_paragraph(&mut self) -> Option<()> {
        match self.paragraph() {
            Some(0) => {
                self.open.pop();
                Some(())
            }
            Some(_) => None,
            None => Some(()),
        }
    }

    /// Closes the nearest element of a list's items, as one more item does.
    fn close_nearest(&mut self, items: &[Element]) -> Option<()> {
        for (at, open) in self.open.iter().enumerate().rev() {
            if items.contains(&open.element) {
                let inner = self.open.get(at + 1..).unwrap_or(&[]);
                if !inner.iter().all(|open| is_closed_by_others(open.element)) {
                    return None;
                }
                self.open.truncate(at);
                return Some(());
            }
            if open.foreign || is_special(open.element) && !matches!(open.element, E::Address | E::Div | E::P) {
                return Some(());
            }
        }
        Some(())
    }

    /// Closes an element, and returns the one it stands in.
    pub(super) fn end(&mut self, piece: &Piece<'a>, foreign: bool) -> Option<Element> {
        let element = piece.element;
        if foreign {
            let top = self.open.pop().filter(|top| top.foreign)?;
            return top.name.eq_ignore_ascii_case(piece.name).then(|| self.top_or_other());
        }
        if self.open.last().is_some_and(|top| top.foreign) || element.is_void() {
            return None;
        }
        match element {
            E::Html => {
                self.close_implied(is_closed_by_others);
                self.pop_if(&[E::Body]);
                self.reached = Reached::End;
                return (self.open.len() == 1 && self.top() == Some(E::Html)).then_some(E::Other);
            }
            E::Body => {
                self.close_implied(is_closed_by_others);
                if self.top() != Some(E::Body) {
                    return None;
                }
                self.open.pop();
                self.reached = Reached::End;
                return Some(self.top_or_other());
            }
            // One that closes nothing is an element of its own to a parser, and an empty one.
            E::P if self.paragraph().is_none() => return self.text().map(|()| E::Other),
            E::Table => self.close_implied(|open| is_closed_by_others(open) || is_part_of_table(open)),
            E::Tbody | E::Thead | E::Tfoot => {
                self.close_implied(|open| is_closed_by_others(open) || matches!(open, E::Td | E::Th | E::Tr));
            }
            E::Tr => self.close_implied(|open| is_closed_by_others(open) || matches!(open, E::Td | E::Th)),
            E::Select => self.close_implied(|open| matches!(open, E::Option | E::Optgroup)),
            E::Optgroup => self.close_implied(|open| open == E::Option),
            E::Ruby => self.close_implied(|open| matches!(open, E::Rt | E::Rp)),
            E::Datalist => self.close_implied(|open| open == E::Option),
            E::Template => {
                self.close_implied(|open| open != E::Template && (is_closed_by_others(open) || is_part_of_table(open)));
            }
            _ if ends_with_its_content(element) => {
                self.close_implied(|open| open != element && is_closed_by_others(open));
            }
            _ => {}
        }
        let top = self.open.pop()?;
        if top.element != element || element == E::Other && !top.name.eq_ignore_ascii_case(piece.name) {
            return None;
        }
        self.without_script -= usize::from(element == E::Noscript);
        Some(self.top_or_other())
    }

    fn close_implied(&mut self, closes: impl Fn(Element) -> bool) {
        while self.open.last().is_some_and(|top| !top.foreign && closes(top.element)) {
            self.open.pop();
        }
    }
}
