//! Collects patterns and compiles them.

use std::collections::{BTreeMap, VecDeque};

use crate::error::RouterError;
use crate::flat::{HEADER_WORDS, LITERAL_WORDS, MAGIC, MAX_CHILDREN, NODE_WORDS, NONE, PARAM_WORDS, VERSION};
use crate::pattern::{Kind, Segment, segments};

#[derive(Debug, Default)]
struct Node {
    route: Option<u32>,
    rest: Option<(u32, String)>,
    literals: BTreeMap<String, Node>,
    params: BTreeMap<(Kind, String), Node>,
}

/// Patterns and the ids of their routes.
#[derive(Debug, Default)]
pub struct RouteTable {
    root: Node,
    /// The patterns without the names of their parameters, which no path tells apart, each with its id and itself.
    shapes: BTreeMap<Vec<Shape>, (u32, String)>,
}

/// What of a segment decides which paths it matches.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Literal(String),
    Param(Kind),
    Rest,
}

impl From<Segment<'_>> for Shape {
    fn from(segment: Segment<'_>) -> Self {
        match segment {
            Segment::Literal(text) => Self::Literal(text.to_owned()),
            Segment::Param(_, kind) => Self::Param(kind),
            Segment::Rest(_) => Self::Rest,
        }
    }
}

impl RouteTable {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pattern. The id is what [`Router::find`](crate::Router::find) answers; it may be any number but the
    /// highest.
    pub fn add(&mut self, pattern: &str, id: u32) -> Result<(), RouterError> {
        let fail = |reason| RouterError::Pattern {
            pattern: pattern.to_owned(),
            reason,
        };
        if id == NONE {
            return Err(fail("has an id that is not allowed"));
        }
        let segments = segments(pattern)?;
        let shape: Vec<Shape> = segments.iter().copied().map(Shape::from).collect();
        if let Some((other, other_pattern)) = self.shapes.get(&shape) {
            return Err(RouterError::Duplicate {
                pattern: pattern.to_owned(),
                other: *other,
                other_pattern: other_pattern.clone(),
            });
        }
        let mut node = &mut self.root;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.to_owned()).or_default(),
                Segment::Param(name, kind) => node.params.entry((kind, name.to_owned())).or_default(),
                Segment::Rest(name) => {
                    node.rest = Some((id, name.to_owned()));
                    self.shapes.insert(shape, (id, pattern.to_owned()));
                    return Ok(());
                }
            };
            if node.literals.len() > MAX_CHILDREN || node.params.len() > MAX_CHILDREN {
                return Err(fail("is one of too many in one place"));
            }
        }
        node.route = Some(id);
        self.shapes.insert(shape, (id, pattern.to_owned()));
        Ok(())
    }

    /// Returns the flat form.
    pub fn compile(&self) -> Vec<u8> {
        let mut order: Vec<&Node> = Vec::new();
        let mut queue = VecDeque::from([&self.root]);
        while let Some(node) = queue.pop_front() {
            order.push(node);
            queue.extend(node.literals.values());
            queue.extend(node.params.values());
        }
        let mut out = Flat::default();
        let mut next_node = 1;
        for node in order {
            let (rest, name) = node
                .rest
                .as_ref()
                .map_or((NONE, (0, 0)), |(id, name)| (*id, out.text(name)));
            let first_literal = word(out.literals.len() / LITERAL_WORDS);
            let first_param = word(out.params.len() / PARAM_WORDS);
            for text in node.literals.keys() {
                let (offset, length) = out.text(text);
                out.literals.extend([offset, length, next_node]);
                next_node += 1;
            }
            for (kind, name) in node.params.keys() {
                let (offset, length) = out.text(name);
                out.params.extend([*kind as u32, offset, length, next_node]);
                next_node += 1;
            }
            let counts = word(node.literals.len()) << 16 | word(node.params.len());
            let route = node.route.unwrap_or(NONE);
            out.nodes
                .extend([route, rest, name.0, name.1, first_literal, first_param, counts]);
        }
        out.bytes()
    }
}

#[derive(Default)]
struct Flat {
    nodes: Vec<u32>,
    literals: Vec<u32>,
    params: Vec<u32>,
    strings: String,
}

impl Flat {
    fn text(&mut self, text: &str) -> (u32, u32) {
        let found = self.strings.find(text).unwrap_or_else(|| {
            self.strings.push_str(text);
            self.strings.len() - text.len()
        });
        (word(found), word(text.len()))
    }

    fn bytes(&self) -> Vec<u8> {
        let counts = [
            MAGIC,
            VERSION,
            word(self.nodes.len() / NODE_WORDS),
            word(self.literals.len() / LITERAL_WORDS),
            word(self.params.len() / PARAM_WORDS),
            word(self.strings.len()),
        ];
        debug_assert_eq!(counts.len(), HEADER_WORDS);
        let words = counts
            .iter()
            .chain(&self.nodes)
            .chain(&self.literals)
            .chain(&self.params);
        let mut bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend_from_slice(self.strings.as_bytes());
        bytes
    }
}

/// A table that would not fit 32 bits is larger than any memory it could have been made in.
fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
