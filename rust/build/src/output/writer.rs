//! Takes responses in order, finishes them on several threads, and writes them out in the same order.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use hyperweb_pack::{Body as PackBody, BodyIn, Encoding, Pack, PackError, PackWriter, Response, VariantIn};

use crate::compress::Level;
use crate::css::Targets;
use crate::error::SourceError;
use crate::output::finish::{Body, Finish};
use crate::output::public::{Public, public_path};
use crate::output::redate::redated;

/// Responses on their way, for each thread that finishes them: what bounds the memory.
const AHEAD: usize = 32;

/// One response of the site.
#[derive(Debug, Clone)]
pub struct Output {
    pub path: String,
    /// The file it comes from, relative to the site, for errors.
    pub source: String,
    pub status: u16,
    pub content_type: String,
    pub last_modified: u64,
    pub headers: Vec<(String, String)>,
    pub tags: Vec<String>,
    pub body: Vec<u8>,
    pub finish: Finish,
    pub level: Level,
    /// Whether a plain file is written too.
    pub public: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub pack_bytes: u64,
    /// Bytes of all bodies, before compression.
    pub source_bytes: u64,
    pub files_written: usize,
    pub files_removed: usize,
    pub id: [u8; 16],
}

/// What is to be written, in this order.
enum Order {
    /// A response that a thread works on, by its number.
    Made(usize),
    /// A response of the previous pack, and when its sources were last changed where that is another time now. With
    /// `public` its plain file is kept too.
    Kept {
        path: String,
        public: bool,
        modified: Option<u64>,
    },
    /// A file that stays a file.
    Large(Box<Large>),
}

struct Large {
    output: Output,
    source: PathBuf,
    size: u64,
    hash: [u8; 32],
}

type Done = (usize, Output, Body);

/// Writes one build: responses go in one after the other, are finished by several threads, and written by another in
/// the order they came in.
pub struct SiteWriter {
    previous: Option<Pack>,
    large_file: u64,
    jobs: SyncSender<(usize, Output)>,
    orders: Sender<Order>,
    /// Holds one for each response on its way.
    tickets: SyncSender<()>,
    threads: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<Result<Writing, SourceError>>>,
    next: usize,
}

impl SiteWriter {
    /// Begins a build in the folder `dist`. `previous` is the pack that unchanged responses are taken from, `targets` the
    /// browsers that styles in pages are lowered for.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn create(
        dist: &Path,
        previous: Option<Pack>,
        threads: usize,
        large_file: u64,
        targets: Targets,
    ) -> Result<Self, SourceError> {
        let public = Public::create(dist).map_err(|error| not_written(dist, &error))?;
        let pack = PackWriter::create(&dist.join("site.pack")).map_err(|error| packed(&error))?;
        let threads = threads.max(1);
        let (jobs, work) = sync_channel(threads * AHEAD);
        let (results, done) = channel();
        let (tickets, returned) = sync_channel(threads * AHEAD * 2);
        let (orders, ordered) = channel();
        let work = Arc::new(Mutex::new(work));
        let threads = (0..threads)
            .map(|_| worker(Arc::clone(&work), targets, results.clone()))
            .collect();
        let writing = Writing {
            pack,
            previous: previous.clone(),
            public,
            source_bytes: 0,
        };
        Ok(Self {
            previous,
            large_file,
            jobs,
            orders,
            tickets,
            threads,
            writer: Some(std::thread::spawn(move || writing.run(&ordered, &done, &returned))),
            next: 0,
        })
    }

    /// Whether the previous pack has a response of this path.
    pub fn has(&self, path: &str) -> bool {
        self.previous
            .as_ref()
            .is_some_and(|pack| pack.get(path.as_bytes()).is_some())
    }

    /// Adds a response.
    ///
    /// # Errors
    /// An earlier response cannot be written.
    pub fn add(&mut self, output: Output) -> Result<(), SourceError> {
        let number = self.next;
        self.next += 1;
        let sent = self.tickets.send(()).is_ok()
            && self.orders.send(Order::Made(number)).is_ok()
            && self.jobs.send((number, output)).is_ok();
        if sent { Ok(()) } else { Err(self.trouble()) }
    }

    /// Adds a file as it is; a large one stays a file.
    ///
    /// # Errors
    /// The file cannot be read, or an earlier response cannot be written.
    pub fn add_file(&mut self, mut output: Output, source: &Path) -> Result<(), SourceError> {
        let cannot = |error: std::io::Error| {
            SourceError::new(format!("cannot be read: {error}"))
                .in_file(source.display().to_string())
                .hint("check its permissions")
        };
        let found = std::fs::metadata(source).map_err(cannot)?;
        if found.len() <= self.large_file {
            output.body = std::fs::read(source).map_err(cannot)?;
            return self.add(output);
        }
        let (size, hash) = hash_file(source).map_err(cannot)?;
        self.order(Order::Large(Box::new(Large {
            output,
            source: source.to_owned(),
            size,
            hash,
        })))
    }

    /// Takes a response over from the previous pack, dated anew where `modified` says when its sources were last
    /// changed, in seconds since 1970. With `public` its plain file is kept too.
    ///
    /// # Errors
    /// An earlier response cannot be written.
    pub fn reuse(&mut self, path: &str, public: bool, modified: Option<u64>) -> Result<(), SourceError> {
        let path = path.to_owned();
        self.order(Order::Kept { path, public, modified })
    }

    /// Writes what is left and puts all of it in place: the plain files first, and last the pack.
    ///
    /// # Errors
    /// Something cannot be written; what was there before is as it was.
    pub fn finish(mut self, router: Vec<u8>, manifest: Vec<u8>, meta: Vec<u8>) -> Result<Written, SourceError> {
        let Self { jobs, orders, .. } = &mut self;
        // The threads end when nothing more can come.
        *jobs = sync_channel(0).0;
        *orders = channel().0;
        let writing = join(self.writer.take())?;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        writing.finish(router, manifest, meta)
    }

    fn order(&mut self, order: Order) -> Result<(), SourceError> {
        if self.orders.send(order).is_ok() {
            return Ok(());
        }
        Err(self.trouble())
    }

    /// Why nothing is written any more.
    fn trouble(&mut self) -> SourceError {
        match join(self.writer.take()) {
            Err(error) => error,
            Ok(_) => stopped(),
        }
    }
}

impl Drop for SiteWriter {
    fn drop(&mut self) {
        // What is aside is cleared away by the thread that wrote it, and is to be gone when this is.
        self.orders = channel().0;
        let _ = join(self.writer.take());
    }
}

fn join(thread: Option<JoinHandle<Result<Writing, SourceError>>>) -> Result<Writing, SourceError> {
    thread.map_or_else(
        || Err(stopped()),
        |thread| thread.join().unwrap_or_else(|_| Err(stopped())),
    )
}

fn stopped() -> SourceError {
    SourceError::new("the threads that write the site have stopped")
}

/// What the thread that writes has at hand.
struct Writing {
    pack: PackWriter,
    previous: Option<Pack>,
    public: Public,
    source_bytes: u64,
}

impl Writing {
    fn run(
        mut self,
        orders: &Receiver<Order>,
        done: &Receiver<Done>,
        tickets: &Receiver<()>,
    ) -> Result<Self, SourceError> {
        let mut ready: HashMap<usize, (Output, Body)> = HashMap::new();
        for order in orders {
            match order {
                Order::Made(number) => {
                    let (output, body) = loop {
                        if let Some(found) = ready.remove(&number) {
                            break found;
                        }
                        let (finished, output, body) = done.recv().map_err(|_| stopped())?;
                        ready.insert(finished, (output, body));
                    };
                    self.write(&output, &body)?;
                    let _ = tickets.recv();
                }
                Order::Kept { path, public, modified } => self.write_kept(&path, public, modified)?,
                Order::Large(large) => self.write_large(&large)?,
            }
        }
        Ok(self)
    }

    fn finish(mut self, router: Vec<u8>, manifest: Vec<u8>, meta: Vec<u8>) -> Result<Written, SourceError> {
        self.pack.set_router(router);
        self.pack.set_manifest(manifest);
        self.pack.set_meta(meta);
        let sealed = self.pack.seal().map_err(|error| packed(&error))?;
        // The pack that is served until the new one is taken up needs its files a little longer.
        for entry in self.previous.iter().flat_map(Pack::iter) {
            if let Some(PackBody::File { hash, .. }) = entry.variant(Encoding::Identity).map(|variant| variant.body()) {
                self.public.keep_large(hash);
            }
        }
        let before = self.previous.as_ref();
        let before = before.map(|pack| pack.iter().filter_map(|entry| public_path(entry.path())));
        self.public
            .publish(before)
            .map_err(|(path, error)| not_written(&path, &error))?;
        let summary = sealed.publish().map_err(|error| packed(&error))?;
        self.public
            .published()
            .map_err(|(path, error)| not_written(&path, &error))?;
        Ok(Written {
            pack_bytes: summary.bytes,
            source_bytes: self.source_bytes,
            files_written: self.public.written,
            files_removed: self.public.removed,
            id: summary.id,
        })
    }

    fn write(&mut self, output: &Output, body: &Body) -> Result<(), SourceError> {
        self.source_bytes += body.plain.len() as u64;
        add(&mut self.pack, output, &body.variants())?;
        let Some(path) = public_path(&output.path).filter(|_| output.public) else {
            return Ok(());
        };
        let same = self
            .previous
            .as_ref()
            .and_then(|pack| pack.get(output.path.as_bytes())?.variant(Encoding::Identity));
        let same = same.is_some_and(|variant| matches!(variant.body(), PackBody::Bytes(bytes) if bytes == body.plain));
        if same && self.public.keep(&path, body.plain.len() as u64) {
            return Ok(());
        }
        self.public
            .stage(&path, &body.plain)
            .map_err(|(path, error)| not_written(&path, &error))
    }

    fn write_large(&mut self, large: &Large) -> Result<(), SourceError> {
        let Large {
            output,
            source,
            size,
            hash,
        } = large;
        let (size, hash) = (*size, *hash);
        self.source_bytes += size;
        let Some(path) = public_path(&output.path) else {
            return Err(
                SourceError::new(format!("the path {} cannot be a file", output.path)).in_file(output.source.clone())
            );
        };
        let variants = [VariantIn {
            encoding: Encoding::Identity,
            body: BodyIn::File {
                path: &path,
                size,
                hash,
            },
        }];
        add(&mut self.pack, output, &variants)?;
        self.public
            .stage_large(&path, source, size, blake3::Hash::from_bytes(hash).to_hex().as_str())
            .map_err(|(path, error)| not_written(&path, &error))
    }

    fn write_kept(&mut self, path: &str, public: bool, modified: Option<u64>) -> Result<(), SourceError> {
        let Some(entry) = self.previous.as_ref().and_then(|pack| pack.get(path.as_bytes())) else {
            return Err(SourceError::new(format!("the last build has nothing at {path}")).hint("build with --clean"));
        };
        match modified.filter(|modified| *modified != entry.last_modified()) {
            Some(modified) => redated(&mut self.pack, &entry, modified),
            None => self.pack.add_entry(&entry),
        }
        .map_err(|error| packed(&error))?;
        let Some(variant) = entry.variant(Encoding::Identity) else {
            return Ok(());
        };
        self.source_bytes += variant.length();
        let Some(file) = public_path(path).filter(|_| public) else {
            return Ok(());
        };
        if let PackBody::File { hash, .. } = variant.body() {
            self.public.keep_large(hash);
        }
        if self.public.keep(&file, variant.length()) {
            return Ok(());
        }
        match variant.body() {
            PackBody::Bytes(bytes) => self
                .public
                .stage(&file, bytes)
                .map_err(|(path, error)| not_written(&path, &error)),
            PackBody::File { hash, .. } => self
                .public
                .stage_kept(&file, hash)
                .map_err(|(path, error)| not_written(&path, &error)),
        }
    }
}

fn add(pack: &mut PackWriter, output: &Output, variants: &[VariantIn<'_>]) -> Result<(), SourceError> {
    let headers: Vec<_> = output
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let tags: Vec<_> = output.tags.iter().map(String::as_str).collect();
    let response = Response {
        path: &output.path,
        status: output.status,
        content_type: &output.content_type,
        last_modified: output.last_modified,
        headers: &headers,
        tags: &tags,
        variants,
    };
    pack.add(&response).map_err(|error| match error {
        PackError::Response { .. } => SourceError::new(error.to_string())
            .in_file(output.source.clone())
            .hint("rename the file, or change the header fields and tags that it is served with"),
        _ => packed(&error),
    })
}

fn worker(work: Arc<Mutex<Receiver<(usize, Output)>>>, targets: Targets, results: Sender<Done>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        loop {
            let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, mut output)) = job else { return };
            let body = std::mem::take(&mut output.body);
            let body = Body::make(body, output.finish, targets, &output.content_type, output.level);
            if results.send((number, output, body)).is_err() {
                return;
            }
        }
    })
}

fn hash_file(path: &Path) -> std::io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((size, *hasher.finalize().as_bytes()));
        }
        hasher.update(buffer.get(..count).unwrap_or(&[]));
        size += count as u64;
    }
}

fn packed(error: &PackError) -> SourceError {
    let hint = "check the space left on the disk and the folder's permissions; the last build is as it was";
    SourceError::new(error.to_string()).hint(hint)
}

fn not_written(path: &Path, error: &std::io::Error) -> SourceError {
    SourceError::new(format!("cannot be written: {error}"))
        .in_file(path.display().to_string())
        .hint("check the space left on the disk and the folder's permissions; the last build is as it was")
}
