//! The one place that says which versions of other crates fixes ask for.

/// A crate that fixes may add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownCrate {
    /// Its name in the registry.
    pub name: &'static str,
    /// The version requirement written into manifests.
    pub version: &'static str,
    /// Features that the code fixes write needs.
    pub features: &'static [&'static str],
}

/// All crates that fixes may add. The code they write compiles against these versions; a project's own, older
/// requirement is left as it is, and the compiler decides.
pub const KNOWN: &[KnownCrate] = &[
    KnownCrate { name: "dashmap", version: "6", features: &[] },
    KnownCrate { name: "papaya", version: "0.2", features: &[] },
    KnownCrate { name: "parking_lot", version: "0.12", features: &[] },
    KnownCrate { name: "quick_cache", version: "0.7", features: &[] },
    KnownCrate { name: "lru", version: "0.19", features: &[] },
    KnownCrate { name: "moka", version: "0.12", features: &["sync"] },
    KnownCrate { name: "tokio", version: "1", features: &[] },
];

/// The entry for a crate.
pub fn known(name: &str) -> Option<&'static KnownCrate> {
    KNOWN.iter().find(|k| k.name == name)
}
