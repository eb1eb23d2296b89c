//! Writes path data: of all ways to write a segment, those that are shortest together.

use super::reader::{smooth_control, smooth_quadratic_control};
use super::shape::{Shape, Spot};
use super::{Freedom, Segment};
use crate::svg::number;

/// Returns the data of segments whose units are of so many digits behind the point.
pub(super) fn write(segments: &[Segment], digits: u32, freedom: Freedom) -> String {
    let mut steps: Vec<Vec<Way>> = Vec::with_capacity(segments.len());
    let mut last = None;
    for segment in segments {
        let mut ways: Vec<Way> = Vec::with_capacity(6);
        for command in commands(segment, last, freedom) {
            let mut way = Way::of(command, segment, digits);
            match steps.last() {
                Some(before) => way.join(before),
                None => way.cost = way.text.len() + 1,
            }
            ways.push(way);
        }
        last = Some(segment.shape);
        steps.push(ways);
    }
    // Back along the cheapest, and out in order.
    let mut chosen = Vec::with_capacity(steps.len());
    let mut at = steps.last().and_then(|ways| cheapest(ways));
    for ways in steps.iter().rev() {
        let Some(way) = at.and_then(|at| ways.get(at)) else {
            break;
        };
        chosen.push(way);
        at = Some(way.before);
    }
    let mut out = String::new();
    let mut before: Option<&Way> = None;
    for way in chosen.into_iter().rev() {
        match before.map_or(Joint::Letter, |before| before.joint(way)) {
            Joint::Letter => out.push(way.command),
            Joint::Space => out.push(' '),
            Joint::Nothing => {}
        }
        out.push_str(&way.text);
        before = Some(way);
    }
    out
}

fn cheapest(ways: &[Way]) -> Option<usize> {
    (0..ways.len()).min_by_key(|at| ways.get(*at).map_or(usize::MAX, |way| way.cost))
}

/// One way to write a segment.
struct Way {
    command: char,
    /// Its numbers.
    text: String,
    ends: Ends,
    /// The length of all up to its end.
    cost: usize,
    /// Which way of the segment before it follows.
    before: usize,
}

/// What the last number ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Letter,
    Flag,
    /// It has a point, so that another ends it.
    Pointed,
    Whole,
}

/// What stands before the numbers of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Letter,
    Space,
    Nothing,
}

impl Way {
    fn of(command: char, segment: &Segment, digits: u32) -> Self {
        let mut way = Self {
            command,
            text: String::new(),
            ends: Ends::Letter,
            cost: 0,
            before: 0,
        };
        let base = if command.is_ascii_lowercase() {
            segment.from
        } else {
            Spot::default()
        };
        let spots: &[Spot] = match (segment.shape, command.to_ascii_lowercase()) {
            (Shape::Move(to) | Shape::Line(to), 'm' | 'l') | (Shape::Quadratic(_, to), 't') => &[to],
            (Shape::Curve(first, second, to), 'c') => &[first, second, to],
            (Shape::Curve(_, one, to), 's') | (Shape::Quadratic(one, to), 'q') => &[one, to],
            (Shape::Line(to), 'h') => {
                way.number(to.x - base.x, digits);
                &[]
            }
            (Shape::Line(to), 'v') => {
                way.number(to.y - base.y, digits);
                &[]
            }
            (
                Shape::Arc {
                    radii,
                    rotation,
                    is_large,
                    sweeps,
                    to,
                },
                _,
            ) => {
                for units in [radii.x, radii.y, rotation] {
                    way.number(units, digits);
                }
                way.flag(is_large);
                way.flag(sweeps);
                &[to]
            }
            _ => &[],
        };
        for spot in spots {
            let spot = spot.minus(base);
            way.number(spot.x, digits);
            way.number(spot.y, digits);
        }
        way
    }

    fn number(&mut self, units: i128, digits: u32) {
        // With a point it is no longer after another that has one, and the next needs no space.
        if units == 0 && self.ends == Ends::Pointed {
            self.text.push_str(".0");
            return;
        }
        let from = self.text.len();
        let is_pointed = number::push(&mut self.text, units, digits);
        let first = self.text.as_bytes().get(from).copied();
        if from == 1 && first == Some(b'.') && self.text.starts_with('0') {
            self.text.insert(0, '.');
        } else if self.ends.needs_space(first) {
            self.text.insert(from, ' ');
        }
        self.ends = if is_pointed { Ends::Pointed } else { Ends::Whole };
    }

    fn flag(&mut self, flag: bool) {
        if matches!(self.ends, Ends::Pointed | Ends::Whole) {
            self.text.push(' ');
        }
        self.text.push(if flag { '1' } else { '0' });
        self.ends = Ends::Flag;
    }

    /// Chooses the way before it that makes all the shortest.
    fn join(&mut self, before: &[Self]) {
        let cost = |way: &Self| way.cost + usize::from(way.joint(self) != Joint::Nothing) + self.text.len();
        let found = before.iter().map(cost).enumerate().min_by_key(|(_, cost)| *cost);
        (self.before, self.cost) = found.unwrap_or((0, usize::MAX));
    }

    fn joint(&self, next: &Self) -> Joint {
        let implied = match self.command {
            'M' => 'L',
            'm' => 'l',
            other => other,
        };
        if implied != next.command || next.text.is_empty() {
            Joint::Letter
        } else if self.ends.needs_space(next.text.as_bytes().first().copied()) {
            Joint::Space
        } else {
            Joint::Nothing
        }
    }
}

impl Ends {
    const fn needs_space(self, next: Option<u8>) -> bool {
        match self {
            Self::Letter | Self::Flag => false,
            Self::Pointed => !matches!(next, Some(b'-' | b'.')),
            Self::Whole => !matches!(next, Some(b'-')),
        }
    }
}

/// The commands a segment can be written with after what was drawn last.
fn commands(segment: &Segment, last: Option<Shape>, freedom: Freedom) -> Vec<char> {
    if freedom == Freedom::None {
        return vec![if segment.shape == Shape::Close {
            'z'
        } else {
            segment.command
        }];
    }
    let from = segment.from;
    let mut found = Vec::with_capacity(6);
    match segment.shape {
        Shape::Move(_) => found.extend(['M', 'm']),
        Shape::Line(to) => {
            if to.y == from.y {
                found.extend(['h', 'H']);
            }
            if to.x == from.x {
                found.extend(['v', 'V']);
            }
            found.extend(['l', 'L']);
        }
        Shape::Curve(first, ..) => {
            if first == smooth_control(last, from) {
                found.extend(['s', 'S']);
            }
            found.extend(['c', 'C']);
        }
        Shape::Quadratic(control, _) => {
            if control == smooth_quadratic_control(last, from) {
                found.extend(['t', 'T']);
            }
            found.extend(['q', 'Q']);
        }
        Shape::Arc { .. } => found.extend(['a', 'A']),
        Shape::Close => found.push('z'),
    }
    found
}
