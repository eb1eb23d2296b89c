//! The cache as Python sees it.

mod flights;
mod key;
mod memory;
#[expect(unsafe_code, reason = "what an object is made of")]
mod object_unsafe;
#[expect(unsafe_code, reason = "the buffer protocol is of pointers")]
mod pool_unsafe;
mod tiers;
mod warming;

use pyo3::prelude::*;
use pyo3::types::PyModule;

pub(crate) use memory::Fill;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    memory::register(module)?;
    flights::register(module)?;
    pool_unsafe::register(module)?;
    tiers::register(module)?;
    warming::register(module)
}
