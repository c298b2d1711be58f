//! Source text to HIR. The only place that knows `syn`.
//!
//! [`lower_file`] scans the bytes once (comments, nesting), parses, walks the tree once, and drops it on the thread
//! that made it.

mod attrs;
mod blocks;
mod cfg;
mod comments;
mod cx;
mod data;
mod exprs;
mod format;
mod item_macros;
mod items;
mod json;
mod macro_args;
mod macros;
mod old;
mod pats;
mod places;
#[cfg(test)]
mod robust_tests;
mod scan;
mod stack;
#[cfg(test)]
mod tests;
mod types;

pub use cx::MAX_DEPTH;

use crate::hir::FileHir;
use crate::source::Span;

/// Why a file could not be lowered: one line, and the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong, without path: `expected one of …`.
    pub message: String,
    /// Where in the text.
    pub span: Span,
}

/// Parses and lowers one file (without byte-order mark). The `syn` tree dies here. Never panics, whatever the text.
///
/// The HIR nests at most [`MAX_DEPTH`] deep.
///
/// # Errors
///
/// [`Unreadable`] if the text is not Rust, holds NUL bytes outside literals and comments, nests deeper than any stack allows, or is 4 GiB or larger.
pub fn lower_file(text: &str) -> Result<FileHir, Unreadable> {
    lower_file_of(text, 2024)
}

/// As [`lower_file`], for a file of an edition: what only 2015 knows is read there and an error elsewhere.
///
/// # Errors
///
/// As [`lower_file`].
pub fn lower_file_of(text: &str, edition: u16) -> Result<FileHir, Unreadable> {
    if u32::try_from(text.len()).is_err() {
        return Err(Unreadable { message: "the file is 4 GiB or larger".into(), span: Span::default() });
    }
    let base = scan::prelude_len(text);
    let mut scan = scan::scan(text, base);
    if scan.open_comment
        && let Some((message, span)) = scan.problem
    {
        return Err(Unreadable { message, span });
    }
    let docs = std::mem::take(&mut scan.docs);
    let pieces = std::mem::take(&mut scan.pieces);
    stack::with_room(&scan, || {
        let out = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lower_here(text, edition, &scan, pieces, docs)
        }));
        // Spans live in a thread-local map that only grows; the tree they belong to is gone.
        proc_macro2::extra::invalidate_current_thread_spans();
        out.unwrap_or_else(|_| {
            Err(Unreadable { message: "the parser failed on this file".into(), span: Span::default() })
        })
    })
    .and_then(|out| out)
    .map(|mut hir| {
        hir.suppressions = scan.suppressions;
        hir.blank_lines = scan.blank_lines;
        hir.generated |= scan.generated;
        hir
    })
}

/// Parses and lowers on this thread's stack.
fn lower_here(
    text: &str,
    edition: u16,
    scan: &scan::Scan,
    pieces: Vec<(u32, u32)>,
    docs: Vec<scan::Docs>,
) -> Result<FileHir, Unreadable> {
    let places = places::Places::new(&scan.code, pieces, text.len() as u32);
    let mut lower = cx::Lower::new(text, places, docs);
    let in_parts = !scan.cuts.is_empty() && scan.problem.is_none();
    if !in_parts || lower_parts(&mut lower, scan).is_err() {
        // What is wrong is said of the whole file.
        lower = cx::Lower::new(text, lower.places, lower.docs);
        lower.places.enter(0, &scan.code);
        let file = match syn::parse_str(&scan.code) {
            Ok(file) => file,
            Err(error) => {
                let old = old::modern(&scan.code, edition);
                match old.and_then(|tokens| syn::parse2(tokens).ok()) {
                    Some(file) => file,
                    None => return Err(unreadable(text, scan, &lower.places, &error)),
                }
            }
        };
        lower.file(file, true);
    }
    let mut hir = lower.hir;
    hir.items.shrink_to_fit();
    hir.bodies.shrink_to_fit();
    hir.scopes.shrink_to_fit();
    Ok(hir)
}

/// Parses and lowers part by part, which takes less time than all at once (5 to 13 %): tokens and tree stay in the cache, and
/// the memory of one part serves the next.
fn lower_parts(lower: &mut cx::Lower<'_>, scan: &scan::Scan) -> syn::Result<()> {
    let mut from = 0;
    for to in scan.cuts.iter().copied().chain([scan.code.len() as u32]) {
        let part = scan.code.get(from as usize..to as usize).unwrap_or("");
        lower.places.enter(from, part);
        lower.file(syn::parse_str(part)?, from == 0);
        proc_macro2::extra::invalidate_current_thread_spans();
        from = to;
    }
    Ok(())
}

/// The parser's error in one line; what the scan saw wrong with brackets and quotes says it better.
fn unreadable(text: &str, scan: &scan::Scan, places: &places::Places, error: &syn::Error) -> Unreadable {
    if let Some((message, span)) = &scan.problem {
        return Unreadable { message: message.clone(), span: *span };
    }
    let token = error.span();
    // Errors at the end of input have no place of their own.
    let end = Span::new(text.len() as u32, text.len() as u32);
    let span = if token.byte_range().is_empty() { end } else { places.span(token) };
    let message = error.to_string();
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    Unreadable { message, span }
}
