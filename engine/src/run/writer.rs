//! Writes a run: versions in order go in, a finished and synced file comes out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::blocks::gauge::{Gauge, Share};
use crate::blocks::pages::{Pages, Records};
use crate::compress::{Compression, Compressor};
use crate::error::{Error, IoContext, Result};
use crate::key::{self, Kind, Sequence, Version};
use crate::run::block::{BlockBuilder, TARGET_MAX};
use crate::run::format::{self, Entry, Footer, Frame, SECTION_ALIGN, Section, Totals};
use crate::run::hash_index::{self, Place};
use crate::run::{RunId, RunMeta, bloom};
use crate::storage::{File, Open, Storage};

/// How a run is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// Bytes after which a block is closed.
    pub block_size: usize,
    /// Which blocks are compressed.
    pub compression: Compression,
    /// Most distinct keys a hash index is made for; zero for none at all. Bounds the writer's memory: it keeps
    /// fourteen bytes a key until the end.
    pub hash_index_keys: usize,
    /// Most distinct keys a bloom filter is made for.
    pub bloom_keys: usize,
    /// No version has a smaller sequence. Rows store the difference, so a tight bound makes them a little shorter.
    pub base_sequence: Sequence,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            block_size: 16 << 10,
            compression: Compression::Adaptive,
            hash_index_keys: 8 << 20,
            bloom_keys: 16 << 20,
            base_sequence: 0,
        }
    }
}

impl RunOptions {
    /// Keys after which a run should be closed rather than have no index or filter.
    pub(crate) fn indexed_keys(&self) -> u64 {
        match (self.hash_index_keys, self.bloom_keys) {
            (0, 0) => u64::MAX,
            (0, bloom) => bloom as u64,
            (hash, _) => hash as u64,
        }
    }
}

/// Bytes collected before they are handed to the file.
const BUFFER: usize = 64 << 10;

/// Bytes kept for each distinct key.
const HASH: usize = 14;

fn encode(hash: u64, place: Place) -> [u8; HASH] {
    let mut record = [0; HASH];
    let parts =
        hash.to_le_bytes().into_iter().chain(place.block.to_le_bytes()).chain(place.start.to_le_bytes());
    for (to, from) in record.iter_mut().zip(parts) {
        *to = from;
    }
    record
}

fn decode(record: &[u8; HASH]) -> (u64, Place) {
    let [h0, h1, h2, h3, h4, h5, h6, h7, b0, b1, b2, b3, s0, s1] = *record;
    let place = Place { block: u32::from_le_bytes([b0, b1, b2, b3]), start: u16::from_le_bytes([s0, s1]) };
    (u64::from_le_bytes([h0, h1, h2, h3, h4, h5, h6, h7]), place)
}

/// The end of the file being written.
#[derive(Debug)]
struct Tail {
    file: Arc<dyn File>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes in the file.
    flushed: u64,
}

impl Tail {
    fn offset(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            self.file.write_at(bytes, self.flushed).at("write", &self.path)?;
            self.flushed += bytes.len() as u64;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_at(&self.buffer, self.flushed).at("write", &self.path)?;
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Removes an unfinished file.
#[derive(Debug)]
struct Unfinished {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    finished: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is swept up at the next open: no manifest names it.
            let _left = self.storage.remove(&self.path);
        }
    }
}

/// Writes one run, front to back.
#[derive(Debug)]
pub struct RunWriter {
    tail: Tail,
    unfinished: Unfinished,
    options: RunOptions,
    block: BlockBuilder,
    compressor: Compressor,
    entries: Vec<Entry>,
    fences: Vec<u8>,
    /// Hash of every distinct key of closed blocks, and the block and start of its newest row.
    hashes: Records<HASH>,
    /// Hash and ordinal of the rows of the open block that are the newest of their key.
    newest: Vec<(u64, u32)>,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
    /// Last key of the block before the open one.
    block_end: Vec<u8>,
    last_sequence: Sequence,
    footer: Footer,
    held: Share,
}

impl RunWriter {
    /// Starts run `id` in a new file.
    pub fn create(storage: &Arc<dyn Storage>, path: &Path, id: RunId, options: &RunOptions) -> Result<Self> {
        let file = storage.open(path, Open::Replace).at("create", path)?;
        let unfinished = Unfinished { storage: Arc::clone(storage), path: path.to_owned(), finished: false };
        let buffer = Vec::with_capacity(BUFFER);
        let mut tail = Tail { file, path: path.to_owned(), buffer, flushed: 0 };
        tail.append(&format::encode_header(id))?;
        Ok(Self {
            tail,
            unfinished,
            options: RunOptions { block_size: options.block_size.clamp(512, TARGET_MAX), ..*options },
            block: BlockBuilder::default(),
            compressor: Compressor::default(),
            entries: Vec::new(),
            fences: Vec::new(),
            hashes: Records::default(),
            newest: Vec::new(),
            first_key: Vec::new(),
            last_key: Vec::new(),
            block_end: Vec::new(),
            last_sequence: 0,
            footer: Footer {
                number: id,
                totals: Totals {
                    base_sequence: options.base_sequence,
                    min_sequence: Sequence::MAX,
                    max_sequence: options.base_sequence,
                    ..Totals::default()
                },
                ..Footer::default()
            },
            held: Share::default(),
        })
    }

    /// Has what the writer holds counted.
    #[must_use]
    pub(crate) fn counted(mut self, in_all: &Arc<Gauge>) -> Self {
        self.held = Share::new(in_all);
        let held = self.held();
        self.held.set(held);
        self
    }

    /// Adds a version: keys rising, sequences falling within a key. One out of order is refused.
    pub fn push(&mut self, version: Version<'_>) -> Result<()> {
        let Version { key, sequence, kind, value } = version;
        let rows = self.footer.totals.rows;
        let repeated = rows > 0 && key == self.last_key;
        if (rows > 0 && !repeated && key < self.last_key.as_slice())
            || (repeated && sequence >= self.last_sequence)
            || sequence < self.options.base_sequence
        {
            return Err(Error::Unsorted { row: rows });
        }
        // A long value may overshoot by half a block rather than leave half a block empty.
        let expected = self.block.size() + key.len() + value.len().min(self.options.block_size / 2);
        if !self.block.is_empty() && expected > self.options.block_size {
            self.close_block()?;
        }
        let totals = &mut self.footer.totals;
        totals.rows += 1;
        totals.deletions += u64::from(kind == Kind::Delete);
        totals.min_sequence = totals.min_sequence.min(sequence);
        totals.max_sequence = totals.max_sequence.max(sequence);
        totals.key_bytes += key.len() as u64;
        totals.value_bytes += value.len() as u64;
        if !repeated {
            totals.keys += 1;
            let most = self.options.hash_index_keys.max(self.options.bloom_keys);
            if self.hashes.len() + self.newest.len() < most {
                self.newest.push((key::hash(key), self.block.len() as u32));
            }
            self.last_key.clear();
            self.last_key.extend_from_slice(key);
            if rows == 0 {
                self.first_key.extend_from_slice(key);
            }
        }
        self.last_sequence = sequence;
        self.block.push(key, value, sequence - self.options.base_sequence, kind as u8);
        Ok(())
    }

    /// Bytes written so far, the open block not counted.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.tail.offset()
    }

    /// Whether the run should be closed, as a part of the base, before the next key.
    pub(crate) fn is_full(&self, bytes: u64) -> bool {
        self.written() >= bytes || self.footer.totals.keys >= self.options.indexed_keys()
    }

    /// Versions pushed so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.footer.totals.rows
    }

    /// Key pushed last.
    #[must_use]
    pub fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// Memory it holds: buffers, and what is only written at the end.
    #[must_use]
    pub fn held(&self) -> usize {
        self.hashes.len() * HASH
            + self.newest.capacity() * size_of::<(u64, u32)>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.fences.capacity()
            + self.block.held()
            + self.compressor.held()
            + BUFFER
    }

    /// Writes the rest and syncs the file. The directory is the caller's to sync.
    pub fn finish(mut self) -> Result<RunMeta> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        let mut directory = Vec::with_capacity(self.entries.len() * format::ENTRY_LEN + self.fences.len());
        for entry in &self.entries {
            entry.encode(&mut directory);
        }
        directory.append(&mut self.fences);
        directory.extend_from_slice(&self.last_key);
        self.footer.directory = self.section(&directory)?;
        let held = self.held() + directory.capacity();
        // Hashes stop being collected at the larger limit; past a limit there is no filter rather than a partial one.
        let keys = usize::try_from(self.footer.totals.keys).unwrap_or(usize::MAX);
        let path = self.tail.path.clone();
        let pages = |len| Pages::zeroed(len).at("get memory for", &path);
        let mut filter = pages(if keys <= self.options.bloom_keys { bloom::size(keys) } else { 0 })?;
        self.held.set(held + filter.len());
        bloom::fill(&mut filter, self.hashes.iter().map(|record| decode(record).0));
        self.footer.bloom = self.section(&filter)?;
        drop(filter);
        let mut index = pages(if keys <= self.options.hash_index_keys { hash_index::size(keys) } else { 0 })?;
        self.held.set(held + index.len());
        hash_index::fill(&mut index, self.hashes.iter().map(decode));
        self.footer.hash = self.section(&index)?;
        drop(index);
        self.footer.blocks = self.entries.len() as u64;
        let totals = &mut self.footer.totals;
        totals.min_sequence = totals.min_sequence.min(totals.max_sequence);
        let footer = self.footer.encode();
        self.tail.append(&footer)?;
        self.tail.flush()?;
        self.tail.file.sync().at("sync", &self.tail.path)?;
        self.unfinished.finished = true;
        Ok(RunMeta {
            id: self.footer.number,
            bytes: self.tail.offset(),
            rows: self.footer.totals.rows,
            deletes: self.footer.totals.deletions,
            min_sequence: self.footer.totals.min_sequence,
            max_sequence: self.footer.totals.max_sequence,
            first_key: self.first_key.into(),
            last_key: self.last_key.into(),
        })
    }

    fn close_block(&mut self) -> Result<()> {
        let offset = self.tail.offset();
        let rows = self.block.len() as u32;
        // A block holds one row beyond its target size at most, and rows are limited: all lengths fit 32 bits.
        let plain = self.block.finish();
        let plain_len = u32::try_from(plain.len()).unwrap_or(u32::MAX);
        let (codec, payload) = self.compressor.compress(plain, self.options.compression);
        let frame = Frame::new(codec, payload, plain_len, offset);
        self.tail.append(&frame.encode())?;
        self.tail.append(payload)?;
        self.compressor.trim();

        // The shortest string above the block before and not above the first key here fences as well as that key.
        let first_key = self.block.first_key().unwrap_or_default();
        let continues = !self.entries.is_empty() && first_key == self.block_end.as_slice();
        let shared = first_key.iter().zip(&self.block_end).take_while(|(a, b)| a == b).count();
        let fence = match first_key.get(..=shared) {
            Some(short) if !self.entries.is_empty() => short,
            _ => first_key,
        };
        self.fences.extend_from_slice(fence);
        self.entries.push(Entry {
            offset,
            stored_len: frame.stored_len,
            plain_len,
            rows,
            fence_end: self.fences.len() as u32,
            prefix_len: self.block.prefix_len() as u16,
            codec,
            continues,
        });
        let block = (self.entries.len() - 1) as u32;
        for (hash, row) in &self.newest {
            let start = self.block.starts().get(*row as usize).copied().unwrap_or_default();
            self.hashes.push(encode(*hash, Place { block, start })).at("get memory for", &self.tail.path)?;
        }
        self.footer.totals.plain_bytes += u64::from(plain_len);
        self.newest.clear();
        self.block.clear();
        self.block_end.clone_from(&self.last_key);
        let held = self.held();
        self.held.set(held);
        Ok(())
    }

    fn section(&mut self, bytes: &[u8]) -> Result<Section> {
        let end = self.tail.offset();
        let offset = end.next_multiple_of(SECTION_ALIGN);
        self.tail.append([0; SECTION_ALIGN as usize].get(..(offset - end) as usize).unwrap_or_default())?;
        self.tail.append(bytes)?;
        Ok(Section { offset, len: bytes.len() as u64, checksum: xxh3_64(bytes) })
    }
}
