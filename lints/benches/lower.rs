//! What lowering costs beside a bare parse of the same files, on all cores, over the folder that `UNCORK_CORPUS` names
//! (or the sources of the cargo registry).
//!
//! `UNCORK_CORPUS=path cargo bench -p uncork-lints --bench lower`

use std::sync::LazyLock;

use rayon::prelude::*;
use uncork_lints::hir::FileHir;
use uncork_lints::lower::lower_file;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let bytes: usize = FILES.iter().map(String::len).sum();
    println!("{} files, {bytes} bytes", FILES.len());
    divan::main();
}

static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = std::env::var("UNCORK_CORPUS").unwrap_or_else(|_| {
        let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|h| h + "/.cargo"));
        home.unwrap_or_default() + "/registry/src"
    });
    let entries = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten();
    let rust = entries.filter(|e| e.file_type().is_file() && e.path().extension().is_some_and(|x| x == "rs"));
    rust.filter_map(|e| std::fs::read_to_string(e.path()).ok()).collect()
});

/// The yardstick: nothing but `syn`.
#[divan::bench(sample_count = 10)]
fn parse() {
    FILES.par_iter().for_each(|text| {
        drop(divan::black_box(syn::parse_file(text)));
        proc_macro2::extra::invalidate_current_thread_spans();
    });
}

/// Parse and lower; the HIR of all files is kept, as a run keeps it.
#[divan::bench(sample_count = 10)]
fn parse_and_lower() -> Vec<FileHir> {
    FILES.par_iter().filter_map(|text| lower_file(text).ok()).collect()
}
