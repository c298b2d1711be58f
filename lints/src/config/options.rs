//! Options of rules: `[rules.<rule>]`.

use serde::Deserialize;

/// Options of all rules; what is not configured has its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RuleOptions {
    /// `[rules.duplicate-manager]`
    pub duplicate_manager: DuplicateOptions,
    /// `[rules.duplicate-method]`
    pub duplicate_method: DuplicateOptions,
    /// `[rules.duplicate-handler]`
    pub duplicate_handler: DuplicateOptions,
    /// `[rules.lock-unwrap]`
    pub lock_unwrap: LockUnwrapOptions,
    /// `[rules.shared-map-lock]`
    pub shared_map_lock: SharedMapOptions,
    /// `[rules.unbounded-cache]`
    pub unbounded_cache: CacheOptions,
    /// `[rules.lock-across-io]`
    pub lock_across_io: LockIoOptions,
}

/// Options of the duplication rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DuplicateOptions {
    /// The least number of members of a cluster (3 unless set).
    pub min_members: Option<usize>,
}

/// Options of `lock-unwrap`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LockUnwrapOptions {
    /// What the fix does with a poisoned lock.
    pub poison: Poison,
}

/// What to do with a poisoned lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Poison {
    /// Take the value all the same.
    #[default]
    Recover,
    /// Return an error.
    Propagate,
    /// Use locks that do not poison.
    ParkingLot,
}

/// Options of `shared-map-lock`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SharedMapOptions {
    /// What the fix migrates to.
    pub map: ConcurrentMap,
}

/// Concurrent maps the fix knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ConcurrentMap {
    #[default]
    Dashmap,
    Papaya,
}

/// Options of `unbounded-cache`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CacheOptions {
    /// What the fix migrates to.
    pub cache: CacheKind,
    /// The capacity it writes, in entries.
    pub capacity: usize,
}

impl Default for CacheOptions {
    fn default() -> CacheOptions {
        CacheOptions { cache: CacheKind::QuickCache, capacity: 10_000 }
    }
}

/// Bounded caches the fix knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum CacheKind {
    #[default]
    QuickCache,
    Lru,
    Moka,
}

/// Options of `lock-across-io`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LockIoOptions {
    /// Count `print!` and its like as I/O.
    pub stdio: bool,
}
