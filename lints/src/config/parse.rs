//! One configuration table, from TOML.

use camino::Utf8Path;
use ignore::gitignore::GitignoreBuilder;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Reader, list};
use super::{Config, ConfigError, Exclude, Levels, Override, RuleOptions, Selector, Settings, hint, nearest};
use crate::finding::{Confidence, Severity};
use crate::knowledge::{Knowledge, KnowledgeFile};
use crate::rules;

/// Where a configuration stands, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// At the root: what it says holds for the whole run.
    Root,
    /// In a package's folder, or between it and the root: what it says holds below its folder.
    Package,
    /// Further down, found when the files are known: too late to leave any out.
    Deep,
}

const ROOT_KEYS: [&str; 8] =
    ["confidence", "exclude", "knowledge", "levels", "overrides", "rules", "severity", "tests"];
const PACKAGE_KEYS: [&str; 6] = ["confidence", "exclude", "levels", "overrides", "severity", "tests"];
const DEEP_KEYS: [&str; 5] = ["confidence", "levels", "overrides", "severity", "tests"];
const OVERRIDE_KEYS: [&str; 5] = ["confidence", "levels", "paths", "severity", "tests"];

/// Reads a configuration into `config`. `base`: the folder its paths are relative to.
pub(super) fn read(
    reader: Reader<'_>,
    table: &DeTable<'_>,
    base: &Utf8Path,
    standing: Standing,
    config: &mut Config,
) -> Result<(), ConfigError> {
    let (known, instead): (&[&str], &str) = match standing {
        Standing::Root => (&ROOT_KEYS, ""),
        Standing::Package => {
            (&PACKAGE_KEYS, "the workspace root's configuration: it holds for the whole run")
        }
        Standing::Deep => (&DEEP_KEYS, "the configuration of the package or of the workspace root"),
    };
    for key in table.keys() {
        let name: &str = key.get_ref();
        if ROOT_KEYS.contains(&name) && !known.contains(&name) {
            return Err(reader.error(key.span(), format!("`{name}` belongs in {instead}")));
        }
    }
    reader.known(table, known)?;
    let settings = settings(reader, table)?;
    if standing == Standing::Root {
        config.base.overlay(&settings);
    } else if settings != Settings::default() {
        let paths = matcher(base, &["*"]).map_err(|message| reader.error(0..0, message))?;
        config.overrides.push(Override { paths, settings });
    }
    if let Some(value) = table.get("exclude") {
        for (pattern, at) in reader.strings(value, "exclude")? {
            matcher(base, &[pattern]).map_err(|message| reader.error(at, message))?;
            config.exclude.push(Exclude { base: base.to_owned(), pattern: pattern.to_owned() });
        }
    }
    if let Some(value) = table.get("rules") {
        options(reader, value, config)?;
    }
    if let Some(value) = table.get("knowledge") {
        knowledge(reader, value, config)?;
    }
    if let Some(value) = table.get("overrides") {
        overrides(reader, value, base, config)?;
    }
    Ok(())
}

/// What is shown, as far as a table says.
fn settings(reader: Reader<'_>, table: &DeTable<'_>) -> Result<Settings, ConfigError> {
    let mut settings = Settings::default();
    if let Some(value) = table.get("levels") {
        settings.levels = levels(reader, value)?;
    }
    if let Some(value) = table.get("severity") {
        settings.severity = Some(reader.choice(value, "severity", &SEVERITIES)?);
    }
    if let Some(value) = table.get("confidence") {
        settings.confidence = Some(reader.choice(value, "confidence", &CONFIDENCES)?);
    }
    if let Some(value) = table.get("tests") {
        settings.tests = Some(reader.flag(value, "tests")?);
    }
    Ok(settings)
}

const SEVERITIES: [(&str, Severity); 4] = [
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];
const CONFIDENCES: [(&str, Confidence); 3] =
    [("low", Confidence::Low), ("medium", Confidence::Medium), ("high", Confidence::High)];

fn levels(reader: Reader<'_>, value: &Spanned<DeValue<'_>>) -> Result<Levels, ConfigError> {
    let mut levels = Levels::default();
    for (key, value) in reader.table(value, "levels")?.iter() {
        let name: &str = key.get_ref();
        let selector = Selector::parse(name).map_err(|e| reader.error(key.span(), e.to_string()))?;
        levels.push(selector, reader.level(value, name)?);
    }
    levels.sort_by_width();
    Ok(levels)
}

fn matcher(base: &Utf8Path, patterns: &[&str]) -> Result<ignore::gitignore::Gitignore, String> {
    let mut builder = GitignoreBuilder::new(base);
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|e| format!("bad pattern `{pattern}`: {e}"))?;
    }
    builder.build().map_err(|e| format!("bad pattern: {e}"))
}

fn overrides(
    reader: Reader<'_>,
    value: &Spanned<DeValue<'_>>,
    base: &Utf8Path,
    config: &mut Config,
) -> Result<(), ConfigError> {
    let DeValue::Array(entries) = value.get_ref() else {
        return Err(reader.error(value.span(), "`overrides` wants a list of tables: write `[[overrides]]`"));
    };
    for entry in entries.iter() {
        let table = reader.table(entry, "overrides")?;
        reader.known(table, &OVERRIDE_KEYS)?;
        let Some(paths) = table.get("paths") else {
            return Err(reader.error(entry.span(), "an override needs `paths`"));
        };
        let patterns: Vec<&str> = reader.strings(paths, "paths")?.into_iter().map(|(p, _)| p).collect();
        let paths = matcher(base, &patterns).map_err(|message| reader.error(paths.span(), message))?;
        config.overrides.push(Override { paths, settings: settings(reader, table)? });
    }
    Ok(())
}

/// serde's "unknown field `x`, expected one of `a`, `b`" with the nearest of them first.
fn reword(message: &str) -> String {
    let message = message.replace('\n', ", ");
    let Some(rest) =
        message.strip_prefix("unknown field `").or_else(|| message.strip_prefix("unknown variant `"))
    else {
        return message;
    };
    let what = if message.starts_with("unknown field") { "key" } else { "value" };
    let Some((name, expected)) = rest.split_once('`') else { return message };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{name}`; known are {}", list(&known)),
    }
}

/// `[rules.lock-unwrap] poison = "propagate"`
fn options(reader: Reader<'_>, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Result<(), ConfigError> {
    for (key, value) in reader.table(value, "rules")?.iter() {
        let id: &str = key.get_ref();
        if Selector::parse(id).is_err() {
            let near = nearest(id, rules::ALL.iter().map(|r| r.id)).map(str::to_owned);
            return Err(reader.error(key.span(), format!("unknown rule `{id}`{}", hint(&near))));
        }
        reader.table(value, id)?;
    }
    config.rules = RuleOptions::deserialize(toml::de::ValueDeserializer::from(value.clone()))
        .map_err(|e| reader.error(e.span().unwrap_or(value.span()), reword(e.message())))?;
    Ok(())
}

/// `[knowledge]`: the keys of `lints/knowledge/*.toml`.
fn knowledge(
    reader: Reader<'_>,
    value: &Spanned<DeValue<'_>>,
    config: &mut Config,
) -> Result<(), ConfigError> {
    reader.table(value, "knowledge")?;
    let file = KnowledgeFile::deserialize(toml::de::ValueDeserializer::from(value.clone()))
        .map_err(|e| reader.error(e.span().unwrap_or(value.span()), reword(e.message())))?;
    let mut known = config.knowledge.take().unwrap_or_else(Knowledge::builtin);
    known
        .extend(&[("knowledge".to_owned(), file)])
        .map_err(|e| reader.error(value.span(), format!("in `knowledge`: {}", e.message)))?;
    config.knowledge = Some(known);
    Ok(())
}
