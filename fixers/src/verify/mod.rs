//! Keeping only what the compiler agrees with.
//!
//! The result is written, checked, and what brought a new error is taken back and the rest planned anew; the project's
//! own errors are the baseline.

mod cargo;
mod diagnostics;
mod packages;
mod prove;
mod read;
mod tests_run;

use std::time::Duration;

use thiserror::Error;

pub use cargo::{Cargo, CargoOptions};
pub use diagnostics::{Outcome, Problem, new_problems};
pub use packages::{Package, Workspace};
pub use prove::{BackedOut, Checker, Proof, Prover, Verified};

use crate::fixpoint::FixpointError;
use crate::write::WriteError;

/// How much is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Nothing: what was planned is written.
    None,
    /// `cargo check` of all targets of the touched packages and those that depend on them.
    #[default]
    Check,
    /// That, and `cargo test` of the same packages.
    Test,
}

/// Why nothing could be proven. Every file is as it was.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Planning failed.
    #[error(transparent)]
    Plan(#[from] FixpointError),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Cargo could not be started or understood.
    #[error("cannot run {program}: {why}")]
    Cargo {
        /// The program.
        program: String,
        /// What went wrong.
        why: String,
    },
    /// Cargo fails before any change, and not because of the code.
    #[error(
        "cargo cannot check this project even without the changes, so nothing can be verified ({}); see `cargo check`, \
         or give `--verify none`", first_error(.0)
    )]
    Baseline(String),
    /// It took too long.
    #[error("verification took longer than {} s; nothing was changed", .0.as_secs())]
    TimedOut(Duration),
    /// The user asked to stop.
    #[error("interrupted; every file is as it was")]
    Interrupted,
}

/// The line of cargo's words that says what failed; builds before it and traces after it say nothing.
fn first_error(words: &str) -> &str {
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find(|line| line.starts_with("error"));
    error.or_else(|| lines.next_back()).unwrap_or("it says nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_why_nothing_can_be_verified() {
        let words = "   Compiling a v1.0.0\nerror: failed to run custom build command for `b`\n\nCaused by:\n  panicked";
        let said = VerifyError::Baseline(words.into()).to_string();
        assert!(said.contains("(error: failed to run custom build command for `b`)"), "{said}");
        assert_eq!(said.lines().count(), 1);
        assert_eq!(first_error("  no network\n"), "no network");
    }
}
