//! What a file that is no script becomes where a script imports it.

use std::path::Path;

use rolldown_common::ModuleType;
use rolldown_common::side_effects::HookSideEffects;
use rolldown_plugin::HookLoadOutput;

use super::job::{Role, shown};
use super::plugin::is_script;
use super::shared::Shared;
use super::styles;
use crate::error::SourceError;

/// Returns the module a file becomes, or None where it is a script as it is.
///
/// # Errors
/// It cannot be read, or is not what its ending says.
pub(super) fn load(
    shared: &Shared,
    file: &Path,
    query: &str,
    role: Role,
) -> Result<Option<HookLoadOutput>, SourceError> {
    let asks = |what: &str| query.split('&').any(|part| part == what);
    let ending = file
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or("")
        .to_ascii_lowercase();
    if asks("raw") {
        let text = text(shared, file)?;
        return Ok(Some(exported(&quoted(&text))));
    }
    if asks("worker") || asks("sharedworker") {
        let url = quoted(&shared.worker(file));
        let class = if asks("worker") { "Worker" } else { "SharedWorker" };
        let code =
            format!("export default function(options){{return new {class}({url},{{type:\"module\",...options}})}}");
        return Ok(Some(module(code)));
    }
    if asks("url") {
        let url = if is_script(file) {
            shared.worker(file)
        } else {
            url(shared, file)?
        };
        return Ok(Some(exported(&quoted(&url))));
    }
    if ending == "css" {
        let id = file.to_string_lossy();
        if asks("inline") {
            return Ok(Some(exported(&quoted(&styles::inline(shared, file)?))));
        }
        if role == Role::Worker {
            return Ok(Some(exported("\"\"")));
        }
        let exports = styles::load(shared, &id)?;
        let mut made = module(exports);
        // It is known by it where the stylesheet belongs.
        made.side_effects = Some(HookSideEffects::NoTreeshake);
        return Ok(Some(made));
    }
    if ending == "wasm" {
        // As with Vite's `?init`: a function that makes an instance of it.
        let url = quoted(&url(shared, file)?);
        return Ok(Some(module(format!(
            "export default async function(imports={{}}){{const from=fetch({url});try{{return(await \
             WebAssembly.instantiateStreaming(from,imports)).instance}}catch(error){{if(!(error instanceof \
             TypeError))throw error;return(await WebAssembly.instantiate(await(await \
             fetch({url})).arrayBuffer(),imports)).instance}}}}"
        ))));
    }
    if ending == "json" {
        let text = text(shared, file)?;
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')) {
            let at = |number: usize| u32::try_from(number).unwrap_or(0);
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or("");
            return Err(SourceError::new(format!("not valid JSON: {said}"))
                .in_file(shown(shared.job(), &file.to_string_lossy()))
                .hint("look at what stands here and just before it")
                .at(&text, at(error.line()), at(error.column())));
        }
        return Ok(None);
    }
    if is_script(file) || ending.is_empty() {
        return Ok(None);
    }
    Ok(Some(exported(&quoted(&url(shared, file)?))))
}

fn exported(value: &str) -> HookLoadOutput {
    module(format!("export default {value}"))
}

fn module(code: String) -> HookLoadOutput {
    HookLoadOutput {
        code: code.into(),
        module_type: Some(ModuleType::Js),
        side_effects: Some(HookSideEffects::False),
        ..HookLoadOutput::default()
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn url(shared: &Shared, file: &Path) -> Result<String, SourceError> {
    shared.url(file).map_err(|error| unreadable(shared, file, &error))
}

pub(super) fn text(shared: &Shared, file: &Path) -> Result<String, SourceError> {
    if let Some(text) = shared.job().texts.get(&*file.to_string_lossy()) {
        return Ok(text.clone());
    }
    std::fs::read_to_string(file).map_err(|error| unreadable(shared, file, &error))
}

fn unreadable(shared: &Shared, file: &Path, error: &std::io::Error) -> SourceError {
    SourceError::new(format!("cannot be read: {error}"))
        .in_file(shown(shared.job(), &file.to_string_lossy()))
        .hint("look at its name, its permissions, and that it is UTF-8 where it is text")
}
