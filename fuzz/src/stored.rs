//! What is read back from a disk, a server, or another process, where anyone may have written it.

use std::io::Write;

use bytes::Bytes;
use hyperweb_cache::tiers::Record;
use hyperweb_cache::{LogLimits, Markov, MarkovConfig, Snapshot, SnapshotLimits};
use hyperweb_pack::Pack;
use hyperweb_router::{Params, Router};

/// Opens bytes as a pack, and reads all of what opens.
pub fn pack(data: &[u8]) {
    let Ok(mut file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if file.write_all(data).is_err() {
        return;
    }
    let Ok(pack) = Pack::open(file.path()) else { return };
    for entry in pack.iter() {
        let _ = (entry.status(), entry.content_type(), entry.tags().count());
        for variant in entry.variants() {
            let _ = (
                variant.head_and_body().len(),
                variant.etag().len(),
                variant.not_modified_head().len(),
            );
        }
    }
}

/// Takes bytes as a compiled table, and looks a path up in it; the two are on both sides of a zero byte.
pub fn router(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (path, table) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(path) = std::str::from_utf8(path) else { return };
    if let Ok(router) = Router::from_bytes(table.to_vec()) {
        let mut params = Params::new();
        let _ = router.find(path, &mut params);
    }
}

/// Reads a record of a tier: what is one is written as it was.
pub fn record(data: &[u8]) {
    let Ok(record) = Record::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    assert_eq!(Record::decode(Bytes::from(record.encode())).as_ref(), Ok(&record));
    let _ = (record.key().len(), record.value().len(), record.tags().count());
}

/// Reads a snapshot of hot keys, a model, and a log.
pub fn warming(data: &[u8]) {
    let limits = SnapshotLimits::default();
    if let Ok(snapshot) = Snapshot::decode(data, limits) {
        assert!(
            Snapshot::decode(&snapshot.encode(), limits).is_ok(),
            "what was read cannot be read again"
        );
    }
    let config = MarkovConfig {
        rows: 64,
        names: 64,
        ..MarkovConfig::default()
    };
    if let Ok(model) = Markov::decode(data, config) {
        model.feed(b"/", b"/a");
        let sum: f64 = model.predict(b"/", 0.0, 10).iter().map(|one| one.probability).sum();
        assert!(sum <= 1.0 + 1e-9, "{sum}");
        assert!(Markov::decode(&model.encode(), config).is_ok());
    }
    let _ = hyperweb_cache::read_log(data, LogLimits::default());
}
