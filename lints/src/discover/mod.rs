//! Which files belong to the code: a cargo workspace by its manifests, a plain folder, single files, standard input.

mod folder;
mod manifest;
mod metadata;
mod modules;
mod read;

pub(crate) use read::describe;
pub use read::{ReadError, read_source};

use camino::{Utf8Path, Utf8PathBuf};

use crate::hir::FileHir;
use crate::link::ProjectInput;
use crate::lower::Unreadable;
use crate::source::{FileId, Sources};

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
    /// Globs of paths to leave out, from configuration.
    pub ignore: Vec<String>,
    /// Texts that stand for what is on disk: files edited in memory.
    pub edited: Edited,
}

/// Edited texts (without byte-order mark) by absolute path.
pub type Edited = std::sync::Arc<rustc_hash::FxHashMap<Utf8PathBuf, std::sync::Arc<str>>>;

/// The code found, read and lowered.
#[derive(Debug, Default)]
pub struct Project {
    /// What paths are relative to, absolute.
    pub root: Utf8PathBuf,
    /// The texts.
    pub sources: Sources,
    /// Lowered, by file; empty for what could not be read.
    pub files: Vec<FileHir>,
    /// How they hang together.
    pub input: ProjectInput,
    /// Files that could not be lowered.
    pub unreadable: Vec<(FileId, Unreadable)>,
    /// Remarks for the person, a line each.
    pub notices: Vec<String>,
    /// `.rs` files outside every target.
    pub outside: usize,
    /// Only findings below these are shown (relative to the root); empty: all.
    pub shown: Vec<Utf8PathBuf>,
    /// Whether a cargo workspace was found.
    pub cargo: bool,
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

/// A package and its targets, however they were learnt of.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Absolute.
    pub(crate) manifest: Utf8PathBuf,
    pub(crate) edition: u16,
    pub(crate) targets: Vec<Target>,
    /// Name in code → package name, path if it is a path dependency.
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    /// As code names it.
    pub(crate) extern_name: String,
    /// The package's own name.
    pub(crate) package: String,
    pub(crate) path: Option<Utf8PathBuf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: TargetKind,
    /// Absolute.
    pub(crate) root: Utf8PathBuf,
    pub(crate) edition: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TargetKind {
    Lib,
    Bin,
    Test,
    Bench,
    Example,
    BuildScript,
}

/// What manifests say of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) root: Utf8PathBuf,
    pub(crate) packages: Vec<Package>,
    /// Names of the default members.
    pub(crate) default_members: Vec<String>,
    pub(crate) notices: Vec<String>,
}

/// Finds, reads and lowers the code.
///
/// # Errors
///
/// [`DiscoverError`] where nothing can be analysed; a single file that cannot be read is in [`Project::unreadable`].
pub fn discover(request: &Request) -> Result<Project, DiscoverError> {
    if let Some(text) = &request.stdin {
        return Ok(folder::stdin(request, text));
    }
    for path in &request.paths {
        let full = request.cwd.join(path);
        if let Err(e) = std::fs::metadata(&full) {
            return Err(DiscoverError::Path { path: path.clone(), message: read::describe(&e) });
        }
    }
    match &request.paths[..] {
        [] => {
            let manifest = match &request.manifest_path {
                Some(path) => request.cwd.join(path),
                None => match find_manifest(&request.cwd) {
                    Some(path) => path,
                    None => return folder::folder(request, std::slice::from_ref(&request.cwd)),
                },
            };
            workspace(request, &manifest, &[])
        }
        paths => {
            let full: Vec<Utf8PathBuf> = paths.iter().map(|p| normal(&request.cwd.join(p))).collect();
            // A folder with a manifest means its workspace or package; anything inside a package means that part of it.
            if let [one] = &full[..]
                && one.is_dir()
                && one.join("Cargo.toml").is_file()
            {
                return workspace(request, &one.join("Cargo.toml"), &[]);
            }
            if let Some(manifest) = full.first().and_then(|p| find_manifest(p)) {
                let found = workspace(request, &manifest, &full);
                if let Ok(project) = found
                    && project.sources.iter().any(|(_, f)| {
                        let at = project.root.join(&f.path);
                        full.iter().any(|p| at.starts_with(p))
                    })
                {
                    return Ok(project);
                }
            }
            folder::folder(request, &full)
        }
    }
}

fn workspace(
    request: &Request,
    manifest: &Utf8Path,
    shown: &[Utf8PathBuf],
) -> Result<Project, DiscoverError> {
    let mut workspace = metadata::load(manifest)?;
    let asked_for = |name: &String| request.packages.contains(name);
    for name in request.packages.iter().chain(&request.exclude) {
        if !workspace.packages.iter().any(|p| p.name == *name) {
            return Err(DiscoverError::Nothing(format!(
                "package `{name}` is not in the workspace at {}: its packages are {}",
                workspace.root,
                names(&workspace)
            )));
        }
    }
    let own = normal(manifest);
    let here: Option<String> =
        workspace.packages.iter().find(|p| normal(&p.manifest) == own).map(|p| p.name.clone());
    let chosen: Vec<String> = if !request.packages.is_empty() {
        workspace.packages.iter().map(|p| p.name.clone()).filter(|n| asked_for(n)).collect()
    } else if request.workspace {
        workspace.packages.iter().map(|p| p.name.clone()).collect()
    } else {
        match here {
            // The root package of a workspace stands for its default members, as in cargo.
            Some(name) if own.parent() != Some(workspace.root.as_path()) => vec![name],
            _ => workspace.default_members.clone(),
        }
    };
    let chosen: Vec<String> = chosen.into_iter().filter(|n| !request.exclude.contains(n)).collect();
    if chosen.is_empty() {
        return Err(DiscoverError::Nothing(format!(
            "{}: the workspace has no package to check; add members or name a folder",
            workspace.root.join("Cargo.toml")
        )));
    }
    let notices = std::mem::take(&mut workspace.notices);
    let mut project = modules::load(request, &workspace, &chosen)?;
    project.notices.splice(0..0, notices);
    project.cargo = true;
    let below: Vec<Utf8PathBuf> =
        shown.iter().filter_map(|p| p.strip_prefix(&project.root).ok().map(Utf8Path::to_owned)).collect();
    project.shown = below;
    Ok(project)
}

fn names(workspace: &Workspace) -> String {
    let names: Vec<&str> = workspace.packages.iter().map(|p| p.name.as_str()).collect();
    match names.len() {
        0..=12 => names.join(", "),
        n => format!("{}, … ({n} in all)", names[..12].join(", ")),
    }
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
