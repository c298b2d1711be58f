//! Source text to HIR. The only place that knows `syn`.

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

/// Parses and lowers one file. The `syn` tree dies here. Never panics, whatever the text.
pub fn lower_file(_text: &str) -> Result<FileHir, Unreadable> {
    Ok(FileHir::default())
}
