//! Reading of logs, and the pace of warming.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use hyperweb_cache::{LogLimits, WarmupConfig, warm};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyModule;
use pyo3::wrap_pyfunction;

/// What was asked for: the host where the line names it, the path, and how often.
type Page = (Option<String>, String, u64);

/// Reads an access log or a list of URLs: what was asked for, lines read, lines that were none.
#[pyfunction]
fn read_log(py: Python<'_>, path: PathBuf) -> PyResult<(Vec<Page>, u64, u64)> {
    let found = py.detach(|| hyperweb_cache::read_log(BufReader::new(File::open(path)?), LogLimits::default()))?;
    let pages = found.pages.into_iter();
    Ok((
        pages
            .map(|(page, count)| (page.host.map(String::from), page.target.into_string(), count))
            .collect(),
        found.lines,
        found.bad,
    ))
}

/// Calls `fetch` with each number below `count` in turn, at most `rate` times a second and slower the higher `load`
/// returns, from 0 to 1. Returns how many it said were fetched, were not, and were left.
#[pyfunction]
fn warm_up(py: Python<'_>, count: usize, rate: f64, load: Py<PyAny>, fetch: Py<PyAny>) -> PyResult<(u64, u64, u64)> {
    let stop = AtomicBool::new(false);
    let failure: Mutex<Option<PyErr>> = Mutex::new(None);
    let fail = |error: PyErr| {
        failure.lock().get_or_insert(error);
        stop.store(true, Ordering::Relaxed);
    };
    let busy = || {
        Python::attach(|py| {
            let asked = py.check_signals().and_then(|()| load.call0(py)?.extract(py));
            asked.unwrap_or_else(|error| {
                fail(error);
                1.0
            })
        })
    };
    let get = |number: usize| {
        Python::attach(|py| {
            let asked = fetch.call1(py, (number,)).and_then(|found| found.is_truthy(py));
            asked.unwrap_or_else(|error| {
                fail(error);
                false
            })
        })
    };
    let config = WarmupConfig {
        rate,
        ..WarmupConfig::default()
    };
    let report = py.detach(|| warm(0..count, config, busy, get, &stop));
    failure
        .into_inner()
        .map_or(Ok((report.fetched, report.failed, report.left)), Err)
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_log, module)?)?;
    module.add_function(wrap_pyfunction!(warm_up, module)?)
}
