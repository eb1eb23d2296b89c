//! What is bundled, how, and what becomes of it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use lightningcss::targets::Targets;
use rolldown::{
    Bundler, BundlerOptions, BundlerTransformOptions, CodeSplittingMode, InputItem, Platform, PreserveEntrySignatures,
    RawMinifyOptions, SourceMapType,
};
use rolldown_common::Output as Made;
use rolldown_common::bundler_options::{CommentsOptions, Either};
use rolldown_error::{BuildDiagnostic, EventKind};
use rolldown_utils::indexmap::FxIndexMap;

use super::fault::{faults, warning};
use super::plugin::SitePlugin;
use super::shared::Shared;
use crate::error::SourceError;
use crate::js::TARGET;
use crate::licenses::Licenses;

/// How the files are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By their names alone, for development.
    Plain,
    /// With a hash of what is in them; they refer to each other by names without, that an import map leads on.
    Mapped,
    /// With a hash of what is in them, which they refer to each other by.
    Hashed,
}

/// The scripts of a site that are bundled, and how.
#[derive(Debug, Clone)]
pub struct Job {
    /// The site's folder.
    pub root: PathBuf,
    /// The scripts pages load: their names in `assets/`, and where they are.
    pub entries: Vec<(String, String)>,
    /// Stylesheets that import from packages: names in `assets/`, and where they are.
    pub sheets: Vec<(String, String)>,
    /// Where other files of `assets/` are served from.
    pub urls: HashMap<String, String>,
    /// The texts of files that are not there, or not as they are.
    pub texts: HashMap<String, String>,
    /// What names in scripts stand for: JavaScript expressions.
    pub define: Vec<(String, String)>,
    /// Packages that pages have from elsewhere.
    pub external: Vec<String>,
    pub naming: Naming,
    pub minify_js: bool,
    pub minify_css: bool,
    pub source_maps: bool,
    pub licenses: Licenses,
    pub targets: Targets,
    pub threads: usize,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Script,
    Worker,
    Style,
    Map,
    Licenses,
}

/// A file that is served.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name without a hash, below `assets/`.
    pub name: String,
    pub url: String,
    pub kind: Kind,
    pub bytes: Vec<u8>,
    /// The file of `assets/` that this is the built form of.
    pub entry: Option<String>,
    /// The outputs it loads at once, by name.
    pub imports: Vec<String>,
    /// The outputs it may load later.
    pub dynamic: Vec<String>,
    /// The stylesheets that it wants loaded.
    pub styles: Vec<String>,
    /// The files it is made of, with the bytes each takes in it; those of the site relative to it.
    pub modules: Vec<(String, usize)>,
}

/// What came of a job.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    pub outputs: Vec<Output>,
    /// All files that were read.
    pub inputs: Vec<String>,
    /// Files of packages that are served as they are: URL and file.
    pub files: Vec<(String, String)>,
    /// The files of `assets/` that are referred to.
    pub led: Vec<String>,
    pub warnings: Vec<SourceError>,
}

/// What is made in one run of the bundler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Page,
    /// One file: import maps do not hold in workers.
    Worker,
}

/// A script before it has its name.
pub(super) struct Draft {
    pub(super) file: String,
    pub(super) role: Role,
    pub(super) entry: Option<String>,
    pub(super) code: String,
    pub(super) map: Option<String>,
    pub(super) imports: Vec<String>,
    pub(super) dynamic: Vec<String>,
    /// All it is made of, in the order it runs.
    pub(super) ids: Vec<String>,
    pub(super) modules: Vec<(String, usize)>,
    pub(super) styles: Vec<String>,
    pub(super) licenses: Option<String>,
}

pub(super) struct Generated {
    pub(super) drafts: Vec<Draft>,
    pub(super) warnings: Vec<SourceError>,
}

/// Runs the bundler once.
pub(super) async fn generate(
    job: &Job,
    shared: &Arc<Shared>,
    entries: &[(String, String)],
    role: Role,
) -> Result<Generated, Vec<SourceError>> {
    let plugin = Arc::new(SitePlugin::new(Arc::clone(shared), role));
    let told = |errors: rolldown_error::BatchedBuildDiagnostic| {
        let own = shared.take_faults();
        if own.is_empty() {
            faults(&errors.into_vec(), &job.root)
        } else {
            own
        }
    };
    let mut bundler = Bundler::with_plugins(options(job, entries, role), vec![plugin]).map_err(told)?;
    let output = bundler.generate().await.map_err(told)?;
    let close = bundler.close().await;
    close.map_err(told)?;
    let mut drafts: Vec<Draft> = Vec::new();
    for made in &output.assets {
        let Made::Chunk(chunk) = made else { continue };
        let facade = chunk.facade_module_id.as_ref().map(|id| id.as_str().to_owned());
        let entry = entries
            .iter()
            .find(|(_, file)| chunk.is_entry && facade.as_deref() == Some(file.as_str()));
        drafts.push(Draft {
            file: chunk.filename.to_string(),
            role,
            entry: entry.map(|(name, _)| name.clone()),
            code: chunk.code.clone(),
            map: chunk.map.as_ref().map(rolldown_sourcemap::SourceMap::to_json_string),
            imports: chunk.imports.iter().map(ToString::to_string).collect(),
            dynamic: chunk.dynamic_imports.iter().map(ToString::to_string).collect(),
            ids: chunk.modules.keys.iter().map(|id| id.as_str().to_owned()).collect(),
            modules: sizes(job, chunk),
            styles: Vec::new(),
            licenses: None,
        });
    }
    drafts.sort_by(|one, other| one.file.cmp(&other.file));
    let warnings: Vec<SourceError> = output.warnings.iter().map(|found| warning(found, &job.root)).collect();
    // A package may look for what it can do without.
    let is_missing = |found: &BuildDiagnostic| {
        matches!(found.kind(), EventKind::UnresolvedImport)
            && !found.id().is_some_and(|id| id.contains("/node_modules/"))
    };
    let missing: Vec<BuildDiagnostic> = output.warnings.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        return Err(faults(&missing, &job.root));
    }
    Ok(Generated { drafts, warnings })
}

fn sizes(job: &Job, chunk: &rolldown_common::OutputChunk) -> Vec<(String, usize)> {
    let both = chunk.modules.keys.iter().zip(&chunk.modules.values);
    let real = both.filter(|(id, _)| id.as_str().starts_with('/'));
    real.map(|(id, module)| (shown(job, id.as_str()), module.rendered_length()))
        .collect()
}

/// Returns a file as the site's own people call it.
pub(super) fn shown(job: &Job, id: &str) -> String {
    let file = id.split('?').next().unwrap_or(id);
    let inside = std::path::Path::new(file).strip_prefix(&job.root).ok();
    inside.and_then(std::path::Path::to_str).unwrap_or(file).to_owned()
}

fn options(job: &Job, entries: &[(String, String)], role: Role) -> BundlerOptions {
    let input = entries.iter().map(|(name, file)| InputItem {
        name: Some(stem(name).to_owned()),
        import: file.clone(),
    });
    let names = |folder: &str| match (role, job.naming) {
        (Role::Page, Naming::Hashed) => format!("{folder}[name].[hash:10].js"),
        _ => format!("{folder}[name].js"),
    };
    let legal = job.licenses == Licenses::Keep || !job.minify_js;
    let mut define: FxIndexMap<String, String> = FxIndexMap::default();
    define.extend(job.define.iter().cloned());
    BundlerOptions {
        input: Some(input.collect()),
        cwd: Some(job.root.clone()),
        platform: Some(Platform::Browser),
        entry_filenames: Some(names("").into()),
        chunk_filenames: Some(names(CHUNKS).into()),
        define: Some(define),
        minify: Some(RawMinifyOptions::Bool(job.minify_js)),
        sourcemap: job.source_maps.then_some(SourceMapType::Hidden),
        comments: Some(CommentsOptions {
            legal,
            annotation: !job.minify_js,
            jsdoc: !job.minify_js,
        }),
        transform: Some(BundlerTransformOptions {
            target: Some(Either::Left(TARGET.to_owned())),
            ..BundlerTransformOptions::default()
        }),
        code_splitting: Some(CodeSplittingMode::Bool(role == Role::Page)),
        preserve_entry_signatures: Some(match role {
            Role::Page => PreserveEntrySignatures::ExportsOnly,
            Role::Worker => PreserveEntrySignatures::False,
        }),
        ..BundlerOptions::default()
    }
}

/// Where the parts go that several scripts share, or that are loaded later.
const CHUNKS: &str = "_chunks/";

/// Returns a name without its ending.
pub(super) fn stem(name: &str) -> &str {
    let folder = name.rfind('/').map_or(0, |at| at + 1);
    match name.rfind('.') {
        Some(dot) if dot > folder => name.get(..dot).unwrap_or(name),
        _ => name,
    }
}
