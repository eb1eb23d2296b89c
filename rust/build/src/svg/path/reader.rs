//! Reads path data (SVG 2, section 9.3.9).

use super::Segment;
use super::shape::{Shape, Spot};
use crate::svg::number::Decimal;

/// Returns the segments, and the digits behind the point that their units are of; none where the data is not valid.
pub(super) fn read(data: &str) -> Option<(Vec<Segment>, u32)> {
    let mut reader = Reader { rest: data };
    let mut uses = Vec::new();
    reader.skip_space();
    let mut command = reader.command()?;
    if !matches!(command, 'M' | 'm') {
        return None;
    }
    loop {
        let kinds = arguments(command)?;
        if kinds.is_empty() {
            // It takes no numbers, so none may follow.
            uses.push(Use::of(command));
            reader.skip_space();
        } else {
            loop {
                let mut one = Use::of(command);
                for (kind, place) in kinds.iter().zip(&mut one.numbers) {
                    *place = match kind {
                        Argument::Number => reader.number()?,
                        Argument::Flag => reader.flag()?,
                    };
                    reader.skip_separator();
                }
                uses.push(one);
                if !reader.has_number() {
                    break;
                }
                // What follows a move without a letter is a line (section 9.3.3).
                command = match command {
                    'M' => 'L',
                    'm' => 'l',
                    other => other,
                };
            }
        }
        if reader.rest.is_empty() {
            break;
        }
        command = reader.command()?;
    }
    let digits = uses.iter().flat_map(|one| one.numbers).map(Decimal::digits).max()?;
    Some((placed(&uses, digits)?, digits))
}

/// A command with the numbers it takes.
struct Use {
    command: char,
    numbers: [Decimal; 7],
}

impl Use {
    const fn of(command: char) -> Self {
        Self {
            command,
            numbers: [Decimal::ZERO; 7],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    Number,
    Flag,
}

/// What one use of a command takes.
const fn arguments(command: char) -> Option<&'static [Argument]> {
    use Argument::{Flag, Number};
    Some(match command.to_ascii_lowercase() {
        'm' | 'l' | 't' => &[Number; 2],
        'h' | 'v' => &[Number; 1],
        'c' => &[Number; 6],
        's' | 'q' => &[Number; 4],
        'a' => &[Number, Number, Number, Flag, Flag, Number, Number],
        'z' => &[],
        _ => return None,
    })
}

/// Returns what the commands draw, in absolute coordinates.
fn placed(uses: &[Use], digits: u32) -> Option<Vec<Segment>> {
    let mut segments: Vec<Segment> = Vec::with_capacity(uses.len());
    let (mut from, mut start) = (Spot::default(), Spot::default());
    for Use { command, numbers } in uses {
        let mut n = [0_i128; 7];
        for (units, number) in n.iter_mut().zip(numbers) {
            *units = number.in_units(digits)?;
        }
        let base = if command.is_ascii_lowercase() {
            from
        } else {
            Spot::default()
        };
        let spot = |x: i128, y: i128| base.plus(Spot { x, y });
        let last = segments.last().map(|last| last.shape);
        let shape = match command.to_ascii_lowercase() {
            'm' => Shape::Move(spot(n[0], n[1])),
            'l' => Shape::Line(spot(n[0], n[1])),
            'h' => Shape::Line(Spot {
                x: base.x + n[0],
                y: from.y,
            }),
            'v' => Shape::Line(Spot {
                x: from.x,
                y: base.y + n[0],
            }),
            'c' => Shape::Curve(spot(n[0], n[1]), spot(n[2], n[3]), spot(n[4], n[5])),
            's' => Shape::Curve(smooth_control(last, from), spot(n[0], n[1]), spot(n[2], n[3])),
            'q' => Shape::Quadratic(spot(n[0], n[1]), spot(n[2], n[3])),
            't' => Shape::Quadratic(smooth_quadratic_control(last, from), spot(n[0], n[1])),
            'a' => Shape::Arc {
                radii: Spot { x: n[0], y: n[1] },
                rotation: n[2],
                is_large: n[3] != 0,
                sweeps: n[4] != 0,
                to: spot(n[5], n[6]),
            },
            _ => Shape::Close,
        };
        segments.push(Segment {
            command: *command,
            from,
            shape,
        });
        from = shape.end().unwrap_or(start);
        // Sums of so many numbers must not overflow.
        if from.x.unsigned_abs().max(from.y.unsigned_abs()) > FARTHEST {
            return None;
        }
        if let Shape::Move(to) = shape {
            start = to;
        }
    }
    Some(segments)
}

const FARTHEST: u128 = 10_u128.pow(33);

/// The first control point of a smooth cubic curve (section 9.3.6).
pub(super) const fn smooth_control(last: Option<Shape>, from: Spot) -> Spot {
    match last {
        Some(Shape::Curve(_, second, _)) => from.mirrored(second),
        _ => from,
    }
}

/// The control point of a smooth quadratic curve (section 9.3.7).
pub(super) const fn smooth_quadratic_control(last: Option<Shape>, from: Spot) -> Spot {
    match last {
        Some(Shape::Quadratic(control, _)) => from.mirrored(control),
        _ => from,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn skip_separator(&mut self) {
        self.skip_space();
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            self.skip_space();
        }
    }

    fn command(&mut self) -> Option<char> {
        let letter = self.rest.chars().next().filter(char::is_ascii_alphabetic)?;
        self.rest = self.rest.get(1..)?;
        self.skip_space();
        Some(letter)
    }

    fn has_number(&self) -> bool {
        self.rest
            .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))
    }

    fn flag(&mut self) -> Option<Decimal> {
        let flag = self.rest.get(..1).filter(|flag| matches!(*flag, "0" | "1"))?;
        self.rest = self.rest.get(1..)?;
        Decimal::read(flag, "")
    }

    fn number(&mut self) -> Option<Decimal> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| {
            let rest = bytes.get(from..).unwrap_or(&[]);
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let signed = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
        let mut end = digits(signed);
        if bytes.get(end) == Some(&b'.') {
            let fraction_end = digits(end + 1);
            // A point without digits behind it ends a number in CSS and is none in SVG 1.1.
            if fraction_end == end + 1 {
                return None;
            }
            end = fraction_end;
        }
        if end == signed {
            return None;
        }
        let text = self.rest.get(..end)?;
        let mut exponent = "";
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let from = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent_end = digits(from);
            if exponent_end == from {
                return None;
            }
            exponent = self.rest.get(end + 1..exponent_end)?;
            end = exponent_end;
        }
        self.rest = self.rest.get(end..)?;
        Decimal::read(text, exponent)
    }
}
