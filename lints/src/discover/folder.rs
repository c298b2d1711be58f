//! Plain folders, single files, standard input: no manifest, so every file that no `mod` names is a root of its own.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::modules::{mod_candidates, read_and_lower};
use super::{DiscoverError, FileKey, Lowered, Project, Reading, describe, find_manifest, manifest, read};
use crate::link::CrateInput;
use crate::lower::{Unreadable, lower_file};
use crate::name::Name;
use crate::source::{FileId, SourceFile, Span};

/// The edition of files that no manifest claims.
const EDITION: u16 = 2024;

/// Standard input as one file.
pub(super) fn stdin(root: &Utf8Path, text: &str) -> Project {
    let mut project = Project { root: root.to_owned(), ..Project::default() };
    let (source, bad) = read::text_source(text.as_bytes().to_vec(), "<stdin>".into());
    let lowered = match bad {
        Some(e) => Err(e),
        None => lower_file(&source.text).map(|hir| Lowered::new(FileKey::of(&source.text, EDITION), hir)),
    };
    let id = project.push(source, lowered);
    project.input.crates.push(root_crate("stdin", id, false, EDITION));
    project.shown.push(true);
    project
}

fn root_crate(name: &str, root: FileId, is_test: bool, edition: u16) -> CrateInput {
    CrateInput { is_test, ..CrateInput::alone(name, edition, root) }
}

/// What shown paths are relative to: the folder, if it is one; else the current directory.
pub(super) fn root_of(cwd: &Utf8Path, paths: &[Utf8PathBuf]) -> Utf8PathBuf {
    match paths {
        [one] if one.is_dir() => one.clone(),
        _ => cwd.to_owned(),
    }
}

/// Files and folders as they are.
pub(super) fn load(
    root: &Utf8Path,
    paths: &[Utf8PathBuf],
    how: &Reading<'_>,
) -> Result<Project, DiscoverError> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            let below = rust_files(path);
            found.files.extend(below.files);
            found.unreadable.extend(below.unreadable);
        } else {
            found.files.push(path.clone());
        }
    }
    let Found { mut files, unreadable } = found;
    files.sort();
    files.dedup();
    files.retain(|f| !how.exclude.is_match(f));
    if files.is_empty() && unreadable.is_empty() {
        let what = paths.first().map_or("this folder".to_owned(), ToString::to_string);
        let message =
            "no Cargo.toml here or above, and no Rust file below: name a cargo project, a folder or a file";
        return Err(DiscoverError::Nothing(format!("{what}: {message}")));
    }
    let mut project = Project { root: root.to_owned(), ..Project::default() };
    let lowered: Vec<(SourceFile, Result<Lowered, Unreadable>)> =
        files.par_iter().map(|full| read_and_lower(root, full, EDITION, how)).collect();
    for (source, lowered) in lowered {
        project.push(source, lowered);
    }
    let reached = connect(&mut project, &files);
    crates(&mut project, &files, &reached);
    for (path, message) in unreadable {
        let shown = path.strip_prefix(root).map(Utf8Path::to_owned).unwrap_or(path);
        let source = SourceFile::new(shown, "".into(), false);
        project.push(source, Err(Unreadable { message, span: Span::default() }));
    }
    project.shown = vec![true; project.sources.len()];
    Ok(project)
}

/// Gives `mod` items their files; returns the files that some item names.
fn connect(project: &mut Project, files: &[Utf8PathBuf]) -> FxHashSet<FileId> {
    let by_path: FxHashMap<&Utf8Path, FileId> =
        files.iter().enumerate().map(|(i, p)| (p.as_path(), FileId(i as u32))).collect();
    let mut reached = FxHashSet::default();
    for (full, (index, outline)) in files.iter().zip(project.outlines.iter().enumerate()) {
        let file = FileId(index as u32);
        for decl in &outline.mods {
            // Without a manifest a file may be a crate root or not: both ways of finding its modules are tried.
            let child = [true, false].iter().find_map(|&as_root| {
                let candidates = mod_candidates(full, decl, as_root);
                candidates.iter().find_map(|c| by_path.get(c.as_path()).copied())
            });
            if let Some(child) = child
                && child != file
            {
                project.input.mod_files.insert((file, decl.item), child);
                reached.insert(child);
            }
        }
        for (n, literal) in outline.includes.iter().enumerate() {
            let named = full.parent().map(|dir| super::normal(&dir.join(literal)));
            if let Some(&child) = named.and_then(|path| by_path.get(path.as_path()))
                && child != file
            {
                project.input.includes.insert((file, n), child);
                reached.insert(child);
            }
        }
    }
    reached
}

/// Whether what lies in a folder of this name tests, measures or shows the code beside it.
pub(super) fn is_aside(folder: &str) -> bool {
    matches!(folder, "tests" | "benches" | "examples")
}

/// Makes a crate of every file that no other names.
fn crates(project: &mut Project, files: &[Utf8PathBuf], reached: &FxHashSet<FileId>) {
    let mut editions: FxHashMap<Utf8PathBuf, u16> = FxHashMap::default();
    let mut roots: Vec<(bool, String, FileId, bool, u16)> = Vec::new();
    for (index, full) in files.iter().enumerate() {
        let id = FileId(index as u32);
        // A ring of files that name each other has no root: its first file is one.
        if reached.contains(&id) && (index > 0 || reached.len() < files.len()) {
            continue;
        }
        let shown = project.sources.path(id);
        let is_test =
            shown.components().any(|c| is_aside(c.as_str())) || shown.file_name() == Some("build.rs");
        let stem = full.file_stem().unwrap_or("file");
        let is_lib = full.ends_with("src/lib.rs");
        let around = full.parent().and_then(Utf8Path::parent).and_then(Utf8Path::file_name);
        let name = match (is_lib || stem == "main", around) {
            (true, Some(dir)) => dir.replace('-', "_"),
            _ => stem.replace('-', "_"),
        };
        let edition = match find_manifest(full) {
            Some(path) => {
                *editions.entry(path.clone()).or_insert_with(|| manifest::edition(&path).unwrap_or(EDITION))
            }
            None => EDITION,
        };
        roots.push((!is_lib, name, id, is_test, edition));
    }
    roots.sort();
    let libs: Vec<(Name, usize)> = roots
        .iter()
        .enumerate()
        .filter(|(_, (not_lib, ..))| !not_lib)
        .map(|(i, (_, name, ..))| (Name::new(name), i))
        .collect();
    for (_, name, id, is_test, edition) in &roots {
        let mut krate = root_crate(name, *id, *is_test, *edition);
        krate.deps = libs.clone();
        project.input.crates.push(krate);
    }
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
