//! An open run: point reads, and the blocks that cursors walk.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use xxhash_rust::xxh3::xxh3_64;

use crate::blocks::cache::{BlockId, CachedBlock};
use crate::blocks::gauge::Gauge;
use crate::blocks::lease::{Lease, Leased};
use crate::blocks::pinned::Value;
use crate::blocks::pool::{ReadMode, ReadPool};
use crate::blocks::resident::Resident;
use crate::compress::{Codec, decompress};
use crate::error::{Error, Result};
use crate::key::{Kind, Sequence};
use crate::run::block::{self, Block, Row};
use crate::run::cursor::RunCursor;
use crate::run::fences::Fences;
use crate::run::format::{self, Entry, FRAME_LEN, Footer, Frame, Section};
use crate::run::{RunId, RunMeta, bloom, hash_index, open};
use crate::storage::{Advice, File, Map, Storage};

/// The newest visible version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commit that wrote it.
    pub sequence: Sequence,
    /// What it does.
    pub kind: Kind,
    /// The value, not copied; empty for a deletion.
    pub value: Value,
}

/// Whether a block read from disk is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// As reads by users do.
    Yes,
    /// As compaction, backup and checks do, which read everything once.
    No,
}

/// Bytes of a plain block, lent by the run or shared with the cache.
#[derive(Debug)]
pub(crate) enum BlockBytes<'a> {
    Lent(&'a [u8]),
    Shared(CachedBlock),
}

impl std::ops::Deref for BlockBytes<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Shared(block) => block,
        }
    }
}

/// The visible row of a key.
struct Hit<'a> {
    block: BlockBytes<'a>,
    value: Range<usize>,
    sequence: Sequence,
    kind: Kind,
}

/// A section read on first use: a damaged filter must not keep a run from opening.
#[derive(Debug, Default)]
struct LazySection {
    /// The bytes, where they are not in the map.
    ready: OnceLock<Option<Box<[u8]>>>,
}

/// An open run file.
#[derive(Debug)]
pub struct Run {
    inner: Leased<RunInner>,
    meta: RunMeta,
}

/// What all handles into a run share.
#[derive(Debug)]
pub(crate) struct RunInner {
    storage: Arc<dyn Storage>,
    file: Arc<dyn File>,
    path: PathBuf,
    map: Option<Map>,
    footer: Footer,
    entries: Box<[Entry]>,
    fences: Fences,
    /// Plain forms of blocks that are not plain in the map, once read and as long as the pool had room.
    resident: Resident,
    /// A bit a block: its checksum was seen to hold.
    verified: Box<[AtomicU64]>,
    bloom: LazySection,
    hash: LazySection,
    pool: Arc<ReadPool>,
    obsolete: AtomicBool,
}

impl Run {
    /// Opens a run. Header, footer and directory are checked now, everything else when first read.
    pub fn open(
        storage: &Arc<dyn Storage>,
        path: &Path,
        id: RunId,
        pool: &Arc<ReadPool>,
    ) -> Result<Arc<Self>> {
        Self::open_at(storage, path, id, pool, None)
    }

    /// Opens a run whose sequences are counted from `base` instead of the base it was written with: a sorted load
    /// writes its run before it knows the number of its commit.
    pub fn open_at(
        storage: &Arc<dyn Storage>,
        path: &Path,
        id: RunId,
        pool: &Arc<ReadPool>,
        base: Option<Sequence>,
    ) -> Result<Arc<Self>> {
        let mut opened = open::open(&**storage, path, id)?;
        if let Some(base) = base {
            let totals = &mut opened.footer.totals;
            let shift = |sequence: Sequence| base.wrapping_add(sequence - totals.base_sequence);
            opened.meta.min_sequence = shift(totals.min_sequence);
            opened.meta.max_sequence = shift(totals.max_sequence);
            totals.base_sequence = base;
        }
        let map = match pool.mode() {
            // A system that has no room for a map, or no maps, still reads.
            ReadMode::Map => opened.file.map().ok(),
            ReadMode::Read => None,
        };
        let inner = RunInner {
            resident: Resident::new(opened.entries.len()),
            verified: (0..opened.entries.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            storage: Arc::clone(storage),
            file: opened.file,
            path: path.to_owned(),
            map,
            footer: opened.footer,
            entries: opened.entries,
            fences: opened.fences,
            bloom: LazySection::default(),
            hash: LazySection::default(),
            pool: Arc::clone(pool),
            obsolete: AtomicBool::new(false),
        };
        Ok(Arc::new(Self { inner: Leased::new(inner), meta: opened.meta }))
    }

    /// The newest version of `key` not after `snapshot`. `hash` is [`crate::key::hash`] of the key.
    #[inline]
    pub fn get(&self, key: &[u8], hash: u64, snapshot: Sequence) -> Result<Option<Found>> {
        let mut meta = None;
        let mut shared = None;
        let lent = Value::borrow(self.inner.lease(), |run| {
            let Some(hit) = run.find(key, hash, snapshot)? else { return Ok(None) };
            meta = Some((hit.sequence, hit.kind));
            match hit.block {
                BlockBytes::Lent(_) if hit.kind == Kind::Delete => Ok(None),
                BlockBytes::Lent(block) => Ok(block.get(hit.value)),
                BlockBytes::Shared(block) => {
                    shared = Some(Value::from_block(block).into_slice(hit.value));
                    Ok(None)
                }
            }
        })?;
        Ok(meta.map(|(sequence, kind)| Found {
            sequence,
            kind,
            value: lent.or(shared).unwrap_or(Value::from_static(b"")),
        }))
    }

    /// Whether the run may hold a version of a key, by its range and filter alone. Worth asking first where the answer
    /// is mostly no: a filter stays in the processor's caches, an index does not.
    #[inline]
    pub fn may_contain(&self, key: &[u8], hash: u64) -> Result<bool> {
        if *key < *self.meta.first_key || *key > *self.meta.last_key {
            return Ok(false);
        }
        let run = self.inner.lease();
        Ok(bloom::may_contain(run.section(&run.bloom, &run.footer.bloom)?, hash))
    }

    /// What the run contains.
    #[must_use]
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// Totals as written.
    #[must_use]
    pub fn totals(&self) -> &format::Totals {
        &self.inner.lease().footer.totals
    }

    /// Whether no key has two versions here.
    pub(crate) fn is_distinct(&self) -> bool {
        self.inner.lease().is_distinct()
    }

    /// Marks the file as no longer part of the database: it is removed when the last reader lets go of it.
    pub fn remove_on_drop(&self) {
        self.inner.lease().obsolete.store(true, Ordering::Relaxed);
    }

    /// Whether the caller has the only share, and no value or cursor points into the run.
    pub(crate) fn is_unshared(run: &Arc<Self>) -> bool {
        Arc::strong_count(run) == 1 && run.inner.is_unshared()
    }

    /// Where those are counted who work with this run and others of its database.
    pub(crate) fn work(&self) -> &Arc<Gauge> {
        self.inner.lease().pool.work()
    }

    /// A cursor over all versions, positioned nowhere yet.
    #[must_use]
    pub fn cursor(&self, keep: Keep) -> RunCursor {
        RunCursor::new(Arc::clone(self.inner.lease()), keep)
    }

    /// Keys that cut the run into `parts` of about equal bytes, for work in parallel.
    #[must_use]
    pub fn split_keys(&self, parts: usize) -> Vec<&[u8]> {
        let run = self.inner.lease();
        let blocks = run.entries.len();
        let parts = parts.min(blocks);
        (1..parts).filter_map(|part| run.fences.fence(part * blocks / parts)).collect()
    }

    /// About how many bytes of the file hold keys from `start` up to `end`.
    #[must_use]
    pub fn bytes_between(&self, start: Option<&[u8]>, end: Option<&[u8]>) -> u64 {
        let run = self.inner.lease();
        let first = start.map_or(0, |key| run.fences.block_of(key, &run.entries));
        let last = end.map_or(run.entries.len(), |key| run.fences.block_of(key, &run.entries) + 1);
        let between = run.entries.get(first..last.max(first)).unwrap_or_default();
        between.iter().map(|entry| u64::from(entry.stored_len)).sum()
    }

    /// Heap the open run holds beside its blocks, in bytes.
    #[must_use]
    pub fn overhead(&self) -> usize {
        let run = self.inner.lease();
        run.entries.len() * (size_of::<Entry>() + Resident::PLACE) + run.fences.size()
    }

    /// Reads the whole file and checks every checksum and every order; stops at the first thing found wrong.
    pub fn check(&self) -> Result<()> {
        let mut found = None;
        self.check_all(&mut |error| {
            found.get_or_insert(error);
        });
        found.map_or(Ok(()), Err)
    }

    /// Reads the whole file and reports everything found wrong.
    pub fn check_all(&self, report: &mut dyn FnMut(Error)) {
        let run = self.inner.lease();
        for (lazy, section) in [(&run.bloom, &run.footer.bloom), (&run.hash, &run.footer.hash)] {
            if let Err(error) = run.section(lazy, section) {
                report(error);
            }
        }
        let mut rows = 0;
        for (at, entry) in run.entries.iter().enumerate() {
            if let Err(error) = run.check_block(at, entry) {
                report(error);
            }
            rows += u64::from(entry.rows);
        }
        if rows != run.footer.totals.rows {
            report(run.damaged(self.meta.bytes, "a row count that is not the blocks'"));
        }
    }
}

impl RunInner {
    fn check_block(&self, at: usize, entry: &Entry) -> Result<()> {
        let bytes = self.read_block(entry)?;
        let damaged = |bad: block::BadBlock| self.damaged(entry.offset, bad.what);
        let block = Block::parse(&bytes).map_err(damaged)?;
        block.check().map_err(damaged)?;
        if block.len() != entry.rows as usize || block.prefix().len() != usize::from(entry.prefix_len) {
            return Err(self.damaged(entry.offset, "a block that is not as the directory says"));
        }
        let first = block.row(0).map(|row| [block.prefix(), row.suffix].concat()).unwrap_or_default();
        if self.fences.fence(at).is_none_or(|fence| fence > first.as_slice()) {
            return Err(self.damaged(entry.offset, "a block that begins before its fence"));
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn damaged(&self, offset: u64, what: &'static str) -> Error {
        Error::corrupt(&self.path, offset, what)
    }

    #[inline]
    fn kind(&self, entry: &Entry, row: &Row<'_>) -> Result<Kind> {
        Kind::from_byte(row.kind).ok_or_else(|| self.damaged(entry.offset, "a row of unknown kind"))
    }

    pub(crate) fn is_distinct(&self) -> bool {
        self.footer.totals.keys == self.footer.totals.rows
    }

    pub(crate) fn base_sequence(&self) -> u64 {
        self.footer.totals.base_sequence
    }

    #[cold]
    pub(crate) fn damaged_block(&self, at: usize, bad: block::BadBlock) -> Error {
        self.damaged(self.entries.get(at).map_or(0, |entry| entry.offset), bad.what)
    }

    #[cold]
    pub(crate) fn damaged_row(&self, at: usize) -> Error {
        self.damaged_block(at, block::BadBlock { what: "a row that runs out of its block" })
    }

    /// The first block that may hold `key` or the least key above it.
    pub(crate) fn block_of(&self, key: &[u8]) -> usize {
        self.fences.block_of(key, &self.entries)
    }

    /// A block that can be read where it lies, without doing anything first.
    #[inline]
    pub(crate) fn in_place(&self, at: usize) -> Option<&[u8]> {
        let entry = self.entries.get(at)?;
        if entry.codec == Codec::Plain
            && let Some(map) = self.map.as_deref()
        {
            let start = entry.offset as usize + FRAME_LEN;
            return self.is_verified(at).then(|| map.get(start..start + entry.stored_len as usize))?;
        }
        self.resident.get(at)
    }

    pub(crate) fn work(&self) -> &Arc<Gauge> {
        self.pool.work()
    }

    pub(crate) fn block_count(&self) -> usize {
        self.entries.len()
    }

    /// The bytes of a section, checked the first time.
    #[inline]
    fn section<'a>(&'a self, lazy: &'a LazySection, section: &Section) -> Result<&'a [u8]> {
        let held = match lazy.ready.get() {
            Some(held) => held,
            None => self.load_section(lazy, section)?,
        };
        Ok(match held {
            Some(bytes) => bytes,
            None => self.map_range(section.offset, section.len as usize).unwrap_or_default(),
        })
    }

    #[cold]
    fn load_section<'a>(&'a self, lazy: &'a LazySection, section: &Section) -> Result<&'a Option<Box<[u8]>>> {
        let range = section.offset..section.offset + section.len;
        self.bring_in(range.clone());
        let held = match self.map_range(section.offset, section.len as usize) {
            Some(bytes) if xxh3_64(bytes) == section.checksum => None,
            Some(_) => {
                return Err(self.damaged(section.offset, "the checksum of a filter or index does not hold"));
            }
            None => {
                let bytes = open::read(&*self.file, &self.path, section.offset, section.len as usize)?;
                if xxh3_64(&bytes) != section.checksum {
                    return Err(
                        self.damaged(section.offset, "the checksum of a filter or index does not hold")
                    );
                }
                Some(bytes)
            }
        };
        if let Some(map) = &self.map {
            // Filters and indexes are looked into at one place a read.
            map.advise(Advice::Random, range);
        }
        Ok(lazy.ready.get_or_init(|| held))
    }

    #[inline]
    fn map_range(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.map.as_deref()?.get(offset as usize..)?.get(..len)
    }

    /// The newest visible row of a key.
    #[inline]
    fn find(&self, key: &[u8], hash: u64, snapshot: Sequence) -> Result<Option<Hit<'_>>> {
        if self.footer.hash.len == 0 {
            let filter = self.section(&self.bloom, &self.footer.bloom)?;
            if !bloom::may_contain(filter, hash) {
                return Ok(None);
            }
            return self.find_in_order(key, snapshot);
        }
        let index = self.section(&self.hash, &self.footer.hash)?;
        for place in hash_index::probe(index, hash) {
            let Some(entry) = self.entries.get(place.block as usize) else { continue };
            let block = self.block(place.block as usize, entry, Keep::Yes)?;
            let row = block::row_at(&block, usize::from(place.start))
                .ok_or_else(|| self.damaged(entry.offset, "a row that runs out of its block"))?;
            if !matches(&block, entry.prefix_len, &row, key) {
                continue;
            }
            let sequence = row.sequence_delta.wrapping_add(self.footer.totals.base_sequence);
            if sequence > snapshot {
                return self.find_in_order(key, snapshot);
            }
            let (value, kind) = (range_in(&block, row.value), self.kind(entry, &row)?);
            return Ok(Some(Hit { block, value, sequence, kind }));
        }
        Ok(None)
    }

    /// Finds a key through fences and heads, and walks its versions.
    fn find_in_order(&self, key: &[u8], snapshot: Sequence) -> Result<Option<Hit<'_>>> {
        let mut at = self.fences.block_of(key, &self.entries);
        let mut first = true;
        while let Some(entry) = self.entries.get(at) {
            let bytes = self.block(at, entry, Keep::Yes)?;
            let damaged = |bad: block::BadBlock| self.damaged(entry.offset, bad.what);
            let block = Block::parse(&bytes).map_err(damaged)?;
            // A later block can only go on with the same key.
            let start = if first { block.lower_bound(key).map_err(damaged)? } else { 0 };
            for ordinal in start..block.len() {
                let row = block
                    .row(ordinal)
                    .ok_or_else(|| self.damaged(entry.offset, "a row that runs out of its block"))?;
                if key.strip_prefix(block.prefix()) != Some(row.suffix) {
                    return Ok(None);
                }
                let sequence = row.sequence_delta.wrapping_add(self.footer.totals.base_sequence);
                if sequence <= snapshot {
                    let (value, kind) = (range_in(&bytes, row.value), self.kind(entry, &row)?);
                    return Ok(Some(Hit { value, sequence, kind, block: bytes }));
                }
            }
            at += 1;
            first = false;
        }
        Ok(None)
    }

    /// The plain bytes of a block.
    #[inline]
    pub(crate) fn block(&self, at: usize, entry: &Entry, keep: Keep) -> Result<BlockBytes<'_>> {
        match self.in_place(at) {
            Some(bytes) => Ok(BlockBytes::Lent(bytes)),
            None => self.load_block(at, entry, keep),
        }
    }

    #[cold]
    #[inline(never)]
    fn load_block(&self, at: usize, entry: &Entry, keep: Keep) -> Result<BlockBytes<'_>> {
        if entry.codec == Codec::Plain
            && let Some(frame) = self.map_range(entry.offset, FRAME_LEN + entry.stored_len as usize)
        {
            let payload = self.verify(entry, frame)?;
            self.set_verified(at);
            return Ok(BlockBytes::Lent(payload));
        }
        let id = BlockId { run: self.footer.number, block: at as u32 };
        if let Some(block) = self.pool.cache().get(id) {
            return Ok(BlockBytes::Shared(block));
        }
        let plain = self.read_block(entry)?;
        let bytes = plain.len() as u64;
        if keep == Keep::Yes && self.pool.take_resident(bytes) {
            if self.resident.keep(at, &plain) != Some(true) {
                // Another thread was first; its copy serves.
                self.pool.give_back(bytes);
            }
            if let Some(kept) = self.resident.get(at) {
                return Ok(BlockBytes::Lent(kept));
            }
        }
        let block = Arc::new(plain);
        if keep == Keep::Yes {
            self.pool.cache().insert(id, &block);
        }
        Ok(BlockBytes::Shared(block))
    }

    /// Where a block begins in the file, unless its plain form is at hand already.
    pub(crate) fn cold_block(&self, at: usize) -> Option<u64> {
        let entry = self.entries.get(at)?;
        self.in_place(at).is_none().then_some(entry.offset)
    }

    /// Has the system read part of the file before it is needed.
    pub(crate) fn bring_in(&self, range: Range<u64>) {
        if let Some(map) = &self.map {
            map.advise(Advice::WillNeed, range);
        }
    }

    /// Reads, verifies and decompresses a block past every cache.
    fn read_block(&self, entry: &Entry) -> Result<Box<[u8]>> {
        let len = FRAME_LEN + entry.stored_len as usize;
        let owned;
        let frame = match self.map_range(entry.offset, len) {
            Some(frame) => frame,
            None => {
                owned = open::read(&*self.file, &self.path, entry.offset, len)?;
                &owned
            }
        };
        let payload = self.verify(entry, frame)?;
        match entry.codec {
            Codec::Plain => Ok(payload.into()),
            Codec::Lz4 => decompress(payload, entry.plain_len as usize)
                .map_err(|_| self.damaged(entry.offset, "a payload that does not decompress")),
        }
    }

    /// The payload of a frame that is what was written.
    fn verify<'a>(&self, entry: &Entry, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let payload = bytes.get(FRAME_LEN..).unwrap_or_default();
        let frame = Frame::decode(bytes)
            .filter(|frame| {
                (frame.codec, frame.stored_len, frame.plain_len)
                    == (entry.codec, entry.stored_len, entry.plain_len)
            })
            .ok_or_else(|| self.damaged(entry.offset, "the frame of a block is not as the directory says"))?;
        if !frame.holds(payload, entry.offset) {
            return Err(self.damaged(entry.offset, "the checksum of a block does not hold"));
        }
        Ok(payload)
    }

    #[inline]
    fn is_verified(&self, at: usize) -> bool {
        self.verified.get(at / 64).is_some_and(|bits| bits.load(Ordering::Relaxed) >> (at % 64) & 1 == 1)
    }

    fn set_verified(&self, at: usize) {
        if let Some(bits) = self.verified.get(at / 64) {
            bits.fetch_or(1 << (at % 64), Ordering::Relaxed);
        }
    }
}

impl Drop for RunInner {
    fn drop(&mut self) {
        self.pool.give_back(self.resident.bytes());
        if *self.obsolete.get_mut() {
            // Nothing refers to the file any more; if it cannot be removed now, the next open will.
            drop(self.map.take());
            let _kept = self.storage.remove(&self.path);
        }
    }
}

/// A block pinned for as long as a cursor stands in it.
pub(crate) fn pin_block(lease: &Arc<Lease<RunInner>>, at: usize, keep: Keep) -> Result<Option<Value>> {
    let mut shared = None;
    let lent = Value::borrow(lease, |run| {
        let Some(entry) = run.entries.get(at) else { return Ok(None) };
        match run.block(at, entry, keep)? {
            BlockBytes::Lent(bytes) => Ok(Some(bytes)),
            BlockBytes::Shared(block) => {
                shared = Some(Value::from_block(block));
                Ok(None)
            }
        }
    })?;
    Ok(lent.or(shared))
}

/// Whether the row's whole key is `key`.
#[inline]
fn matches(block: &[u8], prefix_len: u16, row: &Row<'_>, key: &[u8]) -> bool {
    match key.split_at_checked(usize::from(prefix_len)) {
        Some((prefix, suffix)) => {
            suffix == row.suffix && (prefix.is_empty() || block::prefix_of(block) == Some(prefix))
        }
        None => false,
    }
}

/// Where `part`, borrowed from `whole`, lies in it.
#[inline]
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    start..start.wrapping_add(part.len())
}
