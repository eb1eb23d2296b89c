//! Markdown to HTML: `CommonMark` with GitHub's tables, footnotes, task lists, alerts and strikethrough.

mod footnotes;
mod render;
mod slug;

use std::path::Path;

use rayon::prelude::*;

use crate::error::SourceError;
use crate::frontmatter;

pub use render::{render, render_marked};

/// A rendered text and what was found in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The whole text.
    pub html: String,
    /// The text up to `<!--more-->`, or else its first paragraph.
    pub summary: String,
    /// The headings.
    pub toc: Vec<Heading>,
    /// Words of the text, code left out.
    pub words: usize,
    /// Links and images with their lines, from 1.
    pub references: Vec<(String, u32)>,
}

/// A heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    pub id: String,
    pub text: String,
}

/// A file of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The front matter as a JSON object.
    pub front_matter: String,
    pub rendered: Rendered,
}

/// How files are read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Files at a time; 0 is one for each core.
    pub threads: usize,
    /// The size over which a file is refused, in bytes.
    pub max_file: u64,
    /// Whether what is made of them is marked with their lines (`check::mark`).
    pub marked: bool,
}

/// Reads and renders files. What is wrong with one stops no other.
pub fn parse_all(root: &Path, paths: &[String], reading: Reading) -> Vec<Result<Document, SourceError>> {
    let work = || paths.par_iter().map(|path| parse(root, path, reading)).collect();
    if paths.len() < 2 || reading.threads == 1 {
        return paths.iter().map(|path| parse(root, path, reading)).collect();
    }
    match rayon::ThreadPoolBuilder::new().num_threads(reading.threads).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

fn parse(root: &Path, path: &str, reading: Reading) -> Result<Document, SourceError> {
    let file = root.join(path);
    let cannot = |error: std::io::Error| {
        SourceError::new(format!("cannot be read: {error}"))
            .in_file(path)
            .hint("check its permissions")
    };
    let max_file = reading.max_file;
    let size = std::fs::metadata(&file).map_err(cannot)?.len();
    if size > max_file {
        let said = format!("the file has {size} bytes, and at most {max_file} are read");
        return Err(SourceError::new(said)
            .in_file(path)
            .hint("split it, or raise `build.max_file`"));
    }
    let bytes = std::fs::read(&file).map_err(cannot)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = bytes
            .get(..error.valid_up_to())
            .unwrap_or(&[])
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let mut found = SourceError::new("this is not UTF-8 text")
            .in_file(path)
            .hint("save the file as UTF-8");
        found.line = u32::try_from(line).ok();
        found
    })?;
    let split = frontmatter::split(text, path)?;
    Ok(Document {
        front_matter: split.values.to_string(),
        rendered: render_marked(split.body, split.body_line, reading.marked.then_some(path)),
    })
}
