//! A crate of one file, linked.

use uncork_lints::knowledge::Knowledge;
use uncork_lints::link::{CrateInput, ProjectInput, link};
use uncork_lints::lower::lower_file;
use uncork_lints::program::Program;
use uncork_lints::source::{FileId, SourceFile, Sources};

/// The program that `text` is.
pub(crate) fn linked(text: &str) -> (Sources, Program) {
    let file = lower_file(text).expect("the test's source parses");
    let mut sources = Sources::default();
    sources.add(SourceFile::new("lib.rs".into(), text.into(), false));
    let input = ProjectInput {
        crates: vec![CrateInput::alone("sample", 2024, FileId(0))],
        ..ProjectInput::default()
    };
    (sources, link(vec![file], &input, Knowledge::builtin()))
}
