//! Plain folders, single files, standard input: no manifest, so every file that no `mod` names is a root of its own.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::modules::mod_candidates;
use super::{DiscoverError, Project, Request, read};
use crate::hir::{FileHir, ItemId, ItemKind};
use crate::link::CrateInput;
use crate::lower::{Unreadable, lower_file};
use crate::name::Name;
use crate::source::{FileId, SourceFile};

/// Standard input as one file.
pub(super) fn stdin(request: &Request, text: &str) -> Project {
    let mut project = Project { root: request.cwd.clone(), ..Project::default() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let id = project.sources.add(SourceFile::new("<stdin>".into(), Arc::from(text), false));
    push(&mut project, id, lower_file(text));
    project.input.crates.push(root_crate("stdin", id, false));
    project
}

fn push(project: &mut Project, id: FileId, lowered: Result<FileHir, Unreadable>) {
    match lowered {
        Ok(hir) => project.files.push(hir),
        Err(e) => {
            project.files.push(FileHir::default());
            project.unreadable.push((id, e));
        }
    }
}

fn root_crate(name: &str, root: FileId, is_test: bool) -> CrateInput {
    CrateInput {
        name: Name::new(name),
        edition: 2024,
        package: 0,
        is_test,
        is_bin: false,
        root,
        deps: Vec::new(),
        renames: Vec::new(),
        externs: None,
    }
}

/// Files and folders as they are.
pub(super) fn folder(request: &Request, paths: &[Utf8PathBuf]) -> Result<Project, DiscoverError> {
    let mut files: Vec<Utf8PathBuf> = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(rust_files(path));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files.dedup();
    let root = match paths {
        [one] if one.is_dir() => one.clone(),
        _ => request.cwd.clone(),
    };
    let ignore = super::modules::globs(&root, &request.ignore)?;
    files.retain(|f| !ignore.is_match(f));
    if files.is_empty() {
        let what = paths.first().map_or("this folder".to_owned(), ToString::to_string);
        return Err(DiscoverError::Nothing(format!(
            "{what}: neither a Cargo.toml here or above, nor a Rust file below; name a cargo project, a folder or a file"
        )));
    }
    let mut project = Project { root: root.clone(), ..Project::default() };
    let read: Vec<(SourceFile, Result<FileHir, Unreadable>)> = files
        .par_iter()
        .map(|full| {
            let shown = full.strip_prefix(&root).map(Utf8Path::to_owned).unwrap_or_else(|_| full.clone());
            let (source, bad) = read::read_source(full, shown, &request.edited);
            let lowered = match bad {
                Some(e) => Err(e),
                None => lower_file(&source.text),
            };
            (source, lowered)
        })
        .collect();
    for (source, lowered) in read {
        let id = project.sources.add(source);
        push(&mut project, id, lowered);
    }
    let by_path: FxHashMap<Utf8PathBuf, FileId> =
        files.iter().enumerate().map(|(i, p)| (p.clone(), FileId(i as u32))).collect();
    let mut reached = FxHashSet::default();
    for (index, hir) in project.files.iter().enumerate() {
        let file = FileId(index as u32);
        for (item, decl) in hir.items.iter().enumerate() {
            if !matches!(decl.kind, ItemKind::Mod { inline: None }) {
                continue;
            }
            // Without a manifest a file may be a crate root or not: both ways of finding its modules are tried.
            let found = [true, false].iter().find_map(|&as_root| {
                mod_candidates(&files[index], hir, decl, as_root)
                    .into_iter()
                    .find_map(|c| by_path.get(&c).copied())
            });
            if let Some(child) = found
                && child != file
            {
                project.input.mod_files.insert((file, ItemId(item as u32)), child);
                reached.insert(child);
            }
        }
    }
    let mut roots: Vec<(bool, String, FileId, bool)> = Vec::new();
    for (index, full) in files.iter().enumerate() {
        let id = FileId(index as u32);
        if reached.contains(&id) {
            continue;
        }
        let shown = project.sources.path(id);
        let is_test = shown.components().any(|c| matches!(c.as_str(), "tests" | "benches" | "examples"));
        let stem = full.file_stem().unwrap_or("file");
        let is_lib = full.ends_with("src/lib.rs");
        let name = match (
            is_lib || stem == "main",
            full.parent().and_then(Utf8Path::parent).and_then(Utf8Path::file_name),
        ) {
            (true, Some(dir)) => dir.replace('-', "_"),
            _ => stem.replace('-', "_"),
        };
        roots.push((!is_lib, name, id, is_test));
    }
    roots.sort();
    // A ring of files that name each other has no root: its first file is one.
    if roots.is_empty() && !files.is_empty() {
        roots.push((false, "files".to_owned(), FileId(0), false));
    }
    let libs: Vec<(Name, usize)> = roots
        .iter()
        .enumerate()
        .filter(|(_, (not_lib, ..))| !not_lib)
        .map(|(i, (_, name, ..))| (Name::new(name), i))
        .collect();
    for (_, name, id, is_test) in &roots {
        let mut krate = root_crate(name, *id, *is_test);
        krate.deps = libs.clone();
        project.input.crates.push(krate);
    }
    Ok(project)
}

/// All `.rs` files below a folder, `.gitignore` honoured, `target` left out, links to folders not followed.
pub(super) fn rust_files(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut files: Vec<Utf8PathBuf> = ignore::WalkBuilder::new(dir)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|e| e.file_name() != "target" || !e.path().join("CACHEDIR.TAG").exists())
        .build()
        .flatten()
        .filter(|e| e.file_type().is_some_and(|t| t.is_file()))
        .filter_map(|e| Utf8PathBuf::from_path_buf(e.into_path()).ok())
        .filter(|p| p.extension() == Some("rs"))
        .collect();
    files.sort();
    files
}
