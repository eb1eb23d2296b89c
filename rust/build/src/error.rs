//! What is wrong with a source file, and where.

use std::any::Any;
use std::fmt;

/// A source file that cannot be used: what, where, what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceError {
    /// What is wrong, in a sentence.
    pub message: String,
    /// The file, relative to the site.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1.
    pub column: Option<u32>,
    /// What to do.
    pub hint: Option<String>,
    /// The source around the line.
    pub frame: Option<String>,
}

impl SourceError {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says on which line (from 1) and column (from 1, or 0 where it is not known), and shows the source around it.
    #[must_use]
    pub fn at(mut self, source: &str, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = (column > 0).then_some(column);
        self.frame = Some(frame(source, line, column));
        self
    }

    /// As [`at`](Self::at), by the offset in bytes.
    #[must_use]
    pub fn at_offset(self, source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
        self.at(
            source,
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(0),
        )
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{file}:")?;
            for part in [self.line, self.line.and(self.column)].into_iter().flatten() {
                write!(out, "{part}:")?;
            }
            write!(out, " ")?;
        }
        write!(out, "{}", self.message)?;
        for part in [&self.frame, &self.hint].into_iter().flatten() {
            write!(out, "\n{part}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SourceError {}

/// The two lines before and after, with a marker.
fn frame(source: &str, line: u32, column: u32) -> String {
    let first = line.saturating_sub(2).max(1);
    let width = (line + 2).to_string().len();
    let mut shown = String::new();
    for (number, text) in (1..)
        .zip(source.lines())
        .skip(first as usize - 1)
        .take((line + 3 - first) as usize)
    {
        let text: String = text.chars().take(160).collect();
        let marker = if number == line { '>' } else { ' ' };
        shown.push_str(format!("  {marker} {number:>width$} | {text}").trim_end());
        shown.push('\n');
        if number == line && (1..=160).contains(&column) {
            shown.push_str(&format!("    {:width$} | {}^\n", "", " ".repeat(column as usize - 1)));
        }
    }
    shown.truncate(shown.trim_end_matches('\n').len());
    shown
}

/// Runs a library on a file's text; should it panic, that is an error of this file and of no other.
pub(crate) fn guarded<T>(
    what: &str,
    file: &str,
    work: impl FnOnce() -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let said = reason(&*payload);
        Err(SourceError::new(format!("{what} gave up on this file: {said}"))
            .in_file(file)
            .hint("this is a fault of the tool; simplify the file around its newest part"))
    })
}

fn reason(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}
