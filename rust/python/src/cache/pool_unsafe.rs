//! Buffers that are taken again and again, as Python sees them: by the buffer protocol (PEP 3118).

use std::ffi::c_int;
use std::ptr;

use hyperweb_cache::{Buffer, Pool, PoolConfig};
use parking_lot::Mutex;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

/// What nobody asks for in one piece.
const LARGEST: usize = 1 << 40;

/// A pool of buffers.
#[pyclass(frozen, module = "hyperweb._core")]
struct BufferPool {
    pool: Pool,
}

#[pymethods]
impl BufferPool {
    #[new]
    #[pyo3(signature = (classes, *, thread_bytes, reserve_bytes))]
    fn new(classes: Vec<usize>, thread_bytes: usize, reserve_bytes: usize) -> PyResult<Self> {
        if classes.iter().any(|size| *size == 0 || *size > LARGEST) {
            return Err(PyValueError::new_err("a size class is a number of bytes above nought"));
        }
        Ok(Self {
            pool: Pool::new(PoolConfig {
                classes,
                thread_bytes,
                reserve_bytes,
            }),
        })
    }

    fn take(&self, size: usize) -> PyResult<PooledBuffer> {
        if size > LARGEST {
            return Err(PyValueError::new_err("no buffer is as large as that"));
        }
        Ok(PooledBuffer {
            size,
            held: Mutex::new(Held {
                buffer: Some(self.pool.take(size)),
                views: 0,
                start: ptr::null_mut(),
            }),
        })
    }

    fn allocate(&self, py: Python<'_>, size: usize, count: usize) -> usize {
        py.detach(|| self.pool.allocate(size, count))
    }

    fn stats(&self) -> (u64, u64, u64, u64, u64) {
        let stats = self.pool.stats();
        (stats.hits, stats.misses, stats.oversized, stats.freed, stats.held)
    }
}

struct Held {
    buffer: Option<Buffer>,
    /// Views that Python has of it.
    views: usize,
    /// Where its bytes are, as long as there are views.
    start: *mut u8,
}

// SAFETY: the pointer is into the buffer, which may be used by any thread; what is done with the bytes behind it is
// Python's matter, as with a bytearray.
unsafe impl Send for Held {}

/// A buffer of a pool, which goes back there when it is released or forgotten.
#[pyclass(frozen, module = "hyperweb._core")]
struct PooledBuffer {
    size: usize,
    held: Mutex<Held>,
}

#[pymethods]
impl PooledBuffer {
    fn __len__(&self) -> usize {
        self.size
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, _raised: &Bound<'_, PyAny>) -> PyResult<()> {
        self.release()
    }

    fn release(&self) -> PyResult<()> {
        let mut held = self.held.lock();
        if held.views > 0 {
            return Err(PyBufferError::new_err(format!(
                "{} views of the buffer are in use: release them first",
                held.views
            )));
        }
        let buffer = held.buffer.take();
        drop(held);
        drop(buffer);
        Ok(())
    }

    /// # Safety
    /// Called by Python alone, with a view to fill.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let this = slf.get();
        let mut held = this.held.lock();
        let held = &mut *held;
        let Some(buffer) = &mut held.buffer else {
            return Err(PyBufferError::new_err("the buffer was released"));
        };
        if held.views == 0 {
            // With views it stays where it is and is not touched from here.
            held.start = buffer.spare_mut().as_mut_ptr();
        }
        let length = ffi::Py_ssize_t::try_from(this.size).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: `size` bytes and more are there from `start` on: the pool gave room for so many, all of them written
        // once. They stay there while there are views, since only `release` and the end of this object take the buffer,
        // and a view holds on to the object. The view is Python's to fill.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), held.start.cast(), length, 0, flags) };
        if filled != 0 {
            return Err(PyErr::fetch(slf.py()));
        }
        held.views += 1;
        Ok(())
    }

    /// # Safety
    /// Called by Python alone, once for each view that was filled.
    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {
        let mut held = self.held.lock();
        held.views = held.views.saturating_sub(1);
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BufferPool>()?;
    module.add_class::<PooledBuffer>()
}
