//! The tables of an environment, and its state.
//!
//! All tables are in the one tree that LMDB finds without looking up a name, which every read would otherwise do first.
//! The highest bits of a key say which table it is of.

use super::trouble::Trouble;
use super::txn_unsafe::{Txn, WriteTxn};

/// The layout of an environment; one of another layout is made anew.
const FORMAT: u64 = 1;
const STATE: u64 = 0;
const LEASE: u64 = 1;
/// Bits of a key that are the table's own.
const KEY_BITS: u32 = 61;
const KEYS: u64 = (1 << KEY_BITS) - 1;

/// One table: numbers and bytes.
#[derive(Clone, Copy)]
pub(super) struct Table(u64);

impl Table {
    const fn key(self, key: u64) -> u64 {
        self.0 << KEY_BITS | (key & KEYS)
    }

    pub(super) fn get<'txn>(self, txn: &'txn Txn<'_>, key: u64) -> Result<Option<&'txn [u8]>, Trouble> {
        txn.get(self.key(key))
    }

    pub(super) fn put(self, txn: &mut WriteTxn<'_>, key: u64, bytes: &[u8]) -> Result<(), Trouble> {
        txn.put(self.key(key), bytes)
    }

    pub(super) fn delete(self, txn: &mut WriteTxn<'_>, key: u64) -> Result<bool, Trouble> {
        txn.delete(self.key(key))
    }

    /// Removes all up to a key.
    pub(super) fn delete_upto(self, txn: &mut WriteTxn<'_>, key: u64) -> Result<(), Trouble> {
        while let Some((first, _)) = self.first(txn)?.filter(|(first, _)| *first <= key) {
            self.delete(txn, first)?;
        }
        Ok(())
    }

    pub(super) fn first<'txn>(self, txn: &'txn Txn<'_>) -> Result<Option<(u64, &'txn [u8])>, Trouble> {
        self.after(txn, None)?.next().transpose()
    }

    /// All that come after a key, in their order.
    pub(super) fn after<'txn>(
        self,
        txn: &'txn Txn<'_>,
        key: Option<u64>,
    ) -> Result<impl Iterator<Item = Result<(u64, &'txn [u8]), Trouble>>, Trouble> {
        let from = key.map_or(self.key(0), |key| self.key(key) + 1);
        let entries = txn.from(from)?;
        Ok(entries
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key >> KEY_BITS == self.0))
            .map(|entry| entry.map(|(key, bytes)| (key & KEYS, bytes))))
    }
}

/// The tables.
#[derive(Clone, Copy)]
pub(super) struct Tables {
    /// [`record_key`] → place in the order (8 bytes), record.
    pub(super) records: Table,
    /// Place in the order → key of the record and bytes it counts for.
    pub(super) order: Table,
    /// Number of a purge → what was purged.
    pub(super) log: Table,
    /// Numbers that purges made here got in a tier that machines share, until they are heard from it.
    pub(super) sent: Table,
    /// The state, and who sweeps.
    meta: Table,
}

/// The key that a record is kept under, by the hash of its own.
pub(super) const fn record_key(hash: u64) -> u64 {
    hash & KEYS
}

impl Tables {
    pub(super) const fn new() -> Self {
        Self {
            records: Table(0),
            order: Table(1),
            log: Table(2),
            sent: Table(3),
            meta: Table(4),
        }
    }

    /// The state; the environment is damaged where it is of another layout.
    pub(super) fn state(&self, txn: &Txn<'_>) -> Result<State, Trouble> {
        self.meta
            .get(txn, STATE)?
            .and_then(State::decode)
            .ok_or_else(|| Trouble::Damaged("it is of another layout".into()))
    }

    /// Whether there is no state yet: the environment is new.
    pub(super) fn is_new(&self, txn: &Txn<'_>) -> Result<bool, Trouble> {
        Ok(self.meta.get(txn, STATE)?.is_none())
    }

    pub(super) fn save(&self, txn: &mut WriteTxn<'_>, state: &State) -> Result<(), Trouble> {
        self.meta.put(txn, STATE, &state.encode())
    }

    /// Who sweeps, and until when (milliseconds since 1970) that is believed; and when the last one ended.
    pub(super) fn lease(&self, txn: &Txn<'_>) -> Result<(u64, u64, u64), Trouble> {
        let numbers = self.meta.get(txn, LEASE)?.map(numbers::<3>).unwrap_or_default();
        Ok((numbers[0], numbers[1], numbers[2]))
    }

    pub(super) fn set_lease(&self, txn: &mut WriteTxn<'_>, lease: (u64, u64, u64)) -> Result<(), Trouble> {
        self.meta.put(txn, LEASE, &bytes([lease.0, lease.1, lease.2]))
    }
}

/// What all processes must agree on. It changes in the transaction that changes what it tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The number of the last purge. It begins at the time in microseconds, so that an environment made anew never
    /// gives out a number again.
    pub(super) sequence: u64,
    /// Purges up to this one are not in the log any more; a record from before is not taken in.
    pub(super) trimmed: u64,
    /// Records from before are dead.
    pub(super) floor: u64,
    /// Everything up to this purge has been looked for and removed.
    pub(super) swept: u64,
    /// Bytes that the records count for.
    pub(super) bytes: u64,
    /// Records.
    pub(super) entries: u64,
    /// The next place in the order.
    pub(super) next: u64,
    /// The last purge heard from a tier that machines share.
    pub(super) heard: u64,
    /// Purges in the log.
    pub(super) purges: u64,
}

impl State {
    fn encode(self) -> Vec<u8> {
        bytes([
            FORMAT,
            self.sequence,
            self.trimmed,
            self.floor,
            self.swept,
            self.bytes,
            self.entries,
            self.next,
            self.heard,
            self.purges,
        ])
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let [
            format,
            sequence,
            trimmed,
            floor,
            swept,
            bytes,
            entries,
            next,
            heard,
            purges,
        ] = numbers(bytes);
        (format == FORMAT).then_some(Self {
            sequence,
            trimmed,
            floor,
            swept,
            bytes,
            entries,
            next,
            heard,
            purges,
        })
    }
}

/// Where a record is in the order, and what it counts for.
pub(super) fn order_entry(hash: u64, bytes_counted: u64) -> Vec<u8> {
    bytes([hash, bytes_counted])
}

pub(super) fn read_order_entry(entry: &[u8]) -> (u64, u64) {
    let [hash, bytes_counted] = numbers(entry);
    (hash, bytes_counted)
}

/// A stored record without its place in the order.
pub(super) fn split_place(stored: &[u8]) -> (u64, &[u8]) {
    stored
        .split_first_chunk()
        .map_or((0, &[]), |(place, record)| (u64::from_ne_bytes(*place), record))
}

fn bytes<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn numbers<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut numbers = [0; N];
    for (number, chunk) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        if let Ok(chunk) = chunk.try_into() {
            *number = u64::from_ne_bytes(chunk);
        }
    }
    numbers
}
