//! Opens any bytes as a pack, and reads all of what opens.
#![no_main]

use std::io::Write;

use hyperweb_pack::Pack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return };
    if file.write_all(data).is_err() {
        return;
    }
    if let Ok(pack) = Pack::open(file.path()) {
        for entry in pack.iter() {
            let _ = (entry.status(), entry.content_type(), entry.tags().count());
            for variant in entry.variants() {
                let _ = (variant.head_and_body().len(), variant.etag().len(), variant.not_modified_head().len());
            }
        }
    }
});
