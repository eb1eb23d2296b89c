//! What the fuzzer found once stays as it should be.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use hyperweb_fuzz::TARGETS;

#[test]
fn every_target_passes_its_corpus() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut count = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            target(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
        target(b"");
    }
}
