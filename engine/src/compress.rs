//! Adaptive compression: LZ4 a block, kept only where it saves at least one byte in eight.
//!
//! A reader of a plain block pays nothing at all, so a compressed one has to earn its decompression.

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

/// How the payload of a block lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// As it is.
    Plain = 0,
    /// LZ4 block format, the plain length kept beside it.
    Lz4 = 1,
}

impl Codec {
    /// The codec a byte of a file stands for.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Plain),
            1 => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// What may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Everything stays plain: read straight from the map, at the price of disk.
    None,
    /// Each block on its own merit.
    #[default]
    Adaptive,
}

/// Blocks longer than this are judged by their first bytes before all of them are compressed.
const SAMPLE: usize = 64 * 1024;
/// LZ4 addresses its input with 32 bits; stay far below.
const LIMIT: usize = 1 << 30;

/// Compresses blocks, one scratch buffer for all of them.
#[derive(Debug, Default)]
pub struct Compressor {
    scratch: Vec<u8>,
}

impl Compressor {
    /// The payload to store for `plain` and the codec it is in.
    pub fn compress<'a>(&'a mut self, plain: &'a [u8], policy: Compression) -> (Codec, &'a [u8]) {
        if policy == Compression::None || plain.len() > LIMIT {
            return (Codec::Plain, plain);
        }
        if plain.len() > 2 * SAMPLE {
            let head = plain.get(..SAMPLE).unwrap_or(plain);
            if self.lz4(head).is_none() {
                return (Codec::Plain, plain);
            }
        }
        match self.lz4(plain) {
            Some(length) => (Codec::Lz4, self.scratch.get(..length).unwrap_or_default()),
            None => (Codec::Plain, plain),
        }
    }

    /// Compresses into the scratch buffer; the length, if it is worth keeping.
    fn lz4(&mut self, plain: &[u8]) -> Option<usize> {
        let bound = get_maximum_output_size(plain.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let length = compress_into(plain, &mut self.scratch).ok()?;
        worth_keeping(plain.len(), length).then_some(length)
    }

    /// Memory the scratch buffer takes.
    pub(crate) fn held(&self) -> usize {
        self.scratch.capacity()
    }

    /// Gives back the memory a giant value made the scratch buffer take.
    pub fn trim(&mut self) {
        if self.scratch.len() > 4 * SAMPLE {
            self.scratch = Vec::new();
        }
    }
}

/// At least 12 % saved.
fn worth_keeping(plain: usize, stored: usize) -> bool {
    (stored as u64) * 100 <= (plain as u64) * 88
}

/// The payload is not what its length and codec promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the compressed payload does not decode to its stated length")]
pub struct BadPayload;

/// Decodes an LZ4 payload of a known plain length.
pub fn decompress(stored: &[u8], plain_len: usize) -> Result<Box<[u8]>, BadPayload> {
    // LZ4 cannot expand more than 255-fold: refuse a length that only a damaged file can hold before allocating it.
    if plain_len > stored.len().saturating_mul(255).saturating_add(64) {
        return Err(BadPayload);
    }
    let mut plain = vec![0; plain_len];
    match decompress_into(stored, &mut plain) {
        Ok(length) if length == plain_len => Ok(plain.into_boxed_slice()),
        _ => Err(BadPayload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect()
    }

    #[test]
    fn text_is_compressed_and_comes_back() {
        let plain = b"the same words again and again; ".repeat(500);
        let mut compressor = Compressor::default();
        let (codec, stored) = compressor.compress(&plain, Compression::Adaptive);
        assert_eq!(codec, Codec::Lz4);
        assert!(stored.len() * 4 < plain.len());
        assert_eq!(&*decompress(stored, plain.len()).unwrap(), &plain[..]);
    }

    #[test]
    fn noise_stays_plain() {
        for length in [0, 1, 100, 16 << 10, 400 << 10] {
            let plain = noise(length);
            let mut compressor = Compressor::default();
            let (codec, stored) = compressor.compress(&plain, Compression::Adaptive);
            assert_eq!((codec, stored), (Codec::Plain, &plain[..]), "{length}");
        }
    }

    #[test]
    fn policy_none_never_compresses() {
        let plain = vec![7; 4096];
        let mut compressor = Compressor::default();
        assert_eq!(compressor.compress(&plain, Compression::None).0, Codec::Plain);
    }

    #[test]
    fn a_wrong_length_is_refused() {
        let plain = vec![7; 4096];
        let mut compressor = Compressor::default();
        let (_, stored) = compressor.compress(&plain, Compression::Adaptive);
        let stored = stored.to_vec();
        assert_eq!(decompress(&stored, 4095), Err(BadPayload));
        assert_eq!(decompress(&stored, 4097), Err(BadPayload));
        assert_eq!(decompress(&stored, usize::MAX), Err(BadPayload));
        assert_eq!(decompress(&stored[..stored.len() - 1], 4096), Err(BadPayload));
    }

    #[test]
    fn the_threshold_is_twelve_percent() {
        assert!(worth_keeping(100, 88));
        assert!(!worth_keeping(100, 89));
    }
}
