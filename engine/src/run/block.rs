//! A plain block: rows end to end, then their heads and their starts.
//!
//! ```text
//! count u32 | prefix length u16 | flags u16 | tail offset u32 | zero u32
//! prefix bytes
//! rows:   suffix length varint | value length << 2 | kind varint | sequence delta varint | suffix | value
//! tail:   heads, count x u64, of the suffixes | starts, count x u16, from the beginning of the block
//! ```
//!
//! Every row can be read by its start alone: there is no chain of deltas to replay (no restart points). A prefix is
//! split off only where it is long enough to pay for putting keys together again.

use crate::key;
use crate::run::heads::{self, HEAD};
use crate::run::varint;

/// Bytes before the prefix.
pub const HEADER: usize = 16;
/// Prefixes shorter than this stay in the rows, so that a scan can lend keys out of the block.
const PREFIX_MIN: usize = 6;
/// Longest prefix split off; keeps every start within 16 bits.
const PREFIX_MAX: usize = 1024;
/// Largest target size of a block: a row may start nowhere beyond it.
pub const TARGET_MAX: usize = 32 * 1024;

/// The bytes of a block contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadBlock {
    /// What does not hold.
    pub what: &'static str,
}

const fn bad(what: &'static str) -> BadBlock {
    BadBlock { what }
}

/// One row as it lies in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The key without the block's prefix.
    pub suffix: &'a [u8],
    /// The value; empty for a deletion.
    pub value: &'a [u8],
    /// Commit sequence, less the smallest of the run.
    pub sequence_delta: u64,
    /// The two bits that say what the row does.
    pub kind: u8,
}

/// Decodes the row that begins at `start` of a plain block.
#[inline(always)]
#[must_use]
pub fn row_at(block: &[u8], start: usize) -> Option<Row<'_>> {
    let rest = block.get(start..)?;
    let (suffix_len, rest) = varint::take(rest)?;
    let (value_len, rest) = varint::take(rest)?;
    let (sequence_delta, rest) = varint::take(rest)?;
    let (suffix, rest) = rest.split_at_checked(usize::try_from(suffix_len).ok()?)?;
    let value = rest.get(..usize::try_from(value_len >> 2).ok()?)?;
    Some(Row { suffix, value, sequence_delta, kind: (value_len & 3) as u8 })
}

/// The prefix of a plain block, without looking at anything else.
#[inline]
#[must_use]
pub fn prefix_of(block: &[u8]) -> Option<&[u8]> {
    let length = u16::from_le_bytes(*block.get(4..)?.first_chunk()?);
    block.get(HEADER..HEADER + usize::from(length))
}

/// A plain block, its parts found and checked against each other.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    bytes: &'a [u8],
    prefix: &'a [u8],
    heads: &'a [[u8; HEAD]],
    starts: &'a [[u8; 2]],
}

impl<'a> Block<'a> {
    /// Finds the parts of a block.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadBlock> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(bad("a block shorter than its header"))?;
        let [c0, c1, c2, c3, p0, p1, _, _, t0, t1, t2, t3, ..] = *header;
        let count = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
        let prefix_len = usize::from(u16::from_le_bytes([p0, p1]));
        let tail = u32::from_le_bytes([t0, t1, t2, t3]) as usize;
        let prefix = bytes.get(HEADER..HEADER + prefix_len).ok_or(bad("a block shorter than its prefix"))?;
        let tail = bytes.get(tail..).ok_or(bad("a block shorter than its rows"))?;
        if tail.len() != count * (HEAD + 2) {
            return Err(bad("a block whose tail is not as long as its row count says"));
        }
        let (heads, starts) = tail.split_at_checked(count * HEAD).ok_or(bad("a block without heads"))?;
        Ok(Self { bytes, prefix, heads: heads.as_chunks().0, starts: starts.as_chunks().0 })
    }

    /// Rows in the block.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether the block holds no row; the writer never makes such a block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// What every key of the block begins with.
    #[inline]
    #[must_use]
    pub fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// Where a row begins.
    #[inline]
    #[must_use]
    pub fn start(&self, at: usize) -> Option<u16> {
        self.starts.get(at).map(|start| u16::from_le_bytes(*start))
    }

    /// A row by its ordinal.
    #[inline]
    #[must_use]
    pub fn row(&self, at: usize) -> Option<Row<'a>> {
        row_at(self.bytes, usize::from(self.start(at)?))
    }

    /// Ordinal of the first row whose key is not below `key`; the newest version of `key` if the block holds it.
    pub fn lower_bound(&self, key: &[u8]) -> Result<usize, BadBlock> {
        self.partition(key, |suffix, target| suffix < target)
    }

    /// Ordinal of the first row whose key is above `key`.
    pub fn upper_bound(&self, key: &[u8]) -> Result<usize, BadBlock> {
        self.partition(key, |suffix, target| suffix <= target)
    }

    #[inline]
    fn partition(&self, key: &[u8], below: impl Fn(&[u8], &[u8]) -> bool) -> Result<usize, BadBlock> {
        let Some(target) = key.strip_prefix(self.prefix) else {
            return Ok(if key < self.prefix { 0 } else { self.len() });
        };
        let (mut low, mut high) = heads::bounds(self.heads, key::head(target));
        while low < high {
            let middle = low + (high - low) / 2;
            let row = self.row(middle).ok_or(bad("a row that runs out of its block"))?;
            if below(row.suffix, target) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Reads every row and checks all that [`Block::parse`] takes on trust; for `check` and `dump`.
    pub fn check(&self) -> Result<(), BadBlock> {
        let mut expected = HEADER + self.prefix.len();
        let mut previous: Option<Row<'a>> = None;
        for at in 0..self.len() {
            let row = self.row(at).ok_or(bad("a row that runs out of its block"))?;
            if self.start(at).map(usize::from) != Some(expected) {
                return Err(bad("a row that does not begin where the one before ends"));
            }
            let head = self.heads.get(at).map(|head| u64::from_le_bytes(*head));
            if head != Some(key::head(row.suffix)) {
                return Err(bad("a head that is not its key's"));
            }
            if row.kind > 1 {
                return Err(bad("a row of unknown kind"));
            }
            if let Some(previous) = previous
                && (previous.suffix > row.suffix
                    || (previous.suffix == row.suffix && previous.sequence_delta <= row.sequence_delta))
            {
                return Err(bad("rows out of order"));
            }
            expected = value_end(self.bytes, row.value).ok_or(bad("a row that runs out of its block"))?;
            previous = Some(row);
        }
        if expected + self.len() * (HEAD + 2) != self.bytes.len() {
            return Err(bad("bytes between the last row and the tail"));
        }
        Ok(())
    }
}

/// Offset in `block` at which `value`, a part of it, ends.
fn value_end(block: &[u8], value: &[u8]) -> Option<usize> {
    (value.as_ptr().addr() + value.len()).checked_sub(block.as_ptr().addr()).filter(|end| *end <= block.len())
}

/// Collects rows in order and lays them out as a block.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    /// Keys and values of all rows, alternating.
    bytes: Vec<u8>,
    rows: Vec<Pending>,
    plain: Vec<u8>,
    starts: Vec<u16>,
}

#[derive(Debug)]
struct Pending {
    key_len: usize,
    value_len: usize,
    sequence_delta: u64,
    kind: u8,
}

impl BlockBuilder {
    /// Adds a row. The caller keeps the order: keys rising, sequences falling within a key.
    pub fn push(&mut self, key: &[u8], value: &[u8], sequence_delta: u64, kind: u8) {
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.rows.push(Pending { key_len: key.len(), value_len: value.len(), sequence_delta, kind });
    }

    /// About how long the block is by now.
    #[must_use]
    pub fn size(&self) -> usize {
        HEADER + self.bytes.len() + self.rows.len() * (HEAD + 6)
    }

    /// Memory its buffers take.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity() + self.plain.capacity() + self.rows.capacity() * size_of::<Pending>()
    }

    /// Rows collected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row was added since the last block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Key of the first row.
    #[must_use]
    pub fn first_key(&self) -> Option<&[u8]> {
        self.bytes.get(..self.rows.first()?.key_len)
    }

    /// Lays the rows out. Each row's start is in [`BlockBuilder::starts`] afterwards, until [`BlockBuilder::clear`].
    pub fn finish(&mut self) -> &[u8] {
        let prefix_len = self.common_prefix();
        self.plain.clear();
        self.starts.clear();
        self.plain.reserve(self.size());
        self.plain.extend_from_slice(&(self.rows.len() as u32).to_le_bytes());
        self.plain.extend_from_slice(&(prefix_len as u16).to_le_bytes());
        self.plain.extend_from_slice(&[0; HEADER - 6]);
        self.plain.extend_from_slice(self.bytes.get(..prefix_len).unwrap_or_default());
        let mut heads = Vec::with_capacity(self.rows.len());
        let mut rest = self.bytes.as_slice();
        for row in &self.rows {
            let (key, after) = rest.split_at(row.key_len);
            let (value, after) = after.split_at(row.value_len);
            rest = after;
            let suffix = key.get(prefix_len..).unwrap_or_default();
            self.starts.push(self.plain.len() as u16);
            heads.push(key::head(suffix));
            varint::put(&mut self.plain, suffix.len() as u64);
            varint::put(&mut self.plain, (row.value_len as u64) << 2 | u64::from(row.kind));
            varint::put(&mut self.plain, row.sequence_delta);
            self.plain.extend_from_slice(suffix);
            self.plain.extend_from_slice(value);
        }
        let tail = (self.plain.len() as u32).to_le_bytes();
        if let Some(field) = self.plain.get_mut(8..12) {
            field.copy_from_slice(&tail);
        }
        self.plain.extend(heads.iter().flat_map(|head| head.to_le_bytes()));
        self.plain.extend(self.starts.iter().flat_map(|start| start.to_le_bytes()));
        &self.plain
    }

    /// Bytes of the block last laid out.
    #[must_use]
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Starts of the rows of the block last laid out.
    #[must_use]
    pub fn starts(&self) -> &[u16] {
        &self.starts
    }

    /// Prefix length of the block last laid out.
    #[must_use]
    pub fn prefix_len(&self) -> usize {
        prefix_of(&self.plain).map_or(0, <[u8]>::len)
    }

    /// Forgets the rows and keeps the buffers, except those a giant value made.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
        self.plain.clear();
        self.starts.clear();
        self.bytes.shrink_to(8 * TARGET_MAX);
        self.plain.shrink_to(8 * TARGET_MAX);
    }

    /// What the first and the last key share, all in between share too.
    fn common_prefix(&self) -> usize {
        let (Some(first), Some(last)) = (self.first_key(), self.rows.last()) else { return 0 };
        if self.rows.len() < 2 {
            return 0;
        }
        let last_at = self.bytes.len() - last.value_len - last.key_len;
        let last = self.bytes.get(last_at..last_at + last.key_len).unwrap_or_default();
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        if shared < PREFIX_MIN { 0 } else { shared.min(PREFIX_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn build(rows: &Rows) -> Vec<u8> {
        let mut builder = BlockBuilder::default();
        for (n, (key, value)) in rows.iter().enumerate() {
            builder.push(key, value, n as u64, u8::from(value.is_empty()));
        }
        builder.finish().to_vec()
    }

    fn rows(prefix: &'static str) -> impl Strategy<Value = Rows> {
        btree_map(vec(0..4_u8, 0..12), vec(any::<u8>(), 0..40), 1..300).prop_map(move |rows| {
            rows.into_iter().map(|(key, value)| ([prefix.as_bytes(), &key].concat(), value)).collect()
        })
    }

    fn check_block(rows: &Rows, probes: &[Vec<u8>]) -> Result<(), TestCaseError> {
        let bytes = build(rows);
        let block = Block::parse(&bytes).unwrap();
        prop_assert_eq!(block.check(), Ok(()));
        prop_assert_eq!(block.len(), rows.len());
        for (n, (key, value)) in rows.iter().enumerate() {
            let row = block.row(n).unwrap();
            prop_assert_eq!([block.prefix(), row.suffix].concat(), key.clone());
            prop_assert_eq!(row.value, &value[..]);
            prop_assert_eq!(row.sequence_delta, n as u64);
            prop_assert_eq!(row.kind, u8::from(value.is_empty()));
        }
        for probe in rows.keys().chain(probes) {
            prop_assert_eq!(block.lower_bound(probe).unwrap(), rows.keys().filter(|k| *k < probe).count());
            prop_assert_eq!(block.upper_bound(probe).unwrap(), rows.keys().filter(|k| *k <= probe).count());
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn plain_keys(rows in rows(""), probes in vec(vec(0..5_u8, 0..14), 20)) {
            check_block(&rows, &probes)?;
        }

        #[test]
        fn shared_prefixes(rows in rows("tenant/7/"), probes in vec(vec(0..5_u8, 0..14), 20)) {
            let mut probes = probes;
            probes.extend(probes.clone().into_iter().map(|p| [b"tenant/7/", &p[..]].concat()));
            probes.extend([b"tenant".to_vec(), b"tenant/8".to_vec(), b"tenant/6~~~~".to_vec()]);
            check_block(&rows, &probes)?;
        }

        /// Checksums guard blocks against flips; should one slip through, nothing may panic.
        #[test]
        fn damaged_blocks_never_panic(rows in rows("tenant/7/"), at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = build(&rows);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(block) = Block::parse(&bytes) {
                let _ = block.check();
                for key in rows.keys() {
                    let _ = block.lower_bound(key);
                }
            }
        }

        #[test]
        fn noise_never_panics(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(block) = Block::parse(&bytes) {
                let _ = block.check();
            }
            for start in 0..bytes.len() {
                let _ = row_at(&bytes, start);
            }
        }
    }

    #[test]
    fn versions_of_a_key_lie_newest_first() {
        let mut builder = BlockBuilder::default();
        for delta in [9, 4, 0] {
            builder.push(b"key", b"v", delta, 0);
        }
        let bytes = builder.finish();
        let block = Block::parse(bytes).unwrap();
        assert_eq!(block.check(), Ok(()));
        assert_eq!((block.lower_bound(b"key").unwrap(), block.upper_bound(b"key").unwrap()), (0, 3));
    }

    #[test]
    fn rows_out_of_order_are_noticed() {
        for rows in [[(b"b", 0), (b"a", 0)], [(b"a", 1), (b"a", 2)]] {
            let mut builder = BlockBuilder::default();
            for (key, delta) in rows {
                builder.push(key, b"", delta, 0);
            }
            let bytes = builder.finish();
            assert_eq!(Block::parse(bytes).unwrap().check(), Err(bad("rows out of order")));
        }
    }
}
