//! Streams of keys: recorded ones, read from where they are kept, and generated ones.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// A stream of keys.
pub struct Trace {
    pub name: String,
    pub keys: Vec<u64>,
    /// How many are different.
    pub footprint: usize,
}

impl Trace {
    fn new(name: &str, keys: Vec<u64>) -> Self {
        let footprint = keys.iter().collect::<HashSet<_>>().len();
        Self {
            name: name.to_owned(),
            keys,
            footprint,
        }
    }
}

/// A generator of numbers that look random (xorshift64*, Marsaglia 2003, Vigna 2016).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Ranks from nought, the lower the likelier.
pub struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    pub fn new(keys: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        Self { sums }
    }

    pub fn next(&self, random: &mut Random) -> u64 {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let wanted = random.unit() * total;
        self.sums.partition_point(|sum| *sum < wanted) as u64
    }
}

/// The generated traces; `part` of their usual length.
pub fn generated(part: f64) -> Vec<Trace> {
    let count = |usual: usize| (usual as f64 * part) as usize;
    let mut traces = Vec::new();
    for exponent in [0.7, 0.9, 1.1] {
        let (zipf, mut random) = (Zipf::new(count(100_000), exponent), Random(7));
        let keys = (0..count(1_000_000)).map(|_| zipf.next(&mut random)).collect();
        traces.push(Trace::new(&format!("zipf {exponent}"), keys));
    }
    let (zipf, mut random) = (Zipf::new(count(50_000), 0.9), Random(11));
    let mut keys = Vec::new();
    let mut scanned = 1 << 40;
    while keys.len() < count(1_000_000) {
        keys.extend((0..count(40_000)).map(|_| zipf.next(&mut random)));
        keys.extend(scanned..scanned + count(10_000) as u64);
        scanned += count(10_000) as u64;
    }
    traces.push(Trace::new("scans", keys));
    let looped = count(20_000) as u64;
    traces.push(Trace::new(
        "loop",
        (0..count(500_000) as u64).map(|place| place % looped).collect(),
    ));
    let (zipf, mut random) = (Zipf::new(count(20_000), 0.9), Random(13));
    let keys = (0..count(800_000) as u64).map(|place| {
        if place % 2 == 0 {
            zipf.next(&mut random)
        } else {
            1 << 40 | place / 2 % looped
        }
    });
    traces.push(Trace::new("loop + zipf", keys.collect()));
    traces
}

/// The recorded traces of a folder; a message for each that is not there.
pub fn recorded(folder: &Path) -> Vec<Trace> {
    let mut traces = Vec::new();
    let mut add = |name: &str, file: &str, read: &dyn Fn(&Path) -> Option<Vec<u64>>| {
        let path = folder.join(file);
        match read(&path).filter(|keys| !keys.is_empty()) {
            Some(keys) => traces.push(Trace::new(name, keys)),
            None => eprintln!("{name}: skipped, {file} cannot be read"),
        }
    };
    add("OLTP", "OLTP.lis.zst", &read_ranges);
    add("web07", "web07.trace.xz", &read_numbers);
    add("web12", "web12.trace.xz", &read_numbers);
    add("orm-night", "orm-night.trace.xz", &read_numbers);
    add("orm-busy", "orm-busy.trace.xz", &read_numbers);
    traces
}

/// Lines of `first count …`: as many keys from the first on.
fn read_ranges(path: &Path) -> Option<Vec<u64>> {
    let file = std::fs::File::open(path).ok()?;
    let reader = BufReader::new(zstd::Decoder::new(file).ok()?);
    let mut keys = Vec::new();
    for line in reader.lines().map_while(Result::ok) {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        if let (Some(first), Some(count)) = (numbers.next(), numbers.next()) {
            keys.extend(first..first + count);
        }
    }
    Some(keys)
}

/// Big-endian numbers of four bytes.
fn read_numbers(path: &Path) -> Option<Vec<u64>> {
    let file = std::fs::File::open(path).ok()?;
    let mut unpacked = Command::new("xz")
        .arg("-dc")
        .stdin(file)
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut bytes = Vec::new();
    unpacked.stdout.take()?.read_to_end(&mut bytes).ok()?;
    unpacked.wait().ok()?;
    let numbers = bytes
        .chunks_exact(4)
        .map(|four| u64::from(u32::from_be_bytes([four[0], four[1], four[2], four[3]])));
    Some(numbers.collect())
}
