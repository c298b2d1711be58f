//! What clone detection costs beside the rest of a run, over the folder that `UNCORK_CORPUS` names (or this workspace).
//!
//! `UNCORK_CORPUS=path cargo bench -p uncork-lints --bench clones`

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rayon::prelude::*;
use uncork_lints::clones;
use uncork_lints::clones::index::{Index, prints};
use uncork_lints::hir::FileHir;
use uncork_lints::knowledge::Knowledge;
use uncork_lints::link::{CrateInput, ProjectInput, link};
use uncork_lints::lower::lower_file;
use uncork_lints::program::Program;
use uncork_lints::source::{FileId, SourceFile, Sources};

fn main() {
    let (program, sources) = &*CORPUS;
    let lines: usize = sources.iter().map(|(_, f)| f.line_count()).sum();
    println!(
        "{} files, {lines} lines, {} functions",
        sources.len(),
        Index::build(program, sources, prints(program, sources)).functions.len()
    );
    divan::main();
}

static CORPUS: LazyLock<(Program, Sources)> = LazyLock::new(|| {
    let root =
        std::env::var("UNCORK_CORPUS").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/..").into());
    let mut paths = Vec::new();
    walk(Path::new(&root), &mut paths);
    paths.sort();
    let mut sources = Sources::default();
    for path in paths {
        if let Ok(text) = std::fs::read_to_string(&path) {
            sources.add(SourceFile::new(path.to_string_lossy().into_owned().into(), text.into(), false));
        }
    }
    let files = lower_all(&sources);
    // Each file is taken for a crate: clone detection does not read what imports mean, only what fields are.
    let crates = (0..files.len() as u32).map(|file| CrateInput::alone("file", 2024, FileId(file))).collect();
    let input = ProjectInput { crates, ..ProjectInput::default() };
    (link(files, &input, Knowledge::builtin()), sources)
});

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden && entry.file_name() != "target" {
            walk(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn lower_all(sources: &Sources) -> Vec<FileHir> {
    let texts: Vec<_> = sources.iter().map(|(_, f)| &f.text).collect();
    texts.par_iter().map(|text| lower_file(text).unwrap_or_default()).collect()
}

#[divan::bench(sample_count = 5)]
fn lowering() -> usize {
    lower_all(&CORPUS.1).len()
}

#[divan::bench(sample_count = 20)]
fn fingerprints() -> usize {
    Index::build(&CORPUS.0, &CORPUS.1, prints(&CORPUS.0, &CORPUS.1)).functions.len()
}

#[divan::bench(sample_count = 20)]
fn clones_in_all() -> usize {
    clones::analyze(&CORPUS.0, &CORPUS.1).managers.len()
}
