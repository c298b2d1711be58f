//! Reads Rust source without compiling it and finds what corks it up under load.

#![forbid(unsafe_code)]

pub mod finding;
pub mod hir;
pub mod lower;
pub mod name;
pub mod rule;
pub mod rules;
pub mod source;

/// Everything known about the code of a run; what rules read.
pub struct Analysis {
    /// The files.
    pub sources: source::Sources,
}
