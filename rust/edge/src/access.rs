//! The access log: a line for each answer, in the forms that other programs read.
//!
//! A thread adds its lines to a buffer of its own, which is of bounded size, and one thread of the log writes them. A line
//! for which there is no room is dropped and counted: a slow disk slows nobody down.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::clock;
use crate::config::{AccessConfig, LogForm};
use crate::error::EdgeError;
use crate::log;
use crate::metrics::Source;

/// Bytes of lines a thread may hold that are not written yet.
const BUFFER: usize = 1 << 20;
/// How often they are written, and how often it is looked whether the file was moved away.
const BEAT: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(1);
/// Bytes of one field that a line has at most.
const LONGEST: usize = 2048;
/// One in all, for the share of requests that are logged.
const WHOLE: u64 = 1 << 32;

/// Who asked for what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    pub(crate) peer: &'a str,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) version: &'a str,
    pub(crate) host: &'a str,
    pub(crate) referer: &'a [u8],
    pub(crate) agent: &'a [u8],
    pub(crate) id: &'a [u8],
    /// The whole `traceparent`.
    pub(crate) trace: &'a [u8],
}

/// What became of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) source: Source,
    pub(crate) status: u16,
    /// Bytes of the body, where they are known.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// What the threads have to say.
#[derive(Debug)]
pub(crate) struct AccessLog {
    form: LogForm,
    share: u64,
    buffers: Box<[Mutex<Buffer>]>,
    dropped: AtomicU64,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    /// What is left of the share of the requests before.
    left: u64,
}

/// The thread that writes.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Arc<AccessLog>,
    thread: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Opens the file, and starts the thread that writes to it.
    pub(crate) fn start(config: &AccessConfig, threads: usize) -> Result<(Arc<Self>, Writer), EdgeError> {
        let mut target = Target::open(&config.path).map_err(|source| {
            EdgeError::Config(format!(
                "the access log {} cannot be written: {source}",
                config.path.display()
            ))
        })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of 2³² is a number from nought to that"
        )]
        let share = (config.sample.clamp(0.0, 1.0) * WHOLE as f64) as u64;
        let log = Arc::new(Self {
            form: config.form,
            share,
            buffers: (0..threads).map(|_| Mutex::default()).collect(),
            dropped: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        });
        let writes = Arc::clone(&log);
        let thread = std::thread::Builder::new()
            .name("edge-log".to_owned())
            .spawn(move || {
                let mut looked = Instant::now();
                loop {
                    let is_over = writes.is_over.load(Ordering::Acquire);
                    writes.write_out(&mut target);
                    if is_over {
                        return;
                    }
                    if looked.elapsed() >= LOOK {
                        looked = Instant::now();
                        target.follow();
                    }
                    std::thread::park_timeout(BEAT);
                }
            })
            .map_err(|source| EdgeError::Io {
                doing: "starting a thread",
                source,
            })?;
        let writer = Writer {
            log: Arc::clone(&log),
            thread: Some(thread),
        };
        Ok((log, writer))
    }

    /// Adds a line; every line of an answer with 5xx, and the chosen share of the others.
    pub(crate) fn add(&self, thread: usize, told: &Told<'_>, outcome: &Outcome) {
        let Some(buffer) = self.buffers.get(thread) else { return };
        let mut buffer = buffer.lock();
        buffer.left += self.share;
        if buffer.left >= WHOLE {
            buffer.left -= WHOLE;
        } else if outcome.status < 500 {
            return;
        }
        if buffer.lines.len() >= BUFFER {
            drop(buffer);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let line = &mut buffer.lines;
        match self.form {
            LogForm::Common => write_common(line, told, outcome),
            LogForm::Combined => {
                write_common(line, told, outcome);
                for field in [told.referer, told.agent] {
                    line.extend_from_slice(b" \"");
                    escape(line, if field.is_empty() { b"-" } else { field });
                    line.push(b'"');
                }
            }
            LogForm::Json => write_json(line, told, outcome),
        }
        line.push(b'\n');
    }

    /// Lines that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn write_out(&self, target: &mut Target) {
        for buffer in &self.buffers {
            let lines = {
                let mut buffer = buffer.lock();
                if buffer.lines.is_empty() {
                    continue;
                }
                let room = Vec::with_capacity(buffer.lines.len().min(BUFFER));
                std::mem::replace(&mut buffer.lines, room)
            };
            if let Err(error) = target.file.write_all(&lines) {
                let count = lines.split(|byte| *byte == b'\n').count() as u64 - 1;
                self.dropped.fetch_add(count, Ordering::Relaxed);
                log::unwritten(&error);
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.log.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has nothing more to write.
            let _ = thread.join();
        }
    }
}

/// Where the lines go.
struct Target {
    /// None where it is standard output.
    path: Option<PathBuf>,
    file: Box<dyn Write + Send>,
    inode: Option<u64>,
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self {
                path: None,
                file: Box::new(io::stdout()),
                inode: None,
            });
        }
        let file = append(path)?;
        Ok(Self {
            path: Some(path.to_owned()),
            inode: Some(file.metadata()?.ino()),
            file: Box::new(file),
        })
    }

    /// Opens the file anew where another stands in its place, or none: it was rotated.
    fn follow(&mut self) {
        let Some(path) = &self.path else { return };
        let now = std::fs::metadata(path).ok().map(|found| found.ino());
        if now == self.inode {
            return;
        }
        match append(path) {
            Ok(file) => {
                self.inode = file.metadata().ok().map(|found| found.ino());
                self.file = Box::new(file);
            }
            Err(error) => log::unwritten(&error),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The Common Log Format of NCSA httpd.
fn write_common(line: &mut Vec<u8>, told: &Told<'_>, outcome: &Outcome) {
    line.extend_from_slice(told.peer.as_bytes());
    line.extend_from_slice(b" - - [");
    clock::with_date(|date| {
        // "Sun, 06 Nov 1994 08:49:37 GMT"
        for (part, end) in [(5..7, b'/'), (8..11, b'/'), (12..16, b':'), (17..25, b' ')] {
            line.extend_from_slice(date.get(part).unwrap_or_default());
            line.push(end);
        }
    });
    line.extend_from_slice(b"+0000] \"");
    escape(line, told.method.as_bytes());
    line.push(b' ');
    escape(line, told.target.as_bytes());
    line.push(b' ');
    line.extend_from_slice(told.version.as_bytes());
    line.extend_from_slice(b"\" ");
    // A vector takes all that is written to it.
    let _ = write!(line, "{} {}", outcome.status, outcome.bytes);
}

fn write_json(line: &mut Vec<u8>, told: &Told<'_>, outcome: &Outcome) {
    let now = SystemTime::now();
    let millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_millis());
    line.extend_from_slice(b"{\"time\":\"");
    clock::with_date(|date| {
        line.extend_from_slice(date.get(12..16).unwrap_or_default());
        let _ = write!(line, "-{:02}-", month(date.get(8..11).unwrap_or_default()));
        line.extend_from_slice(date.get(5..7).unwrap_or_default());
        line.push(b'T');
        line.extend_from_slice(date.get(17..25).unwrap_or_default());
    });
    let _ = write!(line, ".{millis:03}Z\"");
    let trace = told.trace.split(|byte| *byte == b'-').nth(1).unwrap_or_default();
    for (name, value) in [
        ("client", told.peer.as_bytes()),
        ("method", told.method.as_bytes()),
        ("host", told.host.as_bytes()),
        ("target", told.target.as_bytes()),
        ("version", told.version.as_bytes()),
        ("referer", told.referer),
        ("user_agent", told.agent),
        ("request_id", told.id),
        ("trace_id", trace),
    ] {
        if !value.is_empty() {
            let _ = write!(line, ",\"{name}\":\"");
            escape_json(line, value);
            line.push(b'"');
        }
    }
    let micros = outcome.took.as_micros();
    let _ = write!(
        line,
        ",\"status\":{},\"bytes\":{},\"duration_us\":{micros},\"source\":\"{}\"}}",
        outcome.status,
        outcome.bytes,
        outcome.source.name()
    );
}

fn month(name: &[u8]) -> usize {
    let names = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
    ];
    names
        .iter()
        .position(|one| one.as_slice() == name)
        .map_or(0, |at| at + 1)
}

/// What a client sent never ends a field or a line, and does nothing to a terminal.
fn escape(line: &mut Vec<u8>, value: &[u8]) {
    for byte in value.iter().take(LONGEST) {
        match byte {
            b'"' | b'\\' | ..=0x1f | 0x7f.. => {
                let _ = write!(line, "\\x{byte:02x}");
            }
            _ => line.push(*byte),
        }
    }
}

/// As [`escape`], by the rules of JSON (RFC 8259, section 7). What is no UTF-8 is taken for Latin-1, which all is.
fn escape_json(line: &mut Vec<u8>, value: &[u8]) {
    let value = value.get(..LONGEST).unwrap_or(value);
    if let Ok(text) = std::str::from_utf8(value) {
        for letter in text.chars() {
            match letter {
                '"' | '\\' | '\0'..='\x1f' | '\x7f'..='\u{9f}' => {
                    let _ = write!(line, "\\u{:04x}", u32::from(letter));
                }
                _ => line.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        return;
    }
    for byte in value {
        match byte {
            b'"' | b'\\' | ..=0x1f | 0x7f.. => {
                let _ = write!(line, "\\u{byte:04x}");
            }
            _ => line.push(*byte),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUTCOME: Outcome = Outcome {
        source: Source::Cache,
        status: 200,
        bytes: 7,
        took: Duration::from_micros(42),
    };

    fn line(form: LogForm, told: &Told<'_>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let config = AccessConfig {
            path: path.clone(),
            form,
            sample: 1.0,
        };
        let (log, writer) = AccessLog::start(&config, 1).unwrap();
        log.add(0, told, &OUTCOME);
        drop(writer);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_a_client_sends_stays_in_its_field() {
        let told = Told {
            peer: "::1",
            method: "GET",
            target: "/a\"b\\",
            version: "HTTP/1.1",
            host: "h",
            referer: b"",
            agent: b"x\" 500\n\x1b[2J\xff",
            id: b"1",
            trace: b"00-abc-def-01",
        };
        let combined = line(LogForm::Combined, &told);
        assert!(
            combined.starts_with("::1 - - [")
                && combined
                    .contains(" +0000] \"GET /a\\x22b\\x5c HTTP/1.1\" 200 7 \"-\" \"x\\x22 500\\x0a\\x1b[2J\\xff\"\n"),
            "{combined}"
        );
        let json: serde_json::Value = serde_json::from_str(&line(LogForm::Json, &told)).unwrap();
        assert_eq!(json["target"], "/a\"b\\");
        assert_eq!(json["user_agent"], "x\" 500\n\u{1b}[2J\u{ff}");
        assert_eq!(
            (&json["trace_id"], &json["source"], &json["duration_us"]),
            (&"abc".into(), &"cache".into(), &42.into())
        );
        assert_eq!(line(LogForm::Common, &told).matches('"').count(), 2);
    }

    #[test]
    fn a_share_is_logged_and_all_that_fails() {
        let folder = tempfile::tempdir().unwrap();
        let config = AccessConfig {
            path: folder.path().join("log"),
            form: LogForm::Common,
            sample: 0.25,
        };
        let (log, writer) = AccessLog::start(&config, 1).unwrap();
        for _ in 0..100 {
            log.add(0, &Told::default(), &OUTCOME);
        }
        log.add(0, &Told::default(), &Outcome { status: 503, ..OUTCOME });
        drop(writer);
        assert_eq!(std::fs::read_to_string(&config.path).unwrap().lines().count(), 26);
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn what_has_no_room_is_dropped_and_counted() {
        let log = AccessLog {
            form: LogForm::Common,
            share: WHOLE,
            buffers: [Mutex::default()].into(),
            dropped: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        };
        for _ in 0..100_000 {
            log.add(0, &Told::default(), &OUTCOME);
        }
        assert!(log.dropped() > 0);
        assert!(log.buffers[0].lock().lines.len() < BUFFER + 200);
    }

    proptest! {
        #[test]
        fn any_bytes_make_one_line(agent: Vec<u8>, target: String) {
            let told = Told { agent: &agent, target: &target, ..Told::default() };
            for write in [write_common, write_json] {
                let mut found = Vec::new();
                write(&mut found, &told, &OUTCOME);
                prop_assert!(found.iter().all(|byte| *byte >= 0x20));
            }
            let mut found = Vec::new();
            write_json(&mut found, &told, &OUTCOME);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&found).is_ok());
        }
    }
}
