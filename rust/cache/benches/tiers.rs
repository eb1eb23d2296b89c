//! Reads of the tier in shared memory by two processes, beside LMDB without anything around it and Redis on localhost,
//! all in one run.
//!
//!     cargo bench -p hyperweb-cache --bench tiers -- [--smoke] [--out FILE]
//!
//! It runs itself again as the two processes that read. Each side reads the same keys in the same order; the sides take
//! turns, so that a slow moment of the machine meets all of them.

#[path = "../tests/support/raw_unsafe.rs"]
#[allow(dead_code, reason = "a test uses the rest")]
mod raw_unsafe;

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyperweb_cache::tiers::{
    LmdbConfig, LmdbTier, Origin, Purge, PurgeOrder, Record, Stamp, Tags, Tier, Times, wall_clock,
};
use raw_unsafe::Raw;
use xxhash_rust::xxh3::xxh3_64;

type Failure = Box<dyn std::error::Error>;

const MAP: usize = 512 << 20;
const READERS: usize = 2;

/// Who answers.
const SIDES: [&str; 6] = ["raw", "raw-copied", "raw-begun", "tier", "tier-purged", "redis"];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "read") {
        return read(&arguments);
    }
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let out = arguments
        .iter()
        .position(|argument| argument == "--out")
        .and_then(|at| arguments.get(at + 1));
    let report = compare(smoke)?;
    println!("{report}");
    if let Some(path) = out {
        std::fs::write(path, report)?;
    }
    Ok(())
}

/// What is compared.
#[derive(Clone, Copy)]
struct Load {
    size: usize,
    keys: usize,
}

impl Load {
    fn key(index: usize) -> Vec<u8> {
        format!("https://example.com/articles/{index}").into_bytes()
    }

    fn value(self, index: usize) -> Bytes {
        (0..self.size)
            .map(|at| (at * 31 + index * 17).to_le_bytes()[0])
            .collect()
    }
}

fn compare(smoke: bool) -> Result<String, Failure> {
    let loads = [100, 1_000, 10_000, 50_000].map(|size| Load {
        size,
        keys: (100_000_000 / (size + 400)).min(20_000) / if smoke { 50 } else { 1 },
    });
    let (turns, duration) = if smoke {
        (1, Duration::from_millis(50))
    } else {
        (5, Duration::from_millis(250))
    };
    let server = Server::start()?;
    let mut table = String::new();
    for load in loads {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        fill(folder.path(), load, &server)?;
        let mut rates: Vec<Vec<Rate>> = vec![Vec::new(); SIDES.len()];
        for _ in 0..turns {
            for (side, rates) in SIDES.iter().zip(&mut rates) {
                rates.push(measure(side, folder.path(), &server, load, duration)?);
            }
        }
        row(&mut table, load, &rates)?;
    }
    Ok(format!(
        "# The tier in shared memory, beside LMDB and Redis ({})\n\n{}\n\n\
         {READERS} processes read at once, {turns} turns of {} ms for each side. Thousand reads per second of both \
         together (median of the turns); ratios are medians of the turns' own, those to LMDB by CPU time of the readers, that \
         to Redis by the clock.\n\n\
         | value, bytes | keys | LMDB, value looked at in place | LMDB, value copied out | LMDB, begun and copied | tier | \
         tier, all tags to be looked up | Redis GET | tier ÷ LMDB begun | tier ÷ LMDB copied | tier ÷ LMDB in place | \
         tier, looked up ÷ LMDB copied | tier ÷ Redis |\n\
         |---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n{table}\n\
         The time is the caller's to give, and is read for every sixteenth read.\n\n\
         LMDB: one snapshot and one `get` by the XXH3 of the key for each read, with the flags the tier has, from the \
         unnamed table, which is the quickest to reach, in a transaction that each thread keeps and renews; \"begun\" is \
         with one that begins and ends for each read, its place in the table of readers being the thread's. The \
         tier gives a value of its own after it looked at checksum, key, times and purges (the records have two tags); \
         \"looked up\" is after 1,000 other tags were purged, which makes every read look up both tags. Redis: the \
         blocking client of the `redis` crate over TCP on 127.0.0.1, one connection for each process, one `GET` at a \
         time; the server shares the cores with its clients.\n",
        date(),
        machine(),
        duration.as_millis(),
    ))
}

fn row(table: &mut String, load: Load, rates: &[Vec<Rate>]) -> Result<(), Failure> {
    let [raw, copied, begun, tier, purged, redis] = rates else {
        return Err("a side is missing".into());
    };
    let ratio = |one: &[Rate], other: &[Rate], of: fn(&Rate) -> f64| {
        median(one.iter().zip(other).map(|(one, other)| of(one) / of(other)).collect())
    };
    write!(table, "| {} | {} ", load.size, load.keys)?;
    for rates in rates {
        write!(
            table,
            "| {:.0} ",
            median(rates.iter().map(Rate::wall).collect()) / 1000.0
        )?;
    }
    writeln!(
        table,
        "| {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
        ratio(tier, begun, Rate::cpu),
        ratio(tier, copied, Rate::cpu),
        ratio(tier, raw, Rate::cpu),
        ratio(purged, copied, Rate::cpu),
        ratio(tier, redis, Rate::wall),
    )?;
    Ok(())
}

/// Fills all sides with the same values.
fn fill(folder: &Path, load: Load, server: &Server) -> Result<(), Failure> {
    for side in ["tier", "tier-purged"] {
        let tier = open_tier(&folder.join(side));
        let mut stamp = Stamp::default();
        stamp.set(tier.slot(), tier.generation());
        let now = wall_clock();
        let times = Times {
            fresh_until: now + 3_600_000,
            dead_at: now + 3_600_000,
        };
        let records: Vec<_> = (0..load.keys)
            .map(|index| {
                let tags = Tags::new([format!("article:{index}").as_str(), "articles"]);
                Record::new(Load::key(index).into(), load.value(index), tags, times, stamp)
            })
            .collect();
        tier.write(&records, now, &mut |_| ());
        if side == "tier-purged" {
            let orders: Vec<_> = (0..1000)
                .map(|number| PurgeOrder {
                    purge: Some(Purge::tag(&format!("other:{number}"))),
                    origin: Origin::Here,
                })
                .collect();
            tier.purge(&orders)?;
        }
        if tier.stats().entries != load.keys as u64 {
            return Err(format!("the tier does not hold all: {:?}", tier.stats()).into());
        }
    }
    let entries = (0..load.keys).map(|index| (Load::key(index), load.value(index)));
    open_raw(&folder.join("raw"))?.put(entries.clone().map(|(key, value)| (xxh3_64(&key), value)))?;
    let mut batch = redis::pipe();
    for (key, value) in entries {
        batch.cmd("SET").arg(key).arg(&value[..]).ignore();
    }
    batch.query::<()>(&mut server.connection()?)?;
    Ok(())
}

fn open_tier(folder: &Path) -> LmdbTier {
    LmdbTier::new(LmdbConfig::shared(folder, MAP as u64))
}

fn open_raw(folder: &Path) -> Result<Raw, Failure> {
    std::fs::create_dir_all(folder)?;
    Ok(Raw::open(folder, MAP)?)
}

/// Reads per second of both processes together.
fn measure(side: &str, folder: &Path, server: &Server, load: Load, duration: Duration) -> Result<Rate, Failure> {
    let begin = wall_clock() + 100;
    let readers: Vec<Child> = (0..READERS)
        .map(|number| {
            Command::new(std::env::current_exe()?)
                .args(["read", side])
                .arg(folder)
                .arg(server.url())
                .args([load.size, load.keys, number].map(|number| number.to_string()))
                .args([u128::from(begin), duration.as_millis()].map(|number| number.to_string()))
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect::<Result<_, _>>()?;
    let mut rate = Rate { wall: 0.0, cpu: 0.0 };
    for reader in readers {
        let output = reader.wait_with_output()?;
        let printed = String::from_utf8(output.stdout)?;
        let (wall, cpu) = printed.trim().split_once(' ').ok_or("a reader failed")?;
        rate.wall += wall.parse::<f64>()?;
        rate.cpu += cpu.parse::<f64>()?;
    }
    Ok(rate)
}

/// One of the processes that read.
fn read(arguments: &[String]) -> Result<(), Failure> {
    let [_, _, side, folder, url, numbers @ ..] = arguments else {
        return Err("too few arguments".into());
    };
    let numbers = numbers
        .iter()
        .map(|number| number.parse::<u64>())
        .collect::<Result<Vec<_>, _>>()?;
    let &[size, keys, seed, begin, duration] = numbers.as_slice() else {
        return Err("too few numbers".into());
    };
    let keys: Vec<_> = (0..usize::try_from(keys)?).map(Load::key).collect();
    let folder = Path::new(folder);
    let pace = Pace {
        keys: &keys,
        seed: seed + 1,
        begin,
        duration: Duration::from_millis(duration),
    };
    let size = usize::try_from(size)?;
    let rate = match side.as_str() {
        "raw-begun" => {
            let raw = open_raw(&folder.join("raw"))?;
            pace.run(|key| {
                let length = raw.get(xxh3_64(key), |found| black_box(Bytes::copy_from_slice(found)).len());
                Ok(length?.ok_or("a miss")?)
            })
        }
        "raw" | "raw-copied" => {
            let raw = open_raw(&folder.join("raw"))?;
            let mut reader = raw.reader()?;
            let copied = side == "raw-copied";
            pace.run(|key| {
                let length = reader.get(xxh3_64(key), |found| {
                    if copied {
                        return black_box(Bytes::copy_from_slice(found)).len();
                    }
                    black_box(found).len()
                });
                Ok(length?.ok_or("a miss")?)
            })
        }
        "tier" | "tier-purged" => {
            let tier = open_tier(&folder.join(side));
            let (mut now, mut reads) = (wall_clock(), 0_u32);
            pace.run(|key| {
                reads = reads.wrapping_add(1);
                if reads.is_multiple_of(16) {
                    now = wall_clock();
                }
                let found = tier.get(key, now).ok_or("a miss")?;
                Ok(black_box(found.into_value()).len())
            })
        }
        _ => {
            let mut connection = redis::Client::open(url.as_str())?.get_connection()?;
            pace.run(|key| Ok(redis::cmd("GET").arg(key).query::<Vec<u8>>(&mut connection)?.len()))
        }
    };
    let (rate, length) = rate?;
    if length != size {
        return Err(format!("a value has {length} bytes").into());
    }
    println!("{} {}", rate.wall, rate.cpu);
    Ok(())
}

struct Pace<'a> {
    keys: &'a [Vec<u8>],
    seed: u64,
    begin: u64,
    duration: Duration,
}

impl Pace<'_> {
    /// Reads for as long as it is to, and returns reads per second and the length of the last value.
    fn run(&self, mut read: impl FnMut(&[u8]) -> Result<usize, Failure>) -> Result<(Rate, usize), Failure> {
        for key in self.keys {
            read(key)?;
        }
        while wall_clock() < self.begin {
            std::hint::spin_loop();
        }
        let (began, cpu) = (Instant::now(), cpu_time()?);
        let (mut state, mut count, mut length) = (self.seed, 0_u32, 0);
        while began.elapsed() < self.duration {
            for _ in 0..64 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let index = usize::try_from(state % self.keys.len() as u64)?;
                length = read(&self.keys[index])?;
            }
            count += 64;
        }
        let rate = Rate {
            wall: f64::from(count) / began.elapsed().as_secs_f64(),
            cpu: f64::from(count) / cpu_time()?.saturating_sub(cpu).as_secs_f64(),
        };
        Ok((rate, length))
    }
}

/// A Redis of one's own; it ends when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Result<Self, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("needs redis-server ({error}); install it with tools/need.sh redis-server"))?;
        let server = Self { process, port };
        let until = Instant::now() + Duration::from_secs(10);
        while server.connection().is_err() {
            if Instant::now() > until {
                return Err("Redis does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn url(&self) -> PathBuf {
        format!("redis://127.0.0.1:{}/", self.port).into()
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}/", self.port))?.get_connection()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads per second.
#[derive(Clone, Copy)]
struct Rate {
    /// Of the clock.
    wall: f64,
    /// That the processes which read were running, which a busy machine does not change.
    cpu: f64,
}

impl Rate {
    const fn wall(&self) -> f64 {
        self.wall
    }

    const fn cpu(&self) -> f64 {
        self.cpu
    }
}

/// How long this thread was running, by the scheduler's account.
fn cpu_time() -> Result<Duration, Failure> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("no time")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let redis = Command::new("redis-server")
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.split("v=").nth(1)?.split(' ').next().map(str::to_owned))
        .unwrap_or_default();
    format!(
        "{model}, {cores} cores. LMDB {}.{}.{}, Redis {redis}.",
        lmdb_master_sys::MDB_VERSION_MAJOR,
        lmdb_master_sys::MDB_VERSION_MINOR,
        lmdb_master_sys::MDB_VERSION_PATCH,
    )
}

/// Today, by the civil calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn date() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{date:02}", year + era * 400 + next)
}
