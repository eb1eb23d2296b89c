//! The comments of scripts that state a licence, for a file beside.

use super::job::{Draft, Job};
use crate::licenses::comments;

/// Gives each script the licences of what it is made of, each once.
pub(super) fn gather(job: &Job, drafts: &mut [Draft]) {
    for draft in drafts {
        let mut found: Vec<String> = Vec::new();
        for (file, _) in &draft.modules {
            let Ok(source) = std::fs::read_to_string(job.root.join(file)) else {
                continue;
            };
            for comment in comments(&source, file) {
                if !found.contains(&comment) {
                    found.push(comment);
                }
            }
        }
        draft.licenses = (!found.is_empty()).then(|| found.join("\n\n") + "\n");
    }
}
