//! The write-ahead log: every commit is here before anyone may see it.
//!
//! - [`Writer`] appends groups of commits and syncs. There is one, and the commit path hands it from leader to leader.
//! - [`Log`] knows the files: keeps one ready ahead of need, frees those whose commits have all reached runs, hands
//!   them to the archive first, and uses them again.
//! - [`recover`] finds what the log holds after a crash.

mod frame;
pub(crate) mod recover;
mod segment;

use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::storage::Storage;
pub(crate) use frame::MAX_COMMITS;
use segment::Segment;

/// Called with a file of the log, and the commits in it, before the file is used again. It stays until this succeeds. Files
/// come in the order of their commits; after the database was closed and opened, the last ones may come once more.
pub type Archive = dyn Fn(&Path, RangeInclusive<Sequence>) -> std::io::Result<()> + Send + Sync;

/// How the log keeps its files.
#[derive(Clone)]
pub struct LogOptions {
    /// Size of a segment. The first ones are smaller, so that a small database stays small.
    pub segment_bytes: u64,
    /// Freed segments kept for use again; others are removed. As many as two memtables fill, or new ones are made, and written
    /// twice, while there is much to write.
    pub spare_segments: usize,
    /// Bytes of freed segments kept readable before they are used again.
    pub retain_bytes: u64,
    /// Where to hand segments before they are used again.
    pub archive: Option<Arc<Archive>>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, spare_segments: 8, retain_bytes: 0, archive: None }
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("spare_segments", &self.spare_segments)
            .field("retain_bytes", &self.retain_bytes)
            .field("archive", &self.archive.is_some())
            .finish()
    }
}

/// The files of the log.
#[derive(Debug)]
pub(crate) struct Log {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    /// Random number of the database, also in the manifest.
    database: u64,
    options: LogOptions,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// Full segments, oldest first.
    sealed: VecDeque<Sealed>,
    /// Segments whose commits are all in runs and archived; at most `spare_segments`.
    free: Vec<Segment>,
    /// The next one to write to.
    ready: Option<Segment>,
    /// Length of the one that is written to.
    current: u64,
    next_number: u64,
    next_name: u64,
    next_capacity: u64,
    /// Commits up to here are in runs, for good.
    obsolete: Sequence,
    /// Backups that are reading full segments.
    pins: usize,
}

/// Keeps full segments from being used again.
#[derive(Debug)]
pub(crate) struct Pin<'a>(&'a Log);

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.files.lock().pins -= 1;
    }
}

#[derive(Debug)]
struct Sealed {
    segment: Segment,
    first: Sequence,
    last: Sequence,
}

/// Where a segment comes from.
enum Source {
    Free(Segment, u64),
    New { path: PathBuf, number: u64, capacity: u64 },
}

const FIRST_CAPACITY: u64 = 256 << 10;

impl Log {
    /// A log in a directory, as recovery left it.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        directory: PathBuf,
        database: u64,
        options: LogOptions,
        recovered: Vec<recover::Kept>,
        next: (u64, u64),
    ) -> Self {
        let capacity = FIRST_CAPACITY.min(options.segment_bytes);
        let mut files =
            Files { next_number: next.0, next_name: next.1, next_capacity: capacity, ..Files::default() };
        for kept in recovered {
            files.sealed.push_back(Sealed { segment: kept.segment, first: kept.first, last: kept.last });
        }
        Self { storage, directory, database, options, files: Mutex::new(files) }
    }

    /// Bytes of all files of the log.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.files.lock();
        let sealed = files.sealed.iter().map(|sealed| sealed.segment.capacity);
        let others = files.free.iter().chain(&files.ready).map(|segment| segment.capacity);
        files.current + sealed.chain(others).sum::<u64>()
    }

    /// Whether the segment that is written to was made for a commit longer than segments are.
    pub(crate) fn is_oversize(&self) -> bool {
        self.files.lock().current > self.options.segment_bytes
    }

    /// Full segments whose commits are not in runs, or not known to be.
    pub(crate) fn sealed(&self) -> usize {
        self.files.lock().sealed.len()
    }

    /// Whether the next segment is still to be made.
    pub(crate) fn wants_segment(&self) -> bool {
        self.files.lock().ready.is_none()
    }

    /// Makes the next segment ready, so that no commit has to wait for it.
    pub(crate) fn prepare(&self) -> Result<()> {
        if self.wants_segment() {
            let segment = self.make(0)?;
            let mut files = self.files.lock();
            let surplus = files.ready.replace(segment);
            // Another thread was as fast: its segment is as good as new.
            files.free.extend(surplus);
        }
        Ok(())
    }

    /// Gives the space of spare segments back; for when writing has paused.
    pub(crate) fn trim(&self) -> Result<()> {
        let spare = std::mem::take(&mut self.files.lock().free);
        spare.iter().try_for_each(|segment| self.storage.remove(&segment.path).at("remove", &segment.path))
    }

    /// Paths of the segments a backup needs: those that are full.
    pub(crate) fn sealed_paths(&self) -> Vec<PathBuf> {
        self.files.lock().sealed.iter().map(|sealed| sealed.segment.path.to_path_buf()).collect()
    }

    /// Keeps all segments as they are until the pin is dropped.
    pub(crate) fn pin(&self) -> Pin<'_> {
        self.files.lock().pins += 1;
        Pin(self)
    }

    fn make(&self, at_least: u64) -> Result<Segment> {
        match self.source(at_least) {
            Source::Free(segment, number) => segment.recycle(number, self.database),
            Source::New { path, number, capacity } => {
                let zeroed = at_least <= self.options.segment_bytes;
                Segment::create(&*self.storage, path, number, self.database, capacity, zeroed)
            }
        }
    }

    fn source(&self, at_least: u64) -> Source {
        let mut files = self.files.lock();
        let number = files.next_number;
        files.next_number += 1;
        let wanted = files.next_capacity.max(at_least);
        if let Some(at) = files.free.iter().position(|segment| segment.capacity >= wanted) {
            return Source::Free(files.free.swap_remove(at), number);
        }
        let path = self.directory.join(format!("{:08}.log", files.next_name));
        files.next_name += 1;
        files.next_capacity = (files.next_capacity * 2).min(self.options.segment_bytes);
        Source::New { path, number, capacity: wanted }
    }

    /// A segment with room for `at_least` bytes: the one made ready, if it will do.
    fn take(&self, at_least: u64) -> Result<Segment> {
        let ready = self.files.lock().ready.take_if(|ready| ready.capacity >= at_least);
        let taken = ready.map_or_else(|| self.make(at_least), Ok)?;
        self.files.lock().current = taken.capacity;
        Ok(taken)
    }

    fn seal(&self, segment: Segment, first: Sequence, last: Sequence) {
        self.files.lock().sealed.push_back(Sealed { segment, first, last });
    }

    /// All commits up to `sequence` are in runs, and the manifest says so durably: their segments are done with.
    pub(crate) fn release(&self, sequence: Sequence) -> Result<()> {
        let done = {
            let mut files = self.files.lock();
            files.obsolete = files.obsolete.max(sequence);
            let obsolete = files.obsolete;
            if files.pins > 0 {
                return Ok(());
            }
            let mut excess =
                files.sealed.iter().filter(|s| s.last <= obsolete).map(|s| s.segment.capacity).sum::<u64>();
            excess = excess.saturating_sub(self.options.retain_bytes);
            let mut done = Vec::new();
            while excess > 0
                && let Some(sealed) = files.sealed.pop_front_if(|sealed| sealed.last <= obsolete)
            {
                excess = excess.saturating_sub(sealed.segment.capacity);
                done.push(sealed);
            }
            done
        };
        let mut done = done.into_iter();
        while let Some(sealed) = done.next() {
            if let Err(error) = self.archive(&sealed) {
                // The archive gets them in order: those after wait for this one.
                let mut files = self.files.lock();
                done.rev().for_each(|later| files.sealed.push_front(later));
                files.sealed.push_front(sealed);
                return Err(error);
            }
            self.reuse(sealed.segment)?;
        }
        Ok(())
    }

    fn archive(&self, sealed: &Sealed) -> Result<()> {
        match &self.options.archive {
            Some(archive) if sealed.first <= sealed.last => {
                archive(&sealed.segment.path, sealed.first..=sealed.last).at("archive", &sealed.segment.path)
            }
            _ => Ok(()),
        }
    }

    /// Keeps a freed segment if it is of use, or removes its file.
    fn reuse(&self, segment: Segment) -> Result<()> {
        let unwanted = {
            let mut files = self.files.lock();
            let fits =
                segment.capacity == self.options.segment_bytes || segment.capacity >= files.next_capacity;
            let oversize = segment.capacity > self.options.segment_bytes;
            if files.free.len() < self.options.spare_segments && fits && !oversize {
                files.free.push(segment);
                None
            } else {
                Some(segment)
            }
        };
        match unwanted {
            Some(segment) => self.storage.remove(&segment.path).at("remove", &segment.path),
            None => Ok(()),
        }
    }
}

/// Appends to the log. Whoever has it is the only one who writes.
#[derive(Debug)]
pub(crate) struct Writer {
    log: Arc<Log>,
    /// None until something is to be written: who only reads makes no file.
    current: Option<Segment>,
    position: u64,
    /// First commit in the current segment.
    first: Option<Sequence>,
    last: Sequence,
    /// Frames were written that no sync has covered.
    unsynced: bool,
    buffer: Vec<u8>,
}

/// Why an append failed, as far as it matters for what may follow.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of it can ever be taken for a commit: the next append may go on.
    Clean(Error),
    /// It is unknown what is on the medium.
    Unknown(Error),
}

/// Bodies longer than this are written from where they lie, shorter ones gathered first.
const GATHER: usize = 64 << 10;

/// The next segment is made when one in so many bytes of the current one is used. A life of few commits needs no second.
const AHEAD: u64 = 2;

impl Writer {
    /// Will begin a fresh segment: nothing is ever appended to a segment from before a restart.
    pub(crate) fn new(log: Arc<Log>, last: Sequence) -> Self {
        Self { log, current: None, position: 0, first: None, last, unsynced: false, buffer: Vec::new() }
    }

    /// Writes one group as one frame. Not durable before [`Writer::sync`].
    pub(crate) fn append(
        &mut self,
        first: Sequence,
        bodies: &[&[u8]],
        durable: Sequence,
    ) -> Result<(), Failure> {
        let unpadded = bodies.iter().map(|body| 4 + body.len() as u64).sum::<u64>();
        let padding = frame::padding(unpadded);
        let mut header = frame::Header {
            commits: bodies.len() as u32,
            payload: unpadded + padding.len() as u64,
            segment: 0,
            first,
            durable,
            checksum: 0,
        };
        let segment = self.with_room(header.frame_len())?;
        header.segment = segment.number;
        let mut hasher = header.hasher(self.log.database);
        for body in bodies {
            hasher.update(&(body.len() as u32).to_le_bytes());
            hasher.update(body);
        }
        hasher.update(padding);
        header.checksum = hasher.digest();
        self.write(&segment, &header, bodies, padding).map_err(|error| match error {
            // Part of the frame is missing, so its checksum cannot hold; the next frame overwrites it.
            Error::DiskFull { .. } => Failure::Clean(error),
            _ => Failure::Unknown(error),
        })?;
        self.position += header.frame_len();
        self.first.get_or_insert(first);
        self.last = header.last();
        self.unsynced = true;
        Ok(())
    }

    fn write(
        &mut self,
        segment: &Segment,
        header: &frame::Header,
        bodies: &[&[u8]],
        padding: &[u8],
    ) -> Result<()> {
        let mut at = self.position;
        self.buffer.clear();
        self.buffer.extend_from_slice(&header.encode());
        for body in bodies {
            self.buffer.extend_from_slice(&(body.len() as u32).to_le_bytes());
            if body.len() <= GATHER {
                self.buffer.extend_from_slice(body);
            } else {
                at = self.write_out(segment, at)?;
                segment.file.write_at(body, at).at("write", &segment.path)?;
                at += body.len() as u64;
            }
        }
        self.buffer.extend_from_slice(padding);
        self.write_out(segment, at)?;
        self.buffer.shrink_to(16 * GATHER);
        Ok(())
    }

    fn write_out(&mut self, segment: &Segment, at: u64) -> Result<u64> {
        segment.file.write_at(&self.buffer, at).at("write", &segment.path)?;
        let end = at + self.buffer.len() as u64;
        self.buffer.clear();
        Ok(end)
    }

    /// The segment to write a frame of this length to.
    fn with_room(&mut self, frame_len: u64) -> Result<Segment, Failure> {
        match &self.current {
            Some(current) if self.position + frame_len <= current.capacity => Ok(current.clone()),
            _ => self.roll(frame_len),
        }
    }

    /// Goes on in another segment with room for a frame of this length.
    fn roll(&mut self, frame_len: u64) -> Result<Segment, Failure> {
        let next = self.log.take(segment::HEADER + frame_len).map_err(Failure::Clean)?;
        if self.unsynced {
            self.sync().map_err(Failure::Unknown)?;
        }
        if let Some(full) = self.current.replace(next.clone()) {
            self.log.seal(full, self.first.take().unwrap_or(self.last + 1), self.last);
        }
        self.position = segment::HEADER;
        Ok(next)
    }

    /// Makes all that was appended durable. After a failure nothing may be written any more.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if let Some(current) = &self.current {
            current.file.sync().at("sync", &current.path)?;
        }
        self.unsynced = false;
        Ok(())
    }

    /// Whether all that was appended is durable.
    pub(crate) fn synced(&self) -> bool {
        !self.unsynced
    }

    /// Whether the current segment is so full that the next should be made.
    pub(crate) fn nears_the_end(&self) -> bool {
        self.current.as_ref().is_some_and(|current| self.position > current.capacity / AHEAD)
    }

    /// Begins a new segment if the current one holds anything, so that all commits so far can be freed or backed up.
    pub(crate) fn rotate(&mut self) -> Result<(), Failure> {
        if self.first.is_some() { self.roll(0).map(drop) } else { Ok(()) }
    }
}
