//! The cache as Python sees it.

mod flights;
mod key;
mod memory;
mod tiers;
mod warming;

use pyo3::prelude::*;
use pyo3::types::PyModule;

pub(crate) use memory::Fill;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    memory::register(module)?;
    flights::register(module)?;
    tiers::register(module)?;
    warming::register(module)
}
