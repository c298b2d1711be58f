//! The unit of the log: one group of commits, written at once, whole or absent.
//!
//! ```text
//! magic u32 | commits u32 | payload length u64 | segment u64 | first sequence u64 | durable sequence u64 | checksum u64
//! payload: for each commit, body length u32 | body;  zeros to a multiple of eight
//! ```
//!
//! The checksum (xxh3, seeded with the database's number) covers the other header fields and the payload. The segment
//! number tells a frame from what a recycled file held before. The durable sequence is the last one known to be on the
//! medium when the frame was written: a frame that names commits which cannot be found proves damage, where a mere end of
//! the valid frames is only the place of the crash.

use xxhash_rust::xxh3::Xxh3;

use crate::key::Sequence;

/// Bytes before the payload.
pub(crate) const HEADER: usize = 48;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: u64 = 8;
/// What a frame begins with.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"UFrm");
/// Most commits in a group; bounds what a damaged count can ask for.
pub(crate) const MAX_COMMITS: usize = 1 << 16;

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) commits: u32,
    pub(crate) payload: u64,
    pub(crate) segment: u64,
    pub(crate) first: Sequence,
    pub(crate) durable: Sequence,
    pub(crate) checksum: u64,
}

impl Header {
    /// Sequence of the last commit.
    pub(crate) fn last(&self) -> Sequence {
        (self.first + u64::from(self.commits)).saturating_sub(1)
    }

    /// Length of the whole frame.
    pub(crate) fn frame_len(&self) -> u64 {
        HEADER as u64 + self.payload
    }

    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let fields = [self.payload, self.segment, self.first, self.durable, self.checksum];
        let (lead, rest) = bytes.split_at_mut(8);
        lead.copy_from_slice(&(u64::from(MAGIC) | u64::from(self.commits) << 32).to_le_bytes());
        for (to, field) in rest.chunks_exact_mut(8).zip(fields) {
            to.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads a header of the given segment; none if this is not one.
    pub(crate) fn decode(bytes: &[u8], segment: u64) -> Option<Self> {
        let fields: &[u8; HEADER] = bytes.first_chunk()?;
        let (words, _) = fields.as_chunks::<8>();
        let [lead, payload, found, first, durable, checksum] = words else { return None };
        let lead = u64::from_le_bytes(*lead);
        let header = Self {
            commits: (lead >> 32) as u32,
            payload: u64::from_le_bytes(*payload),
            segment: u64::from_le_bytes(*found),
            first: u64::from_le_bytes(*first),
            durable: u64::from_le_bytes(*durable),
            checksum: u64::from_le_bytes(*checksum),
        };
        let plausible = lead as u32 == MAGIC
            && header.segment == segment
            && header.commits > 0
            && header.commits as usize <= MAX_COMMITS
            && header.payload.is_multiple_of(ALIGN)
            && header.first > 0;
        plausible.then_some(header)
    }

    /// Begins the checksum; the payload follows.
    pub(crate) fn hasher(&self, seed: u64) -> Xxh3 {
        let mut hasher = Xxh3::with_seed(seed);
        let unsummed = Self { checksum: 0, ..*self };
        hasher.update(&unsummed.encode());
        hasher
    }
}

/// Zeros that round a payload up.
pub(crate) fn padding(payload: u64) -> &'static [u8] {
    const ZEROS: [u8; ALIGN as usize] = [0; ALIGN as usize];
    let over = (payload % ALIGN) as usize;
    if over == 0 { &[] } else { ZEROS.get(over..).unwrap_or_default() }
}

/// Splits a checked payload into its commits; `None` where it does not hold what the header says.
pub(crate) fn commits(payload: &[u8], count: u32) -> Option<Vec<&[u8]>> {
    let mut rest = payload;
    let mut bodies = Vec::with_capacity((count as usize).min(MAX_COMMITS));
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk()?;
        let (body, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bodies.push(body);
        rest = after;
    }
    (rest.len() < ALIGN as usize).then_some(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        let header = Header { commits: 3, payload: 48, segment: 7, first: 100, durable: 99, checksum: 5 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes, 7), Some(header));
        assert_eq!(Header::decode(&bytes, 8), None);
        assert_eq!(Header::decode(&bytes[..47], 7), None);
        assert_eq!(header.last(), 102);
    }

    #[test]
    fn the_checksum_depends_on_every_field() {
        let header = Header { commits: 3, payload: 48, segment: 7, first: 100, durable: 99, checksum: 5 };
        let sum = header.hasher(1).digest();
        assert_eq!(Header { checksum: 6, ..header }.hasher(1).digest(), sum);
        assert_ne!(Header { durable: 98, ..header }.hasher(1).digest(), sum);
        assert_ne!(header.hasher(2).digest(), sum);
    }

    #[test]
    fn payloads_are_split_or_refused() {
        let payload = [1, 0, 0, 0, b'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(commits(&payload, 2), Some(vec![&b"a"[..], b""]));
        assert_eq!(commits(&payload, 1), None);
        assert_eq!(commits(&[9, 0, 0, 0], 1), None);
        assert_eq!(padding(9).len(), 7);
        assert_eq!(padding(16).len(), 0);
    }
}
