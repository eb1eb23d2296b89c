//! The Python module `hyperweb._core`: bindings, and no logic of its own.

#![deny(unsafe_code)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "what Python hands over is made for the call"
)]

mod assets;
mod build;
mod bundle;
mod cache;
mod check;
mod documents;
mod edge;
mod errors;
mod pack;
mod responses;
mod router;
mod sources;

use pyo3::prelude::*;

// A request that a worker answers makes and drops some forty things, the buffers of two connections among them; the C
// library's allocator took a tenth of the edge's time for it. Python keeps its own.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    assets::register(module)?;
    build::register(module)?;
    bundle::register(module)?;
    cache::register(module)?;
    check::register(module)?;
    documents::register(module)?;
    edge::register(module)?;
    pack::register(module)?;
    responses::register(module)?;
    router::register(module)?;
    sources::register(module)
}
