//! Files of the log: made ahead of need, filled with zeros, used again when their commits have reached runs.
//!
//! ```text
//! "UNCKLOG\0" | version u32 | zero u32 | segment u64 | database u64 | capacity u64 | checksum u64;  zeros to 512
//! ```
//!
//! Overwriting zeros that are already on the medium needs no change of the file system's own records, which makes a sync
//! about a third faster than appending. A file gets its name when it is complete, and keeps it for life; the number in its
//! header says which segment it holds now, and is durable before the first frame is written. A file under such a name that
//! is not whole was damaged: no crash leaves one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, IoContext, Result};
use crate::storage::{File, Open, Storage};

/// Frames begin here.
pub(crate) const HEADER: u64 = 512;
const MAGIC: &[u8; 8] = b"UNCKLOG\0";
/// The version of the log's format.
pub(crate) const VERSION: u32 = 1;
/// What the name of a file ends with until it is complete.
pub(crate) const UNFINISHED: &str = "log.new";
/// Zeros are written in pieces of this size.
const PIECE: u64 = 64 << 10;
static ZEROS: [u8; PIECE as usize] = [0; PIECE as usize];

/// A file of the log, open. A handle; clones are the same file.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: Arc<Path>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) capacity: u64,
    /// Number of the database it belongs to.
    pub(crate) database: u64,
}

impl Segment {
    /// Makes a new file of `capacity` bytes; durable, its name too. With zeros in place it is quick to sync, which is worth
    /// writing it twice for many small commits and not for one that fills it.
    pub(crate) fn create(
        storage: &dyn Storage,
        path: PathBuf,
        number: u64,
        database: u64,
        capacity: u64,
        zeroed: bool,
    ) -> Result<Self> {
        let unfinished = path.with_extension(UNFINISHED);
        let made = Self::fill(storage, &unfinished, number, database, capacity, zeroed)
            .and_then(|file| storage.rename(&unfinished, &path).at("rename", &unfinished).map(|()| file));
        if made.is_err() {
            // A full disk, most likely: give back what was taken. If even that fails, the file goes at the next opening.
            let _already_failing = storage.remove(&unfinished);
        }
        let file = made?;
        if let Some(directory) = path.parent() {
            storage.sync_dir(directory).at("sync", directory)?;
        }
        Ok(Self { number, file, path: path.into(), capacity, database })
    }

    fn fill(
        storage: &dyn Storage,
        path: &Path,
        number: u64,
        database: u64,
        capacity: u64,
        zeroed: bool,
    ) -> Result<Arc<dyn File>> {
        let file = storage.open(path, Open::Replace).at("create", path)?;
        if !zeroed {
            file.set_len(capacity).at("lengthen", path)?;
        }
        let mut at = HEADER;
        while zeroed && at < capacity {
            let piece = (capacity - at).min(PIECE) as usize;
            file.write_at(ZEROS.get(..piece).unwrap_or(&ZEROS), at).at("write zeros to", path)?;
            at += piece as u64;
        }
        file.write_at(&header(number, database, capacity), 0).at("write", path)?;
        file.sync().at("sync", path)?;
        Ok(file)
    }

    /// Gives the file a new number; durable when this returns.
    pub(crate) fn recycle(mut self, number: u64, database: u64) -> Result<Self> {
        self.file.write_at(&header(number, database, self.capacity), 0).at("write", &self.path)?;
        self.file.sync().at("sync", &self.path)?;
        self.number = number;
        Ok(self)
    }

    /// Opens a file of the log. Without the number of a database, a file of any will do.
    pub(crate) fn open(
        storage: &dyn Storage,
        path: PathBuf,
        database: Option<u64>,
        how: Open,
    ) -> Result<Self> {
        let file = storage.open(&path, how).at("open", &path)?;
        let length = file.len().at("measure", &path)?;
        let mut bytes = [0; HEADER as usize];
        if length < HEADER {
            return Err(Error::corrupt(&path, length, "a file of the log that ends in its header"));
        }
        file.read_exact_at(&mut bytes, 0).at("read", &path)?;
        let (words, _) = bytes.as_chunks::<8>();
        let [magic, version, number, owner, capacity, checksum, rest @ ..] = words else {
            return Err(Error::corrupt(&path, 0, "no header"));
        };
        if magic != MAGIC {
            return Err(Error::corrupt(&path, 0, "not a file of the log"));
        }
        let found = u64::from_le_bytes(*version) as u32;
        if found > VERSION {
            return Err(Error::NewerFormat { path, found, supported: VERSION });
        }
        let sum = xxh3_64(bytes.get(..40).unwrap_or_default());
        if u64::from_le_bytes(*checksum) != sum || rest.iter().any(|word| *word != [0; 8]) {
            return Err(Error::corrupt(&path, 0, "the header of a file of the log fails its checksum"));
        }
        let owner = u64::from_le_bytes(*owner);
        if database.is_some_and(|database| database != owner) {
            return Err(Error::Foreign { path, what: "a file of another database's log" });
        }
        let capacity = u64::from_le_bytes(*capacity);
        if length < capacity {
            return Err(Error::corrupt(&path, length, "a file of the log that was cut short"));
        }
        Ok(Self { number: u64::from_le_bytes(*number), path: path.into(), file, capacity, database: owner })
    }
}

fn header(number: u64, database: u64, capacity: u64) -> [u8; HEADER as usize] {
    let mut bytes = [0; HEADER as usize];
    let mut summed = Vec::with_capacity(48);
    summed.extend_from_slice(MAGIC);
    for word in [u64::from(VERSION), number, database, capacity] {
        summed.extend_from_slice(&word.to_le_bytes());
    }
    summed.extend_from_slice(&xxh3_64(&summed).to_le_bytes());
    for (to, from) in bytes.iter_mut().zip(summed) {
        *to = from;
    }
    bytes
}
