//! A crate of one file, linked.

use uncork_lints::knowledge::Knowledge;
use uncork_lints::link::{CrateInput, ProjectInput, link};
use uncork_lints::lower::lower_file;
use uncork_lints::name::Name;
use uncork_lints::program::Program;
use uncork_lints::source::{FileId, SourceFile, Sources};

/// The program that `text` is.
pub(crate) fn linked(text: &str) -> (Sources, Program) {
    let file = lower_file(text).expect("the test's source parses");
    let mut sources = Sources::default();
    sources.add(SourceFile::new("lib.rs".into(), text.into(), false));
    let input = ProjectInput {
        crates: vec![CrateInput {
            name: Name::new("sample"),
            edition: 2024,
            package: 0,
            is_test: false,
            is_bin: false,
            root: FileId(0),
            deps: Vec::new(),
            renames: Vec::new(),
            externs: None,
        }],
        ..ProjectInput::default()
    };
    (sources, link(vec![file], &input, Knowledge::builtin()))
}
