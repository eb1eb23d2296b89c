//! Removing what is dead: a slice of the records at a time, by one process of all that have the environment open.

use super::super::record::RecordView;
use super::layout::split_place;
use super::trouble::Trouble;
use super::write::{Writer, times_left};

/// Records looked at in one slice.
const SLICE: usize = 512;
/// How long a process is believed to be sweeping after its last slice, in milliseconds.
const LEASE: u64 = 2_000;

/// Where this process is in its sweep.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// What this process is called in the lease.
    name: u64,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// The last purge when it began.
    sequence: u64,
    /// The hash that was looked at last.
    after: Option<u64>,
}

impl Sweep {
    pub(super) fn new() -> Self {
        let unique = std::process::id();
        Self {
            name: u64::from(unique) << 32 | (super::super::wall_clock() & 0xffff_ffff),
            running: None,
        }
    }

    /// Looks at a slice, and returns whether there is more to look at. A sweep begins when something was purged since
    /// the last, or that is long ago.
    pub(super) fn slice(&mut self, writer: &Writer<'_>) -> Result<bool, Trouble> {
        let (dead, last) = {
            let store = writer.store;
            let txn = store.env.read()?;
            let state = store.catch_up(&txn, writer.view)?;
            let (owner, until, ended) = store.tables.lease(&txn)?;
            if owner != self.name && writer.now < until {
                self.running = None;
                return Ok(false);
            }
            if self.running.is_none() {
                let every = u64::try_from(writer.config.sweep_every.as_millis()).unwrap_or(u64::MAX);
                let pause = if state.swept < state.sequence {
                    every
                } else {
                    every.saturating_mul(12)
                };
                if writer.now < ended.saturating_add(pause) || state.entries == 0 && state.swept == state.sequence {
                    return Ok(false);
                }
                self.running = Some(Running {
                    sequence: state.sequence,
                    after: None,
                });
            }
            let after = self.running.as_ref().and_then(|running| running.after);
            let mut dead = Vec::new();
            let mut last = None;
            for (seen, entry) in store.tables.records.after(&txn, after)?.enumerate() {
                if seen == SLICE {
                    break;
                }
                let (hash, stored) = entry?;
                let (place, record) = split_place(stored);
                let is_dead = RecordView::unchecked(record).map_or(true, |view| {
                    times_left(writer.view, writer.config.slot, &view, writer.now)
                        .is_none_or(|times| times.dead_at <= writer.now)
                });
                if is_dead {
                    dead.push((hash, place));
                }
                last = (seen + 1 == SLICE).then_some(hash);
            }
            (dead, last)
        };
        self.remove(writer, &dead, last)
    }

    fn remove(&mut self, writer: &Writer<'_>, dead: &[(u64, u64)], last: Option<u64>) -> Result<bool, Trouble> {
        let Some(running) = &mut self.running else {
            return Ok(false);
        };
        running.after = last;
        let sequence = running.sequence;
        let store = writer.store;
        let mut txn = store.env.write()?;
        let mut state = store.catch_up(&txn, writer.view)?;
        for (hash, place) in dead {
            writer.remove(&mut txn, &mut state, *hash, Some(*place))?;
        }
        if last.is_none() {
            state.swept = state.swept.max(sequence);
            self.running = None;
            store.tables.set_lease(&mut txn, (0, 0, writer.now))?;
        } else {
            store
                .tables
                .set_lease(&mut txn, (self.name, writer.now.saturating_add(LEASE), 0))?;
        }
        store.tables.save(&mut txn, &state)?;
        txn.commit()?;
        Ok(last.is_some())
    }
}
