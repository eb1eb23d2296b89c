//! The tables of an environment, and its state.
//!
//! All tables are in the one tree that LMDB finds without looking up a name, which every read would otherwise do first.
//! The highest bits of a key say which table it is of.

use std::ops::Bound;

use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, Env, IntegerComparator, RoTxn, RwTxn, WithoutTls};

/// The layout of an environment; one of another layout is made anew.
const FORMAT: u64 = 1;
const STATE: u64 = 0;
const LEASE: u64 = 1;
/// Bits of a key that are the table's own.
const KEY_BITS: u32 = 61;
const KEYS: u64 = (1 << KEY_BITS) - 1;

type Tree = Database<'static, U64<heed::byteorder::NativeEndian>, Bytes, IntegerComparator>;

/// One table: numbers and bytes.
#[derive(Clone, Copy)]
pub(super) struct Table {
    tree: Tree,
    number: u64,
}

impl Table {
    fn key(self, key: u64) -> u64 {
        self.number << KEY_BITS | (key & KEYS)
    }

    pub(super) fn get<'txn>(self, txn: &'txn RoTxn<'_>, key: u64) -> heed::Result<Option<&'txn [u8]>> {
        self.tree.get(txn, &self.key(key))
    }

    pub(super) fn put(self, txn: &mut RwTxn<'_>, key: u64, bytes: &[u8]) -> heed::Result<()> {
        self.tree.put(txn, &self.key(key), bytes)
    }

    pub(super) fn delete(self, txn: &mut RwTxn<'_>, key: u64) -> heed::Result<bool> {
        self.tree.delete(txn, &self.key(key))
    }

    /// Removes all up to a key.
    pub(super) fn delete_upto(self, txn: &mut RwTxn<'_>, key: u64) -> heed::Result<usize> {
        self.tree.delete_range(txn, &(self.key(0)..=self.key(key)))
    }

    pub(super) fn first<'txn>(self, txn: &'txn RoTxn<'_>) -> heed::Result<Option<(u64, &'txn [u8])>> {
        self.after(txn, None)?.next().transpose()
    }

    /// All that come after a key, in their order.
    pub(super) fn after<'txn>(
        self,
        txn: &'txn RoTxn<'_>,
        key: Option<u64>,
    ) -> heed::Result<impl Iterator<Item = heed::Result<(u64, &'txn [u8])>>> {
        let from = key.map_or(Bound::Included(self.key(0)), |key| Bound::Excluded(self.key(key)));
        let entries = self.tree.range(txn, &(from, Bound::Included(self.key(KEYS))))?;
        Ok(entries.map(|entry| entry.map(|(key, bytes)| (key & KEYS, bytes))))
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
    pub(super) fn create(env: &Env<WithoutTls>) -> heed::Result<Self> {
        let txn = env.write_txn()?;
        let tree = env.create_databases_and_commit(txn, |opener, txn| {
            let tree = opener
                .database_options()
                .types::<U64<heed::byteorder::NativeEndian>, Bytes>()
                .key_comparator::<IntegerComparator>()
                .create(txn)?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tree))
        })?;
        // The closure above says nothing but commit.
        let tree = tree.commit().ok_or(heed::Error::Mdb(heed::MdbError::BadTxn))?;
        let table = |number| Table { tree, number };
        Ok(Self {
            records: table(0),
            order: table(1),
            log: table(2),
            sent: table(3),
            meta: table(4),
        })
    }

    /// The state; an error of kind `Invalid` where it is of another layout.
    pub(super) fn state(&self, txn: &RoTxn<'_>) -> heed::Result<State> {
        self.meta
            .get(txn, STATE)?
            .and_then(State::decode)
            .ok_or(heed::Error::Mdb(heed::MdbError::Invalid))
    }

    /// Whether there is no state yet: the environment is new.
    pub(super) fn is_new(&self, txn: &RoTxn<'_>) -> heed::Result<bool> {
        Ok(self.meta.get(txn, STATE)?.is_none())
    }

    pub(super) fn save(&self, txn: &mut RwTxn<'_>, state: &State) -> heed::Result<()> {
        self.meta.put(txn, STATE, &state.encode())
    }

    /// Who sweeps, and until when (milliseconds since 1970) that is believed; and when the last one ended.
    pub(super) fn lease(&self, txn: &RoTxn<'_>) -> heed::Result<(u64, u64, u64)> {
        let numbers = self.meta.get(txn, LEASE)?.map(numbers::<3>).unwrap_or_default();
        Ok((numbers[0], numbers[1], numbers[2]))
    }

    pub(super) fn set_lease(&self, txn: &mut RwTxn<'_>, lease: (u64, u64, u64)) -> heed::Result<()> {
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
