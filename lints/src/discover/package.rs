//! Packages, targets and dependencies, however they were learnt of.

use camino::{Utf8Path, Utf8PathBuf};

/// A package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version, as written.
    pub version: String,
    /// Its manifest, absolute.
    pub manifest: Utf8PathBuf,
    /// `2015`, `2018`, `2021`, `2024`.
    pub edition: u16,
    /// `rust-version`, in three parts.
    pub rust_version: Option<String>,
    /// Names of its features.
    pub features: Vec<String>,
    /// Its targets.
    pub targets: Vec<Target>,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

impl Package {
    /// The folder of its manifest.
    pub fn dir(&self) -> &Utf8Path {
        self.manifest.parent().unwrap_or(&self.manifest)
    }
}

/// A dependency as its manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// As code names it.
    pub extern_name: String,
    /// The package's own name.
    pub package: String,
    /// The version asked for (`^1.2`); empty if none is.
    pub requirement: String,
    /// Which targets may use it.
    pub kind: DependencyKind,
    /// Only with a feature.
    pub optional: bool,
    /// Features asked for.
    pub features: Vec<String>,
    /// Its folder, if it is named by path.
    pub path: Option<Utf8PathBuf>,
}

/// The sections of dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// `[dependencies]`
    Normal,
    /// `[dev-dependencies]`
    Dev,
    /// `[build-dependencies]`
    Build,
}

/// A target of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: TargetKind,
    /// Its root file, absolute.
    pub root: Utf8PathBuf,
    /// Its own edition, where it has one.
    pub edition: Option<u16>,
}

/// The kinds of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TargetKind {
    Lib,
    Bin,
    Test,
    Bench,
    Example,
    BuildScript,
}

/// What manifests say of a workspace.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    pub(super) root: Utf8PathBuf,
    /// Where cargo builds.
    pub(super) target: Utf8PathBuf,
    pub(super) packages: Vec<Package>,
    /// Names of the default members.
    pub(super) default_members: Vec<String>,
    pub(super) notices: Vec<String>,
}
