//! How deeply a text is nested. Parsers and compilers go one call deeper for each level, and a thread that has no room for
//! that ends the whole process: what is nested beyond reason is refused, and what is beyond the usual gets more room.

use crate::error::SourceError;

/// Levels of a script that any thread has room for.
const USUAL: usize = 100;
/// More than any script that a person or a program writes.
const MOST: usize = 10_000;
/// What a level of a script takes at most, in bytes.
const LEVEL: usize = 16 << 10;
/// What a thread needs that does nothing deep, in bytes.
const ROOM: usize = 8 << 20;
/// Levels of a stylesheet: more than any has, and room for them is in any thread.
const MOST_OF_STYLES: usize = 200;

/// Does something with a script, where there is room for its levels.
///
/// # Errors
/// It is nested too deeply.
pub(crate) fn with_room<T: Send>(
    source: &str,
    filename: &str,
    work: impl FnOnce() -> Result<T, SourceError> + Send,
) -> Result<T, SourceError> {
    let (levels, at) = script_levels(source);
    if levels <= USUAL {
        return work();
    }
    if levels > MOST {
        return Err(refused("script", MOST, filename).at_offset(source, at));
    }
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new()
            .stack_size(ROOM + levels * LEVEL)
            .spawn_scoped(scope, work);
        match started.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(SourceError::new(format!("no thread for this script: {error}")).in_file(filename)),
        }
    })
}

/// Refuses a stylesheet that is nested too deeply.
///
/// # Errors
/// It is.
pub(crate) fn styles(source: &str, filename: &str) -> Result<(), SourceError> {
    let bytes = source.as_bytes();
    let (mut level, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => level += 1,
            b')' | b']' | b'}' => level = level.saturating_sub(1),
            b'"' | b'\'' => at += string_end(bytes.get(at + 1..).unwrap_or(&[]), *byte),
            b'\\' => at += 1,
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let rest = source.get(at + 2..).unwrap_or("");
                at += 2 + rest.find("*/").unwrap_or(rest.len());
            }
            _ => {}
        }
        if level > MOST_OF_STYLES {
            return Err(refused("stylesheet", MOST_OF_STYLES, filename).at_offset(source, at));
        }
        at += 1;
    }
    Ok(())
}

/// How many bytes a string has to its end, which is at its quote or its line's end.
fn string_end(text: &[u8], quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\n' => return at + 1,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn refused(what: &str, most: usize, filename: &str) -> SourceError {
    SourceError::new(format!("the {what} is nested too deeply: more than {most} levels"))
        .in_file(filename)
        .hint("no file that is meant to be read has so many; look at what made this one")
}

/// How many calls deep a script may lead, at most, and where it does.
///
/// Brackets are counted that are open, and what stands in a row and is nested all the same: operators between two
/// separators, and `else` in a block. Strings are not told from code: it is an upper bound.
fn script_levels(source: &str) -> (usize, usize) {
    let mut open: Vec<Row> = Vec::new();
    let mut row = Row::default();
    // What the rows of all open brackets have together.
    let mut outer = 0_usize;
    let (mut most, mut place) = (0, 0);
    for (at, byte) in source.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => {
                outer += row.levels() + 1;
                open.push(std::mem::take(&mut row));
            }
            b')' | b']' | b'}' => {
                if let Some(before) = open.pop() {
                    outer = outer.saturating_sub(before.levels() + 1);
                    row = before;
                }
                if byte == b'}' {
                    row.operators = 0;
                }
            }
            b',' | b';' => row.operators = 0,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'!' | b'~' | b'<' | b'>' | b'=' | b'?' | b'.'
            | b'`' => {
                row.operators += 1;
            }
            b'e' if source.as_bytes().get(at..at + 4).is_some_and(|word| word == b"else") => row.branches += 1,
            _ => continue,
        }
        let levels = outer + row.levels();
        if levels > most {
            (most, place) = (levels, at);
        }
        if most > MOST {
            break;
        }
    }
    (most, place)
}

/// What stands in a row between two brackets.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    operators: usize,
    branches: usize,
}

impl Row {
    const fn levels(self) -> usize {
        self.operators + self.branches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_where_calls_are_nested() {
        for (script, wanted) in [
            ("f(a, [b, {c: 1}])", 3),
            ("a + b + c; d + e", 2),
            ("if (a) b(); else if (c) d(); else e()", 3),
            ("!!!a", 3),
            ("f(); g(); h()", 1),
        ] {
            assert_eq!(script_levels(script).0, wanted, "{script}");
        }
    }

    #[test]
    fn what_is_nested_beyond_reason_is_refused_where_it_is() {
        let deep = format!("a = \n{}", "(".repeat(MOST + 10));
        let error = with_room(&deep, "a.js", || Ok(())).err();
        assert_eq!(error.and_then(|error| error.line), Some(2));
        assert!(with_room(&"!".repeat(MOST - 1), "a.js", || Ok(())).is_ok());
        let error = styles(&"a{".repeat(MOST_OF_STYLES + 1), "a.css").err();
        assert!(error.is_some_and(|error| error.column == Some(2 * 201)));
        let told = format!("/* {0} */ a{{b:\"{0}\\\"{0}\" '{0}'}}", "(".repeat(MOST_OF_STYLES));
        assert!(styles(&told, "a.css").is_ok());
    }
}
