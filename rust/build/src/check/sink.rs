//! Takes what a parser makes of a page, and notes what stands where.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use html5ever::tendril::StrTendril;
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ExpandedName, LocalName, QualName, local_name, ns};

use super::node::{Handle, Node};
use super::notes::Notes;
use super::told::told;
use crate::html::{Tag, Token};

/// Elements that may be open where a page ends (section 13.2.6.4.7).
const MAY_STAY_OPEN: [&str; 14] = [
    "body", "dd", "dt", "html", "li", "optgroup", "option", "p", "rp", "rt", "tbody", "td", "th", "tr",
];
/// Errors of one place follow from one another; the first is the one to mend.
const NOWHERE: usize = usize::MAX;

/// The sink of one page.
pub(super) struct Sink<'a> {
    document: Handle,
    /// What the parser reads, and where it begins.
    now: RefCell<Option<Token<'a>>>,
    at: Cell<usize>,
    /// Where what it read before begins: text in a table is judged when the next tag comes.
    before: Cell<usize>,
    /// Whether the element of the tag that is read was made.
    made: Cell<bool>,
    has_doctype: Cell<bool>,
    last_error: Cell<usize>,
    open: RefCell<Vec<Handle>>,
    /// The names of what an end tag of something around it closed: their own end tags will close nothing.
    cut: RefCell<Vec<LocalName>>,
    pub(super) notes: RefCell<Notes>,
}

impl<'a> Sink<'a> {
    pub(super) fn new() -> Self {
        Self {
            document: Rc::new(plain(0)),
            now: RefCell::new(None),
            at: Cell::new(0),
            before: Cell::new(0),
            made: Cell::new(false),
            has_doctype: Cell::new(false),
            last_error: Cell::new(NOWHERE),
            open: RefCell::new(Vec::new()),
            cut: RefCell::new(Vec::new()),
            notes: RefCell::new(Notes::default()),
        }
    }

    /// Says what the parser reads next; nothing at the end.
    pub(super) fn begin(&self, at: usize, token: Option<Token<'a>>) {
        // The parser does not say all that it closes.
        if let Some(Token::End { name, .. }) = &*self.now.borrow()
            && !["body", "html"].iter().any(|whole| name.eq_ignore_ascii_case(whole))
        {
            self.close(|one| (*one.name.local).eq_ignore_ascii_case(name), 0);
        }
        self.before.set(self.at.replace(at));
        self.made.set(false);
        if let Some(Token::Start(tag)) = &token {
            self.bare_values(tag, at);
        }
        *self.now.borrow_mut() = token;
    }

    /// Finds what a value without quotes may not have in it (section 13.2.5.37), which the parser lets pass.
    fn bare_values(&self, tag: &Tag<'a>, at: usize) {
        let bare = tag.attributes.iter().filter(|one| one.quote.is_none());
        let letter = bare.filter_map(|one| one.value).find_map(|value| {
            value
                .chars()
                .find(|letter| matches!(letter, '"' | '\'' | '<' | '=' | '`'))
        });
        if let Some(letter) = letter {
            let message = format!("`{letter}` stands in an attribute's value without quotes");
            self.notes
                .borrow_mut()
                .problem("html", &message, "put the value in quotes", at);
            self.last_error.set(at);
        }
    }

    fn is_written(&self, name: &LocalName) -> bool {
        let is_it = match &*self.now.borrow() {
            Some(Token::Start(tag)) => tag.name.eq_ignore_ascii_case(name),
            _ => false,
        };
        is_it && !self.made.replace(true)
    }

    fn is_empty_tag(&self, node: &Node) -> bool {
        let closes = matches!(&*self.now.borrow(), Some(Token::Start(tag)) if tag.self_closing);
        match node.html() {
            "" => closes,
            name => crate::html::is_void(name),
        }
    }

    /// Takes what is open off, from the last that is meant on, of which `kept` stay.
    fn close(&self, is_meant: impl Fn(&Handle) -> bool, kept: usize) {
        let mut open = self.open.borrow_mut();
        if let Some(at) = open.iter().rposition(is_meant) {
            open.truncate(at + kept);
        }
    }

    fn place(&self, parent: &Handle, node: &Handle) {
        if node.is_placed.replace(true) {
            return;
        }
        *node.parent.borrow_mut() = Some(Rc::clone(parent));
        if node.name.local.is_empty() {
            return;
        }
        self.close(|one| Rc::ptr_eq(one, parent), 1);
        if !self.is_empty_tag(node) {
            self.open.borrow_mut().push(Rc::clone(node));
        }
        self.notes.borrow_mut().element(node, parent);
    }

    fn put(&self, parent: &Handle, child: NodeOrText<Handle>) {
        match child {
            NodeOrText::AppendNode(node) => self.place(parent, &node),
            NodeOrText::AppendText(text) => self.notes.borrow_mut().text(parent, &text),
        }
    }

    /// Whether the element is open that the end tag now read would close; what is open in it is noted.
    fn crosses(&self) -> bool {
        let Some(Token::End { name, .. }) = &*self.now.borrow() else {
            return false;
        };
        let open = self.open.borrow();
        let at = open
            .iter()
            .rposition(|one| (*one.name.local).eq_ignore_ascii_case(name));
        let Some(at) = at else { return false };
        let inner = open.iter().skip(at + 1).map(|one| one.name.local.clone());
        self.cut.borrow_mut().extend(inner);
        true
    }

    /// Notes what a start tag that may not stand in another of its kind closes, or that it is not taken for one.
    fn cuts(&self, open: &str) {
        if let Some(Token::Start(tag)) = &*self.now.borrow() {
            let name = tag.name.to_ascii_lowercase();
            match name.as_str() {
                "a" | "button" | "form" | "nobr" => self.cut.borrow_mut().push(LocalName::from(name)),
                "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.cut.borrow_mut().push(LocalName::from(open)),
                _ => {}
            }
        }
    }

    /// Whether an end tag closes nothing only because one before it closed too much.
    fn follows(&self) -> bool {
        let Some(Token::End { name, .. }) = &*self.now.borrow() else {
            return false;
        };
        let mut cut = self.cut.borrow_mut();
        let found = cut.iter().position(|one| (**one).eq_ignore_ascii_case(name));
        found.is_some_and(|at| {
            cut.remove(at);
            true
        })
    }

    /// The element that an error is about: at the end of the page the one that should have ended, else the innermost.
    fn blamed(&self, error: &str) -> Option<Handle> {
        let open = self.open.borrow();
        let is_end = error.starts_with("Unexpected open tag") || self.now.borrow().is_none();
        let forgotten = open
            .iter()
            .find(|one| is_end && !MAY_STAY_OPEN.contains(&&*one.name.local));
        forgotten.or_else(|| open.last()).cloned()
    }
}

fn plain(at: usize) -> Node {
    Node::new(QualName::new(None, ns!(), local_name!("")), Vec::new(), at, false)
}

impl TreeSink for Sink<'_> {
    type Handle = Handle;
    type Output = Notes;
    type ElemName<'b>
        = ExpandedName<'b>
    where
        Self: 'b;

    fn finish(self) -> Notes {
        self.notes.into_inner()
    }

    fn parse_error(&self, error: Cow<'static, str>) {
        let is_late = error == "Non-space table text";
        let mut at = if is_late { self.before.get() } else { self.at.get() };
        if !self.has_doctype.replace(true) && error == "Unexpected token" {
            // The first thing in the page is no document type, and errors that follow are of another kind.
            let hint = "write `<!doctype html>` at the very beginning, or browsers behave as in the nineties";
            self.notes
                .borrow_mut()
                .problem("doctype", "the page has no document type", hint, at);
            return;
        }
        let blamed = self.blamed(&error);
        let name = blamed.as_ref().map_or("", |one| &*one.name.local);
        let holds = self.crosses();
        if !holds && self.follows() {
            return;
        }
        self.cuts(name);
        let (message, hint) = told(&error, self.now.borrow().as_ref(), name, holds);
        if error.starts_with("Unexpected open tag") || self.now.borrow().is_none() {
            // What is never closed is mended where it is opened.
            at = blamed.map_or(at, |one| one.at);
        }
        if self.last_error.replace(at) != at {
            self.notes.borrow_mut().problem("html", &message, &hint, at);
        }
    }

    fn get_document(&self) -> Handle {
        Rc::clone(&self.document)
    }

    fn elem_name<'b>(&'b self, target: &'b Handle) -> ExpandedName<'b> {
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        let is_written = self.is_written(&name.local);
        Rc::new(Node::new(name, attributes, self.at.get(), is_written))
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        Rc::new(plain(self.at.get()))
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        Rc::new(plain(self.at.get()))
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.put(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, _: &Handle, child: NodeOrText<Handle>) {
        // The parser has complained already; it comes to stand in front of the table.
        let parent = element.parent.borrow().clone();
        self.put(&parent.unwrap_or_else(|| Rc::clone(element)), child);
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {
        self.has_doctype.set(true);
    }

    fn pop(&self, node: &Handle) {
        let mut open = self.open.borrow_mut();
        if let Some(at) = open.iter().rposition(|one| Rc::ptr_eq(one, node)) {
            open.remove(at);
        }
    }

    fn get_template_contents(&self, target: &Handle) -> Handle {
        let mut contents = plain(target.at);
        contents.is_template = true;
        Rc::new(contents)
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        let parent = sibling.parent.borrow().clone();
        self.put(&parent.unwrap_or_else(|| Rc::clone(sibling)), child);
    }

    fn add_attrs_if_missing(&self, _: &Handle, _: Vec<Attribute>) {}

    fn remove_from_parent(&self, _: &Handle) {}

    fn reparent_children(&self, _: &Handle, _: &Handle) {}
}
