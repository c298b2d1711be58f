//! Writes a run: versions in order go in, a finished and synced file comes out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

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
    /// sixteen bytes a key until the end.
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

/// Bytes collected before they are handed to the file.
const BUFFER: usize = 256 << 10;

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
    /// Hash of every distinct key, and the place of its newest row.
    hashes: Vec<(u64, Place)>,
    /// Ordinals within the open block of the rows that are the newest of their key; parallel to the end of `hashes`.
    newest: Vec<u32>,
    first_key: Vec<u8>,
    last_key: Vec<u8>,
    /// Last key of the block before the open one.
    block_end: Vec<u8>,
    last_sequence: Sequence,
    footer: Footer,
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
            hashes: Vec::new(),
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
        })
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
            if self.hashes.len() < self.options.hash_index_keys.max(self.options.bloom_keys) {
                self.hashes.push((key::hash(key), Place { block: self.entries.len() as u32, start: 0 }));
                self.newest.push(self.block.len() as u32);
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

    /// Heap held for what is only written at the end.
    #[must_use]
    pub fn held(&self) -> usize {
        self.hashes.capacity() * size_of::<(u64, Place)>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.fences.capacity()
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
        // Hashes stop being collected at the larger limit; past a limit there is no filter rather than a partial one.
        let keys = usize::try_from(self.footer.totals.keys).unwrap_or(usize::MAX);
        let filter = match keys <= self.options.bloom_keys {
            true => bloom::build(self.hashes.iter().map(|(hash, _)| *hash)),
            false => Vec::new(),
        };
        self.footer.bloom = self.section(&filter)?;
        let index = match keys <= self.options.hash_index_keys {
            true => hash_index::build(&self.hashes),
            false => Vec::new(),
        };
        self.footer.hash = self.section(&index)?;
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
        let opened = self.hashes.len() - self.newest.len();
        for ((_, place), row) in self.hashes.iter_mut().skip(opened).zip(&self.newest) {
            place.start = self.block.starts().get(*row as usize).copied().unwrap_or_default();
        }
        self.footer.totals.plain_bytes += u64::from(plain_len);
        self.newest.clear();
        self.block.clear();
        self.block_end.clone_from(&self.last_key);
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
