//! Keys: what Python calls them, as bytes.
//!
//! A `str` is its UTF-8, so that looking one up copies nothing. All else begins with a byte that no UTF-8 has, and a
//! letter for its type: `1`, `True`, `1.0` and `"1"` are four keys.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString, PyTuple};

const NO_TEXT: u8 = 0xff;
/// How deep tuples may lie in each other.
const DEEPEST: usize = 16;

/// Calls `call` with the bytes of a key.
#[inline]
pub(super) fn with_key<T>(key: &Bound<'_, PyAny>, call: impl FnOnce(&[u8]) -> T) -> PyResult<T> {
    if let Ok(text) = key.cast::<PyString>() {
        return Ok(call(text.to_str()?.as_bytes()));
    }
    let mut bytes = Vec::with_capacity(64);
    encode(key, &mut bytes, DEEPEST)?;
    Ok(call(&bytes))
}

fn encode(key: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> PyResult<()> {
    if let Ok(text) = key.cast::<PyString>() {
        out.extend_from_slice(text.to_str()?.as_bytes());
        return Ok(());
    }
    out.push(NO_TEXT);
    if let Ok(bytes) = key.cast::<PyBytes>() {
        out.push(b'b');
        out.extend_from_slice(bytes.as_bytes());
    } else if key.is_none() {
        out.push(b'n');
    } else if let Ok(truth) = key.cast::<PyBool>() {
        out.push(if truth.is_true() { b't' } else { b'f' });
    } else if key.cast::<PyInt>().is_ok() {
        out.push(b'i');
        out.extend_from_slice(key.str()?.to_str()?.as_bytes());
    } else if let Ok(number) = key.cast::<PyFloat>() {
        out.push(b'd');
        out.extend_from_slice(&number.value().to_le_bytes());
    } else if let Ok(tuple) = key.cast::<PyTuple>()
        && depth > 0
    {
        out.push(b'u');
        for part in tuple.iter() {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            encode(&part, out, depth - 1)?;
            let length = u32::try_from(out.len() - at - 4).map_err(|_| PyTypeError::new_err("this key is too long"))?;
            if let Some(place) = out.get_mut(at..at + 4) {
                place.copy_from_slice(&length.to_le_bytes());
            }
        }
    } else {
        let name = key.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "a key is a str, bytes, int, float, bool, None or a tuple of these, and not {name}"
        )));
    }
    Ok(())
}

/// Makes the key that some bytes stand for.
pub(super) fn decode<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let broken = || PyTypeError::new_err("these bytes are no key");
    let (kind, rest) = match bytes {
        [NO_TEXT, kind, rest @ ..] => (kind, rest),
        text => {
            let text = std::str::from_utf8(text).map_err(|_| broken())?;
            return Ok(PyString::new(py, text).into_any());
        }
    };
    Ok(match kind {
        b'b' => PyBytes::new(py, rest).into_any(),
        b'n' => py.None().into_bound(py),
        b't' | b'f' => PyBool::new(py, *kind == b't').to_owned().into_any(),
        b'i' => py
            .get_type::<PyInt>()
            .call1((std::str::from_utf8(rest).map_err(|_| broken())?,))?,
        b'd' => PyFloat::new(py, f64::from_le_bytes(rest.try_into().map_err(|_| broken())?)).into_any(),
        b'u' => {
            let mut parts = Vec::new();
            let mut rest = rest;
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                let (part, after) = after.split_at_checked(length).ok_or_else(broken)?;
                parts.push(decode(py, part)?);
                rest = after;
            }
            PyTuple::new(py, parts)?.into_any()
        }
        _ => return Err(broken()),
    })
}
