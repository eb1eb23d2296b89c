//! What prefetching by the Markov model adds to the hit ratio, and what it costs in bytes.
//!
//! An S3-FIFO cache by bytes is driven with and without it, and with the hottest keys fetched instead of the likeliest, as
//! many at a time. Sequences: made-up navigation (the chains of pages are drawn at random, so that the best that can be
//! reached is known), and a trace of real requests that `HYPERWEB_TRACES` names the folder of (it says nothing of
//! clients, so all are taken for one).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark's figures"
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::process::Command;
use std::time::Instant;

use hyperweb_cache::{Markov, PrefetchGate};

/// One request: which client asked for which key.
type Request = (u64, u32);

/// A generator of numbers (`SplitMix64`), so that each run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A rank below `count` by a Zipf law of exponent 1, by inversion of its continuous form.
    fn zipf(&mut self, count: usize) -> usize {
        ((count as f64).powf(self.fraction()) as usize - 1).min(count - 1)
    }
}

/// Visits to a site of so many pages with links between them: entry by a Zipf law, then along the links (the first of a
/// page is taken by half, the second by a quarter, and so on), until the visit ends, by a fifth at each page. A hundred
/// visitors at a time take turns.
fn navigation(pages: usize, requests: usize, seed: u64) -> Vec<Request> {
    let mut random = Random(seed);
    let links: Vec<Vec<u32>> = (0..pages)
        .map(|_| (0..8).map(|_| random.zipf(pages) as u32).collect())
        .collect();
    let mut visitors: Vec<(u64, Option<u32>)> = (0..100).map(|client| (client, None)).collect();
    let mut clients = 100;
    (0..requests)
        .map(|_| {
            let which = random.next() as usize % visitors.len();
            let (client, at) = &mut visitors[which];
            let next = match *at {
                Some(page) if random.fraction() >= 0.2 => {
                    let link = (random.next().trailing_zeros() as usize).min(7);
                    links[page as usize][link]
                }
                _ => {
                    *client = clients;
                    clients += 1;
                    random.zipf(pages) as u32
                }
            };
            *at = Some(next);
            (*client, next)
        })
        .collect()
}

/// Big-endian 32-bit keys, packed by xz.
fn trace(name: &str) -> Option<Vec<Request>> {
    let path = std::path::Path::new(&std::env::var_os("HYPERWEB_TRACES")?).join(name);
    let unpacked = Command::new("xz").arg("-dc").arg(path).output().ok()?;
    let (keys, _) = unpacked.stdout.as_chunks::<4>();
    Some(keys.iter().map(|key| (0, u32::from_be_bytes(*key))).collect()).filter(|all: &Vec<_>| !all.is_empty())
}

/// Bytes of a key's value: between 2 and 200 KB, mostly small (Pareto with exponent 1.2), always the same for a key.
fn size(key: u32) -> u64 {
    let fraction = Random(u64::from(key)).fraction();
    (2048.0 / (1.0 - fraction).powf(1.0 / 1.2)).min(200.0 * 1024.0) as u64
}

/// A cache by bytes as S3-FIFO has it (Yang et al., SOSP 2023): a small queue for what is new, a main queue for what was
/// asked for again, and a memory of what left the small one.
struct Fifo {
    limit: u64,
    bytes: u64,
    small_bytes: u64,
    entries: HashMap<u32, Held>,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghosts: VecDeque<u32>,
    ghost: HashSet<u32>,
}

struct Held {
    uses: u8,
    /// It was fetched ahead and not asked for yet.
    ahead: bool,
}

impl Fifo {
    fn new(limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            small_bytes: 0,
            entries: HashMap::new(),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghosts: VecDeque::new(),
            ghost: HashSet::new(),
        }
    }

    /// Whether it is there, and if so whether it was fetched ahead for this.
    fn get(&mut self, key: u32) -> Option<bool> {
        let held = self.entries.get_mut(&key)?;
        if std::mem::take(&mut held.ahead) {
            // Being asked for the first time is what a miss would have been: it is no second use.
            return Some(true);
        }
        held.uses = (held.uses + 1).min(3);
        Some(false)
    }

    fn insert(&mut self, key: u32, ahead: bool) {
        self.entries.insert(key, Held { uses: 0, ahead });
        self.bytes += size(key);
        if self.ghost.remove(&key) {
            self.main.push_back(key);
        } else {
            self.small.push_back(key);
            self.small_bytes += size(key);
        }
        while self.bytes > self.limit {
            if self.small_bytes > self.limit / 10 || self.main.is_empty() {
                let Some(oldest) = self.small.pop_front() else { return };
                self.small_bytes -= size(oldest);
                let held = self.entries.get_mut(&oldest).unwrap();
                if held.uses > 1 {
                    held.uses = 0;
                    self.main.push_back(oldest);
                    continue;
                }
                self.remove(oldest);
                self.ghosts.push_back(oldest);
                self.ghost.insert(oldest);
                while self.ghosts.len() > self.main.len().max(100) {
                    let forgotten = self.ghosts.pop_front().unwrap();
                    self.ghost.remove(&forgotten);
                }
            } else {
                let oldest = self.main.pop_front().unwrap();
                let held = self.entries.get_mut(&oldest).unwrap();
                if held.uses > 0 {
                    held.uses -= 1;
                    self.main.push_back(oldest);
                } else {
                    self.remove(oldest);
                }
            }
        }
    }

    fn remove(&mut self, key: u32) {
        self.entries.remove(&key);
        self.bytes -= size(key);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Nothing,
    /// By the model: what follows with at least this probability, at most two at a time.
    Markov(f64),
    /// By the model and the gate, that this part of what is fetched is used.
    Gated(f64),
    /// The hottest that are not there, so many for each hundred requests.
    Hottest(u64),
}

#[derive(Default)]
struct Result {
    hits: u64,
    requests: u64,
    demanded: u64,
    ahead: u64,
    fetches: u64,
    used: u64,
}

fn run(requests: &[Request], limit: u64, how: How) -> Result {
    let mut cache = Fifo::new(limit);
    let model = Markov::default();
    let gate = match how {
        How::Gated(target) => PrefetchGate::new(target),
        _ => PrefetchGate::new(0.0),
    };
    let mut result = Result::default();
    let mut counts: HashMap<u32, u64> = HashMap::new();
    let mut hottest: Vec<u32> = Vec::new();
    for (number, (client, key)) in requests.iter().enumerate() {
        result.requests += 1;
        if let Some(ahead) = cache.get(*key) {
            result.hits += 1;
            if ahead {
                result.used += size(*key);
                gate.used(size(*key));
            }
        } else {
            result.demanded += size(*key);
            cache.insert(*key, false);
        }
        let mut wanted = Vec::new();
        match how {
            How::Nothing => {}
            How::Markov(_) | How::Gated(_) => {
                let least = if let How::Markov(least) = how {
                    least
                } else {
                    gate.least()
                };
                let bytes = key.to_le_bytes();
                model.observe(*client, &bytes, number as u64);
                let missing = |key: &[u8]| !cache.entries.contains_key(&u32::from_le_bytes(key.try_into().unwrap()));
                let fetch = |one: &hyperweb_cache::Prediction| {
                    wanted.push(u32::from_le_bytes(one.key[..].try_into().unwrap()));
                };
                model.prefetch(&bytes, least, 2, missing, fetch);
            }
            How::Hottest(rate) => {
                *counts.entry(*key).or_default() += 1;
                if number % 100 == 99 {
                    let mut sorted: Vec<_> = counts.iter().map(|(key, count)| (*count, *key)).collect();
                    sorted.sort_unstable_by(|one, other| other.cmp(one));
                    hottest.clear();
                    hottest.extend(sorted.iter().map(|(_, key)| *key));
                    let missing = hottest.iter().filter(|key| !cache.entries.contains_key(key));
                    wanted.extend(missing.take(rate as usize));
                }
            }
        }
        for key in wanted {
            result.ahead += size(key);
            result.fetches += 1;
            gate.fetched(size(key));
            cache.insert(key, true);
        }
    }
    result
}

fn show(name: &str, requests: &[Request]) {
    let mut keys: Vec<u32> = requests.iter().map(|(_, key)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    let footprint: u64 = keys.iter().map(|key| size(*key)).sum();
    println!(
        "\n{name}: {} requests, {} keys, {} MB",
        requests.len(),
        keys.len(),
        footprint >> 20
    );
    println!("cache   how            hit %   added   extra bytes %   of these used %   points per extra %");
    for percent in [1, 5, 10] {
        let limit = footprint * percent / 100;
        let base = run(requests, limit, How::Nothing);
        let ratio = |result: &Result| 100.0 * result.hits as f64 / result.requests as f64;
        println!("{percent:3} %   nothing       {:6.2}", ratio(&base));
        let line = |label: &str, how: How| {
            let found = run(requests, limit, how);
            let added = ratio(&found) - ratio(&base);
            let (all, before) = (found.ahead + found.demanded, base.demanded);
            let extra = 100.0 * (all as f64 - before as f64) / before as f64;
            let used = 100.0 * found.used as f64 / (found.ahead as f64).max(1.0);
            let per = if extra > 0.0 { added / extra } else { f64::NAN };
            println!(
                "        {label:13} {:6.2}  {added:+6.2}   {extra:13.2}   {used:15.1}   {per:18.3}",
                ratio(&found)
            );
            found.fetches
        };
        for target in [0.3, 0.5] {
            let fetches = line(&format!("gated {target}"), How::Gated(target));
            let rate = (fetches * 100).div_ceil(requests.len() as u64);
            line(&format!("hottest {rate}"), How::Hottest(rate));
        }
        for least in [0.1, 0.2, 0.4] {
            let fetches = line(&format!("markov {least}"), How::Markov(least));
            let rate = (fetches * 100).div_ceil(requests.len() as u64);
            line(&format!("hottest {rate}"), How::Hottest(rate));
        }
    }
}

fn main() {
    let requests = navigation(5000, 200_000, 1);
    let model = Markov::default();
    let started = Instant::now();
    for (number, (client, key)) in requests.iter().enumerate() {
        model.observe(*client, &key.to_le_bytes(), number as u64);
    }
    let fed = started.elapsed();
    let started = Instant::now();
    let found: usize = requests
        .iter()
        .map(|(_, key)| model.predict(&key.to_le_bytes(), 0.2, 2).len())
        .sum();
    let asked = started.elapsed();
    let each = |time: std::time::Duration| time.as_nanos() as f64 / requests.len() as f64;
    println!(
        "feeding {:.0} ns, asking {:.0} ns, {found} answers, tables {} KB",
        each(fed),
        each(asked),
        model.table_bytes() >> 10
    );
    show("navigation", &requests);
    match trace("web07.trace.xz") {
        Some(requests) => show("web07", &requests),
        None => println!("\nweb07: left out; set HYPERWEB_TRACES to the folder of the traces (xz is needed)"),
    }
}
