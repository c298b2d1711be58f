//! The module tree of a workspace: read and lower the roots, follow their `mod` items, until nothing is new.
//!
//! Files are read as soon as an item names them, on all cores ([`ahead`]); which file is which is decided after that, in
//! an order that does not depend on who was faster.

mod ahead;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustc_hash::{FxHashMap, FxHashSet};

use super::outline::{ModDecl, Outline};
use super::package::{Package, Target, TargetKind, Workspace};
use super::{DiscoverError, FileKey, Lowered, Project, Reading, folder, normal, read};
use crate::config::Exclude;
use crate::link::CrateInput;
use crate::lower::{Unreadable, lower_file_of};
use crate::name::Name;
use crate::source::{FileId, SourceFile};

/// A matcher for the paths that configuration leaves out.
pub(super) struct Globs(Vec<(Utf8PathBuf, Gitignore)>);

impl Globs {
    /// Patterns that match one of the `named` paths are dropped.
    pub(super) fn new(exclude: &[Exclude], named: &[Utf8PathBuf]) -> Result<Globs, DiscoverError> {
        let build = |e: &Exclude| {
            let mut builder = GitignoreBuilder::new(&e.base);
            builder.add_line(None, &e.pattern)?;
            Ok((e.base.clone(), builder.build()?))
        };
        exclude
            .iter()
            .map(|e| {
                build(e).map_err(|error: ignore::Error| DiscoverError::Nothing(format!("exclude: {error}")))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|globs| {
                Globs(globs.into_iter().filter(|glob| !named.iter().any(|p| matches(glob, p))).collect())
            })
    }

    pub(super) fn is_match(&self, path: &Utf8Path) -> bool {
        self.0.iter().any(|glob| matches(glob, path))
    }
}

fn matches((base, globs): &(Utf8PathBuf, Gitignore), path: &Utf8Path) -> bool {
    path.starts_with(base) && globs.matched_path_or_any_parents(path, false).is_ignore()
}

/// A file waiting to be read.
#[derive(Clone, PartialEq)]
struct Wanted {
    path: Utf8PathBuf,
    /// Of the target that it belongs to.
    edition: u16,
    /// Its children lie beside it: a crate root, `mod.rs`, or named by `#[path]`.
    as_root: bool,
    /// Its findings are asked for.
    shown: bool,
}

/// Reads and lowers all files of the chosen packages' targets, and of the libraries of the workspace that they use.
pub(super) fn load(
    workspace: &Workspace,
    chosen: &[usize],
    how: &Reading<'_>,
) -> Result<Project, DiscoverError> {
    let exclude = &how.exclude;
    let mut project = Project {
        root: workspace.root.clone(),
        notices: workspace.notices.clone(),
        packages: workspace.packages.clone(),
        cargo: true,
        ..Project::default()
    };
    let used = used_libraries(workspace, chosen);
    let mut targets: Vec<(usize, &Target)> = Vec::new();
    for (index, package) in workspace.packages.iter().enumerate() {
        let all = chosen.contains(&index);
        let wanted = package.targets.iter().filter(|t| {
            (all || (t.kind == TargetKind::Lib && used.contains(&index))) && !exclude.is_match(&t.root)
        });
        targets.extend(wanted.map(|t| (index, t)));
    }
    // Libraries of all packages first, so that a file shared with a binary belongs to its library.
    targets.sort_by_key(|(package, t)| (t.kind != TargetKind::Lib, *package, t.kind, t.name.clone()));
    let mut wave: Vec<Wanted> = targets
        .iter()
        .filter(|(_, t)| t.root.is_file())
        .map(|(package, t)| Wanted {
            path: normal(&t.root),
            edition: t.edition.unwrap_or(workspace.packages[*package].edition),
            as_root: true,
            shown: chosen.contains(package),
        })
        .collect();
    let mut loader = Loader { ids: FxHashMap::default(), as_root: Vec::new() };
    let folders: Vec<&Package> = chosen.iter().map(|&i| &workspace.packages[i]).collect();
    let (read, below) = rayon::join(
        || ahead::read(&workspace.root, &wave, how),
        || folders.iter().map(|p| folder::rust_files(p.dir()).files).collect::<Vec<_>>(),
    );
    while !wave.is_empty() {
        wave.sort_by(|a, b| (&a.path, !a.shown).cmp(&(&b.path, !b.shown)));
        let mut seen = FxHashSet::default();
        wave.retain(|w| {
            !loader.ids.contains_key(&w.path) && seen.insert(w.path.clone()) && !exclude.is_match(&w.path)
        });
        let mut next = Vec::new();
        for wanted in wave {
            let found = read.take(&wanted.path).unwrap_or_else(|| Read::new(&workspace.root, &wanted, how));
            next.extend(loader.add(&mut project, wanted, found));
        }
        wave = next;
    }
    loader.connect(&mut project);
    let aside = aside(workspace, chosen);
    crates(&mut project, &loader, &targets, workspace, &aside);
    project.outside = outside(&folders, below, &loader, exclude);
    if project.sources.is_empty() {
        let names: Vec<&str> = folders.iter().map(|p| p.name.as_str()).collect();
        return Err(DiscoverError::Nothing(format!(
            "{}: no target of {} has a source file",
            workspace.root.join("Cargo.toml"),
            names.join(", ")
        )));
    }
    Ok(project)
}

/// Packages that the chosen ones use, directly or through others.
fn used_libraries(workspace: &Workspace, chosen: &[usize]) -> FxHashSet<usize> {
    let mut used: FxHashSet<usize> = FxHashSet::default();
    let mut work: Vec<usize> = chosen.to_vec();
    while let Some(index) = work.pop() {
        if !used.insert(index) {
            continue;
        }
        work.extend(workspace.packages[index].dependencies.iter().filter_map(|d| local(workspace, d)));
    }
    used
}

/// The package of the workspace that a dependency names.
fn local(workspace: &Workspace, dependency: &super::Dependency) -> Option<usize> {
    let dir = normal(dependency.path.as_ref()?);
    workspace.packages.iter().position(|p| p.name == dependency.package && normal(p.dir()) == dir)
}

/// Reads one file and lowers it, unless its outline is known. Its path is shown relative to `root` where it lies below.
pub(super) fn read_and_lower(
    root: &Utf8Path,
    full: &Utf8Path,
    edition: u16,
    how: &Reading<'_>,
) -> (SourceFile, Result<Lowered, Unreadable>) {
    let shown = full.strip_prefix(root).unwrap_or(full).to_owned();
    let (source, bad) = read::read_source(full, shown, &how.edited);
    let lowered = match bad {
        Some(e) => Err(e),
        None => {
            let key = FileKey::of(&source.text, edition);
            match how.known.get(&key) {
                Some(outline) => Ok(Lowered { key, outline: outline.clone(), hir: None }),
                None => lower_file_of(&source.text, edition).map(|hir| Lowered::new(key, hir)),
            }
        }
    };
    how.progress.file();
    (source, lowered)
}

/// A file read and lowered, and the files it leads to.
struct Read {
    source: SourceFile,
    lowered: Result<Lowered, Unreadable>,
    /// For whom its children were looked up.
    wanted: Wanted,
    children: Vec<Wanted>,
}

impl Read {
    fn new(root: &Utf8Path, wanted: &Wanted, how: &Reading<'_>) -> Read {
        let (source, lowered) = read_and_lower(root, &wanted.path, wanted.edition, how);
        let children = lowered.as_ref().map_or_else(|_| Vec::new(), |l| children(&l.outline, wanted));
        Read { source, lowered, wanted: wanted.clone(), children }
    }
}

struct Loader {
    ids: FxHashMap<Utf8PathBuf, FileId>,
    /// By file: whether its children lie beside it.
    as_root: Vec<bool>,
}

impl Loader {
    /// Gives a file its place in the project; returns what it leads to.
    fn add(&mut self, project: &mut Project, wanted: Wanted, read: Read) -> Vec<Wanted> {
        let children = match &read.lowered {
            Ok(lowered) if read.wanted != wanted => children(&lowered.outline, &wanted),
            _ => read.children,
        };
        let id = project.push(read.source, read.lowered);
        project.shown.push(wanted.shown);
        self.as_root.push(wanted.as_root);
        self.ids.insert(wanted.path, id);
        children
    }

    /// Which `mod` item and `include!` means which file, now that all are known.
    fn connect(&self, project: &mut Project) {
        for (path, &file) in &self.ids {
            let outline = &project.outlines[file.0 as usize];
            let as_root = self.as_root.get(file.0 as usize).copied().unwrap_or(false);
            for decl in &outline.mods {
                if let Some(&child) = mod_candidates(path, decl, as_root).iter().find_map(|c| self.ids.get(c))
                {
                    project.input.mod_files.insert((file, decl.item), child);
                }
            }
            for (n, literal) in outline.includes.iter().enumerate() {
                if let Some(dir) = path.parent()
                    && let Some(&child) = self.ids.get(&normal(&dir.join(literal)))
                {
                    project.input.includes.insert((file, n), child);
                }
            }
        }
    }
}

/// The files that a file's `mod` items and `include!`s name.
fn children(outline: &Outline, wanted: &Wanted) -> Vec<Wanted> {
    let mut out = Vec::new();
    for decl in &outline.mods {
        let candidates = mod_candidates(&wanted.path, decl, wanted.as_root);
        if let Some(path) = candidates.into_iter().find(|c| c.is_file()) {
            let as_root = decl.path.is_some() || path.file_name() == Some("mod.rs");
            out.push(Wanted { path, as_root, ..wanted.clone() });
        }
    }
    for literal in &outline.includes {
        if let Some(dir) = wanted.path.parent() {
            let path = normal(&dir.join(literal));
            if path.is_file() {
                out.push(Wanted { path, ..wanted.clone() });
            }
        }
    }
    out
}

/// Where `mod name;` may lie (The Rust Reference, "Module source filenames"). `as_root`: the file's children lie beside
/// it; otherwise in a folder of its name.
pub(super) fn mod_candidates(file: &Utf8Path, decl: &ModDecl, as_root: bool) -> Vec<Utf8PathBuf> {
    let Some(dir) = file.parent() else { return Vec::new() };
    let own = if as_root || file.file_name() == Some("mod.rs") {
        dir.to_owned()
    } else {
        dir.join(file.file_stem().unwrap_or_default())
    };
    // Inline modules around it are folders.
    let base = decl.around.iter().fold(own, |path, part| path.join(part));
    if let Some(path) = &decl.path {
        let from = if decl.around.is_empty() { dir.to_owned() } else { base };
        return vec![normal(&from.join(&**path))];
    }
    let name = decl.name.as_str();
    let name = name.strip_prefix("r#").unwrap_or(name);
    vec![normal(&base.join(format!("{name}.rs"))), normal(&base.join(name).join("mod.rs"))]
}

/// Packages that are there to test, measure or show the others. Where nothing else is asked for, they are what is meant.
fn aside(workspace: &Workspace, chosen: &[usize]) -> FxHashSet<usize> {
    let is_aside = |package: &Package| {
        let below = package.dir().strip_prefix(&workspace.root);
        below.is_ok_and(|dir| dir.components().any(|c| folder::is_aside(c.as_str())))
    };
    if chosen.iter().all(|&i| is_aside(&workspace.packages[i])) {
        return FxHashSet::default();
    }
    let packages = workspace.packages.iter().enumerate();
    packages.filter(|(_, package)| is_aside(package)).map(|(i, _)| i).collect()
}

fn crates(
    project: &mut Project,
    loader: &Loader,
    targets: &[(usize, &Target)],
    workspace: &Workspace,
    aside: &FxHashSet<usize>,
) {
    // The library of each package as an index among the crates.
    let mut libs: FxHashMap<usize, usize> = FxHashMap::default();
    let mut kept = Vec::new();
    for (package, target) in targets {
        let Some(&root) = loader.ids.get(&normal(&target.root)) else { continue };
        if target.kind == TargetKind::Lib {
            libs.insert(*package, kept.len());
        }
        kept.push((*package, *target, root));
    }
    for (index, target, root) in kept {
        let package = &workspace.packages[index];
        let mut deps = Vec::new();
        let mut renames = Vec::new();
        let mut externs = Vec::new();
        for dependency in &package.dependencies {
            let name = Name::new(&dependency.extern_name);
            match local(workspace, dependency).and_then(|i| libs.get(&i)) {
                Some(&lib) => deps.push((name, lib)),
                None => {
                    let own = dependency.package.replace('-', "_");
                    if own != dependency.extern_name {
                        renames.push((name, Name::new(&own)));
                    }
                    externs.push(name);
                }
            }
        }
        if target.kind != TargetKind::Lib
            && let Some(&lib) = libs.get(&index)
        {
            let lib_target = package.targets.iter().find(|t| t.kind == TargetKind::Lib);
            let lib_name = lib_target.map_or(&package.name, |t| &t.name);
            deps.push((Name::new(&lib_name.replace('-', "_")), lib));
        }
        project.input.crates.push(CrateInput {
            name: Name::new(&target.name.replace('-', "_")),
            edition: target.edition.unwrap_or(package.edition),
            package: index as u32,
            is_test: !matches!(target.kind, TargetKind::Lib | TargetKind::Bin) || aside.contains(&index),
            is_bin: target.kind == TargetKind::Bin,
            root,
            deps,
            renames,
            externs: Some(externs),
        });
    }
}

/// The `.rs` files `below` the packages' folders that no target reaches, sorted.
fn outside(
    packages: &[&Package],
    below: Vec<Vec<Utf8PathBuf>>,
    loader: &Loader,
    exclude: &Globs,
) -> Vec<Utf8PathBuf> {
    let mut seen = FxHashSet::default();
    for (root, files) in packages.iter().map(|p| p.dir()).zip(below) {
        for file in files {
            // What belongs to a package nested in this one is counted there.
            let nested = || {
                file.ancestors().skip(1).take_while(|a| a != &root).any(|a| a.join("Cargo.toml").is_file())
            };
            if !loader.ids.contains_key(&file) && !exclude.is_match(&file) && !nested() {
                seen.insert(file);
            }
        }
    }
    let mut all: Vec<Utf8PathBuf> = seen.into_iter().collect();
    all.sort();
    all
}
