//! Read-only maps of immutable files. One of the modules that may use `unsafe`.
#![allow(unsafe_code, reason = "mapping a file is unsafe by nature; the invariant is stated at the call")]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// How a map will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Here and there: do not read ahead.
    Random,
    /// Soon: bring it in now.
    WillNeed,
}

/// The bytes of an immutable file.
#[derive(Debug)]
pub struct Map(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Held(Arc<[u8]>),
}

impl Map {
    /// Maps a file of the real disk.
    ///
    /// The engine maps run files only. A run file is complete and synced before it is opened for reading, is never
    /// written to or cut afterwards, and is removed by name alone, which leaves the mapped content in place: the bytes
    /// cannot change under the map as long as no other program changes files in the database directory.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(Bytes::Held(Arc::from([]))));
        }
        // SAFETY: the file is immutable, see above.
        let map = unsafe { memmap2::MmapOptions::new().map(file)? };
        Ok(Self(Bytes::Mapped(map)))
    }

    /// Stands in for a map where there is no file.
    #[must_use]
    pub fn held(bytes: Arc<[u8]>) -> Self {
        Self(Bytes::Held(bytes))
    }

    /// Tells the system how a part of the map will be read. Only a hint: failure is ignored.
    pub fn advise(&self, advice: Advice, range: Range<u64>) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.0 {
            let end = range.end.min(map.len() as u64);
            let length = end.saturating_sub(range.start) as usize;
            let advice = match advice {
                Advice::Random => memmap2::Advice::Random,
                Advice::WillNeed => memmap2::Advice::WillNeed,
            };
            let _hint = map.advise_range(advice, range.start as usize, length);
        }
        #[cfg(not(unix))]
        let _ = (advice, range);
    }
}

impl Deref for Map {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Held(bytes) => bytes,
        }
    }
}
