//! How fast to warm: a rate that yields to live traffic.

use std::time::Duration;

/// How warming behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmupConfig {
    /// Fetches a second while nobody else is there.
    pub rate: f64,
    /// The load, between 0 and 1, from which it goes slower.
    pub yields_from: f64,
    /// The load from which it does nothing.
    pub stops_at: f64,
    /// How soon it looks at the load again while it does nothing.
    pub look_again: Duration,
    /// How long it takes at most; what is left then stays cold.
    pub most_time: Duration,
}

impl Default for WarmupConfig {
    fn default() -> Self {
        Self {
            rate: 200.0,
            yields_from: 0.3,
            stops_at: 0.8,
            look_again: Duration::from_millis(250),
            most_time: Duration::from_mins(15),
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Fetch the next.
    Fetch,
    /// Do nothing for so long, and ask again.
    Pause(Duration),
    /// The time is over.
    End,
}

/// Says when the next fetch may be. Time is what has passed since the start; the caller reads the clock.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    config: WarmupConfig,
    /// Fetches that may be made at once: it grows with time, at most to a tenth of a second's.
    credit: f64,
    last: Duration,
    rate: f64,
}

impl Pacer {
    /// Makes one that allows the first fetch at once.
    pub fn new(config: WarmupConfig) -> Self {
        Self {
            config,
            credit: 1.0,
            last: Duration::ZERO,
            rate: config.rate,
        }
    }

    /// Says what to do, after `passed` since the start, under this load: 0 is idle, 1 is as much as can be served. A load
    /// that is no number counts as full.
    pub fn next(&mut self, passed: Duration, load: f64) -> Pace {
        if passed >= self.config.most_time {
            return Pace::End;
        }
        let rate = self.rate_under(load);
        let since = passed.saturating_sub(self.last).as_secs_f64();
        self.last = self.last.max(passed);
        let most = (self.config.rate / 10.0).max(1.0);
        // The time since counts by the slower of the two rates: nothing is saved up under load.
        self.credit = (self.credit + since * rate.min(self.rate)).min(most);
        self.rate = rate;
        if rate <= 0.0 {
            // What was saved up before the load came is not spent on it.
            self.credit = self.credit.min(1.0);
            return Pace::Pause(self.config.look_again);
        }
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            return Pace::Fetch;
        }
        let wait = Duration::try_from_secs_f64((1.0 - self.credit) / rate).unwrap_or(self.config.look_again);
        Pace::Pause(wait.clamp(Duration::from_micros(100), self.config.look_again))
    }

    /// Fetches a second under a load.
    fn rate_under(&self, load: f64) -> f64 {
        let load = if load.is_nan() { 1.0 } else { load };
        if load < self.config.yields_from {
            return self.config.rate;
        }
        let span = self.config.stops_at - self.config.yields_from;
        if load >= self.config.stops_at || span <= 0.0 {
            return 0.0;
        }
        self.config.rate * (self.config.stops_at - load) / span
    }
}
