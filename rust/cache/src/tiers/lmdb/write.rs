//! Writing records, and what goes for them: the oldest first, with a second chance for what is read (CLOCK, in the order
//! of insertion).

use super::super::key_hash;
use super::super::ledger::Verdict;
use super::super::record::{Record, RecordView, Slot, Times};
use super::config::LmdbConfig;
use super::lately::Lately;
use super::layout::{State, order_entry, read_order_entry, record_key, split_place};
use super::store::{Store, View};
use super::trouble::Trouble;
use super::txn_unsafe::WriteTxn;

/// Second chances in one batch: what is read by all must not keep the writer from finding room.
const CHANCES: usize = 32;
/// Reads since it was last considered that give a record its second chance.
const HOT: u64 = 2;

/// What a batch did, to be counted when it is committed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) written: u64,
    pub(super) refused: u64,
    pub(super) outrun: u64,
    pub(super) evicted: u64,
    /// Those evicted that may still be used elsewhere.
    pub(super) demoted: Vec<Record>,
}

pub(super) struct Writer<'a> {
    pub(super) store: &'a Store,
    pub(super) view: &'a View,
    pub(super) config: &'a LmdbConfig,
    pub(super) lately: &'a Lately,
    pub(super) now: u64,
}

impl Writer<'_> {
    /// Writes a batch in one transaction.
    pub(super) fn write(&self, records: &[Record]) -> Result<Outcome, Trouble> {
        let mut outcome = Outcome::default();
        let mut txn = self.store.env.write()?;
        let mut state = self.store.catch_up(&txn, self.view)?;
        let mut stored = Vec::new();
        for record in records {
            self.put(&mut txn, &mut state, record, &mut stored, &mut outcome)?;
        }
        self.store.tables.save(&mut txn, &state)?;
        txn.commit()?;
        Ok(outcome)
    }

    /// Makes room for at least so many bytes, in a transaction of its own.
    pub(super) fn make_room(&self, bytes: u64) -> Result<Outcome, Trouble> {
        let mut outcome = Outcome::default();
        let mut txn = self.store.env.write()?;
        let mut state = self.store.catch_up(&txn, self.view)?;
        let target = state.bytes.saturating_sub(bytes);
        self.evict(&mut txn, &mut state, target, 0, &mut outcome)?;
        self.store.tables.save(&mut txn, &state)?;
        txn.commit()?;
        Ok(outcome)
    }

    fn put(
        &self,
        txn: &mut WriteTxn<'_>,
        state: &mut State,
        record: &Record,
        stored: &mut Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let footprint = self.store.footprint(record.encoded_len() + 8);
        let limit = self.config.soft_limit();
        if footprint > limit / self.config.largest_part.max(1) {
            outcome.refused += 1;
            return Ok(());
        }
        let made_at = record.stamp.get(self.config.slot);
        if made_at < state.trimmed || self.view.ledger.is_purged(made_at, record.key(), record.tags()) {
            outcome.outrun += 1;
            return Ok(());
        }
        let hash = record_key(key_hash(record.key()));
        self.remove(txn, state, hash, None)?;
        let target = limit.saturating_sub(footprint);
        self.evict(txn, state, target, CHANCES, outcome)?;
        let mut times = record.times;
        if let Some(ttl) = self.config.ttl {
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            times.dead_at = times.dead_at.min(self.now.saturating_add(ttl));
        }
        stored.clear();
        stored.extend_from_slice(&state.next.to_ne_bytes());
        let mut record = record.clone();
        record.times = times;
        record.encode_into(stored);
        self.place(txn, state, hash, footprint, stored)?;
        outcome.written += 1;
        Ok(())
    }

    /// Puts what is stored, with the next place in the order as its first bytes.
    fn place(
        &self,
        txn: &mut WriteTxn<'_>,
        state: &mut State,
        hash: u64,
        footprint: u64,
        stored: &[u8],
    ) -> Result<(), Trouble> {
        let tables = &self.store.tables;
        tables.records.put(txn, hash, stored)?;
        tables.order.put(txn, state.next, &order_entry(hash, footprint))?;
        state.next += 1;
        state.bytes += footprint;
        state.entries += 1;
        Ok(())
    }

    /// Removes a record, where a place is given only the one in that place. Returns whether there was one.
    pub(super) fn remove(
        &self,
        txn: &mut WriteTxn<'_>,
        state: &mut State,
        hash: u64,
        place: Option<u64>,
    ) -> Result<bool, Trouble> {
        let tables = &self.store.tables;
        let Some(found) = tables.records.get(txn, hash)?.map(|stored| split_place(stored).0) else {
            return Ok(false);
        };
        if place.is_some_and(|place| place != found) {
            return Ok(false);
        }
        let counted = tables
            .order
            .get(txn, found)?
            .map_or(0, |entry| read_order_entry(entry).1);
        tables.order.delete(txn, found)?;
        tables.records.delete(txn, hash)?;
        state.bytes = state.bytes.saturating_sub(counted);
        state.entries = state.entries.saturating_sub(1);
        Ok(true)
    }

    /// Removes the oldest until no more than `target` bytes are counted.
    fn evict(
        &self,
        txn: &mut WriteTxn<'_>,
        state: &mut State,
        target: u64,
        mut chances: usize,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let tables = &self.store.tables;
        while state.bytes > target {
            let Some((place, (hash, counted))) = tables
                .order
                .first(txn)?
                .map(|(place, entry)| (place, read_order_entry(entry)))
            else {
                // Nothing is left, whatever the count says.
                (state.bytes, state.entries) = (0, 0);
                break;
            };
            let stored = tables
                .records
                .get(txn, hash)?
                .filter(|stored| split_place(stored).0 == place);
            let again = match stored {
                Some(stored) if chances > 0 && self.lately.uses(hash, place) >= HOT && self.is_alive(stored) => {
                    let mut stored = stored.to_vec();
                    stored[..8].copy_from_slice(&state.next.to_ne_bytes());
                    Some(stored)
                }
                Some(stored) => {
                    if self.is_alive(stored) {
                        // A wrong checksum shows when it is decoded; then there is nothing to move down.
                        let view = RecordView::unchecked(split_place(stored).1).ok();
                        let sound = view.filter(|view| view.check().is_ok());
                        outcome.demoted.extend(sound.map(RecordView::to_record));
                    }
                    None
                }
                None => {
                    tables.order.delete(txn, place)?;
                    continue;
                }
            };
            self.remove(txn, state, hash, Some(place))?;
            if let Some(stored) = again {
                chances -= 1;
                self.place(txn, state, hash, counted, &stored)?;
            } else {
                outcome.evicted += 1;
            }
        }
        Ok(())
    }

    fn is_alive(&self, stored: &[u8]) -> bool {
        RecordView::unchecked(split_place(stored).1).is_ok_and(|view| {
            times_left(self.view, self.config.slot, &view, self.now).is_some_and(|times| times.dead_at > self.now)
        })
    }
}

/// The times of a record after all purges; none where one hides it.
pub(super) fn times_left(view: &View, slot: Slot, record: &RecordView<'_>, now: u64) -> Option<Times> {
    let made_at = record.stamp().get(slot);
    match view.ledger.verdict(made_at, record.key(), || record.tags()) {
        Verdict::Untouched => Some(record.times()),
        // The clock of who purged may be ahead of ours.
        Verdict::Stale(at) => Some(record.times().softened(at.min(now))),
        Verdict::Dead => None,
    }
}
