//! Scripts put together with all they import, through rolldown: from the site's own files and from `node_modules`.
//!
//! Names are given here and not by the bundler. A script of a page refers to the parts it shares with others by names that
//! stay; an import map on the page says which file each is now, so that a change of one part leaves all others as they are.

mod aliases;
mod fault;
mod job;
mod licenses;
mod load;
mod naming;
mod plugin;
mod references;
mod shared;
mod styles;

use std::collections::BTreeSet;
use std::path::Path;

pub use aliases::aliases;
pub use job::{Bundle, Job, Kind, Naming, Output};

use crate::error::{SourceError, guarded};
use crate::licenses::Licenses;
use shared::Shared;

/// Bundles the scripts of a site.
///
/// # Errors
/// A file is not valid, or imports what is not there.
pub fn bundle(job: &Job) -> Result<Bundle, Vec<SourceError>> {
    let made = guarded("the bundler", "assets", || Ok(run(job)));
    made.unwrap_or_else(|error| Err(vec![error]))
}

fn run(job: &Job) -> Result<Bundle, Vec<SourceError>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(job.threads.max(1))
        .build()
        .map_err(|error| vec![SourceError::new(format!("the bundler cannot start: {error}"))])?;
    let shared = Shared::new(job);
    let mut drafts = Vec::new();
    let mut warnings = Vec::new();
    if !job.entries.is_empty() {
        let made = runtime.block_on(job::generate(job, &shared, &job.entries, job::Role::Page))?;
        drafts.extend(made.drafts);
        warnings.extend(made.warnings);
    }
    // A worker may start workers of its own.
    let mut done = BTreeSet::new();
    while let Some((file, name)) = shared.next_worker(&done) {
        let entry = [(name, file.clone())];
        let made = runtime.block_on(job::generate(job, &shared, &entry, job::Role::Worker))?;
        drafts.extend(made.drafts);
        warnings.extend(made.warnings);
        done.insert(file);
    }
    let sheets = styles::sheets(job, &shared, &mut drafts).map_err(|error| vec![error])?;
    if job.licenses == Licenses::Extern {
        licenses::gather(job, &mut drafts);
    }
    let outputs = naming::name(job, drafts, sheets);
    let (inputs, files, led) = shared.finish();
    Ok(Bundle {
        outputs,
        inputs,
        files,
        led,
        warnings: warnings
            .into_iter()
            .filter(|warning| is_own(warning, &job.root))
            .collect(),
    })
}

/// What is odd in a package is for its makers to mend.
fn is_own(warning: &SourceError, root: &Path) -> bool {
    let file = warning.file.as_deref().unwrap_or("");
    !file.contains("node_modules/") && root.join(file).exists()
}
