//! Fingerprints that survive moved lines.

use rustc_hash::FxHashMap;

use crate::finding::Finding;
use crate::source::Sources;

/// Fills in the fingerprints: a hash of rule, path, what the finding is about, and its number among equals, in the order
/// given. Lines, columns and wording do not count.
pub(super) fn fill<'f>(sources: &Sources, findings: impl Iterator<Item = &'f mut Finding>) {
    let mut seen: FxHashMap<u64, u32> = FxHashMap::default();
    for finding in findings {
        let path = sources.path(finding.at.file).as_str().replace('\\', "/");
        let mut hash = fnv1a(OFFSET, finding.rule.as_bytes());
        hash = fnv1a(hash, b"\0");
        hash = fnv1a(hash, path.as_bytes());
        hash = fnv1a(hash, b"\0");
        hash = fnv1a(hash, finding.key.as_bytes());
        let count = seen.entry(hash).or_default();
        let own = fnv1a(hash, &count.to_le_bytes());
        *count += 1;
        finding.fingerprint = format!("{own:016x}");
    }
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable across versions and machines, which std's hashers do not promise.
fn fnv1a(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
