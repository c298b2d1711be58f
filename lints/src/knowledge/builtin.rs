//! The embedded knowledge files, listed once.

use super::{Knowledge, parse};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../knowledge/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "std.toml",
    "iter.toml",
    "locks.toml",
    "tokio.toml",
    "dashmap.toml",
    "containers.toml",
    "hashers.toml",
    "web.toml",
    "ecosystem.toml"
];

/// Parses the embedded files. They are part of the tool: a mistake in one fails the tests, and at run time leaves out
/// only that file.
pub(super) fn load() -> Knowledge {
    let mut knowledge = Knowledge::default();
    let _ = parse::load(&mut knowledge, FILES);
    knowledge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files_are_sound() {
        let mut knowledge = Knowledge::default();
        assert_eq!(parse::load(&mut knowledge, FILES), Ok(()));
        assert!(knowledge.types.len() > 50);
    }
}
