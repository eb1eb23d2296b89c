//! The model on disk.
//!
//! Little-endian: 8 bytes of magic, version `u32`, the seed of its hashes `u64`, the number of rows `u32` and of names
//! `u32`; each row as its eight words `u64`; each name as its key's number `u64`, its length `u32` and its bytes; last the
//! XXH3 of all before as `u64`. Of a key that was never foretold there is its number alone.

use std::path::Path;

use super::row::WORDS;
use super::{Markov, MarkovConfig};
use crate::warming::{SnapshotError, key, number, read_bounded, seal, unseal, word, write_aside};

const MAGIC: &[u8; 8] = b"hwmarkov";
const VERSION: u32 = 1;
/// Bytes of a name besides its key.
const NAME_HEAD: usize = 12;

impl Markov {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let rows: Vec<_> = self.table.words().collect();
        let names: Vec<_> = self.names.all().collect();
        let size = rows.len() * WORDS * 8 + names.iter().map(|(_, key)| NAME_HEAD + key.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(size + 64);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.seed.to_le_bytes());
        bytes.extend(count(rows.len()));
        bytes.extend(count(names.len()));
        for word in rows.iter().flatten() {
            bytes.extend(word.to_le_bytes());
        }
        for (id, key) in &names {
            bytes.extend(id.to_le_bytes());
            bytes.extend(count(key.len()));
            bytes.extend(&**key);
        }
        seal(bytes)
    }

    /// Reads the bytes of a file, which may be any. What there is no room for is left out.
    pub fn decode(bytes: &[u8], config: MarkovConfig) -> Result<Self, SnapshotError> {
        let mut rest = unseal(bytes, MAGIC, VERSION)?;
        let model = Self::seeded(config, word(&mut rest)?);
        let (rows, names) = (number(&mut rest)?, number(&mut rest)?);
        for _ in 0..rows {
            let mut words = [0; WORDS];
            for place in &mut words {
                *place = word(&mut rest)?;
            }
            model.table.restore(words);
        }
        for _ in 0..names {
            let (id, length) = (word(&mut rest)?, number(&mut rest)? as usize);
            let key = key(&mut rest, length)?;
            // A number that is not the key's would foretell another.
            if key.len() <= config.key_bytes && model.id(key) == id {
                model.names.keep(id, key);
            }
        }
        if !rest.is_empty() {
            return Err(SnapshotError::Format("something follows its last key"));
        }
        Ok(model)
    }

    /// Writes it in place of the one before.
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        write_aside(path, &self.encode())
    }

    /// Reads a file.
    pub fn load(path: &Path, config: MarkovConfig) -> Result<Self, SnapshotError> {
        // As many as there is room for, and as long as they may be.
        let most = config.rows.next_power_of_two() * WORDS * 8
            + config.names.next_power_of_two() * (NAME_HEAD + config.key_bytes)
            + 4096;
        let bytes = read_bounded(path, most)?;
        if bytes.len() > most {
            return Err(SnapshotError::TooLarge);
        }
        Self::decode(&bytes, config)
    }
}
