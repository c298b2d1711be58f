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
pub fn groups(sets: &[Vec<u64>], mut alike: impl FnMut(u32, u32) -> bool) -> Vec<Vec<u32>> {
    let mut keyed: Vec<(u64, u32)> = sets
        .par_iter()
        .enumerate()
        .filter(|(_, set)| !set.is_empty())
        .flat_map_iter(|(item, set)| bands(set).into_iter().map(move |key| (key, item as u32)))
        .collect();
    keyed.par_sort_unstable();

    let mut union = Union::new(sets.len());
    let mut seen: FxHashSet<(u32, u32)> = FxHashSet::default();
    let mut leaders: Vec<u32> = Vec::new();
    for bucket in keyed.chunk_by(|a, b| a.0 == b.0) {
        leaders.clear();
        'members: for &(_, item) in bucket {
            for &leader in &leaders {
                if union.find(leader) == union.find(item) {
                    continue 'members;
                }
                let pair = (leader.min(item), leader.max(item));
                if seen.insert(pair) && alike(pair.0, pair.1) {
                    union.join(leader, item);
                    continue 'members;
                }
            }
            if leaders.len() < LEADERS {
                leaders.push(item);
            }
        }
    }
    union.groups()
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
    use super::*;

    #[test]
    fn near_sets_meet_and_far_ones_do_not() {
        let near = |salt: u64| (0..20).map(mix).chain([mix(1000 + salt)]).collect::<Vec<_>>();
        let far = |salt: u64| (0..20).map(|i| mix(salt * 100 + i)).collect::<Vec<_>>();
        let sets: Vec<_> = (1..4).map(near).chain((50..60).map(far)).collect();
        let mut asked = 0;
        let found = groups(&sets, |_, _| {
            asked += 1;
            true
        });
        assert_eq!(found, [[0, 1, 2]]);
        assert_eq!(asked, 2);
    }

    #[test]
    fn a_crowd_is_not_compared_pairwise() {
        let sets = vec![vec![1, 2, 3, 4]; 2000];
        let mut asked = 0;
        let found = groups(&sets, |_, _| {
            asked += 1;
            false
        });
        assert!(found.is_empty());
        assert!(asked <= 2000 * LEADERS * BANDS, "{asked} comparisons");
    }
}
