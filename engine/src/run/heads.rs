//! Key heads: the first eight bytes of a key as one integer.
//!
//! Comparing two heads orders most keys without touching the rows. The heads of a block lie side by side, so a
//! search is a sweep over a short array in vector width rather than a walk of dependent cache misses.

/// Bytes in a head.
pub const HEAD: usize = 8;

/// Above this many heads a binary search narrows first; below, sweeping all is quicker than guessing branches.
const SWEEP: usize = 128;

/// How many of the sorted little-endian `heads` are below `target`, and how many are not above it.
/// Keys with a head in between the two need a look at their bytes.
#[inline]
#[must_use]
pub fn bounds(heads: &[[u8; HEAD]], target: u64) -> (usize, usize) {
    let (mut base, mut rest) = (0, heads);
    while rest.len() > SWEEP {
        let half = rest.len() / 2;
        let (left, right) = rest.split_at(half);
        match right.first() {
            Some(pivot) if u64::from_le_bytes(*pivot) < target => {
                base += half;
                rest = right;
            }
            // Heads equal to the pivot may lie on both sides; the upper bound is swept from the lower one.
            _ => rest = left,
        }
    }
    let lower = base + rest.iter().map(|h| usize::from(u64::from_le_bytes(*h) < target)).sum::<usize>();
    let equal =
        heads.get(lower..).unwrap_or_default().iter().take_while(|h| u64::from_le_bytes(**h) == target);
    (lower, lower + equal.count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_are_partition_points(mut heads in prop::collection::vec(0..400_u64, 0..600), target in 0..400_u64) {
            heads.sort_unstable();
            let stored: Vec<[u8; HEAD]> = heads.iter().map(|h| h.to_le_bytes()).collect();
            let expected = (heads.partition_point(|&h| h < target), heads.partition_point(|&h| h <= target));
            prop_assert_eq!(bounds(&stored, target), expected);
        }
    }
}
