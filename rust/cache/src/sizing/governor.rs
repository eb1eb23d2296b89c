//! Decides how much the cache may hold. Nothing is read or written here: readings go in, a limit comes out.

use super::reader::Readings;

/// Per cent of PSI's last ten seconds from which the cache gives memory back.
const PRESSED: f64 = 10.0;
/// Below so many per cent there is no pressure. Between the two the limit stays as it is.
const CALM: f64 = 1.0;
/// Decisions without pressure before the limit grows again, after the first time there was some.
const FIRST_HOLD: u32 = 30;
/// Each time pressure returns it waits twice as long, but no longer than this.
const LONGEST_HOLD: u32 = 3600;

/// What the limit is to be made of. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizingConfig {
    /// Per cent of the control group's limit, or else of the memory that is available, that the cache may take.
    pub share: u8,
    /// A limit that is set, in place of the share; pressure and the cap count all the same.
    pub fixed: Option<u64>,
    /// What the process may have resident, never to be passed. By default nine tenths of the control group's limit.
    pub cap: Option<u64>,
    /// Less than this is not worth caching; only the cap goes below.
    pub floor: u64,
    /// The limit where the machine says nothing.
    pub fallback: u64,
}

impl Default for SizingConfig {
    fn default() -> Self {
        Self {
            share: 40,
            fixed: None,
            cap: None,
            floor: 8 << 20,
            fallback: 128 << 20,
        }
    }
}

/// Why a limit is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is as it was.
    Keep,
    /// There is room, or the share is larger.
    Grow,
    /// The share is smaller, or others took the room.
    Shrink,
    /// Tasks wait for memory.
    Relieve,
    /// The process would pass its cap.
    Cap,
}

/// Follows the machine with a limit: it shrinks soon and in steps, grows late and in smaller ones, and keeps still for
/// small differences, so that its own effect on the readings does not make it swing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Governor {
    config: SizingConfig,
    limit: Option<u64>,
    /// Where pressure ended the last growth.
    ceiling: u64,
    hold: u32,
    calm: u32,
}

impl Governor {
    /// Makes one that has decided nothing yet.
    pub const fn new(config: SizingConfig) -> Self {
        Self {
            config,
            limit: None,
            ceiling: u64::MAX,
            hold: 0,
            calm: 0,
        }
    }

    /// The limit that stands, in bytes; none before the first decision.
    pub const fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Decides anew. `held` is what the cache holds now, in bytes: it is a part of what the readings call used.
    pub fn decide(&mut self, held: u64, readings: &Readings) -> (u64, Decision) {
        let wanted = self.wanted(held, readings);
        let current = self.limit.unwrap_or(wanted);
        let pressed = self.feel(current, readings.pressure);
        let bound = self.bound(held, readings);
        let floor = self.config.floor;
        let target = wanted.min(self.ceiling).min(bound.unwrap_or(u64::MAX)).max(floor);
        // An entry may take more than the cache counts for it, so that the target moves against the limit, and by more
        // than the limit does. Half of the way at a time ends where the two meet.
        let half_way = current.midpoint(target);
        let (next, why) = if target < current - current / 16 {
            let (aim, why) = if pressed {
                (target, Decision::Relieve)
            } else {
                (half_way, Decision::Shrink)
            };
            (aim.max(current - current / 4), why)
        } else if target > current.saturating_add(current / 8) {
            (
                half_way.min(current.saturating_add(current / 8)).max(floor),
                Decision::Grow,
            )
        } else {
            (current, Decision::Keep)
        };
        // The cap is no matter of steps or of being worth it.
        let (next, why) = match bound {
            Some(bound) if bound < next => (bound, Decision::Cap),
            _ => (next, why),
        };
        self.limit = Some(next);
        (next, if next == current { Decision::Keep } else { why })
    }

    /// Whether the next decision should come soon: memory is short, or the process is close to its cap.
    pub fn is_urgent(&self, readings: &Readings) -> bool {
        let close = self
            .cap(readings)
            .zip(readings.resident)
            .is_some_and(|(cap, resident)| resident > cap - cap / 8);
        close || readings.pressure.is_some_and(|pressure| pressure >= CALM)
    }

    /// What the cache would take if there were neither pressure nor a cap.
    fn wanted(&self, held: u64, readings: &Readings) -> u64 {
        // What is available does not count what the cache holds, which is the cache's to give.
        let free = readings.available.map(|available| available.saturating_add(held));
        let left = readings
            .limit
            .zip(readings.used)
            .map(|(limit, used)| limit.saturating_sub(used).saturating_add(held));
        let share = |bytes: u64| bytes / 100 * u64::from(self.config.share.clamp(1, 95));
        let wanted = self.config.fixed.or_else(|| readings.limit.or(free).map(share));
        let room = free.into_iter().chain(left).min().unwrap_or(u64::MAX);
        wanted.unwrap_or(self.config.fallback).min(room - room / 10)
    }

    fn cap(&self, readings: &Readings) -> Option<u64> {
        self.config
            .cap
            .or_else(|| readings.limit.map(|limit| limit - limit / 10))
    }

    /// What the cache may hold so that the process stays a sixteenth below its cap, by what is resident and not by what
    /// the cache believes to hold. Only half of what is left may be taken until the next decision, so that the cap holds
    /// also where an entry takes up to twice what the cache counts for it.
    fn bound(&self, held: u64, readings: &Readings) -> Option<u64> {
        let (cap, resident) = self.cap(readings).zip(readings.resident)?;
        let aim = cap - cap / 16;
        let half = aim.saturating_sub(resident) / 2;
        Some(held.saturating_add(half).saturating_sub(resident.saturating_sub(aim)))
    }

    /// Takes note of the pressure, and returns whether there is some.
    fn feel(&mut self, current: u64, pressure: Option<f64>) -> bool {
        let pressure = pressure.unwrap_or(0.0);
        if pressure >= PRESSED {
            // Ten seconds of pressure are one event, however often they are looked at.
            if self.calm > 0 || self.hold == 0 {
                self.hold = (self.hold * 2).clamp(FIRST_HOLD, LONGEST_HOLD);
            }
            self.calm = 0;
            self.ceiling = current - current / 8;
            return true;
        }
        if pressure >= CALM {
            self.ceiling = self.ceiling.min(current);
            return false;
        }
        self.calm = self.calm.saturating_add(1);
        if self.calm >= self.hold {
            self.ceiling = u64::MAX;
        }
        if self.calm >= LONGEST_HOLD {
            self.hold = 0;
        }
        false
    }
}
