//! How a database is opened.

use crate::blocks::pool::ReadMode;
use crate::compact::CompactOptions;
use crate::error::{Error, Result};
use crate::log::LogOptions;

/// When a commit is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on the medium: it survives a power cut.
    #[default]
    Sync,
    /// When it is written to the log: it survives a crash of the program, not of the machine. After a power cut commits
    /// may be missing, always the newest ones, never one from the middle. A later commit with [`Durability::Sync`]
    /// makes it durable too.
    Buffered,
}

/// Settings of a database. All may differ from one opening to the next.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of heap for memtables, caches and the commit window together. A small budget also makes for smaller runs, and
    /// for indexes of fewer keys than [`CompactOptions`] asks for.
    pub memory_budget: u64,
    /// Size at which a memtable is frozen and flushed. Zero: a sixteenth of the budget, at most 32 MiB.
    pub write_buffer_bytes: usize,
    /// How run files are read.
    pub read_mode: ReadMode,
    /// The log's files.
    pub log: LogOptions,
    /// When and how runs are merged, and how they are laid out.
    pub compaction: CompactOptions,
    /// Bytes a second that compaction may write; zero is no limit.
    pub compaction_rate: u64,
    /// Whether flushes and compaction run on threads of their own. Without, the writer that makes one due does it: slower,
    /// and in an order that can be repeated.
    pub background: bool,
    /// What [`crate::Table::put`] and [`crate::Table::delete`] wait for.
    pub durability: Durability,
    /// Times that [`crate::Database::transact`] tries a transaction that conflicts.
    pub retries: u32,
    /// Whether a directory without a database becomes one.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_budget: 256 << 20,
            write_buffer_bytes: 0,
            read_mode: ReadMode::default(),
            log: LogOptions::default(),
            compaction: CompactOptions::default(),
            compaction_rate: 0,
            background: true,
            durability: Durability::default(),
            retries: 100,
            create: true,
        }
    }
}

/// Least memory budget with which anything useful can be done.
pub const MIN_BUDGET: u64 = 1 << 20;

impl Options {
    /// For a program that opens a database for a moment at a time and can make again what is in it: little memory, small
    /// files, and no commit waits for the disk. Goes well with [`crate::storage::Disk::without_sync`].
    #[must_use]
    pub fn brief() -> Self {
        Self {
            memory_budget: 32 << 20,
            log: LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() },
            durability: Durability::Buffered,
            ..Self::default()
        }
    }

    /// Checks the options and fills in what depends on others.
    pub(crate) fn settle(mut self) -> Result<Self> {
        if self.memory_budget < MIN_BUDGET {
            return Err(Error::BadOption { option: "memory_budget", what: "less than 1 MiB" });
        }
        if self.write_buffer_bytes == 0 {
            self.write_buffer_bytes = (self.memory_budget / 16).min(32 << 20) as usize;
        }
        if self.write_buffer_bytes as u64 > self.memory_budget / 4 {
            return Err(Error::BadOption {
                option: "write_buffer_bytes",
                what: "more than a quarter of memory_budget",
            });
        }
        if self.log.segment_bytes < 64 << 10 {
            return Err(Error::BadOption { option: "log.segment_bytes", what: "less than 64 KiB" });
        }
        // A writer keeps fourteen bytes a key until its run is done, and a merge may have several writers.
        let run = &mut self.compaction.run;
        run.hash_index_keys = run.hash_index_keys.min((self.memory_budget / 512) as usize);
        run.bloom_keys = run.bloom_keys.min((self.memory_budget / 256) as usize);
        self.compaction.base_run_bytes = self.compaction.base_run_bytes.min(self.memory_budget / 8);
        Ok(self)
    }
}
