//! Errors of the command line: one line each, status 2.

use std::io;

use camino::Utf8PathBuf;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Run(#[from] uncork_lints::run::RunError),
    #[error(transparent)]
    Discover(#[from] uncork_lints::discover::DiscoverError),
    #[error(transparent)]
    Config(#[from] uncork_lints::config::ConfigError),
    #[error("{path}: {message}")]
    File { path: Utf8PathBuf, message: String },
    #[error("{0}")]
    Fix(#[from] uncork_fixers::session::SessionError),
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// An I/O error on a file.
    pub(crate) fn file(path: impl Into<Utf8PathBuf>, error: &io::Error) -> Error {
        Error::File { path: path.into(), message: uncork_lints::discover::describe(error) }
    }
}
