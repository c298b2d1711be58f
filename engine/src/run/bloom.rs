//! Split-block bloom filter: a key touches one 32-byte block, one bit in each of its eight words.
//!
//! After Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), with the word layout
//! and salts of the Apache Parquet format. About 1 % false positives at [`BITS_PER_KEY`].

/// Bits spent on a key.
pub const BITS_PER_KEY: usize = 10;
/// Bytes of one block.
pub const BLOCK: usize = 32;

const SALT: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// Which block of `count` a hash falls in.
#[inline]
fn block_of(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}

#[inline]
fn mask(hash: u64) -> [u32; 8] {
    SALT.map(|salt| 1 << ((hash as u32).wrapping_mul(salt) >> 27))
}

/// Bytes a filter for so many keys takes; none for none.
#[must_use]
pub fn size(keys: usize) -> usize {
    (keys * BITS_PER_KEY).div_ceil(8 * BLOCK) * BLOCK
}

/// Makes the filter's bytes, for the hashes of all keys of a run, out of [`size`] zeros.
pub fn fill(filter: &mut [u8], hashes: impl Iterator<Item = u64>) {
    let count = filter.len() / BLOCK;
    let (blocks, _) = filter.as_chunks_mut::<BLOCK>();
    for hash in hashes {
        if let Some(block) = blocks.get_mut(block_of(hash, count)) {
            for (word, bit) in block.as_chunks_mut::<4>().0.iter_mut().zip(mask(hash)) {
                *word = (u32::from_le_bytes(*word) | bit).to_le_bytes();
            }
        }
    }
}

/// Whether a key of this hash may be in the run. An absent filter rules nothing out.
#[inline]
#[must_use]
pub fn may_contain(filter: &[u8], hash: u64) -> bool {
    let (blocks, _) = filter.as_chunks::<BLOCK>();
    match blocks.get(block_of(hash, blocks.len())) {
        Some(block) => {
            let words = block.as_chunks::<4>().0.iter();
            words.zip(mask(hash)).fold(0, |missing, (word, bit)| missing | (!u32::from_le_bytes(*word) & bit))
                == 0
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn build(hashes: impl ExactSizeIterator<Item = u64>) -> Vec<u8> {
        let mut filter = vec![0; size(hashes.len())];
        fill(&mut filter, hashes);
        filter
    }

    #[test]
    fn every_key_is_found_and_few_others() {
        let hashes: Vec<u64> = (0..20_000_u32).map(|n| xxh3_64(&n.to_le_bytes())).collect();
        let filter = build(hashes.iter().copied());
        assert!(hashes.iter().all(|&hash| may_contain(&filter, hash)));
        let wrong = (20_000..120_000_u32).filter(|n| may_contain(&filter, xxh3_64(&n.to_le_bytes()))).count();
        assert!(wrong < 2_500, "{wrong} of 100000 false positives");
    }

    #[test]
    fn no_filter_rules_nothing_out() {
        assert!(build(std::iter::empty()).is_empty());
        assert!(may_contain(&[], 7));
    }
}
