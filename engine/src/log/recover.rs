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
use crate::storage::{Open, Storage};

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
    /// The newest commit that something later says was on the medium.
    pub(crate) vouched: Sequence,
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

const CHUNK: usize = 64 << 10;

/// What is known of a log before it is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// The database it belongs to, unless that is lost.
    pub(crate) database: Option<u64>,
    /// Commits up to here are in runs.
    pub(crate) in_runs: Sequence,
    /// A commit known to have been durable.
    pub(crate) acknowledged: Sequence,
}

/// Gets commits in the order of their sequences.
pub(crate) type Replay<'a> = dyn FnMut(Sequence, &[u8]) -> Result<()> + 'a;

/// Replays every commit that is not in runs, in order, and cleans up what a crash has left.
pub(crate) fn recover(
    storage: &dyn Storage,
    directory: &Path,
    known: Known,
    replay: &mut Replay<'_>,
) -> Result<Recovered> {
    let found = Log::find(storage, directory, known, Open::Write, &mut Err)?;
    found.check_complete()?;
    for path in &found.unfinished {
        storage.remove(path).at("remove", path)?;
    }
    erase(&found.segments, &found.rest)?;
    for frame in &found.chain {
        found.replay(frame, replay)?;
    }
    let (last, vouched) = (found.last(), found.vouched());
    Ok(Recovered { segments: keep(found.segments, &found.frames, last), last, vouched, next: found.next })
}

/// What can be read of a log.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// Groups of commits that are not in runs.
    pub(crate) groups: u64,
    /// The newest commit.
    pub(crate) last: Sequence,
    /// What is wrong with the rest.
    pub(crate) damage: Vec<Error>,
}

/// Replays what can be replayed and changes nothing. If acknowledged commits are missing, those behind the gap are replayed
/// too, as far as there are any.
pub(crate) fn read(
    storage: &dyn Storage,
    directory: &Path,
    known: Known,
    replay: &mut Replay<'_>,
) -> Result<Readable> {
    let mut damage = Vec::new();
    let found = Log::find(storage, directory, known, Open::Read, &mut |error| {
        damage.push(error);
        Ok(())
    })?;
    // Without a manifest nobody knows where the log should begin.
    let incomplete = known.database.and_then(|_| found.check_complete().err());
    let is_whole = known.database.is_some() && incomplete.is_none() && damage.is_empty();
    let behind = if is_whole { &[] } else { &*found.rest };
    damage.extend(incomplete.filter(|_| damage.is_empty()));
    let mut readable = Readable { groups: 0, last: known.in_runs, damage };
    for frame in found.chain.iter().chain(behind) {
        match found.replay(frame, replay) {
            Ok(()) => (readable.groups, readable.last) = (readable.groups + 1, frame.header.last()),
            Err(error @ (Error::Corrupt { .. } | Error::Io { .. })) => readable.damage.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(readable)
}

/// A log as it lies on disk.
struct Log {
    directory: PathBuf,
    /// Lowest number first.
    segments: Vec<Segment>,
    /// Files that were never completed.
    unfinished: Vec<PathBuf>,
    next: (u64, u64),
    known: Known,
    /// All frames that hold, by sequence.
    frames: Vec<Found>,
    /// Frames that follow on each other from `in_runs` on.
    chain: Vec<Found>,
    /// Frames behind the first gap.
    rest: Vec<Found>,
}

impl Log {
    /// Finds segments and frames; `bad` decides whether to go on past one that cannot be read.
    fn find(
        storage: &dyn Storage,
        directory: &Path,
        known: Known,
        how: Open,
        bad: &mut dyn FnMut(Error) -> Result<()>,
    ) -> Result<Self> {
        let mut log = Self {
            directory: directory.to_owned(),
            segments: Vec::new(),
            unfinished: Vec::new(),
            next: (1, 1),
            known,
            frames: Vec::new(),
            chain: Vec::new(),
            rest: Vec::new(),
        };
        let mut names = storage.list(directory).at("list", directory)?;
        names.sort_unstable();
        for name in names {
            let path = directory.join(&name);
            if name.ends_with(segment::UNFINISHED) {
                log.unfinished.push(path);
                continue;
            }
            let Some(number) = name.strip_suffix(".log").and_then(|stem| stem.parse::<u64>().ok()) else {
                continue;
            };
            log.next.1 = log.next.1.max(number + 1);
            match Segment::open(storage, path, known.database, how) {
                Ok(segment) => {
                    log.next.0 = log.next.0.max(segment.number + 1);
                    log.segments.push(segment);
                }
                Err(error) => bad(error)?,
            }
        }
        log.segments.sort_by_key(|segment| segment.number);
        for (at, segment) in log.segments.iter().enumerate() {
            find_frames(segment, at, &mut log.frames).or_else(&mut *bad)?;
        }
        log.frames.sort_by_key(|found| (found.header.first, found.header.segment));
        (log.chain, log.rest) = chain(&log.frames, known.in_runs);
        Ok(log)
    }

    fn last(&self) -> Sequence {
        self.chain.last().map_or(self.known.in_runs, |found| found.header.last())
    }

    /// The newest commit that a frame says was on the medium.
    fn vouched(&self) -> Sequence {
        let frames = self.chain.iter().chain(&self.rest);
        frames.map(|found| found.header.durable).max().unwrap_or(0).max(self.known.acknowledged)
    }

    fn check_complete(&self) -> Result<()> {
        let is_complete = self.last() >= self.vouched();
        if is_complete { Ok(()) } else { Err(broken(&self.directory, &self.segments, &self.chain)) }
    }

    fn replay(&self, found: &Found, replay: &mut Replay<'_>) -> Result<()> {
        let Some(segment) = self.segments.get(found.segment) else { return Ok(()) };
        let payload = read_payload(segment, found)?;
        let bodies = frame::commits(&payload, found.header.commits).ok_or_else(|| {
            Error::corrupt(&segment.path, found.offset, "a frame that does not hold its commits")
        })?;
        for (sequence, body) in (found.header.first..).zip(bodies) {
            if sequence > self.known.in_runs {
                replay(sequence, body)?;
            }
        }
        Ok(())
    }
}

/// Lists the valid frames of a segment, wherever they begin.
fn find_frames(segment: &Segment, index: usize, frames: &mut Vec<Found>) -> Result<()> {
    let mut at = segment::HEADER;
    let mut window = Window::default();
    while let Some(offset) = window.next_candidate(segment, at)? {
        at = offset + frame::ALIGN;
        let bytes = window.header(segment, offset)?;
        let Some(header) = Header::decode(&bytes, segment.number) else { continue };
        let end = offset.checked_add(header.frame_len()).filter(|end| *end <= segment.capacity);
        if let Some(end) = end
            && checksum(segment, offset, &header)? == header.checksum
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
    /// The next aligned offset, from `at` on, where a header may begin and has room.
    fn next_candidate(&mut self, segment: &Segment, mut at: u64) -> Result<Option<u64>> {
        let end = segment.capacity.saturating_sub(frame::HEADER as u64);
        while at <= end {
            if at < self.start || at >= self.start + self.bytes.len() as u64 {
                self.fill(segment, at)?;
            }
            let rest = self.bytes.get((at - self.start) as usize..).unwrap_or_default();
            let (words, _) = rest.as_chunks::<{ frame::ALIGN as usize }>();
            match words.iter().position(|word| u64::from_le_bytes(*word) as u32 == frame::MAGIC) {
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

fn checksum(segment: &Segment, offset: u64, header: &Header) -> Result<u64> {
    let mut hasher = header.hasher(segment.database);
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

fn read_payload(segment: &Segment, found: &Found) -> Result<Vec<u8>> {
    let mut payload = vec![0; found.header.payload as usize];
    let at = found.offset + frame::HEADER as u64;
    segment.file.read_exact_at(&mut payload, at).at("read", &segment.path)?;
    Ok(payload)
}

/// Segments with the range of commits in them, up to the last there is; one without any can be freed at once. Commits that
/// are in runs count: the archive may not have them yet.
fn keep(segments: Vec<Segment>, frames: &[Found], newest: Sequence) -> Vec<Kept> {
    let mut kept: Vec<Kept> = segments
        .into_iter()
        .enumerate()
        .map(|(at, segment)| {
            let inside =
                || frames.iter().filter(|found| found.segment == at && found.header.last() <= newest);
            let first = inside().map(|found| found.header.first).min().unwrap_or(1);
            let last = inside().map(|found| found.header.last()).max().unwrap_or(0);
            Kept { segment, first, last }
        })
        .collect();
    kept.sort_by_key(|kept| kept.last);
    kept
}
