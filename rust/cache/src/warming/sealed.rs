//! Files that say what they are and whether they are whole: 8 bytes of magic, version `u32`, what they hold, and the XXH3
//! of all before as `u64`; all little-endian. It finds damage, not forgery.

use xxhash_rust::xxh3::xxh3_64;

use super::error::SnapshotError;

/// Bytes of the checksum.
pub(crate) const SUM: usize = 8;

/// Ends a file.
pub(crate) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(xxh3_64(&bytes).to_le_bytes());
    bytes
}

/// What a file holds, which may be any.
pub(crate) fn unseal<'b>(bytes: &'b [u8], magic: &[u8], version: u32) -> Result<&'b [u8], SnapshotError> {
    let (before, sum) = bytes
        .split_last_chunk::<SUM>()
        .ok_or(SnapshotError::Format("it is cut short"))?;
    let mut rest = before
        .strip_prefix(magic)
        .ok_or(SnapshotError::Format("it does not begin as one"))?;
    if number(&mut rest)? != version {
        return Err(SnapshotError::Format("its version is not known here"));
    }
    // A fuzzer is to come to what lies behind it.
    if !cfg!(fuzzing) && xxh3_64(before) != u64::from_le_bytes(*sum) {
        return Err(SnapshotError::Checksum);
    }
    Ok(rest)
}

/// Takes a number of four bytes off.
pub(crate) fn number(rest: &mut &[u8]) -> Result<u32, SnapshotError> {
    chunk(rest).map(u32::from_le_bytes)
}

/// Takes a number of eight bytes off.
pub(crate) fn word(rest: &mut &[u8]) -> Result<u64, SnapshotError> {
    chunk(rest).map(u64::from_le_bytes)
}

/// Takes a key of so many bytes off.
pub(crate) fn key<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], SnapshotError> {
    let (key, after) = rest
        .split_at_checked(length)
        .ok_or(SnapshotError::Format("a key is cut short"))?;
    *rest = after;
    Ok(key)
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], SnapshotError> {
    let (chunk, after) = rest
        .split_first_chunk::<N>()
        .ok_or(SnapshotError::Format("it is cut short"))?;
    *rest = after;
    Ok(*chunk)
}
