//! What the user has set: `uncork.toml`, or `[workspace.metadata.uncork]` and `[package.metadata.uncork]`.

mod load;

pub use load::{ConfigError, load, load_file};

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::{Confidence, Level, Severity};
use crate::knowledge::KnowledgeFile;
use crate::rule::{Group, Rule};
use crate::rules;

/// The settings of a run, defaults filled in where asked for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Rule, group or `all`, and the level; later ones win.
    pub levels: Vec<(String, Level)>,
    /// Least severity shown.
    pub severity: Option<Severity>,
    /// Least confidence shown.
    pub confidence: Option<Confidence>,
    /// Show findings in test code.
    pub tests: Option<bool>,
    /// Globs of paths to leave out.
    pub exclude: Vec<String>,
    /// Options of rules.
    pub rules: RuleOptions,
    /// What the user knows of outside code.
    pub knowledge: Vec<(String, KnowledgeFile)>,
}

/// Options of rules, `[rules.<rule>]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RuleOptions {
    /// `[rules.duplicate-manager]`
    pub duplicate_manager: DuplicateOptions,
    /// `[rules.duplicate-method]`
    pub duplicate_method: DuplicateOptions,
    /// `[rules.duplicate-handler]`
    pub duplicate_handler: DuplicateOptions,
    /// `[rules.lock-unwrap]`
    pub lock_unwrap: LockUnwrapOptions,
    /// `[rules.shared-map-lock]`
    pub shared_map_lock: SharedMapOptions,
    /// `[rules.unbounded-cache]`
    pub unbounded_cache: CacheOptions,
    /// `[rules.lock-across-io]`
    pub lock_across_io: LockIoOptions,
}

/// Options of the duplication rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DuplicateOptions {
    /// The least number of members of a cluster (3 unless set).
    pub min_members: Option<usize>,
}

/// Options of `lock-unwrap`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LockUnwrapOptions {
    /// What the fix does with a poisoned lock.
    pub poison: Poison,
}

/// What to do with a poisoned lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Poison {
    /// Take the value all the same.
    #[default]
    Recover,
    /// Return an error.
    Propagate,
    /// Use locks that do not poison.
    ParkingLot,
}

/// Options of `shared-map-lock`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SharedMapOptions {
    /// What the fix migrates to.
    pub map: ConcurrentMap,
}

/// Concurrent maps the fix knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum ConcurrentMap {
    #[default]
    Dashmap,
    Papaya,
}

/// Options of `unbounded-cache`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CacheOptions {
    /// What the fix migrates to.
    pub cache: CacheKind,
    /// The capacity it writes, in entries.
    pub capacity: usize,
}

impl Default for CacheOptions {
    fn default() -> CacheOptions {
        CacheOptions { cache: CacheKind::QuickCache, capacity: 10_000 }
    }
}

/// Bounded caches the fix knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum CacheKind {
    #[default]
    QuickCache,
    Lru,
    Moka,
}

/// Options of `lock-across-io`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LockIoOptions {
    /// Count `print!` and its like as I/O.
    pub stdio: bool,
}

impl Config {
    /// The level of a rule: its own, then what is set for `all`, its group, itself; later settings win.
    pub fn level(&self, rule: &Rule) -> Level {
        self.set_level(rule).unwrap_or(rule.level)
    }

    /// The level that is set for a rule; `None` where the rule's own choice stands, which may differ by finding.
    pub fn set_level(&self, rule: &Rule) -> Option<Level> {
        self.levels
            .iter()
            .filter(|(selector, _)| selects(selector, rule))
            .map(|(_, level)| *level)
            .next_back()
    }

    /// Lays another configuration over this one.
    pub fn overlay(&mut self, other: Config) {
        self.levels.extend(other.levels);
        self.severity = other.severity.or(self.severity);
        self.confidence = other.confidence.or(self.confidence);
        self.tests = other.tests.or(self.tests);
        self.exclude.extend(other.exclude);
        self.knowledge.extend(other.knowledge);
        self.rules = other.rules;
    }
}

/// Whether a selector (rule id, group, `all`) means a rule.
pub fn selects(selector: &str, rule: &Rule) -> bool {
    selector == "all" || selector == rule.id || selector == rule.group.name()
}

/// Whether a selector means anything; if not, the nearest that does.
///
/// # Errors
///
/// The nearest known selector, where one is near.
pub fn known_selector(selector: &str) -> Result<(), Option<&'static str>> {
    let all: Vec<&'static str> =
        rules::ALL.iter().map(|r| r.id).chain(Group::ALL.iter().map(|g| g.name())).chain(["all"]).collect();
    if all.contains(&selector) { Ok(()) } else { Err(nearest(selector, all)) }
}

/// The nearest of some names, if one is near enough to be meant.
pub fn nearest<'n>(name: &str, among: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    among
        .into_iter()
        .map(|a| (strsim::damerau_levenshtein(name, a), a))
        .min()
        .filter(|(distance, a)| *distance <= 1 + a.len() / 3)
        .map(|(_, a)| a)
}

/// One file as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    levels: BTreeMap<String, Level>,
    severity: Option<Severity>,
    confidence: Option<Confidence>,
    tests: Option<bool>,
    exclude: Vec<String>,
    rules: RuleOptions,
    knowledge: Option<KnowledgeFile>,
}
