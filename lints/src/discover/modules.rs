//! The module tree of a workspace: read and lower the roots, follow their `mod` items, until nothing is new.

use camino::{Utf8Path, Utf8PathBuf};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{DiscoverError, Package, Project, Request, TargetKind, Workspace, folder, normal, read};
use crate::hir::{FileHir, Item, ItemId, ItemKind};
use crate::link::CrateInput;
use crate::lower::{Unreadable, lower_file};
use crate::name::Name;
use crate::source::{FileId, SourceFile};

/// A matcher for the paths that configuration leaves out.
pub(super) struct Globs(Gitignore);

impl Globs {
    pub(super) fn is_match(&self, path: &Utf8Path) -> bool {
        self.0.matched_path_or_any_parents(path, false).is_ignore()
    }
}

/// Builds the matcher; patterns are those of `.gitignore`, relative to `root`.
pub(super) fn globs(root: &Utf8Path, patterns: &[String]) -> Result<Globs, DiscoverError> {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns {
        builder
            .add_line(None, pattern)
            .map_err(|e| DiscoverError::Nothing(format!("exclude = \"{pattern}\": {e}")))?;
    }
    builder.build().map(Globs).map_err(|e| DiscoverError::Nothing(format!("exclude: {e}")))
}

/// A file waiting to be read.
#[derive(Clone)]
struct Wanted {
    path: Utf8PathBuf,
    /// Its children lie beside it: a crate root, `mod.rs`, or named by `#[path]`.
    as_root: bool,
}

/// Reads and lowers all files of the chosen packages' targets.
pub(super) fn load(
    request: &Request,
    workspace: &Workspace,
    chosen: &[String],
) -> Result<Project, DiscoverError> {
    let mut project = Project { root: workspace.root.clone(), ..Project::default() };
    let ignore = globs(&workspace.root, &request.ignore)?;
    let packages: Vec<&Package> = workspace.packages.iter().filter(|p| chosen.contains(&p.name)).collect();
    let mut loader = Loader {
        root: workspace.root.clone(),
        edited: request.edited.clone(),
        ids: FxHashMap::default(),
        roots: Vec::new(),
    };
    let mut wave: Vec<Wanted> = Vec::new();
    let mut targets: Vec<(usize, &super::Target)> = Vec::new();
    for (index, package) in packages.iter().enumerate() {
        let mut own: Vec<&super::Target> =
            package.targets.iter().filter(|t| !ignore.is_match(&t.root)).collect();
        own.sort_by_key(|t| (t.kind, t.name.clone()));
        for target in own {
            if target.root.is_file() {
                wave.push(Wanted { path: normal(&target.root), as_root: true });
                targets.push((index, target));
            }
        }
    }
    // Libraries of all packages first, so that a file shared with a binary belongs to its library.
    targets.sort_by_key(|(_, t)| t.kind != TargetKind::Lib);
    while !wave.is_empty() {
        let mut seen = FxHashSet::default();
        wave.retain(|w| {
            !loader.ids.contains_key(&w.path) && seen.insert(w.path.clone()) && !ignore.is_match(&w.path)
        });
        wave.sort_by(|a, b| a.path.cmp(&b.path));
        let first = project.files.len();
        loader.read(&mut project, &wave);
        let mut next = Vec::new();
        for (index, wanted) in wave.iter().enumerate() {
            loader.roots.push(wanted.as_root);
            next.extend(loader.children(&mut project, FileId((first + index) as u32), wanted));
        }
        wave = next;
    }
    loader.connect(&mut project);
    crates(&mut project, &loader, &packages, &targets, workspace);
    project.outside = outside(&packages, &loader, &ignore);
    if project.sources.is_empty() {
        return Err(DiscoverError::Nothing(format!(
            "{}: no target of {} has a source file",
            workspace.root.join("Cargo.toml"),
            chosen.join(", ")
        )));
    }
    Ok(project)
}

struct Loader {
    root: Utf8PathBuf,
    edited: super::Edited,
    ids: FxHashMap<Utf8PathBuf, FileId>,
    /// By file: whether its children lie beside it.
    roots: Vec<bool>,
}

impl Loader {
    fn read(&mut self, project: &mut Project, wave: &[Wanted]) {
        let read: Vec<(SourceFile, Result<FileHir, Unreadable>)> = wave
            .par_iter()
            .with_max_len(1)
            .map(|wanted| {
                let shown = match wanted.path.strip_prefix(&self.root) {
                    Ok(below) => below.to_owned(),
                    Err(_) => wanted.path.clone(),
                };
                let (source, bad) = read::read_source(&wanted.path, shown, &self.edited);
                let lowered = match bad {
                    Some(e) => Err(e),
                    None => lower_file(&source.text),
                };
                (source, lowered)
            })
            .collect();
        for (wanted, (source, lowered)) in wave.iter().zip(read) {
            let id = project.sources.add(source);
            self.ids.insert(wanted.path.clone(), id);
            match lowered {
                Ok(hir) => project.files.push(hir),
                Err(e) => {
                    project.files.push(FileHir::default());
                    project.unreadable.push((id, e));
                }
            }
        }
    }

    fn children(&self, project: &mut Project, file: FileId, wanted: &Wanted) -> Vec<Wanted> {
        let hir = &project.files[file.0 as usize];
        let mut out = Vec::new();
        for item in &hir.items {
            if let ItemKind::Mod { inline: None } = item.kind {
                let found =
                    mod_candidates(&wanted.path, hir, item, wanted.as_root).into_iter().find(|c| c.is_file());
                if let Some(path) = found {
                    let as_root = item.attrs.path.is_some() || path.file_name() == Some("mod.rs");
                    out.push(Wanted { path, as_root });
                }
            }
        }
        for (literal, _, _) in &hir.includes {
            if let Some(dir) = wanted.path.parent() {
                let path = normal(&dir.join(literal));
                if path.is_file() {
                    out.push(Wanted { path, as_root: wanted.as_root });
                }
            }
        }
        out
    }

    /// Which `mod` item and `include!` means which file, now that all are known.
    fn connect(&self, project: &mut Project) {
        for (path, &file) in &self.ids {
            let hir = &project.files[file.0 as usize];
            let as_root = self.roots.get(file.0 as usize).copied().unwrap_or(false);
            for (index, item) in hir.items.iter().enumerate() {
                if let ItemKind::Mod { inline: None } = item.kind
                    && let Some(&child) =
                        mod_candidates(path, hir, item, as_root).iter().find_map(|c| self.ids.get(c))
                {
                    project.input.mod_files.insert((file, ItemId(index as u32)), child);
                }
            }
            for (n, (literal, _, _)) in hir.includes.iter().enumerate() {
                if let Some(dir) = path.parent()
                    && let Some(&child) = self.ids.get(&normal(&dir.join(literal)))
                {
                    project.input.includes.insert((file, n), child);
                }
            }
        }
    }
}

/// Where `mod name;` may lie (The Rust Reference, "Module source filenames"). `as_root`: the file's children lie beside
/// it; otherwise in a folder of its name.
pub(super) fn mod_candidates(file: &Utf8Path, hir: &FileHir, item: &Item, as_root: bool) -> Vec<Utf8PathBuf> {
    let Some(dir) = file.parent() else { return Vec::new() };
    let own = if as_root || file.file_name() == Some("mod.rs") {
        dir.to_owned()
    } else {
        dir.join(file.file_stem().unwrap_or_default())
    };
    // Inline modules around it are folders.
    let mut around = Vec::new();
    let mut scope = Some(item.scope);
    while let Some(here) = scope.and_then(|s| hir.scopes.get(s.0 as usize)) {
        if let Some(name) = here.name {
            around.push(here.path_attr.clone().unwrap_or_else(|| name.to_string()));
        }
        scope = here.parent;
    }
    let inline = !around.is_empty();
    let base = around.iter().rev().fold(if inline { own.clone() } else { own }, |p, part| p.join(part));
    if let Some(path) = &item.attrs.path {
        let from = if inline { base } else { dir.to_owned() };
        return vec![normal(&from.join(&**path))];
    }
    let name = item.name.as_str();
    let name = name.strip_prefix("r#").unwrap_or(name);
    vec![base.join(format!("{name}.rs")), base.join(name).join("mod.rs")]
}

fn crates(
    project: &mut Project,
    loader: &Loader,
    packages: &[&Package],
    targets: &[(usize, &super::Target)],
    workspace: &Workspace,
) {
    // The library of each package, by package name, as an index among the crates.
    let mut libs: FxHashMap<&str, usize> = FxHashMap::default();
    let mut kept = Vec::new();
    for (package, target) in targets {
        let Some(&root) = loader.ids.get(&normal(&target.root)) else { continue };
        if target.kind == TargetKind::Lib {
            libs.insert(&packages[*package].name, kept.len());
        }
        kept.push((*package, *target, root));
    }
    for (index, target, root) in kept {
        let package = packages[index];
        let mut deps = Vec::new();
        let mut renames = Vec::new();
        let mut externs = Vec::new();
        for dependency in &package.dependencies {
            let name = Name::new(&dependency.extern_name);
            let local =
                dependency.path.is_some() || workspace.packages.iter().any(|p| p.name == dependency.package);
            match libs.get(dependency.package.as_str()) {
                Some(&lib) if local => deps.push((name, lib)),
                _ => {
                    let own = dependency.package.replace('-', "_");
                    if own != dependency.extern_name {
                        renames.push((name, Name::new(&own)));
                    }
                    externs.push(name);
                }
            }
        }
        if target.kind != TargetKind::Lib
            && let Some(&lib) = libs.get(package.name.as_str())
        {
            let lib_name =
                package.targets.iter().find(|t| t.kind == TargetKind::Lib).map_or(&package.name, |t| &t.name);
            deps.push((Name::new(&lib_name.replace('-', "_")), lib));
        }
        project.input.crates.push(CrateInput {
            name: Name::new(&target.name.replace('-', "_")),
            edition: target.edition.unwrap_or(package.edition),
            package: index as u32,
            is_test: !matches!(target.kind, TargetKind::Lib | TargetKind::Bin),
            is_bin: target.kind == TargetKind::Bin,
            root,
            deps,
            renames,
            externs: Some(externs),
        });
    }
}

/// How many `.rs` files of the packages' folders no target reaches.
fn outside(packages: &[&Package], loader: &Loader, ignore: &Globs) -> usize {
    let roots: Vec<&Utf8Path> = packages.iter().filter_map(|p| p.manifest.parent()).collect();
    let mut seen = FxHashSet::default();
    for root in &roots {
        for file in folder::rust_files(root).files {
            // What belongs to a package nested in this one is counted there.
            let nested =
                file.ancestors().skip(1).take_while(|a| a != root).any(|a| a.join("Cargo.toml").is_file());
            if !nested && !loader.ids.contains_key(&file) && !ignore.is_match(&file) {
                seen.insert(file);
            }
        }
    }
    seen.len()
}
