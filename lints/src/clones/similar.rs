//! Which sets resemble each other, without comparing all pairs: MinHash (Broder, 1997) with banding
//! (Indyk and Motwani, 1998), then each bucket's members against its few leaders.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::hash::mix;

/// Bands of two rows. Sets that share half of their union meet with probability 1 − (1 − 0.5²)²⁰ = 0.997.
const BANDS: usize = 20;
const ROWS: usize = 2;
/// How many members of a bucket others are compared with.
const LEADERS: usize = 6;

/// Groups items whose feature sets meet and for which `alike` holds between neighbours. Items in no group are left
/// out. Groups and their members are in ascending order. O(items × features), and O(items) calls of `alike`.
pub fn groups(sets: &[Vec<u64>], alike: impl Fn(u32, u32) -> bool + Sync) -> Vec<Vec<u32>> {
    let mut keyed: Vec<(u64, u32)> = sets
        .par_iter()
        .enumerate()
        .filter(|(_, set)| !set.is_empty())
        .flat_map_iter(|(item, set)| bands(set).into_iter().map(move |key| (key, item as u32)))
        .collect();
    keyed.par_sort_unstable();

    // Buckets that have no member in common, not even through others, are no business of each other's: all cores.
    let mut met = Union::new(sets.len());
    let mut buckets: Vec<(u32, &[(u64, u32)])> =
        keyed.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1).map(|b| (b[0].1, b)).collect();
    for (first, bucket) in &buckets {
        for &(_, item) in *bucket {
            met.join(*first, item);
        }
    }
    for (first, _) in &mut buckets {
        *first = met.find(*first);
    }
    buckets.par_sort_by_key(|bucket| bucket.0);
    let mut groups: Vec<Vec<u32>> =
        buckets.par_chunk_by(|a, b| a.0 == b.0).flat_map_iter(|buckets| connected(buckets, &alike)).collect();
    groups.sort_unstable();
    groups
}

/// Groups of items between which `alike` holds, among those of some buckets.
fn connected(buckets: &[(u32, &[(u64, u32)])], alike: &impl Fn(u32, u32) -> bool) -> Vec<Vec<u32>> {
    let mut items: Vec<u32> = buckets.iter().flat_map(|(_, bucket)| *bucket).map(|&(_, item)| item).collect();
    items.sort_unstable();
    items.dedup();
    let mut union = Union::new(items.len());
    let mut seen: FxHashSet<(u32, u32)> = FxHashSet::default();
    let mut leaders: Vec<u32> = Vec::new();
    for (_, bucket) in buckets {
        leaders.clear();
        'members: for (_, item) in *bucket {
            let item = items.partition_point(|other| other < item) as u32;
            for &leader in &leaders {
                if union.find(leader) == union.find(item) {
                    continue 'members;
                }
                let (a, b) = (leader.min(item), leader.max(item));
                if seen.insert((a, b)) && alike(items[a as usize], items[b as usize]) {
                    union.join(leader, item);
                    continue 'members;
                }
            }
            if leaders.len() < LEADERS {
                leaders.push(item);
            }
        }
    }
    let mut groups = union.groups();
    for item in groups.iter_mut().flatten() {
        *item = items[*item as usize];
    }
    groups
}

/// Groups items by equal key; groups of one are left out. O(items log items).
pub fn equal(keys: &[(u64, u32)]) -> Vec<Vec<u32>> {
    let mut keys = keys.to_vec();
    keys.par_sort_unstable();
    let mut groups: Vec<Vec<u32>> = keys
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|bucket| bucket.len() > 1)
        .map(|bucket| bucket.iter().map(|&(_, item)| item).collect())
        .collect();
    groups.sort_unstable();
    groups
}

fn bands(set: &[u64]) -> [u64; BANDS] {
    let mut keys = [0u64; BANDS];
    for (band, key) in keys.iter_mut().enumerate() {
        let mut combined = band as u64 + 1;
        for row in 0..ROWS {
            let seed = mix((band * ROWS + row) as u64 + 0x9e37_79b9);
            let least = set.iter().map(|&feature| mix(feature ^ seed)).min().unwrap_or(0);
            combined = mix(combined ^ least).wrapping_add(band as u64);
        }
        *key = combined;
    }
    keys
}

struct Union {
    parents: Vec<u32>,
}

impl Union {
    fn new(len: usize) -> Union {
        Union { parents: (0..len as u32).collect() }
    }

    fn find(&mut self, item: u32) -> u32 {
        let mut at = item;
        while self.parents[at as usize] != at {
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    fn groups(mut self) -> Vec<Vec<u32>> {
        let mut rooted: Vec<(u32, u32)> =
            (0..self.parents.len() as u32).map(|item| (self.find(item), item)).collect();
        rooted.sort_unstable();
        rooted
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|group| group.len() > 1)
            .map(|group| group.iter().map(|&(_, item)| item).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn near_sets_meet_and_far_ones_do_not() {
        let near = |salt: u64| (0..20).map(mix).chain([mix(1000 + salt)]).collect::<Vec<_>>();
        let far = |salt: u64| (0..20).map(|i| mix(salt * 100 + i)).collect::<Vec<_>>();
        let sets: Vec<_> = (1..4).map(near).chain((50..60).map(far)).collect();
        let asked = AtomicUsize::new(0);
        let found = groups(&sets, |_, _| {
            asked.fetch_add(1, Ordering::Relaxed);
            true
        });
        assert_eq!(found, [[0, 1, 2]]);
        assert_eq!(asked.into_inner(), 2);
    }

    #[test]
    fn groups_that_never_meet_stay_apart() {
        let of = |kind: u64| (0..12).map(|i| mix(kind * 1000 + i)).collect::<Vec<_>>();
        let sets: Vec<_> = (0..40).map(|n| of(n % 7)).collect();
        let found = groups(&sets, |a, b| {
            assert_eq!(a % 7, b % 7);
            a != 3 && b != 3
        });
        let kinds: Vec<Vec<u32>> =
            (0..7u32).map(|kind| (0..40).filter(|n| n % 7 == kind && *n != 3).collect()).collect();
        let mut expected = kinds;
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_crowd_is_not_compared_pairwise() {
        let sets = vec![vec![1, 2, 3, 4]; 2000];
        let asked = AtomicUsize::new(0);
        let found = groups(&sets, |_, _| {
            asked.fetch_add(1, Ordering::Relaxed);
            false
        });
        assert!(found.is_empty());
        let asked = asked.into_inner();
        assert!(asked <= 2000 * LEADERS * BANDS, "{asked} comparisons");
    }
}
