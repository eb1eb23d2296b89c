//! An open environment.

use std::fs::File;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::ledger::Ledger;
use super::super::purge::Purge;
use super::super::wall_clock;
use super::claim::Claim;
use super::config::LmdbConfig;
use super::env_unsafe::Env;
use super::folder::{Folder, Watch};
use super::layout::{State, Tables};
use super::trouble::Trouble;
use super::txn_unsafe::{Txn, WriteTxn};

pub(super) struct Store {
    pub(super) env: Env,
    pub(super) tables: Tables,
    pub(super) watch: Watch,
    page_size: u64,
    /// Locked, shared, for as long as this is open. It is closed after the environment.
    alive: File,
    /// Given back last.
    claim: Claim,
}

/// An environment that was opened, and what had to be done for it.
pub(super) struct Opened {
    pub(super) store: Store,
    /// What was wrong with the file that was there before, if it was put aside.
    pub(super) replaced: Option<String>,
}

impl Store {
    /// Opens the environment, or makes it anew where what is there cannot be trusted. `discard` says why what is there
    /// is to go in any case.
    pub(super) fn open(config: &LmdbConfig, discard: Option<&str>) -> Result<Opened, Trouble> {
        let folder = Folder::new(&config.folder)?;
        // Before anything is looked at: what this process has open must not be put aside.
        let claim = Claim::new(&config.folder)?;
        let gate = folder.gate()?;
        let (alive, alone) = folder.alive()?;
        let mut wrong = match discard {
            Some(reason) => Some(reason.to_owned()),
            None => folder.check(&alive, alone, config.inspect_pages).err(),
        };
        let too_large = std::fs::metadata(folder.data()).is_ok_and(|found| found.len() > config.map_size() as u64);
        if wrong.is_some() || (alone && too_large) {
            let keep = config.keep_damaged && discard.is_none() && wrong.is_some();
            folder.set_aside(&gate, &alive, keep)?;
        }
        let tables = Tables::new();
        let env = match Self::map(config, &tables) {
            Err(Trouble::Damaged(detail)) => {
                folder.set_aside(&gate, &alive, config.keep_damaged)?;
                wrong = Some(detail);
                Self::map(config, &tables)?
            }
            other => other?,
        };
        alive.lock_shared()?;
        let store = Self {
            page_size: u64::from(env.info()?.page_size),
            watch: folder.watch()?,
            env,
            tables,
            alive,
            claim,
        };
        Ok(Opened { store, replaced: wrong })
    }

    fn map(config: &LmdbConfig, tables: &Tables) -> Result<Env, Trouble> {
        let env = Env::open(&config.folder, config.map_size(), config.max_readers, config.durability)?;
        Self::begin(&env, tables)?;
        Ok(env)
    }

    fn begin(env: &Env, tables: &Tables) -> Result<(), Trouble> {
        let mut txn = env.write()?;
        if tables.is_new(&txn)? {
            let first = wall_clock().saturating_mul(1000).max(1);
            let state = State {
                sequence: first,
                trimmed: first,
                floor: first,
                swept: first,
                next: 1,
                ..State::default()
            };
            tables.save(&mut txn, &state)?;
            txn.commit()?;
        } else {
            tables.state(&txn)?;
        }
        Ok(())
    }

    /// Bytes of the file that a record of a stored length takes, roughly: whole pages for large ones, and for small ones
    /// half as much again, since pages of a tree in no order are about two thirds full.
    pub(super) fn footprint(&self, stored: usize) -> u64 {
        let stored = stored as u64;
        if stored + 34 > self.page_size / 2 {
            (stored + 16).div_ceil(self.page_size) * self.page_size + 96
        } else {
            (stored + 68).div_ceil(2) * 3
        }
    }

    /// Takes in what others purged, as far as a transaction sees it.
    pub(super) fn catch_up(&self, txn: &Txn<'_>, view: &View) -> Result<State, Trouble> {
        let state = self.tables.state(txn)?;
        let ledger = &view.ledger;
        let known = ledger.sequence();
        if state.sequence > known {
            let _one = view.catching_up.lock();
            let known = ledger.sequence();
            let first = known == 0;
            if known < state.trimmed && !first {
                ledger.tell(Purge::All, state.sequence);
            }
            ledger.raise_floor(state.floor);
            for entry in self.tables.log.after(txn, Some(known))? {
                let (sequence, purge) = entry?;
                let purge = Purge::decode(purge);
                if ledger.apply(&purge, sequence) && !first {
                    ledger.tell(purge, sequence);
                }
            }
            ledger.advance(state.sequence);
        }
        if state.trimmed > ledger.trimmed() {
            ledger.trim(state.trimmed);
        }
        Ok(state)
    }

    /// Obeys purges in a transaction: each gets a number, its log entry, and its place in the ledger. The ledger is told
    /// before the transaction ends; should that fail, it hides more than it must.
    pub(super) fn log_purge(
        &self,
        txn: &mut WriteTxn<'_>,
        state: &mut State,
        view: &View,
        purge: &Purge,
        most: u64,
    ) -> Result<(), Trouble> {
        let encoded = purge.encode();
        if let Some(earlier) = view.ledger.mark(purge)
            && self
                .tables
                .log
                .get(txn, earlier)?
                .is_some_and(|logged| Purge::decode(logged).means(purge))
        {
            self.tables.log.delete(txn, earlier)?;
            state.purges = state.purges.saturating_sub(1);
        }
        state.sequence += 1;
        self.tables.log.put(txn, state.sequence, &encoded)?;
        state.purges += 1;
        if matches!(purge, Purge::All) {
            state.floor = state.sequence;
        }
        view.ledger.apply(purge, state.sequence);
        // Purges that were obeyed by removing what they meant can go; past the limit the oldest go in any case, and what
        // is older than they are with them.
        while state.purges > most.max(1) {
            let Some((oldest, logged)) = self.tables.log.first(txn)? else {
                state.purges = 0;
                break;
            };
            // What was made stale is still there.
            if oldest > state.swept || matches!(Purge::decode(logged), Purge::Soft { .. }) {
                state.floor = state.floor.max(oldest);
                view.ledger.raise_floor(oldest);
            }
            state.trimmed = state.trimmed.max(oldest);
            self.tables.log.delete(txn, oldest)?;
            state.purges = state.purges.saturating_sub(1);
        }
        Ok(())
    }

    pub(super) fn note_size(&self) {
        self.watch.note_size(&self.alive);
    }

    /// Waits until nobody reads in it any more, and it is closed.
    pub(super) fn close(store: std::sync::Arc<Self>, patience: Duration) -> bool {
        let claimed = store.claim.identity();
        drop(store);
        Claim::wait(claimed, patience)
    }
}

/// What a process knows of an environment, whether it is open or not.
pub(super) struct View {
    pub(super) ledger: Ledger,
    catching_up: Mutex<()>,
}

impl View {
    pub(super) fn new() -> Self {
        Self {
            ledger: Ledger::new(),
            catching_up: Mutex::new(()),
        }
    }
}
