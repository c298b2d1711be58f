//! Which versions nobody can ask for any more.

use crate::key::{Kind, Sequence, Version};

/// Tells, for versions in order, which to keep.
///
/// Of the versions of a key not after the oldest snapshot, only the newest can still be seen.
#[derive(Debug)]
pub struct Gc {
    oldest_snapshot: Sequence,
    drop_deletes: bool,
    key: Vec<u8>,
    any: bool,
    /// A version of `key` that every snapshot sees, or sees past, was met: older ones are garbage.
    covered: bool,
}

impl Gc {
    /// A filter for a merge. Deletions may be dropped only where nothing older lies below the output.
    #[must_use]
    pub fn new(oldest_snapshot: Sequence, drop_deletes: bool) -> Self {
        Self { oldest_snapshot, drop_deletes, key: Vec::new(), any: false, covered: false }
    }

    /// Whether to keep `version`, which follows in order on the one asked about before.
    pub fn keep(&mut self, version: Version<'_>) -> bool {
        if !self.any || version.key != self.key {
            self.any = true;
            self.covered = false;
            self.key.clear();
            self.key.extend_from_slice(version.key);
        }
        if self.covered {
            return false;
        }
        self.covered = version.sequence <= self.oldest_snapshot;
        !(self.covered && self.drop_deletes && version.kind == Kind::Delete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(oldest: Sequence, drop_deletes: bool, rows: &[(&[u8], Sequence, Kind)]) -> Vec<usize> {
        let mut gc = Gc::new(oldest, drop_deletes);
        let keep = |(_, (key, sequence, kind)): &(usize, &(&[u8], Sequence, Kind))| {
            gc.keep(Version { key, sequence: *sequence, kind: *kind, value: b"" })
        };
        rows.iter().enumerate().filter(keep).map(|(at, _)| at).collect()
    }

    #[test]
    fn one_version_below_the_oldest_snapshot_is_enough() {
        let rows: &[(&[u8], Sequence, Kind)] = &[
            (b"", 9, Kind::Put),
            (b"", 3, Kind::Put),
            (b"a", 8, Kind::Put),
            (b"a", 5, Kind::Put),
            (b"a", 4, Kind::Put),
            (b"b", 4, Kind::Put),
        ];
        assert_eq!(kept(5, false, rows), [0, 1, 2, 3, 5]);
        assert_eq!(kept(u64::MAX, false, rows), [0, 2, 5]);
        assert_eq!(kept(0, false, rows), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn deletions_go_only_where_nothing_lies_below() {
        let rows: &[(&[u8], Sequence, Kind)] = &[
            (b"a", 8, Kind::Delete),
            (b"a", 5, Kind::Delete),
            (b"a", 4, Kind::Put),
            (b"b", 2, Kind::Delete),
        ];
        assert_eq!(kept(5, false, rows), [0, 1, 3]);
        assert_eq!(kept(5, true, rows), [0]);
        assert_eq!(kept(9, true, rows), Vec::<usize>::new());
    }
}
