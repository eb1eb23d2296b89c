//! What the bundler asks of the site: where a name leads, and what a file that is no script becomes.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rolldown_common::{ModuleType, ResolvedExternal};
use rolldown_plugin::{
    HookLoadArgs, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn, HookTransformArgs,
    HookTransformOutput, HookTransformOutputMap, HookTransformReturn, HookUsage, Plugin, PluginContext,
    SharedLoadPluginContext, SharedTransformPluginContext,
};
use string_wizard::{MagicString, SourceMapOptions};

use super::job::{Role, shown};
use super::load;
use super::references::{Reference, references};
use super::shared::{Shared, decoded};
use crate::error::SourceError;

#[derive(Debug)]
pub(super) struct SitePlugin {
    shared: Arc<Shared>,
    role: Role,
}

impl SitePlugin {
    pub(super) fn new(shared: Arc<Shared>, role: Role) -> Self {
        Self { shared, role }
    }

    /// Returns the file that `/assets/…` means, with or without its ending.
    fn asset(&self, specifier: &str) -> Option<PathBuf> {
        let name = specifier.strip_prefix("/assets/")?;
        let file = self.shared.assets().join(name);
        if file.is_file() {
            return Some(file);
        }
        let mut candidates = SCRIPTS
            .iter()
            .map(|ending| self.shared.assets().join(format!("{name}{ending}")));
        candidates.find(|file| file.is_file())
    }

    fn is_external(&self, specifier: &str) -> bool {
        if specifier.starts_with("//") || specifier.starts_with("http://") || specifier.starts_with("https://") {
            return true;
        }
        self.shared.job().external.iter().any(|name| {
            specifier
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn led(&self, id: &str, code: &str) -> Result<Vec<(Reference, String)>, SourceError> {
        let name = shown(self.shared.job(), id);
        let folder = Path::new(id).parent().unwrap_or(Path::new("/"));
        let mut led = Vec::new();
        for reference in references(code, &name)? {
            let bare = reference.text.split(['?', '#']).next().unwrap_or("");
            let rest = reference.text.get(bare.len()..).unwrap_or("");
            let path = decoded(bare);
            let file = match path.strip_prefix("/assets/") {
                Some(inside) => self.shared.assets().join(inside),
                None => normal(&folder.join(&path)),
            };
            if !file.is_file() {
                // A package may mean a file that only is where it was built.
                if id.contains("/node_modules/") {
                    continue;
                }
                return Err(SourceError::new(format!("`{}` leads to no file", reference.text))
                    .in_file(name)
                    .hint("a file is looked for beside the script that refers to it; give its ending too")
                    .at_offset(code, reference.range.start));
            }
            let url = if is_script(&file) {
                self.shared.worker(&file)
            } else {
                let read = self.shared.url(&file);
                read.map_err(|error| SourceError::new(format!("cannot be read: {error}")).in_file(&name))?
            };
            let url = url + rest;
            led.push((reference, url));
        }
        Ok(led)
    }
}

const SCRIPTS: [&str; 8] = [".ts", ".tsx", ".mts", ".jsx", ".js", ".mjs", ".cts", ".cjs"];

pub(super) fn is_script(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    SCRIPTS.iter().any(|one| one.get(1..) == Some(ending))
}

/// Takes `.` and `..` out of a path.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(made.pop()),
            other => made.push(other),
        }
    }
    made
}

impl Plugin for SitePlugin {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("hyperweb")
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load | HookUsage::Transform
    }

    async fn resolve_id(&self, ctx: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        if self.is_external(args.specifier) {
            return Ok(Some(HookResolveIdOutput {
                id: args.specifier.into(),
                external: Some(ResolvedExternal::Bool(true)),
                ..HookResolveIdOutput::default()
            }));
        }
        let (bare, query) = args.specifier.split_once('?').unwrap_or((args.specifier, ""));
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{query}")
        };
        if let Some(file) = self.asset(bare) {
            return Ok(Some(HookResolveIdOutput::from_id(format!("{}{query}", file.display()))));
        }
        if query.is_empty() || args.is_entry {
            return Ok(None);
        }
        match ctx.resolve(bare, args.importer, None).await? {
            Ok(found) => Ok(Some(HookResolveIdOutput::from_id(format!(
                "{}{query}",
                found.id.as_str()
            )))),
            Err(_) => Ok(None),
        }
    }

    async fn load(&self, _ctx: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        let (file, query) = args.id.split_once('?').unwrap_or((args.id, ""));
        if !file.starts_with('/') {
            return Ok(None);
        }
        self.shared.input(file);
        match load::load(&self.shared, Path::new(file), query, self.role) {
            Ok(found) => Ok(found),
            Err(error) => {
                self.shared.fault(error);
                Err(rolldown_fault())
            }
        }
    }

    async fn transform(&self, _ctx: SharedTransformPluginContext, args: &HookTransformArgs<'_>) -> HookTransformReturn {
        let is_script = matches!(
            args.module_type,
            ModuleType::Js | ModuleType::Jsx | ModuleType::Ts | ModuleType::Tsx
        );
        if !is_script || !args.id.starts_with('/') || !args.code.contains("import.meta.url") {
            return Ok(None);
        }
        let led = match self.led(args.id, args.code) {
            Ok(led) => led,
            // What is no script is told of by the bundler, which says more.
            Err(error) if error.message.starts_with("not a valid script") => return Ok(None),
            Err(error) => {
                self.shared.fault(error);
                return Err(rolldown_fault());
            }
        };
        if led.is_empty() {
            return Ok(None);
        }
        let mut text = MagicString::new(args.code.as_str());
        for (reference, url) in led {
            let quoted = serde_json::to_string(&url).unwrap_or_default();
            let (start, end) = (offset(reference.range.start), offset(reference.range.end));
            let _ = text.update(start, end, quoted);
        }
        let map = HookTransformOutputMap::from_if_enabled(self.shared.job().source_maps, || {
            text.source_map(SourceMapOptions {
                source: args.id.into(),
                hires: string_wizard::Hires::Boundary,
                include_content: true,
            })
        });
        Ok(Some(HookTransformOutput {
            code: Some(text.to_string()),
            map,
            ..HookTransformOutput::default()
        }))
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The bundler ends with this; what was wrong is told by what was kept of it.
fn rolldown_fault() -> anyhow::Error {
    anyhow::anyhow!("a file cannot be used")
}
