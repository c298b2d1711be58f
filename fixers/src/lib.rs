//! Turns uncork's findings into verified edits.
//!
//! A codemod reads the analysis and plans [`change::Change`]s. [`fixpoint::Driver`] makes them in an
//! [`overlay::Overlay`] until nothing is left, [`write`] brings the result to disk or nothing of it, and [`verify`]
//! keeps only what the compiler agrees with.

#![forbid(unsafe_code)]
#![allow(clippy::result_large_err, reason = "a refusal is built once a finding, never on a hot path")]

pub mod change;
pub mod codemods;
pub mod edit;
pub mod fixpoint;
pub mod format;
pub mod interactive;
pub mod manifest;
pub mod overlay;
pub mod preview;
pub mod resolve;
pub mod session;
pub mod vcs;
pub mod verify;
pub mod write;
