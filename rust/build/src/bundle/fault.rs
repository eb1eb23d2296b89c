//! What the bundler finds wrong, as it is told to those who build the site.

use std::path::Path;

use rolldown_error::{BuildDiagnostic, DiagnosticOptions, EventKind};

use crate::error::SourceError;

/// Returns what is wrong, without what only follows from it.
pub(super) fn faults(found: &[BuildDiagnostic], root: &Path) -> Vec<SourceError> {
    let mut told: Vec<SourceError> = found.iter().map(|one| warning(one, root)).collect();
    told.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    told.dedup();
    told
}

/// Returns one thing that is wrong, or only odd.
pub(super) fn warning(found: &BuildDiagnostic, root: &Path) -> SourceError {
    let options = DiagnosticOptions { cwd: root.to_owned() };
    let message = found.to_message_with(&options);
    let place = found.to_diagnostic_with(&options).get_primary_location();
    let mut told = SourceError::new(sentence(&message, found.kind()));
    told = told.hint(hint(found));
    match (place, found.id()) {
        (Some((file, line, column, _)), _) => {
            let path = Path::new(&file);
            let inside = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            let text = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
            let at = |number: usize| u32::try_from(number).unwrap_or(0);
            told.in_file(inside).at(&text, at(line), at(column + 1))
        }
        (None, Some(id)) => {
            let path = Path::new(&id);
            told.in_file(path.strip_prefix(root).unwrap_or(path).to_string_lossy())
        }
        (None, None) => told.in_file("assets"),
    }
}

fn sentence(message: &str, kind: EventKind) -> String {
    let first = message
        .lines()
        .next()
        .unwrap_or("it cannot be bundled")
        .trim_end_matches('.');
    if matches!(kind, EventKind::ParseError) {
        return format!("not a valid script: {first}");
    }
    let mut letters = first.chars();
    let lower = letters.next().map(|letter| letter.to_lowercase().to_string());
    lower.unwrap_or_default() + letters.as_str()
}

fn hint(found: &BuildDiagnostic) -> String {
    let named = found.exporter().unwrap_or_default();
    match found.kind() {
        EventKind::UnresolvedImport if is_package(&named) => {
            let name: Vec<&str> = named
                .split('/')
                .take(if named.starts_with('@') { 2 } else { 1 })
                .collect();
            let name = name.join("/");
            format!(
                "`npm install {name}` in the site's folder, or name it in `build.external` where pages have it from elsewhere"
            )
        }
        EventKind::UnresolvedImport => {
            "a file is looked for beside the script that imports it, and in assets/ where it begins with /assets/"
                .to_owned()
        }
        EventKind::MissingExportError | EventKind::ImportIsUndefined => {
            "look how the other file spells what it exports".to_owned()
        }
        EventKind::ParseError => {
            "look at what stands here and just before it: something is missing, left open or one too many".to_owned()
        }
        _ => "look at the lines named here".to_owned(),
    }
}

fn is_package(specifier: &str) -> bool {
    !specifier.is_empty() && !specifier.starts_with(['.', '/', '#'])
}
