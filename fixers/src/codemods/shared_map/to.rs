//! What a map is migrated to, and how it is held before.

use uncork_lints::config::{CacheKind, ConcurrentMap};

/// The target of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Dashmap,
    Papaya,
    QuickCache,
    Moka,
    Lru,
}

/// What is around the map before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// A lock.
    Locked,
    /// Nothing: it shares itself out (`DashMap`).
    Concurrent,
    /// Nothing: whoever changes it has it alone.
    Plain,
}

impl To {
    pub(super) fn map(map: ConcurrentMap) -> To {
        match map {
            ConcurrentMap::Dashmap => To::Dashmap,
            ConcurrentMap::Papaya => To::Papaya,
        }
    }

    pub(super) fn cache(cache: CacheKind) -> To {
        match cache {
            CacheKind::QuickCache => To::QuickCache,
            CacheKind::Moka => To::Moka,
            CacheKind::Lru => To::Lru,
        }
    }

    /// The crate's name in the registry.
    pub(super) fn package(self) -> &'static str {
        match self {
            To::Dashmap => "dashmap",
            To::Papaya => "papaya",
            To::QuickCache => "quick_cache",
            To::Moka => "moka",
            To::Lru => "lru",
        }
    }

    /// Where in its crate the type lies, and its name there.
    pub(super) fn type_in(self, held: Held, set: bool) -> (&'static [&'static str], &'static str) {
        match self {
            To::Dashmap if set => (&[], "DashSet"),
            To::Dashmap => (&[], "DashMap"),
            To::Papaya if set => (&[], "HashSet"),
            To::Papaya => (&[], "HashMap"),
            To::QuickCache if held == Held::Plain => (&["unsync"], "Cache"),
            To::QuickCache | To::Moka => (&["sync"], "Cache"),
            To::Lru => (&[], "LruCache"),
        }
    }

    /// Whether it bounds itself.
    pub(super) fn is_cache(self) -> bool {
        matches!(self, To::QuickCache | To::Moka | To::Lru)
    }

    /// Whether code goes on holding something while it uses the map: the lock's guard, or a pin.
    pub(super) fn keeps_guard(self) -> bool {
        matches!(self, To::Papaya | To::Lru)
    }

    /// Whether the lock around the map stays.
    pub(super) fn keeps_lock(self) -> bool {
        self == To::Lru
    }

    /// Whether reads give values and not references into the map.
    pub(super) fn gives_values(self, held: Held) -> bool {
        match self {
            To::QuickCache => held != Held::Plain,
            To::Moka => true,
            _ => false,
        }
    }
}
