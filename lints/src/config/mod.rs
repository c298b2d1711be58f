//! Configuration: `uncork.toml`, `[workspace.metadata.uncork]`, `[package.metadata.uncork]`.
//!
//! The workspace root's configuration is the base; one nearer to a file wins for the files below its folder. Keys that
//! nobody knows are errors that name the nearest known one.

mod levels;
mod load;
mod nearest;
mod options;
mod parse;
mod value;

pub use levels::{Levels, Selector, UnknownRule};
pub use load::{Places, load, load_near};
pub(crate) use nearest::hint;
pub use nearest::nearest;
pub use options::{
    CacheKind, CacheOptions, ConcurrentMap, DuplicateOptions, LockIoOptions, LockUnwrapOptions, Poison,
    RuleOptions, SharedMapOptions,
};

use camino::{Utf8Path, Utf8PathBuf};
use ignore::gitignore::Gitignore;

use crate::finding::{Confidence, Level, Severity};
use crate::knowledge::Knowledge;
use crate::rule::Rule;

/// A mistake in a configuration file, in one line that names file and place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct ConfigError {
    /// The file.
    pub path: Utf8PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and where it can be told, what was meant.
    pub message: String,
}

/// All that is set for a run: what configuration files say, and what the command line says over them.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The files read, in order.
    pub files: Vec<Utf8PathBuf>,
    /// Hashes of what they held.
    pub contents: Vec<u128>,
    /// What holds everywhere.
    pub base: Settings,
    /// What holds for some paths; later ones win.
    pub overrides: Vec<Override>,
    /// What the command line says; it wins over all of the above.
    pub asked: Settings,
    /// Paths left out of the analysis: patterns as in `.gitignore`, each relative to a folder.
    pub exclude: Vec<Exclude>,
    /// Options of rules.
    pub rules: RuleOptions,
    /// What is known of outside code, the user's additions included; `None` without any.
    pub knowledge: Option<Knowledge>,
}

/// What is shown of what is found, as far as it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Levels of rules.
    pub levels: Levels,
    /// The least severity shown.
    pub severity: Option<Severity>,
    /// The least confidence shown.
    pub confidence: Option<Confidence>,
    /// Whether findings in test code are shown.
    pub tests: Option<bool>,
}

impl Settings {
    /// Lays others over these.
    fn overlay(&mut self, other: &Settings) {
        self.levels.extend(&other.levels);
        self.severity = other.severity.or(self.severity);
        self.confidence = other.confidence.or(self.confidence);
        self.tests = other.tests.or(self.tests);
    }
}

/// Settings for some paths.
#[derive(Clone, Debug)]
pub struct Override {
    /// Matches absolute paths.
    pub paths: Gitignore,
    /// What holds there.
    pub settings: Settings,
}

impl Override {
    /// Whether a file lies among the paths. `full` is absolute.
    pub fn covers(&self, full: &Utf8Path) -> bool {
        full.starts_with(Utf8Path::from_path(self.paths.path()).unwrap_or(Utf8Path::new("")))
            && self.paths.matched_path_or_any_parents(full, false).is_ignore()
    }
}

/// A pattern of paths left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclude {
    /// What the pattern is relative to, absolute.
    pub base: Utf8PathBuf,
    /// As in `.gitignore`.
    pub pattern: String,
}

impl Config {
    /// Notes that a file was read.
    fn read(&mut self, file: &Utf8Path, text: &str) {
        self.files.push(file.to_owned());
        self.contents.push(xxhash_rust::xxh3::xxh3_128(text.as_bytes()));
    }

    /// A configuration that gives one level to one rule, group or all.
    pub fn with_level(selector: Selector, level: Level) -> Config {
        let mut config = Config::default();
        config.base.levels.push(selector, level);
        config
    }

    /// What holds in a file. `full` is absolute.
    pub fn at(&self, full: &Utf8Path) -> Settings {
        let mut settings = self.base.clone();
        for entry in self.overrides.iter().filter(|o| o.covers(full)) {
            settings.overlay(&entry.settings);
        }
        settings.overlay(&self.asked);
        settings
    }

    /// Whether any file may show findings of a rule; if not it need not run.
    pub fn may_show(&self, rule: &Rule) -> bool {
        let set = |settings: &Settings| settings.levels.of(rule);
        let shows = |level: Level| level > Level::Allow;
        match set(&self.asked) {
            Some(level) => shows(level),
            None => {
                shows(set(&self.base).unwrap_or(rule.level))
                    || self.overrides.iter().any(|o| set(&o.settings).is_some_and(shows))
            }
        }
    }
}
