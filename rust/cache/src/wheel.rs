//! When entries are over: a hierarchical timer wheel (Varghese and Lauck, SOSP 1987).
//!
//! It files handles and owns nothing: who is told that a time has come looks whether the entry of the handle is over. A
//! handle whose entry went earlier, or was replaced, is found out then, or when the wheel is made anew because most of
//! what it holds is of that kind.

use crate::pile::Pile;

/// Milliseconds of the finest tick, as a power of two.
const TICK_BITS: u32 = 8;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// The last level's slots are of 49 days: it reaches over eight years, and what is later comes round again.
const LEVELS: usize = 5;

#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Pile>,
    /// By level: which slots have something.
    occupied: [u64; LEVELS],
    /// The tick up to which all that is due has been taken out; none before the first time is told.
    tick: Option<u64>,
    len: usize,
    /// What was due when there was no time for it.
    overdue: Vec<Pile>,
}

impl Wheel {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            occupied: [0; LEVELS],
            tick: None,
            len: 0,
            overdue: Vec::new(),
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to do before `now`.
    #[inline]
    pub(crate) fn is_at(&self, now: u64) -> bool {
        self.overdue.is_empty() && self.tick.is_none_or(|tick| tick >= now >> TICK_BITS)
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.occupied = [0; LEVELS];
        self.overdue.clear();
        self.len = 0;
    }

    /// Files a handle under a time; `u64::MAX` is never.
    pub(crate) fn add(&mut self, handle: u32, at: u64, now: u64) {
        if at == u64::MAX {
            return;
        }
        let current = *self.tick.get_or_insert(now >> TICK_BITS);
        if self.slots.is_empty() {
            self.slots.resize_with(LEVELS * SLOTS, Pile::default);
        }
        let (level, slot) = place(at, current);
        self.slots[level * SLOTS + slot].push(handle);
        self.occupied[level] |= 1 << slot;
        self.len += 1;
    }

    /// Turns the wheel to `now`, handing over every handle whose time may have come. `when` is told a handle and
    /// says when it is due after all, or none where it is done with. Returns whether `now` was reached with `budget`
    /// handles or fewer.
    pub(crate) fn turn(&mut self, now: u64, mut budget: usize, mut when: impl FnMut(u32) -> Option<u64>) -> bool {
        let target = now >> TICK_BITS;
        let Some(mut current) = self.tick else {
            return true;
        };
        while let Some(late) = self.overdue.pop() {
            if !self.settle(late, now, &mut budget, &mut when) {
                return false;
            }
        }
        while current < target {
            if budget == 0 {
                return false;
            }
            if self.len == 0 {
                current = target;
                break;
            }
            // As far as the next slot that has something, or the next turn of a level that has.
            let here = current & (SLOTS as u64 - 1);
            let ahead = self.occupied[0] >> here;
            let step = if ahead > 1 {
                u64::from((ahead >> 1).trailing_zeros()) + 1
            } else {
                SLOTS as u64 - here
            };
            let next = (current + step).min(target);
            current = next;
            self.tick = Some(current);
            for level in (0..LEVELS).rev() {
                let bits = SLOT_BITS * u32::try_from(level).unwrap_or(0);
                if current & ((1 << bits) - 1) != 0 {
                    continue;
                }
                #[expect(clippy::cast_possible_truncation, reason = "six bits")]
                let slot = (current >> bits) as usize & (SLOTS - 1);
                if self.occupied[level] & 1 << slot == 0 {
                    continue;
                }
                self.occupied[level] &= !(1 << slot);
                let due = std::mem::take(&mut self.slots[level * SLOTS + slot]);
                self.settle(due, now, &mut budget, &mut when);
            }
        }
        self.tick = Some(current);
        self.overdue.is_empty()
    }

    /// Hands over what is due; what there is no budget for is overdue then, and the answer is false.
    fn settle(
        &mut self,
        mut due: Pile,
        now: u64,
        budget: &mut usize,
        when: &mut impl FnMut(u32) -> Option<u64>,
    ) -> bool {
        while *budget > 0 {
            let Some(handle) = due.pop() else {
                return true;
            };
            *budget -= 1;
            self.len -= 1;
            if let Some(at) = when(handle) {
                self.add(handle, at, now);
            }
        }
        if due.is_empty() {
            return true;
        }
        self.overdue.push(due);
        false
    }
}

/// The level and slot of a time, seen from a tick: a tick after the time, so that it is over when it is met.
fn place(at: u64, current: u64) -> (usize, usize) {
    let due = ((at >> TICK_BITS) + 1).max(current + 1);
    let reach = 1 << (SLOT_BITS * 5);
    let due = due.min(current + reach - (1 << (SLOT_BITS * 4)));
    let highest = (current ^ due).ilog2() / SLOT_BITS;
    let level = (highest as usize).min(LEVELS - 1);
    let bits = SLOT_BITS * u32::try_from(level).unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "six bits")]
    let slot = (due >> bits) as usize & (SLOTS - 1);
    (level, slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_handle_comes_once_within_a_tick_of_its_time(
            start in 0u64..1 << 41,
            times in proptest::collection::vec((0u32..36).prop_flat_map(|bits| 0u64..1 << bits), 1..50),
            steps in proptest::collection::vec((0u32..34).prop_flat_map(|bits| 0u64..1 << bits), 1..50),
        ) {
            let mut wheel = Wheel::new();
            let at: Vec<u64> = times.iter().map(|time| start + time).collect();
            for (handle, at) in (0u32..).zip(&at) {
                wheel.add(handle, *at, start);
            }
            let mut came = vec![false; at.len()];
            let mut now = start;
            for step in steps {
                now += step;
                let mut early = Vec::new();
                wheel.turn(now, usize::MAX, |handle| {
                    let at = at[handle as usize];
                    if at > now {
                        return Some(at);
                    }
                    early.push(handle);
                    None
                });
                for handle in early {
                    prop_assert!(!std::mem::replace(&mut came[handle as usize], true));
                }
                for (came, at) in came.iter().zip(&at) {
                    prop_assert!(*came || at + (2 << TICK_BITS) > now, "{at} is late at {now}");
                }
            }
            prop_assert_eq!(wheel.len(), came.iter().filter(|came| !**came).count());
        }
    }
}
