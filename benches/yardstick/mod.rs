//! The bare parse that a scan is held against: `syn::parse_file` of the same files, on all cores, nothing else done.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rayon::prelude::*;

/// What the line with a process's numbers begins with.
pub(crate) const NUMBERS: &str = "numbers ";

/// Stack of the parsing threads, in bytes: the one that the tool gives its own.
const STACK: usize = 256 << 20;

/// How long it takes to parse all Rust files below `dir`. The pool of threads and the list of files are made before.
pub(crate) fn time_parse(dir: &Path) -> Duration {
    let files = rust_files(dir);
    let work = || {
        let start = Instant::now();
        parse(&files);
        start.elapsed()
    };
    match rayon::ThreadPoolBuilder::new().stack_size(STACK).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

fn parse(files: &[PathBuf]) {
    let items: usize = files
        .par_iter()
        .with_max_len(1)
        .map(|file| {
            let Ok(text) = std::fs::read_to_string(file) else { return 0 };
            let items = syn::parse_file(&text).map_or(0, |f| f.items.len());
            proc_macro2::extra::invalidate_current_thread_spans();
            items
        })
        .sum();
    std::hint::black_box(items);
}

/// All Rust files below `dir`.
pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut work = vec![dir.to_owned()];
    while let Some(dir) = work.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(t) if t.is_dir() => work.push(path),
                Ok(t) if t.is_file() && path.extension().is_some_and(|e| e == "rs") => out.push(path),
                _ => {}
            }
        }
    }
    out.sort();
    out
}
