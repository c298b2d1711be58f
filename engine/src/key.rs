//! Keys, versions and their order.
//!
//! A *version* is a user key, the sequence number of the commit that wrote it, what the commit did, and the value. The
//! engine keeps several versions of a key while some snapshot may still ask for an old one. Everywhere, in memory and in
//! files, versions are ordered by
//!
//! 1. the user key, bytewise, rising; then
//! 2. the sequence number, **falling**: the newest version of a key comes first.
//!
//! A table never holds two versions of one key with one sequence number: a commit that writes a key twice keeps the last.

use std::cmp::Ordering;

use crate::error::{Error, Result};

/// Number of a commit: 1, 2, 3 … in the order in which commits become visible. 0 is before the first.
pub type Sequence = u64;

/// Longest user key, in bytes.
pub const MAX_KEY: usize = 64 * 1024;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 1 << 30;

/// What a version does to its key. The numbers are those in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Sets the value.
    Put = 0,
    /// Removes the key; the value is empty.
    Delete = 1,
}

impl Kind {
    /// The kind a byte of a file stands for.
    #[inline]
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Put),
            1 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// One version, borrowed from wherever it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version<'a> {
    /// The user key.
    pub key: &'a [u8],
    /// The commit that wrote it.
    pub sequence: Sequence,
    /// What it does.
    pub kind: Kind,
    /// The value; empty for a deletion.
    pub value: &'a [u8],
}

/// The order of versions: key rising, then sequence falling.
#[inline]
#[must_use]
pub fn compare(a: (&[u8], Sequence), b: (&[u8], Sequence)) -> Ordering {
    a.0.cmp(b.0).then(b.1.cmp(&a.1))
}

/// The hash of a user key that filters and hash indexes use; computed once a lookup. Part of the file format.
#[inline]
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// The first eight bytes of a key as a big-endian number, zeros where the key is shorter: heads order as their keys do,
/// and equal heads decide nothing.
#[inline]
#[must_use]
pub fn head(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut padded = [0; 8];
            for (to, from) in padded.iter_mut().zip(key) {
                *to = *from;
            }
            u64::from_be_bytes(padded)
        }
    }
}

/// Refuses keys and values over the limits.
pub fn check_lengths(key: &[u8], value: &[u8]) -> Result<()> {
    if key.len() > MAX_KEY {
        return Err(Error::KeyTooLong { len: key.len(), max: MAX_KEY });
    }
    if value.len() > MAX_VALUE {
        return Err(Error::ValueTooLong { len: value.len(), max: MAX_VALUE });
    }
    Ok(())
}

/// The smallest key above every key that begins with `prefix`; none if the prefix is all 0xFF (or empty).
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn heads_never_contradict_keys(a: Vec<u8>, b: Vec<u8>) {
            if head(&a) < head(&b) {
                prop_assert!(a < b);
            }
            if a < b {
                prop_assert!(head(&a) <= head(&b));
            }
        }

        #[test]
        fn prefix_end_bounds_exactly(prefix: Vec<u8>, rest: Vec<u8>) {
            let inside = [&prefix[..], &rest].concat();
            if let Some(end) = prefix_end(&prefix) {
                prop_assert!(inside < end);
                prop_assert!(!end.starts_with(&prefix));
            } else {
                prop_assert!(prefix.iter().all(|byte| *byte == 0xFF));
            }
        }
    }

    #[test]
    fn newest_version_first() {
        assert_eq!(compare((b"a", 2), (b"a", 1)), Ordering::Less);
        assert_eq!(compare((b"a", 1), (b"b", 2)), Ordering::Less);
        assert_eq!(compare((b"a", 1), (b"a", 1)), Ordering::Equal);
    }

    #[test]
    fn limits_are_inclusive() {
        assert!(check_lengths(&vec![0; MAX_KEY], b"").is_ok());
        assert!(matches!(check_lengths(&vec![0; MAX_KEY + 1], b""), Err(Error::KeyTooLong { .. })));
    }
}
