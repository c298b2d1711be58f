//! Levels given to rules, groups, all rules, or all that is at `warn`.

use super::{hint, nearest};
use crate::finding::Level;
use crate::rule::{Group, Rule};
use crate::rules;

/// What a level is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Every rule.
    All,
    /// Whatever is at `warn` in the end.
    Warnings,
    /// The rules of a group.
    Group(Group),
    /// One rule.
    Rule(&'static str),
}

/// No rule or group has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule or group `{name}`{}", hint(.nearest))]
pub struct UnknownRule {
    /// As given.
    pub name: String,
    /// The nearest known name, if one is near.
    pub nearest: Option<String>,
}

impl Selector {
    /// Reads `all`, `warn` (or `warnings`), a group's name, or a rule's id.
    ///
    /// # Errors
    /// [`UnknownRule`] with the nearest known name.
    pub fn parse(name: &str) -> Result<Selector, UnknownRule> {
        if name == "all" {
            return Ok(Selector::All);
        }
        if name == "warn" || name == "warnings" {
            return Ok(Selector::Warnings);
        }
        if let Some(group) = Group::ALL.into_iter().find(|g| g.name() == name) {
            return Ok(Selector::Group(group));
        }
        if let Some(rule) = rules::ALL.iter().find(|r| r.id == name) {
            return Ok(Selector::Rule(rule.id));
        }
        let known = ["all", "warn"]
            .into_iter()
            .chain(Group::ALL.into_iter().map(Group::name))
            .chain(rules::ALL.iter().map(|r| r.id));
        Err(UnknownRule { name: name.to_owned(), nearest: nearest(name, known).map(str::to_owned) })
    }

    /// Whether a rule is meant.
    pub fn covers(self, rule: &Rule) -> bool {
        match self {
            Selector::All => true,
            Selector::Warnings => false,
            Selector::Group(group) => rule.group == group,
            Selector::Rule(id) => rule.id == id,
        }
    }

    /// Order of precedence where the order of writing says nothing.
    fn weight(self) -> u8 {
        match self {
            Selector::All => 0,
            Selector::Group(_) => 1,
            Selector::Rule(_) => 2,
            Selector::Warnings => 3,
        }
    }
}

/// Levels in the order in which they are given: the last that covers a rule wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    given: Vec<(Selector, Level)>,
}

impl Levels {
    /// Adds one; it wins over those before.
    pub fn push(&mut self, selector: Selector, level: Level) {
        self.given.push((selector, level));
    }

    /// The narrower wins whatever the order: for tables, whose keys have none.
    pub fn sort_by_width(&mut self) {
        self.given.sort_by_key(|(s, _)| s.weight());
    }

    /// Adds those of `other`; they win.
    pub fn extend(&mut self, other: &Levels) {
        self.given.extend_from_slice(&other.given);
    }

    /// The level given to a rule.
    pub fn of(&self, rule: &Rule) -> Option<Level> {
        self.given.iter().rev().find(|(s, _)| s.covers(rule)).map(|(_, l)| *l)
    }

    /// The level that a finding has: as given to its rule, else `default`; then what `warn` is turned into.
    pub fn settle(&self, rule: &Rule, default: Level) -> Level {
        match (self.of(rule).unwrap_or(default), self.of_warnings()) {
            (Level::Warn, Some(instead)) => instead,
            (level, _) => level,
        }
    }

    /// What `warn` is turned into.
    fn of_warnings(&self) -> Option<Level> {
        self.given.iter().rev().find(|(s, _)| *s == Selector::Warnings).map(|(_, l)| *l)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wins_and_tables_go_by_width() {
        let rule = rules::ALL[0];
        let mut levels = Levels::default();
        levels.push(Selector::Rule(rule.id), Level::Deny);
        levels.push(Selector::Group(rule.group), Level::Warn);
        levels.push(Selector::All, Level::Allow);
        assert_eq!(levels.of(rule), Some(Level::Allow));
        levels.sort_by_width();
        assert_eq!(levels.of(rule), Some(Level::Deny));
        assert_eq!(levels.of_warnings(), None);
        levels.push(Selector::Warnings, Level::Deny);
        assert_eq!(levels.of_warnings(), Some(Level::Deny));
        assert_eq!(levels.of(rule), Some(Level::Deny));
    }

    #[test]
    fn names_are_known_or_the_nearest_is_named() {
        assert_eq!(Selector::parse("all"), Ok(Selector::All));
        assert_eq!(Selector::parse("contention"), Ok(Selector::Group(Group::Contention)));
        assert_eq!(Selector::parse("lock-unwrap"), Ok(Selector::Rule("lock-unwrap")));
        let error = Selector::parse("lock-unwarp").expect_err("no such rule");
        assert_eq!(error.to_string(), "unknown rule or group `lock-unwarp`; did you mean `lock-unwrap`?");
        let error = Selector::parse("zzzzzzzz").expect_err("no such rule");
        assert_eq!(error.to_string(), "unknown rule or group `zzzzzzzz`");
    }
}
