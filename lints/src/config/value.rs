//! Tables with places: walking parsed TOML so that every mistake names its line.

use std::ops::Range;

use camino::Utf8Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, nearest};
use crate::finding::Level;

/// The file being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) path: &'a Utf8Path,
    pub(super) text: &'a str,
}

impl Reader<'_> {
    /// A mistake at a place.
    pub(super) fn error(self, at: Range<usize>, message: impl Into<String>) -> ConfigError {
        let (line, column) = place(self.text, at.start);
        ConfigError { path: self.path.to_owned(), line, column, message: message.into() }
    }

    /// Checks the keys of a table against what is known.
    pub(super) fn known(self, table: &DeTable<'_>, known: &[&str]) -> Result<(), ConfigError> {
        // Tables come sorted by key; the first mistake in the file is the one to name.
        let mut keys: Vec<_> = table.keys().collect();
        keys.sort_by_key(|k| k.span().start);
        for key in keys {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let near = nearest(name, known.iter().copied());
                let rest = match near {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None => format!("; known are {}", list(known)),
                };
                return Err(self.error(key.span(), format!("unknown key `{name}`{rest}")));
            }
        }
        Ok(())
    }

    /// A table.
    pub(super) fn table<'v, 'i>(
        self,
        value: &'v Spanned<DeValue<'i>>,
        what: &str,
    ) -> Result<&'v DeTable<'i>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            other => Err(self.mismatch(value.span(), what, "a table", other)),
        }
    }

    /// A string.
    pub(super) fn string<'v>(
        self,
        value: &'v Spanned<DeValue<'_>>,
        what: &str,
    ) -> Result<&'v str, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            other => Err(self.mismatch(value.span(), what, "a string", other)),
        }
    }

    /// A list of strings, each with its place.
    pub(super) fn strings<'v>(
        self,
        value: &'v Spanned<DeValue<'_>>,
        what: &str,
    ) -> Result<Vec<(&'v str, Range<usize>)>, ConfigError> {
        match value.get_ref() {
            DeValue::Array(items) => {
                items.iter().map(|item| Ok((self.string(item, what)?, item.span()))).collect()
            }
            other => Err(self.mismatch(value.span(), what, "a list of strings", other)),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(self, value: &Spanned<DeValue<'_>>, what: &str) -> Result<bool, ConfigError> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            other => Err(self.mismatch(value.span(), what, "`true` or `false`", other)),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        self,
        value: &Spanned<DeValue<'_>>,
        what: &str,
        choices: &[(&str, T)],
    ) -> Result<T, ConfigError> {
        let text = self.string(value, what)?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
                Err(self.error(value.span(), format!("`{what}` is one of {}, not `{text}`", list(&names))))
            }
        }
    }

    pub(super) fn level(self, value: &Spanned<DeValue<'_>>, what: &str) -> Result<Level, ConfigError> {
        self.choice(value, what, &[("allow", Level::Allow), ("warn", Level::Warn), ("deny", Level::Deny)])
    }

    fn mismatch(self, at: Range<usize>, what: &str, wanted: &str, found: &DeValue<'_>) -> ConfigError {
        self.error(at, format!("`{what}` wants {wanted}, not {}", article(found.type_str())))
    }
}

fn article(kind: &str) -> String {
    let kind = if kind == "array" { "list" } else { kind };
    match kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => format!("an {kind}"),
        false => format!("a {kind}"),
    }
}

/// `a`, `b` and `c`.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Line and column, from 1, of a byte offset.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}
