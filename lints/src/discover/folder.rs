//! Plain folders, single files, standard input: no manifest, so every file that no `mod` names is a root of its own.

use std::fs;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::modules::mod_candidates;
use super::read::describe;
use super::{DiscoverError, Project, Request, read};
use crate::hir::{FileHir, ItemId, ItemKind};
use crate::link::CrateInput;
use crate::lower::{Unreadable, lower_file};
use crate::name::Name;
use crate::source::{FileId, SourceFile, Span};

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
    let mut unreadable: Vec<(Utf8PathBuf, String)> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let below = rust_files(path);
            files.extend(below.files);
            unreadable.extend(below.unreadable);
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
    if files.is_empty() && unreadable.is_empty() {
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
    for (path, message) in unreadable {
        let shown = path.strip_prefix(&root).map(Utf8Path::to_owned).unwrap_or(path);
        let id = project.sources.add(SourceFile::new(shown, Arc::from(""), false));
        push(&mut project, id, Err(Unreadable { message, span: Span::default() }));
    }
    Ok(project)
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Found {
    /// `.rs` files, sorted, each once however many links lead to it.
    pub(super) files: Vec<Utf8PathBuf>,
    /// What could not be looked into, and why.
    pub(super) unreadable: Vec<(Utf8PathBuf, String)>,
}

/// All `.rs` files below a folder: `.gitignore` honoured, build output left out.
pub(super) fn rust_files(dir: &Utf8Path) -> Found {
    let mut found = Found::default();
    let walk = ignore::WalkBuilder::new(dir)
        .require_git(false)
        .follow_links(true)
        .filter_entry(|e| e.file_name() != "target" || !e.path().join("CACHEDIR.TAG").exists())
        .build();
    let mut real: FxHashMap<std::path::PathBuf, Utf8PathBuf> = FxHashMap::default();
    for entry in walk {
        match entry {
            Ok(entry) => {
                let is_file = entry.file_type().is_some_and(|t| t.is_file());
                let Ok(path) = Utf8PathBuf::from_path_buf(entry.into_path()) else { continue };
                if is_file && path.extension() == Some("rs") {
                    let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone().into());
                    let known = real.entry(target.clone()).or_insert_with(|| path.clone());
                    if path.as_std_path() == target || (known.as_std_path() != target && path < *known) {
                        *known = path;
                    }
                }
            }
            Err(error) => found.unreadable.extend(walk_error(dir, &error)),
        }
    }
    found.files.extend(real.into_values());
    found.files.sort();
    found.unreadable.sort();
    found
}

/// Where a walk failed, and why; nothing for what is no Rust file's business (a dangling link, a bad `.gitignore`).
fn walk_error(dir: &Utf8Path, error: &ignore::Error) -> Option<(Utf8PathBuf, String)> {
    match error {
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            walk_error(dir, err)
        }
        ignore::Error::WithPath { path, err } => {
            let path = Utf8PathBuf::from_path_buf(path.clone()).ok()?;
            match &**err {
                ignore::Error::Io(e) if e.kind() == std::io::ErrorKind::NotFound => None,
                ignore::Error::Io(e) => Some((path, describe(e))),
                other => walk_error(&path, other),
            }
        }
        ignore::Error::Loop { ancestor, child } => {
            let child = Utf8PathBuf::from_path_buf(child.clone()).ok()?;
            Some((child, format!("a link that leads back to {}", ancestor.display())))
        }
        ignore::Error::Io(e) => Some((dir.to_owned(), describe(e))),
        _ => None,
    }
}
