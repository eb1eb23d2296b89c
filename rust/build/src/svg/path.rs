//! The data of a path (SVG 2, section 9.3), written as short as its grammar lets it be. No number changes.

/// Returns path data that draws the same, or none where it is not valid.
pub(crate) fn shorter(data: &str) -> Option<String> {
    let mut reader = Reader { rest: data };
    let mut writer = Writer {
        out: String::with_capacity(data.len()),
        ..Writer::default()
    };
    reader.skip_space();
    let mut command = reader.command()?;
    if !matches!(command, 'M' | 'm') {
        return None;
    }
    loop {
        writer.command(command);
        let kinds = arguments(command)?;
        if kinds.is_empty() {
            // It takes no numbers, so none may follow.
            reader.skip_space();
        } else {
            loop {
                for kind in kinds {
                    match kind {
                        Argument::Number => writer.number(&reader.number()?),
                        Argument::Flag => writer.flag(reader.flag()?),
                    }
                    reader.skip_separator();
                }
                if !reader.has_number() {
                    break;
                }
                // What follows a move without a letter is a line (section 9.3.3).
                command = match command {
                    'M' => 'L',
                    'm' => 'l',
                    other => other,
                };
                writer.implied = command;
            }
        }
        if reader.rest.is_empty() {
            return Some(writer.out);
        }
        command = reader.command()?;
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

    fn flag(&mut self) -> Option<char> {
        let flag = self.rest.chars().next().filter(|c| matches!(c, '0' | '1'))?;
        self.rest = self.rest.get(1..)?;
        Some(flag)
    }

    /// Reads a number, and returns it without what says nothing: a plus, zeros at its begin and behind its point.
    fn number(&mut self) -> Option<String> {
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| {
            let rest = bytes.get(from..).unwrap_or(&[]);
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let signed = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
        let whole_end = digits(signed);
        let mut end = whole_end;
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
        let mantissa_end = end;
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent_end = digits(exponent);
            if exponent_end == exponent {
                return None;
            }
            end = exponent_end;
        }
        let whole = self.rest.get(signed..whole_end)?.trim_start_matches('0');
        let fraction = self.rest.get(whole_end..mantissa_end)?;
        let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
        let exponent = self.rest.get(mantissa_end..end)?;
        let is_negative = bytes.first() == Some(&b'-');
        self.rest = self.rest.get(end..)?;
        if whole.is_empty() && fraction.is_empty() {
            return Some("0".to_owned());
        }
        let sign = if is_negative { "-" } else { "" };
        Some(format!("{sign}{whole}{fraction}{exponent}"))
    }
}

#[derive(Default)]
struct Writer {
    out: String,
    /// The command that numbers without a letter are of, here.
    implied: char,
    /// What the last thing written was.
    last: Last,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Letter,
    Flag,
    /// A number that a point ends, for it has one.
    Pointed,
    Whole,
}

impl Writer {
    fn command(&mut self, command: char) {
        let command = if command == 'Z' { 'z' } else { command };
        if command != self.implied || command == 'z' {
            self.out.push(command);
            self.last = Last::Letter;
        }
        self.implied = match command {
            'M' => 'L',
            'm' => 'l',
            other => other,
        };
    }

    fn number(&mut self, number: &str) {
        let parts = match self.last {
            Last::Letter | Last::Flag => true,
            Last::Pointed => number.starts_with(['-', '.']),
            Last::Whole => number.starts_with('-'),
        };
        if !parts {
            self.out.push(' ');
        }
        self.out.push_str(number);
        self.last = if number.contains(['.', 'e', 'E']) {
            Last::Pointed
        } else {
            Last::Whole
        };
    }

    fn flag(&mut self, flag: char) {
        if matches!(self.last, Last::Pointed | Last::Whole) {
            self.out.push(' ');
        }
        self.out.push(flag);
        self.last = Last::Flag;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_says_nothing_goes() {
        for (data, wanted) in [
            ("M 0,0 L 10.50 -0.5 L 1 2 Z", "M0 0 10.5-.5 1 2z"),
            ("M8 16A8 8 0 1 0 8 0a8 8 0 0 0 0 16", "M8 16A8 8 0 108 0a8 8 0 000 16"),
            ("m1 1 2 2l3 3M1 1M2 2", "m1 1 2 2 3 3M1 1M2 2"),
            ("M+1.0 00.50c.5.5.5.5 1e3-1E-2z z", "M1 .5c.5.5.5.5 1e3-1E-2zz"),
            ("M0 0a1 1 0 01.5.5 1,1,0,1,1,2,2", "M0 0a1 1 0 01.5.5 1 1 0 112 2"),
            (" M-0 -0.0h1h2H3 ", "M0 0h1 2H3"),
        ] {
            assert_eq!(shorter(data).as_deref(), Some(wanted), "{data}");
            assert_eq!(shorter(wanted).as_deref(), Some(wanted));
        }
        for bad in [
            "",
            "L1 1",
            "M1",
            "M1 1 2",
            "M1 1X",
            "M1. 1",
            "M1 1a1 1 0 2 0 1 1",
            "M1 1z1",
            "M1 1e",
            "none",
        ] {
            assert_eq!(shorter(bad), None, "{bad}");
        }
    }

    fn segments(data: &str) -> Option<Vec<svgtypes::PathSegment>> {
        // Capital or not, the letter that closes a path does the same.
        svgtypes::PathParser::from(data.replace('Z', "z").as_str())
            .collect::<Result<_, _>>()
            .ok()
    }

    proptest! {
        #[test]
        fn a_path_draws_the_same(data in "[Mm] ?-?[0-9]{1,3}(\\.[0-9]{1,3})?[ ,]-?0?\\.[0-9]{1,3}( ?([LlTt] ?-?[0-9]{1,2}[ ,]?-[0-9]\\.[0-9]{0,1}5|[Hh]0[0-9]\\.50|[Zz]|[Aa]1 1 -?0 [01] [01][ ,]?-?[0-9]{1,2}(\\.5)? \\.5|[CcSs]1 2-3 4 5.0 0006|[Qq].1.2.3.4| -?[0-9] \\+?[0-9])){0,12}") {
            if let Some(made) = shorter(&data) {
                prop_assert_eq!(segments(&made), segments(&data), "{}", &made);
                prop_assert!(made.len() <= data.len());
            }
        }

        #[test]
        fn any_text_is_a_path_or_none(data in "[MmLlAaZzCc0-9 ,.eE+-]{0,40}") {
            if let (Some(made), Some(wanted)) = (shorter(&data), segments(&data)) {
                prop_assert_eq!(segments(&made), Some(wanted), "{}", made);
            }
        }
    }
}
