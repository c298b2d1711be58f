//! What the log holds after a crash.
//!
//! All valid frames of all segments are found first, also those behind a damaged place; ordered by sequence they must
//! form one unbroken chain from the last commit known to be in runs. Where the chain breaks, either the crash came there
//! (nothing after it was ever acknowledged: what is left is erased) or acknowledged commits are damaged: some later frame
//! says that what is missing was durable. The second is an error, never a silent loss.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::frame::{self, Header};
use super::segment::{self, Segment};
use crate::error::{Error, IoContext, Result};
use crate::key::Sequence;
use crate::storage::Storage;

/// A segment that still matters, and the commits in it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) segment: Segment,
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
}

/// The outcome.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Segments, oldest first.
    pub(crate) segments: Vec<Kept>,
    /// The last commit there is.
    pub(crate) last: Sequence,
    /// Numbers for the next segment and the next file name.
    pub(crate) next: (u64, u64),
}

#[derive(Debug, Clone, Copy)]
struct Found {
    /// Index into the list of segments.
    segment: usize,
    offset: u64,
    header: Header,
}

const CHUNK: usize = 1 << 20;

/// Replays every commit after `in_runs`, in order, and cleans up what the crash has left. `acknowledged` is a commit
/// known to have been durable.
pub(crate) fn recover(
    storage: &dyn Storage,
    directory: &Path,
    database: u64,
    in_runs: Sequence,
    acknowledged: Sequence,
    replay: impl FnMut(Sequence, &[u8]) -> Result<()>,
) -> Result<Recovered> {
    let found = Log::find(storage, directory, database, in_runs)?;
    found.check_complete(acknowledged)?;
    for path in &found.incomplete {
        storage.remove(path).at("remove", path)?;
    }
    erase(&found.segments, &found.rest)?;
    found.replay(replay)?;
    let last = found.last();
    Ok(Recovered { segments: keep(found.segments, &found.chain), last, next: found.next })
}

/// Replays what can be replayed and changes nothing. Returns the number of groups and the last commit; an error, after
/// replaying what comes before it, if acknowledged commits are missing.
pub(crate) fn read(
    storage: &dyn Storage,
    directory: &Path,
    database: u64,
    in_runs: Sequence,
    acknowledged: Sequence,
    replay: impl FnMut(Sequence, &[u8]) -> Result<()>,
) -> Result<(u64, Sequence)> {
    let found = Log::find(storage, directory, database, in_runs)?;
    found.replay(replay)?;
    found.check_complete(acknowledged)?;
    Ok((found.chain.len() as u64, found.last()))
}

/// A log as it lies on disk.
struct Log {
    directory: PathBuf,
    /// Lowest number first.
    segments: Vec<Segment>,
    /// Files that were never completed.
    incomplete: Vec<PathBuf>,
    next: (u64, u64),
    in_runs: Sequence,
    /// Frames that follow on each other from `in_runs` on.
    chain: Vec<Found>,
    /// Frames behind the first gap.
    rest: Vec<Found>,
}

impl Log {
    fn find(storage: &dyn Storage, directory: &Path, database: u64, in_runs: Sequence) -> Result<Self> {
        let mut log = Self {
            directory: directory.to_owned(),
            segments: Vec::new(),
            incomplete: Vec::new(),
            next: (1, 1),
            in_runs,
            chain: Vec::new(),
            rest: Vec::new(),
        };
        for name in storage.list(directory).at("list", directory)? {
            let Some(number) = name.strip_suffix(".log").and_then(|stem| stem.parse::<u64>().ok()) else {
                continue;
            };
            log.next.1 = log.next.1.max(number + 1);
            let path = directory.join(&name);
            match Segment::open(storage, path.clone(), database)? {
                Some(segment) => {
                    log.next.0 = log.next.0.max(segment.number + 1);
                    log.segments.push(segment);
                }
                None => log.incomplete.push(path),
            }
        }
        log.segments.sort_by_key(|segment| segment.number);
        let mut frames = Vec::new();
        for (at, segment) in log.segments.iter().enumerate() {
            find_frames(segment, at, database, &mut frames)?;
        }
        frames.sort_by_key(|found| (found.header.first, found.header.segment));
        (log.chain, log.rest) = chain(&frames, in_runs);
        Ok(log)
    }

    fn last(&self) -> Sequence {
        self.chain.last().map_or(self.in_runs, |found| found.header.last())
    }

    fn check_complete(&self, acknowledged: Sequence) -> Result<()> {
        let known = self.rest.iter().map(|found| found.header.durable).max().unwrap_or(0).max(acknowledged);
        if self.last() < known { Err(broken(&self.directory, &self.segments, &self.chain)) } else { Ok(()) }
    }

    fn replay(&self, mut replay: impl FnMut(Sequence, &[u8]) -> Result<()>) -> Result<()> {
        let mut payload = Vec::new();
        for found in &self.chain {
            read_payload(&self.segments, found, &mut payload)?;
            let path = self.segments.get(found.segment).map_or(&self.directory, |segment| &segment.path);
            let bodies = frame::commits(&payload, found.header.commits).ok_or_else(|| {
                Error::corrupt(path, found.offset, "a frame that does not hold its commits")
            })?;
            for (n, body) in bodies.into_iter().enumerate() {
                let sequence = found.header.first + n as u64;
                if sequence > self.in_runs {
                    replay(sequence, body)?;
                }
            }
        }
        Ok(())
    }
}

/// Lists the valid frames of a segment, wherever they begin.
fn find_frames(segment: &Segment, index: usize, database: u64, frames: &mut Vec<Found>) -> Result<()> {
    let mut at = segment::HEADER;
    let mut window = Window::default();
    while let Some(offset) = window.next_candidate(segment, at)? {
        at = offset + frame::ALIGN;
        let bytes = window.header(segment, offset)?;
        let Some(header) = Header::decode(&bytes, segment.number) else { continue };
        let end = offset.checked_add(header.frame_len()).filter(|end| *end <= segment.capacity);
        if let Some(end) = end
            && checksum(segment, offset, &header, database)? == header.checksum
        {
            frames.push(Found { segment: index, offset, header });
            at = end;
        }
    }
    Ok(())
}

/// A piece of a segment, so that looking at every eighth byte does not read each by itself.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The next aligned offset, from `at` on, that is not zero and leaves room for a header.
    fn next_candidate(&mut self, segment: &Segment, mut at: u64) -> Result<Option<u64>> {
        let end = segment.capacity.saturating_sub(frame::HEADER as u64);
        while at <= end {
            if at < self.start || at >= self.start + self.bytes.len() as u64 {
                self.fill(segment, at)?;
            }
            let rest = self.bytes.get((at - self.start) as usize..).unwrap_or_default();
            match rest.chunks_exact(frame::ALIGN as usize).position(|word| word.iter().any(|byte| *byte != 0))
            {
                Some(skip) => return Ok(Some(at + skip as u64 * frame::ALIGN).filter(|found| *found <= end)),
                None => at += (rest.len() as u64).max(frame::ALIGN),
            }
        }
        Ok(None)
    }

    fn fill(&mut self, segment: &Segment, at: u64) -> Result<()> {
        let length = (segment.capacity - at).min(CHUNK as u64) as usize;
        self.bytes.resize(length, 0);
        self.start = at;
        let read = segment.file.read_exact_at(&mut self.bytes, at);
        read.at("read", &segment.path)
    }

    fn header(&self, segment: &Segment, at: u64) -> Result<[u8; frame::HEADER]> {
        let inside = self.bytes.get((at - self.start) as usize..).and_then(<[u8]>::first_chunk);
        if let Some(bytes) = inside {
            return Ok(*bytes);
        }
        let mut bytes = [0; frame::HEADER];
        segment.file.read_exact_at(&mut bytes, at).at("read", &segment.path)?;
        Ok(bytes)
    }
}

fn checksum(segment: &Segment, offset: u64, header: &Header, database: u64) -> Result<u64> {
    let mut hasher = header.hasher(database);
    let mut buffer = vec![0; (header.payload as usize).min(CHUNK)];
    let mut done = 0;
    while done < header.payload {
        let piece = (header.payload - done).min(CHUNK as u64) as usize;
        let into = buffer.get_mut(..piece).unwrap_or_default();
        segment.file.read_exact_at(into, offset + frame::HEADER as u64 + done).at("read", &segment.path)?;
        hasher.update(into);
        done += piece as u64;
    }
    Ok(hasher.digest())
}

/// Frames that follow on each other from `in_runs` on, and those behind the first gap.
fn chain(frames: &[Found], in_runs: Sequence) -> (Vec<Found>, Vec<Found>) {
    let (mut chain, mut rest) = (Vec::new(), Vec::new());
    let mut last = in_runs;
    for found in frames {
        if found.header.last() <= last {
            // Older than what matters, in a segment that was not used again yet.
            continue;
        }
        if found.header.first <= last + 1 {
            last = found.header.last();
            chain.push(*found);
        } else {
            rest.push(*found);
        }
    }
    (chain, rest)
}

fn broken(directory: &Path, segments: &[Segment], chain: &[Found]) -> Error {
    const WHAT: &str = "acknowledged commits are missing from the log here";
    match chain.last() {
        Some(found) => {
            let path = segments.get(found.segment).map_or(directory, |segment| &segment.path);
            Error::corrupt(path, found.offset + found.header.frame_len(), WHAT)
        }
        None => match segments.first() {
            Some(segment) => Error::corrupt(&segment.path, segment::HEADER, WHAT),
            None => Error::corrupt(directory, 0, "all files of the log are missing"),
        },
    }
}

/// Frames behind the gap were never acknowledged. They must not come back once their numbers are used again.
fn erase(segments: &[Segment], frames: &[Found]) -> Result<()> {
    let mut touched = BTreeSet::new();
    for found in frames {
        if let Some(segment) = segments.get(found.segment) {
            segment.file.write_at(&[0; frame::HEADER], found.offset).at("erase part of", &segment.path)?;
            touched.insert(found.segment);
        }
    }
    for segment in touched.into_iter().filter_map(|at| segments.get(at)) {
        segment.file.sync().at("sync", &segment.path)?;
    }
    Ok(())
}

fn read_payload(segments: &[Segment], found: &Found, payload: &mut Vec<u8>) -> Result<()> {
    let Some(segment) = segments.get(found.segment) else { return Ok(()) };
    payload.clear();
    payload.resize(found.header.payload as usize, 0);
    segment.file.read_exact_at(payload, found.offset + frame::HEADER as u64).at("read", &segment.path)
}

/// Segments with the range of commits in them; one without any can be freed at once.
fn keep(segments: Vec<Segment>, chain: &[Found]) -> Vec<Kept> {
    let mut kept: Vec<Kept> = segments
        .into_iter()
        .enumerate()
        .map(|(at, segment)| {
            let inside = || chain.iter().filter(|found| found.segment == at);
            let first = inside().map(|found| found.header.first).min().unwrap_or(1);
            let last = inside().map(|found| found.header.last()).max().unwrap_or(0);
            Kept { segment, first, last }
        })
        .collect();
    kept.sort_by_key(|kept| kept.last);
    kept
}
