//! Front matter: what a file says of itself before its text, as TOML between `+++` or YAML between `---`.

use serde_json::Value;

use crate::error::SourceError;

/// Longer front matter is refused.
const LONGEST: usize = 64 << 10;

const TOML_HINT: &str = "a value is written `name = value`, and text stands in quotes";
const YAML_HINT: &str =
    "a value is written `name: value`; indent with spaces, and quote a text that has `: `, `#` or a bracket in it";

/// A file taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<'a> {
    /// The front matter as a JSON object; empty where there is none.
    pub values: Value,
    /// The text after it.
    pub body: &'a str,
    /// The line on which the text begins, from 1.
    pub body_line: u32,
}

/// Takes a file's front matter off its text.
///
/// # Errors
/// The front matter is not closed, too long, or no valid TOML or YAML.
pub fn split<'a>(text: &'a str, file: &str) -> Result<Split<'a>, SourceError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fence = ["+++", "---"].into_iter().find(|fence| {
        text.strip_prefix(fence)
            .is_some_and(|rest| rest.starts_with('\n') || rest.starts_with("\r\n"))
    });
    let Some(fence) = fence else {
        return Ok(Split {
            values: Value::Object(serde_json::Map::new()),
            body: text,
            body_line: 1,
        });
    };
    let start = text.find('\n').map_or(text.len(), |at| at + 1);
    let mut at = start;
    let mut lines = 1;
    for line in text.get(start..).unwrap_or("").split_inclusive('\n') {
        lines += 1;
        if line.trim_end() == fence {
            let inner = text.get(start..at).unwrap_or("");
            if inner.len() > LONGEST {
                return Err(
                    SourceError::new(format!("the front matter is longer than {LONGEST} bytes"))
                        .in_file(file)
                        .hint("move what is long into a file of data/"),
                );
            }
            let values = if fence == "+++" {
                toml(inner, text, file)?
            } else {
                yaml(inner, text, file)?
            };
            return Ok(Split {
                values,
                body: text.get(at + line.len()..).unwrap_or(""),
                body_line: lines + 1,
            });
        }
        at += line.len();
    }
    Err(SourceError::new("the front matter is not closed")
        .in_file(file)
        .at(text, 1, 1)
        .hint(format!("end it with a line of {fence}")))
}

fn toml(inner: &str, text: &str, file: &str) -> Result<Value, SourceError> {
    match inner.parse::<toml::Table>() {
        Ok(table) => Ok(Value::Object(
            table.into_iter().map(|(name, value)| (name, json(value))).collect(),
        )),
        Err(error) => {
            let found = SourceError::new(format!("front matter: not valid TOML: {}", error.message())).in_file(file);
            let offset = error.span().map_or(0, |span| span.start) + text.find('\n').map_or(0, |at| at + 1);
            Err(found.at_offset(text, offset).hint(TOML_HINT))
        }
    }
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(moment) => Value::String(moment.to_string()),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
    }
}

fn yaml(inner: &str, text: &str, file: &str) -> Result<Value, SourceError> {
    let parsed: Value = serde_yaml_ng::from_str(inner).map_err(|error| {
        let line = error.location().map_or(1, |place| place.line()) + 1;
        let column = error.location().map_or(0, |place| place.column());
        SourceError::new(format!("front matter: not valid YAML: {}", without_place(&error)))
            .in_file(file)
            .at(
                text,
                u32::try_from(line).unwrap_or(1),
                u32::try_from(column).unwrap_or(0),
            )
            .hint(YAML_HINT)
    })?;
    match parsed {
        Value::Object(_) => Ok(parsed),
        Value::Null => Ok(Value::Object(serde_json::Map::new())),
        _ => Err(SourceError::new("front matter: this is no list of `name: value`")
            .in_file(file)
            .at(text, 2, 0)
            .hint("write one name and its value a line, such as `title: Hello`")),
    }
}

/// What the parser says; the line it counts is that of the part it was given.
fn without_place(error: &serde_yaml_ng::Error) -> String {
    let said = error.to_string();
    said.split(" at line ").next().unwrap_or(&said).to_owned()
}

/// Reads YAML as JSON.
///
/// # Errors
/// The text is no valid YAML.
pub fn yaml_to_json(text: &str, file: &str) -> Result<String, SourceError> {
    let value: Value = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |place| place.line());
        SourceError::new(format!("not valid YAML: {}", without_place(&error)))
            .in_file(file)
            .at(text, u32::try_from(line).unwrap_or(1), 0)
            .hint(YAML_HINT)
    })?;
    serde_json::to_string(&value).map_err(|error| SourceError::new(error.to_string()).in_file(file))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn toml_and_yaml_are_read() {
        let found = split("+++\ntitle = \"A\"\ndate = 2026-01-02\n+++\nText\n", "a.md").unwrap();
        assert_eq!(
            (found.values, found.body, found.body_line),
            (json!({"title": "A", "date": "2026-01-02"}), "Text\n", 5)
        );
        let found = split("---\ntitle: A\ntags: [x, y]\n---\n", "a.md").unwrap();
        assert_eq!(
            (found.values, found.body),
            (json!({"title": "A", "tags": ["x", "y"]}), "")
        );
        let found = split("no front matter\n---\n", "a.md").unwrap();
        assert_eq!((found.values, found.body_line), (json!({}), 1));
    }

    #[test]
    fn faults_are_shown_where_they_stand() {
        for (text, line) in [
            ("+++\na = 1\nb = \n+++\n", 3),
            ("---\na: 1\nb: [\n---\n", 4),
            ("+++\na = 1\n", 1),
        ] {
            let error = split(text, "content/a.md").unwrap_err();
            assert_eq!(error.file.as_deref(), Some("content/a.md"));
            assert!(error.line.is_some_and(|found| found.abs_diff(line) <= 1), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "([+]{3}\n|-{3}\n|[a-z]: ?|= |\\[|\"|\n|é|[0-9-]){0,30}") {
            let _ = split(&text, "a.md");
        }
    }
}
