//! Which tags may be left out (HTML Standard, section 13.1.2.4).
//!
//! A page is read once as a parser's tree construction would (section 13.2.6), as far as that only follows the tags. In a
//! page where it does more (it moves, adopts or drops something) nothing is left out.

use crate::html::elements::Element;
use Element as E;

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

/// Returns for each piece whether it may be left out; none where that is not known.
pub(crate) fn omissible(pieces: &[Piece<'_>]) -> Option<Vec<bool>> {
    let is_page = pieces.iter().any(|piece| piece.kind == Kind::Doctype)
        || pieces
            .iter()
            .any(|piece| piece.element == E::Html && matches!(piece.kind, Kind::Start { .. }));
    let mut tree = Tree {
        open: Vec::new(),
        is_page,
        quirks: pieces.first().is_none_or(|piece| piece.kind != Kind::Doctype),
        reached: Reached::Nothing,
        without_script: 0,
    };
    let mut omitted = vec![false; pieces.len()];
    for (at, piece) in pieces.iter().enumerate() {
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
                let open = tree.open.len();
                let parent = tree.end(piece, foreign)?;
                // What it closes beside its own element, nothing else might.
                let alone = tree.open.len() + 1 == open || matches!(piece.element, E::Body | E::Html);
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

struct Tree<'a> {
    open: Vec<Open<'a>>,
    /// Whether it is a whole page and no part of one.
    is_page: bool,
    /// Whether a table may stand in a paragraph.
    quirks: bool,
    reached: Reached,
    /// How many `noscript` elements are open: what they hold is text to some parsers.
    without_script: usize,
}

impl Open<'_> {
    /// Whether it is the one element of SVG that is there to hold HTML.
    fn holds_html(&self) -> bool {
        self.name.eq_ignore_ascii_case("foreignobject")
    }
}

impl<'a> Tree<'a> {
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

    fn text(&mut self) -> Option<()> {
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

    fn start(&mut self, piece: &Piece<'a>, alone: bool, foreign: bool) -> Option<()> {
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
    fn end(&mut self, piece: &Piece<'a>, foreign: bool) -> Option<Element> {
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

    /// Whether the end tag of `element` in `parent` may be left out before `next`.
    fn may_end(&self, element: Element, parent: Element, next: Option<&Piece<'_>>) -> bool {
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
fn may_begin(element: Element, before: Option<&Piece<'_>>, next: Option<&Piece<'_>>) -> bool {
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

/// What stands in a page's head, and is put there also when it stands before the body (section 13.2.6.4.4).
const fn is_metadata(element: Element) -> bool {
    matches!(
        element,
        E::Base | E::Link | E::Meta | E::Noframes | E::Noscript | E::Script | E::Style | E::Template | E::Title
    )
}

const fn is_heading(element: Element) -> bool {
    matches!(element, E::H1 | E::H2 | E::H3 | E::H4 | E::H5 | E::H6)
}

/// Parts of a table in which text and most elements are put before the table.
const fn is_of_table(element: Element) -> bool {
    matches!(element, E::Table | E::Tbody | E::Thead | E::Tfoot | E::Tr | E::Colgroup)
}

const fn is_part_of_table(element: Element) -> bool {
    matches!(
        element,
        E::Td | E::Th | E::Tr | E::Tbody | E::Thead | E::Tfoot | E::Colgroup | E::Caption
    )
}

/// Elements whose end tags are made up where others end (section 13.2.6.3, generate implied end tags).
const fn is_closed_by_others(element: Element) -> bool {
    matches!(
        element,
        E::Dd | E::Dt | E::Li | E::Optgroup | E::Option | E::P | E::Rb | E::Rp | E::Rt | E::Rtc
    )
}

/// Elements whose start closes a paragraph (section 13.2.6.4.7).
const fn closes_paragraph(element: Element) -> bool {
    matches!(
        element,
        E::Address
            | E::Article
            | E::Aside
            | E::Blockquote
            | E::Center
            | E::Dd
            | E::Details
            | E::Dialog
            | E::Dir
            | E::Div
            | E::Dl
            | E::Dt
            | E::Fieldset
            | E::Figcaption
            | E::Figure
            | E::Footer
            | E::Form
            | E::H1
            | E::H2
            | E::H3
            | E::H4
            | E::H5
            | E::H6
            | E::Header
            | E::Hgroup
            | E::Hr
            | E::Li
            | E::Listing
            | E::Main
            | E::Menu
            | E::Nav
            | E::Ol
            | E::P
            | E::Pre
            | E::Search
            | E::Section
            | E::Summary
            | E::Table
            | E::Ul
            | E::Xmp
    )
}

/// Elements whose end tag closes what stands open in them of those whose own end may be left out.
const fn ends_with_its_content(element: Element) -> bool {
    matches!(
        element,
        E::Address
            | E::Article
            | E::Aside
            | E::Blockquote
            | E::Center
            | E::Dd
            | E::Details
            | E::Dialog
            | E::Dir
            | E::Div
            | E::Dl
            | E::Dt
            | E::Fieldset
            | E::Figcaption
            | E::Figure
            | E::Footer
            | E::Form
            | E::Header
            | E::Hgroup
            | E::Li
            | E::Main
            | E::Menu
            | E::Nav
            | E::Ol
            | E::Section
            | E::Summary
            | E::Td
            | E::Th
            | E::Caption
            | E::Ul
    )
}

/// Elements that a parser does not look behind (section 13.2.4.2, the special ones), as far as they come here.
const fn is_special(element: Element) -> bool {
    ends_with_its_content(element)
        || is_part_of_table(element)
        || is_heading(element)
        || matches!(
            element,
            E::Body
                | E::Button
                | E::Html
                | E::Head
                | E::Listing
                | E::Noscript
                | E::Object
                | E::P
                | E::Pre
                | E::Search
                | E::Select
                | E::Table
                | E::Template
                | E::Textarea
                | E::Iframe
                | E::Title
                | E::Xmp
        )
}
