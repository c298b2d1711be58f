//! Which files belong to the code: a cargo workspace by its manifests, a plain folder, single files, standard input.
//!
//! [`locate`] says what it is, [`Located::load`] reads and lowers it.

mod choose;
mod folder;
mod manifest;
mod metadata;
mod modules;
mod outline;
mod package;
mod read;
#[cfg(test)]
mod tests;

pub use outline::{FileKey, Outline, Outlines};
pub use package::{Dependency, DependencyKind, Package, Target, TargetKind};
pub use read::{ReadError, describe, read_source};

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::config::Exclude;
use crate::hir::FileHir;
use crate::link::ProjectInput;
use crate::lower::{Unreadable, lower_file_of};
use crate::run::Progress;
use crate::source::{FileId, Sources};
use package::Workspace;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files and folders; empty means the current directory's workspace.
    pub paths: Vec<Utf8PathBuf>,
    /// The current directory, absolute.
    pub cwd: Utf8PathBuf,
    /// `--manifest-path`
    pub manifest_path: Option<Utf8PathBuf>,
    /// `-p`: package names; empty means the workspace's default members (or the package of the current directory).
    pub packages: Vec<String>,
    /// `--workspace`
    pub workspace: bool,
    /// `--exclude`: package names.
    pub exclude: Vec<String>,
    /// The text of standard input, when a path is `-`.
    pub stdin: Option<String>,
    /// Texts that stand for what is on disk: files edited in memory.
    pub edited: Edited,
}

/// Edited texts (without byte-order mark) by absolute path.
pub type Edited = std::sync::Arc<rustc_hash::FxHashMap<Utf8PathBuf, std::sync::Arc<str>>>;

/// The code found, read and lowered.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// What paths are relative to, absolute.
    pub root: Utf8PathBuf,
    /// The texts.
    pub sources: Sources,
    /// Lowered, by file; empty for what could not be read, and for what is [`Project::pending`].
    pub files: Vec<FileHir>,
    /// What each file leads to.
    pub outlines: Vec<Outline>,
    /// What each file was, or would be, lowered from.
    pub keys: Vec<FileKey>,
    /// Files that were not lowered because their outlines were known.
    pub pending: Vec<FileId>,
    /// Files that were unpacked.
    pub unpacked: FxHashSet<FileId>,
    /// How they hang together.
    pub input: ProjectInput,
    /// Files that could not be lowered.
    pub unreadable: Vec<(FileId, Unreadable)>,
    /// Remarks for the person, a line each.
    pub notices: Vec<String>,
    /// `.rs` files outside every target, absolute.
    pub outside: Vec<Utf8PathBuf>,
    /// By file: whether its findings are asked for. The rest is read for what it says about types and calls.
    pub shown: Vec<bool>,
    /// The packages that `input`'s crates belong to.
    pub packages: Vec<Package>,
    /// Whether a cargo workspace was found.
    pub cargo: bool,
}

impl Project {
    /// Adds a file, read or not.
    fn push(&mut self, source: crate::source::SourceFile, lowered: Result<Lowered, Unreadable>) -> FileId {
        let id = self.sources.add(source);
        match lowered {
            Ok(Lowered { key, outline, hir }) => {
                self.keys.push(key);
                self.outlines.push(outline);
                if hir.is_none() {
                    self.pending.push(id);
                }
                self.files.push(hir.unwrap_or_default());
            }
            Err(e) => {
                self.keys.push(FileKey::of(&self.sources.get(id).text, 0));
                self.outlines.push(Outline::default());
                self.files.push(FileHir::default());
                self.unreadable.push((id, e));
            }
        }
        id
    }

    /// Lowers what is still pending, on all cores; what `packs` has is unpacked.
    pub fn lower_pending(&mut self, packs: &dyn Packs) {
        let lower = |id: FileId| {
            let key = self.keys[id.0 as usize];
            let unpacked = packs.get(key).and_then(|bytes| crate::hir::pack::unpack(&bytes));
            let known = unpacked.is_some();
            let text = &self.sources.get(id).text;
            (id, known, unpacked.unwrap_or_else(|| lower_file_of(text, key.edition).unwrap_or_default()))
        };
        let lowered: Vec<(FileId, bool, FileHir)> =
            self.pending.par_iter().with_max_len(1).map(|&id| lower(id)).collect();
        for (id, known, hir) in lowered {
            self.files[id.0 as usize] = hir;
            if known {
                self.unpacked.insert(id);
            }
        }
        self.pending.clear();
    }

    /// Whether findings in a file are asked for.
    pub fn is_shown(&self, file: FileId) -> bool {
        self.shown.get(file.0 as usize).copied().unwrap_or(true)
    }
}

/// Why nothing could be analysed: one line that says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A path given does not exist or cannot be read.
    #[error("{path}: {message}")]
    Path {
        /// As given.
        path: Utf8PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A manifest is broken.
    #[error("{path}{at}: {message}")]
    Manifest {
        /// The manifest.
        path: Utf8PathBuf,
        /// `:line:column` where known.
        at: String,
        /// What is wrong.
        message: String,
    },
    /// There is nothing to look at.
    #[error("{0}")]
    Nothing(String),
}

/// What there is to analyse, before any source is read.
#[derive(Clone, Debug)]
pub struct Located {
    /// What paths are relative to, absolute.
    pub root: Utf8PathBuf,
    edited: Edited,
    /// The paths that the user named, absolute.
    named: Vec<Utf8PathBuf>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Stdin(String),
    Folder(Vec<Utf8PathBuf>),
    Workspace { workspace: Workspace, chosen: Vec<usize>, paths: Vec<Utf8PathBuf>, cwd: Utf8PathBuf },
}

impl Located {
    /// Whether it is a cargo workspace.
    pub fn in_cargo(&self) -> bool {
        matches!(self.kind, Kind::Workspace { .. })
    }

    /// Where its configuration may be.
    pub fn places(&self) -> crate::config::Places {
        let mut places = crate::config::Places { root: self.root.clone(), ..Default::default() };
        match &self.kind {
            Kind::Workspace { workspace, chosen, .. } => {
                places.packages = chosen.iter().map(|&i| workspace.packages[i].dir().to_owned()).collect();
            }
            Kind::Folder(paths) => {
                let folder = match &paths[..] {
                    [one] if one.is_dir() => one.as_path(),
                    [one] => one.parent().unwrap_or(&self.root),
                    _ => &self.root,
                };
                places.start = Some(folder.to_owned());
            }
            Kind::Stdin(_) => places.start = Some(self.root.clone()),
        }
        places
    }

    /// Cargo's target directory; none without a workspace.
    pub fn target_directory(&self) -> Option<&Utf8Path> {
        match &self.kind {
            Kind::Workspace { workspace, .. } => Some(&workspace.target),
            _ => None,
        }
    }

    /// Whether any text stands for what is on disk.
    pub fn is_edited(&self) -> bool {
        !self.edited.is_empty() || matches!(self.kind, Kind::Stdin(_))
    }

    /// The packages of the workspace; none without one.
    pub fn packages(&self) -> &[Package] {
        match &self.kind {
            Kind::Workspace { workspace, .. } => &workspace.packages,
            _ => &[],
        }
    }

    /// The same with other texts in place of what is on disk.
    #[must_use]
    pub fn with_edited(&self, edited: Edited) -> Located {
        let mut located = Located { edited, ..self.clone() };
        // What an edited manifest adds can be named.
        if let Kind::Workspace { workspace, .. } = &mut located.kind {
            let root = workspace.root.clone();
            let root_text = located.edited.get(&root.join("Cargo.toml"));
            for package in &mut workspace.packages {
                if let Some(text) = located.edited.get(&package.manifest) {
                    let added = manifest::added(text, package, &root, root_text.map(|t| &**t));
                    package.dependencies.extend(added);
                }
            }
        }
        located
    }

    /// Reads and lowers the code, on all cores. What matches `exclude` is left out, but not by a pattern that leaves out
    /// the very path that the user names.
    ///
    /// # Errors
    /// If there is no Rust in it at all. A file that cannot be read is in [`Project::unreadable`].
    pub fn load(&self, exclude: &[Exclude], progress: &dyn Progress) -> Result<Project, DiscoverError> {
        self.load_knowing(exclude, &Outlines::default(), progress)
    }

    /// As [`Located::load`], but files whose outlines are known are only read: [`Project::pending`] names them.
    ///
    /// # Errors
    /// As [`Located::load`].
    pub fn load_knowing(
        &self,
        exclude: &[Exclude],
        known: &Outlines,
        progress: &dyn Progress,
    ) -> Result<Project, DiscoverError> {
        let exclude = modules::Globs::new(exclude, &self.named)?;
        let how = &Reading { exclude, edited: self.edited.clone(), known, progress };
        match &self.kind {
            Kind::Stdin(text) => Ok(folder::stdin(&self.root, text)),
            Kind::Folder(paths) => folder::load(&self.root, paths, how),
            Kind::Workspace { workspace, chosen, paths, cwd } => {
                let mut project = modules::load(workspace, chosen, how)?;
                if paths.is_empty() {
                    return Ok(project);
                }
                // Files that no target reaches can still be asked for by name.
                let reached = |p: &Utf8PathBuf| {
                    project.sources.iter().any(|(_, f)| project.root.join(&f.path).starts_with(p))
                };
                if !paths.iter().all(reached) {
                    return folder::load(&folder::root_of(cwd, paths), paths, how);
                }
                for (id, file) in project.sources.iter() {
                    let full = project.root.join(&file.path);
                    if let Some(shown) = project.shown.get_mut(id.0 as usize) {
                        *shown &= paths.iter().any(|p| full.starts_with(p));
                    }
                }
                Ok(project)
            }
        }
    }
}

/// How files are read.
struct Reading<'a> {
    exclude: modules::Globs,
    edited: Edited,
    known: &'a Outlines,
    progress: &'a dyn Progress,
}

/// Lowered files kept from run to run. Who has none returns none.
pub trait Packs: Sync {
    /// What [`crate::hir::pack::pack`] made of the file with this key. Called from any thread.
    fn get(&self, key: FileKey) -> Option<Vec<u8>>;
}

impl Packs for () {
    fn get(&self, _: FileKey) -> Option<Vec<u8>> {
        None
    }
}

/// A file lowered, or known not to need it yet.
struct Lowered {
    key: FileKey,
    outline: Outline,
    hir: Option<FileHir>,
}

impl Lowered {
    fn new(key: FileKey, hir: FileHir) -> Lowered {
        Lowered { key, outline: Outline::of(&hir), hir: Some(hir) }
    }
}

/// Finds out what is to be analysed.
///
/// # Errors
/// [`DiscoverError`] for paths that do not exist, broken manifests, unknown packages, empty workspaces.
pub fn locate(request: &Request) -> Result<Located, DiscoverError> {
    if let Some(text) = &request.stdin {
        let edited = request.edited.clone();
        let kind = Kind::Stdin(text.clone());
        return Ok(Located { root: request.cwd.clone(), edited, named: Vec::new(), kind });
    }
    let mut paths = Vec::new();
    for path in &request.paths {
        let full = normal(&request.cwd.join(path));
        if let Err(e) = std::fs::metadata(&full) {
            return Err(DiscoverError::Path { path: path.clone(), message: describe(&e) });
        }
        paths.push(full);
    }
    let manifest = match (&request.manifest_path, paths.first()) {
        (Some(path), _) => {
            let full = normal(&request.cwd.join(path));
            if !full.is_file() {
                let message = "no such manifest; name a Cargo.toml".to_owned();
                return Err(DiscoverError::Path { path: path.clone(), message });
            }
            Some(full)
        }
        (None, Some(first)) => find_manifest(first),
        (None, None) => find_manifest(&request.cwd),
    };
    let folder = |paths: Vec<Utf8PathBuf>| {
        let root = folder::root_of(&request.cwd, &paths);
        Ok(Located { root, edited: request.edited.clone(), named: paths.clone(), kind: Kind::Folder(paths) })
    };
    let Some(manifest) = manifest else {
        if request.workspace || !request.packages.is_empty() {
            let message = format!("{}: no Cargo.toml here or above", request.cwd);
            return Err(DiscoverError::Nothing(message));
        }
        return folder(if paths.is_empty() { vec![request.cwd.clone()] } else { paths });
    };
    let workspace = metadata::load(&manifest)?;
    let chosen = match choose::packages(request, &workspace, &manifest, &paths)? {
        Some(chosen) => chosen,
        None => return folder(paths),
    };
    let located = Located {
        root: workspace.root.clone(),
        edited: Edited::default(),
        named: paths.clone(),
        kind: Kind::Workspace { workspace, chosen, paths, cwd: request.cwd.clone() },
    };
    Ok(located.with_edited(request.edited.clone()))
}

/// The nearest `Cargo.toml` at or above a path.
fn find_manifest(path: &Utf8Path) -> Option<Utf8PathBuf> {
    path.ancestors().map(|dir| dir.join("Cargo.toml")).find(|m| m.is_file())
}

/// Without `.` and `..`, symbolic links kept.
pub(crate) fn normal(path: &Utf8Path) -> Utf8PathBuf {
    use camino::Utf8Component as C;
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            C::CurDir => {}
            C::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            other => out.push(other.as_str()),
        }
    }
    out
}
