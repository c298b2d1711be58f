//! Rows of a run file of which only the blocks can be trusted.

use std::path::Path;

use crate::compress::{Codec, decompress};
use crate::error::{IoContext, Result};
use crate::key::Kind;
use crate::run::block::Block;
use crate::run::format::{FRAME_LEN, FRAME_MAGIC, Frame};
use crate::storage::{Open, Storage};

/// Gets key, kind, sequence counted from the run's base, and value.
pub(crate) type EachRow<'a> = dyn FnMut(&[u8], Kind, u64, &[u8]) -> Result<()> + 'a;

/// Looks for blocks at every byte: each begins with a magic number, and its checksum covers its place. What lies between
/// sound ones is passed over.
pub(crate) fn rows(storage: &dyn Storage, path: &Path, row: &mut EachRow<'_>) -> Result<()> {
    let file = storage.open(path, Open::Read).at("open", path)?;
    let bytes = file.map().at("map", path)?;
    let mut at = 0;
    while let Some(skip) = bytes
        .get(at..)
        .and_then(|rest| rest.windows(FRAME_MAGIC.len()).position(|window| *window == FRAME_MAGIC))
    {
        at += skip;
        match sound_block(&bytes, at) {
            Some((block, end)) => {
                block_rows(&block, row)?;
                at = end;
            }
            None => at += 1,
        }
    }
    Ok(())
}

/// The plain block whose frame begins at an offset, and where the next would; `None` if there is none that holds.
fn sound_block(bytes: &[u8], at: usize) -> Option<(Box<[u8]>, usize)> {
    let start = at + FRAME_LEN;
    let frame = Frame::decode(bytes.get(at..start)?)?;
    let end = start.checked_add(frame.stored_len as usize)?;
    let payload = bytes.get(start..end)?;
    if !frame.holds(payload, at as u64) {
        return None;
    }
    let plain = match frame.codec {
        Codec::Plain => payload.into(),
        Codec::Lz4 => decompress(payload, frame.plain_len as usize).ok()?,
    };
    Some((plain, end))
}

fn block_rows(bytes: &[u8], each: &mut EachRow<'_>) -> Result<()> {
    let Ok(block) = Block::parse(bytes) else { return Ok(()) };
    let mut key = Vec::new();
    for row in (0..block.len()).map_while(|at| block.row(at)) {
        let Some(kind) = Kind::from_byte(row.kind) else { continue };
        key.clear();
        key.extend_from_slice(block.prefix());
        key.extend_from_slice(row.suffix);
        each(&key, kind, row.sequence_delta, row.value)?;
    }
    Ok(())
}
