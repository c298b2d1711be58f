//! Opening a run file: everything but the blocks is found and checked here.

use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, IoContext, Result};
use crate::run::fences::Fences;
use crate::run::format::{
    BadHeader, ENTRY_LEN, Entry, FOOTER_LEN, FRAME_LEN, Footer, HEADER_LEN, SECTION_ALIGN, VERSION,
    decode_header,
};
use crate::run::{RunId, RunMeta};
use crate::storage::{File, Open, Storage};

/// A run file whose header, footer and directory are sound.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: Arc<dyn File>,
    pub(crate) footer: Footer,
    pub(crate) entries: Box<[Entry]>,
    pub(crate) fences: Fences,
    pub(crate) meta: RunMeta,
}

/// Whether there is a run `id` at `path` that this version can read, as far as its first bytes tell.
pub(crate) fn check_format(storage: &dyn Storage, path: &Path, id: RunId) -> Result<()> {
    open_checked(storage, path, id).map(drop)
}

/// The file of run `id`, its header checked, and its length.
fn open_checked(storage: &dyn Storage, path: &Path, id: RunId) -> Result<(Arc<dyn File>, u64)> {
    let file = storage.open(path, Open::Read).at("open", path)?;
    let len = file.len().at("measure", path)?;
    let header = read(&*file, path, 0, len.min(HEADER_LEN as u64) as usize)?;
    let number = decode_header(&header).map_err(|bad| match bad {
        BadHeader::Foreign => {
            Error::Foreign { path: path.to_owned(), what: "it does not begin like a run file" }
        }
        BadHeader::Newer(found) => Error::NewerFormat { path: path.to_owned(), found, supported: VERSION },
        BadHeader::Damaged => Error::corrupt(path, 0, "the header's checksum does not hold"),
    })?;
    if number != id {
        return Err(Error::corrupt(path, 0, "the header has another run's number"));
    }
    Ok((file, len))
}

/// Opens run `id` at `path`.
pub(crate) fn open(storage: &dyn Storage, path: &Path, id: RunId) -> Result<Opened> {
    let damaged = |offset, what| Error::corrupt(path, offset, what);
    let (file, len) = open_checked(storage, path, id)?;
    let Some(footer_at) = len.checked_sub(FOOTER_LEN as u64) else {
        return Err(damaged(len, "the file ends before its footer"));
    };
    let footer = Footer::decode(&read(&*file, path, footer_at, FOOTER_LEN)?)
        .filter(|footer| footer.number == id && footer.totals.base_sequence <= footer.totals.min_sequence)
        .ok_or_else(|| damaged(footer_at, "the footer's checksum does not hold"))?;
    let blocks_end = check_layout(&*file, path, &footer, footer_at)?;

    let at = footer.directory.offset;
    let directory = read(&*file, path, at, footer.directory.len as usize)?;
    if xxh3_64(&directory) != footer.directory.checksum {
        return Err(damaged(at, "the directory's checksum does not hold"));
    }
    let (entries, fences) = usize::try_from(footer.blocks)
        .ok()
        .and_then(|count| directory.split_at_checked(count.checked_mul(ENTRY_LEN)?))
        .ok_or_else(|| damaged(at, "a directory shorter than its entries"))?;
    let entries: Option<Box<[Entry]>> = entries.as_chunks().0.iter().map(Entry::decode).collect();
    let entries = entries.ok_or_else(|| damaged(at, "a directory entry of an unknown kind"))?;
    let mut expected = HEADER_LEN as u64;
    for entry in &entries {
        if entry.offset != expected {
            return Err(damaged(at, "blocks that do not follow each other"));
        }
        expected += FRAME_LEN as u64 + u64::from(entry.stored_len);
    }
    if expected > blocks_end || blocks_end - expected >= SECTION_ALIGN {
        return Err(damaged(at, "blocks that do not reach the directory"));
    }
    check_padding(&*file, path, expected, blocks_end)?;
    let fences = Fences::new(&entries, fences).ok_or_else(|| damaged(at, "fences out of order"))?;
    let meta = RunMeta {
        id,
        bytes: len,
        rows: footer.totals.rows,
        deletes: footer.totals.deletions,
        min_sequence: footer.totals.min_sequence,
        max_sequence: footer.totals.max_sequence,
        first_key: fences.first().into(),
        last_key: fences.last().into(),
    };
    Ok(Opened { file, footer, entries, fences, meta })
}

/// Sections lie behind the blocks in order, nothing but zeros between them. Returns where the first begins.
fn check_layout(file: &dyn File, path: &Path, footer: &Footer, footer_at: u64) -> Result<u64> {
    let mut end = footer_at;
    for section in [&footer.hash, &footer.bloom, &footer.directory] {
        let section_end = section
            .offset
            .checked_add(section.len)
            .filter(|section_end| *section_end <= end && end - section_end < SECTION_ALIGN)
            .ok_or_else(|| Error::corrupt(path, footer_at, "sections that do not follow each other"))?;
        check_padding(file, path, section_end, end)?;
        end = section.offset;
    }
    Ok(end)
}

/// Bytes that no checksum covers must be zero, so that a flip is noticed there too.
fn check_padding(file: &dyn File, path: &Path, start: u64, end: u64) -> Result<()> {
    let padding = read(file, path, start, (end - start) as usize)?;
    match padding.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(Error::corrupt(path, start, "padding that is not zero")),
    }
}

/// Reads a part of the file that its own records promise to be there.
pub(crate) fn read(file: &dyn File, path: &Path, offset: u64, len: usize) -> Result<Box<[u8]>> {
    let mut bytes = vec![0; len].into_boxed_slice();
    file.read_exact_at(&mut bytes, offset).at("read", path)?;
    Ok(bytes)
}
