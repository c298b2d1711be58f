//! The fixed parts of a run file: header, block frames, directory entries, footer. Specified in `FORMAT.md`.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::compress::Codec;

/// First bytes of every run file.
pub const MAGIC: [u8; 8] = *b"UNCRKRUN";
/// Version of the format this code writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// Length of the file header.
pub const HEADER_LEN: usize = 32;
/// Length of the frame in front of each stored block.
pub const FRAME_LEN: usize = 24;
/// First bytes of a frame; lets `dump` find blocks without a directory.
pub const FRAME_MAGIC: [u8; 4] = *b"UBLK";
/// Length of a directory entry.
pub const ENTRY_LEN: usize = 32;
/// Length of the footer.
pub const FOOTER_LEN: usize = 192;
/// Sections begin at multiples of this, so that a mapped bucket is one cache line.
pub const SECTION_ALIGN: u64 = 64;

/// Reads little-endian integers off the front of a fixed-size record.
#[derive(Debug)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

/// Appends the checksum of all of `record` to it.
fn seal(record: &mut Vec<u8>) {
    let sum = xxh3_64(record);
    record.extend_from_slice(&sum.to_le_bytes());
}

/// Splits a sealed record from its checksum, if that holds.
fn unseal(record: &[u8]) -> Option<&[u8]> {
    let (body, sum) = record.split_last_chunk::<8>()?;
    (xxh3_64(body) == u64::from_le_bytes(*sum)).then_some(body)
}

/// The header of run `number`.
#[must_use]
pub fn encode_header(number: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_LEN);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&number.to_le_bytes());
    seal(&mut header);
    header
}

/// Why a file is not a run this code can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHeader {
    /// The first bytes are not [`MAGIC`].
    Foreign,
    /// Written by a newer version of this code.
    Newer(u32),
    /// A checksum does not hold.
    Damaged,
}

/// The run number in a header.
pub fn decode_header(header: &[u8]) -> Result<u64, BadHeader> {
    if !header.starts_with(&MAGIC) {
        return Err(BadHeader::Foreign);
    }
    // A newer version may have a longer header, so the version is believed before the checksum.
    let mut fields = Fields(header.get(8..).unwrap_or_default());
    let version = fields.u32();
    match unseal(header.get(..HEADER_LEN).unwrap_or_default()) {
        Some(_) if version == VERSION => {
            fields.u32();
            Ok(fields.u64())
        }
        None if version > VERSION && version < 1 << 16 => Err(BadHeader::Newer(version)),
        Some(_) if version > VERSION => Err(BadHeader::Newer(version)),
        _ => Err(BadHeader::Damaged),
    }
}

/// What stands in front of a stored block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// How the payload is stored.
    pub codec: Codec,
    /// Length of the payload in the file.
    pub stored_len: u32,
    /// Length of the block itself.
    pub plain_len: u32,
    /// Checksum over offset, frame and payload.
    pub checksum: u64,
}

impl Frame {
    /// The frame for `payload` at `offset` of the file.
    #[must_use]
    pub fn new(codec: Codec, payload: &[u8], plain_len: u32, offset: u64) -> Self {
        let mut frame = Self { codec, stored_len: payload.len() as u32, plain_len, checksum: 0 };
        frame.checksum = frame.sum(payload, offset);
        frame
    }

    fn lead(&self) -> [u8; 16] {
        let [m0, m1, m2, m3] = FRAME_MAGIC;
        let [s0, s1, s2, s3] = self.stored_len.to_le_bytes();
        let [p0, p1, p2, p3] = self.plain_len.to_le_bytes();
        [m0, m1, m2, m3, self.codec as u8, 0, 0, 0, s0, s1, s2, s3, p0, p1, p2, p3]
    }

    /// The seed carries offset and lengths: a block in the wrong place does not pass for the right one.
    fn sum(&self, payload: &[u8], offset: u64) -> u64 {
        xxh3_64_with_seed(payload, xxh3_64_with_seed(&self.lead(), offset))
    }

    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_LEN] {
        let mut bytes = [0; FRAME_LEN];
        for (to, from) in bytes.iter_mut().zip(self.lead().into_iter().chain(self.checksum.to_le_bytes())) {
            *to = from;
        }
        bytes
    }

    /// Reads a frame; the checksum is not looked at.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FRAME_LEN] = bytes.first_chunk()?;
        let mut fields = Fields(bytes);
        if fields.take() != FRAME_MAGIC {
            return None;
        }
        let codec = Codec::from_byte(fields.u8())?;
        if fields.take() != [0; 3] {
            return None;
        }
        Some(Self { codec, stored_len: fields.u32(), plain_len: fields.u32(), checksum: fields.u64() })
    }

    /// Whether `payload` at `offset` is what was written.
    #[must_use]
    pub fn holds(&self, payload: &[u8], offset: u64) -> bool {
        self.checksum == self.sum(payload, offset)
    }
}

/// What the directory knows of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Offset of the block's frame in the file.
    pub offset: u64,
    /// Length of the payload in the file.
    pub stored_len: u32,
    /// Length of the block itself.
    pub plain_len: u32,
    /// Rows in the block.
    pub rows: u32,
    /// Where the block's fence ends among the fence bytes.
    pub fence_end: u32,
    /// Length of the prefix the block's keys share.
    pub prefix_len: u16,
    /// How the payload is stored.
    pub codec: Codec,
    /// The first key is also the last of the block before.
    pub continues: bool,
}

impl Entry {
    /// Appends the entry's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        for field in [self.stored_len, self.plain_len, self.rows, self.fence_end] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.prefix_len.to_le_bytes());
        out.extend_from_slice(&[self.codec as u8, u8::from(self.continues), 0, 0, 0, 0]);
    }

    /// Reads an entry.
    #[must_use]
    pub fn decode(bytes: &[u8; ENTRY_LEN]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            offset: fields.u64(),
            stored_len: fields.u32(),
            plain_len: fields.u32(),
            rows: fields.u32(),
            fence_end: fields.u32(),
            prefix_len: fields.u16(),
            codec: Codec::from_byte(fields.u8())?,
            continues: match fields.u8() {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    }
}

/// A part of the file behind the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Section {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub len: u64,
    /// Checksum of its bytes.
    pub checksum: u64,
}

/// Totals of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Rows, each version counted.
    pub rows: u64,
    /// Distinct user keys.
    pub keys: u64,
    /// Rows that are deletions.
    pub deletions: u64,
    /// Lower bound of all sequences; rows store the difference.
    pub base_sequence: u64,
    /// Smallest sequence.
    pub min_sequence: u64,
    /// Largest sequence.
    pub max_sequence: u64,
    /// Bytes of all keys.
    pub key_bytes: u64,
    /// Bytes of all values.
    pub value_bytes: u64,
    /// Bytes of all plain blocks.
    pub plain_bytes: u64,
}

/// The end of the file, from which everything else is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footer {
    /// Directory entries, fences, last key.
    pub directory: Section,
    /// The bloom filter; empty if there is none.
    pub bloom: Section,
    /// The hash index; empty if there is none.
    pub hash: Section,
    /// Number of blocks.
    pub blocks: u64,
    /// Number of the run, as in the header.
    pub number: u64,
    /// Totals.
    pub totals: Totals,
}

impl Footer {
    /// The footer's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_LEN);
        for section in [&self.directory, &self.bloom, &self.hash] {
            for field in [section.offset, section.len, section.checksum] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
        let t = &self.totals;
        let totals = [
            t.rows,
            t.keys,
            t.deletions,
            t.base_sequence,
            t.min_sequence,
            t.max_sequence,
            t.key_bytes,
            t.value_bytes,
            t.plain_bytes,
        ];
        for field in [self.blocks, self.number].into_iter().chain(totals) {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.resize(FOOTER_LEN - 24, 0);
        out.extend_from_slice(&u64::from(VERSION).to_le_bytes());
        out.extend_from_slice(&MAGIC);
        seal(&mut out);
        out
    }

    /// Reads a footer whose checksum holds.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let body = unseal(bytes.get(..FOOTER_LEN)?)?;
        if !body.ends_with(&MAGIC) {
            return None;
        }
        let mut fields = Fields(body);
        let mut section = || Section { offset: fields.u64(), len: fields.u64(), checksum: fields.u64() };
        Some(Self {
            directory: section(),
            bloom: section(),
            hash: section(),
            blocks: fields.u64(),
            number: fields.u64(),
            totals: Totals {
                rows: fields.u64(),
                keys: fields.u64(),
                deletions: fields.u64(),
                base_sequence: fields.u64(),
                min_sequence: fields.u64(),
                max_sequence: fields.u64(),
                key_bytes: fields.u64(),
                value_bytes: fields.u64(),
                plain_bytes: fields.u64(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_any_flip_is_noticed() {
        let header = encode_header(77);
        assert_eq!(header.len(), HEADER_LEN);
        assert_eq!(decode_header(&header), Ok(77));
        for bit in 0..8 * header.len() {
            let mut flipped = header.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_header(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..header.len() {
            assert!(decode_header(&header[..length]).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut header = encode_header(1);
        header[8] = 2;
        assert_eq!(decode_header(&header), Err(BadHeader::Newer(2)));
        header[0] = b'X';
        assert_eq!(decode_header(&header), Err(BadHeader::Foreign));
    }

    #[test]
    fn footers_come_back_and_any_flip_is_noticed() {
        let footer = Footer {
            directory: Section { offset: 1, len: 2, checksum: 3 },
            bloom: Section { offset: 4, len: 5, checksum: 6 },
            hash: Section { offset: 7, len: 8, checksum: 9 },
            blocks: 10,
            number: 11,
            totals: Totals { rows: 12, plain_bytes: 13, ..Totals::default() },
        };
        let bytes = footer.encode();
        assert_eq!(bytes.len(), FOOTER_LEN);
        assert_eq!(Footer::decode(&bytes), Some(footer));
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn frames_know_their_place() {
        let frame = Frame::new(Codec::Lz4, b"payload", 70, 4096);
        let read = Frame::decode(&frame.encode()).unwrap();
        assert_eq!(read, frame);
        assert!(read.holds(b"payload", 4096));
        assert!(!read.holds(b"payload", 8192));
        assert!(!read.holds(b"paymoad", 4096));
        assert!(!Frame { plain_len: 71, ..frame }.holds(b"payload", 4096));
        assert_eq!(Frame::decode(&frame.encode()[..23]), None);
    }

    #[test]
    fn entries_come_back() {
        let entry = Entry {
            offset: 1 << 40,
            stored_len: 2,
            plain_len: 3,
            rows: 4,
            fence_end: 5,
            prefix_len: 6,
            codec: Codec::Lz4,
            continues: true,
        };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(bytes.len(), ENTRY_LEN);
        assert_eq!(Entry::decode(bytes.first_chunk().unwrap()), Some(entry));
    }
}
