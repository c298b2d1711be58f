//! Reads Rust source without compiling it and finds what corks it up under load.

#![forbid(unsafe_code)]

pub mod finding;
pub mod flow;
pub mod hir;
pub mod infer;
pub mod knowledge;
pub mod link;
pub mod lower;
pub mod name;
pub mod program;
pub mod rule;
pub mod rules;
pub mod source;
pub mod ty;

/// Everything known about the code of a run; what rules read.
pub struct Analysis {
    /// The files.
    pub sources: source::Sources,
    /// The linked program.
    pub program: program::Program,
    /// Types of each body.
    pub types: Vec<infer::BodyTypes>,
}
