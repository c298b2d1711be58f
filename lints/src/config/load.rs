//! Finds and reads configuration. Whatever is wrong is one line with its place and, where one is near, the right word.

use camino::Utf8Path;
use serde::Deserialize;

use super::{Config, File, known_selector, nearest};
use crate::finding::Level;

/// What is wrong with a configuration: one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// `path:line:column`.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Loads what holds for `cwd`: the manifest's metadata and the root's `uncork.toml` as a base, the nearest `uncork.toml`
/// over it.
///
/// # Errors
///
/// The first mistake found.
pub fn load(root: &Utf8Path, cwd: &Utf8Path) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let mut manifests = vec![root.join("Cargo.toml")];
    if let Some(near) = cwd
        .ancestors()
        .take_while(|a| a.starts_with(root))
        .map(|a| a.join("Cargo.toml"))
        .find(|m| m.is_file())
        && near != manifests[0]
    {
        manifests.push(near);
    }
    for manifest in manifests {
        if let Some(found) = from_manifest(&manifest)? {
            config.overlay(found);
        }
    }
    let base = root.join("uncork.toml");
    let nearest = cwd.ancestors().map(|a| a.join("uncork.toml")).find(|p| p.is_file());
    if base.is_file() && nearest.as_ref() != Some(&base) && cwd.starts_with(root) {
        config.overlay(load_file(&base)?);
    } else if base.is_file() && !cwd.starts_with(root) {
        config.overlay(load_file(&base)?);
        return Ok(config);
    }
    if let Some(path) = nearest {
        config.overlay(load_file(&path)?);
    }
    Ok(config)
}

/// Loads one file.
///
/// # Errors
///
/// The first mistake in it.
pub fn load_file(path: &Utf8Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError { place: path.to_string(), message: crate::discover::describe(&e) })?;
    let file: File = toml::from_str(&text).map_err(|e| explain(path, &text, 0, &e))?;
    convert(path, &text, file)
}

fn from_manifest(path: &Utf8Path) -> Result<Option<Config>, ConfigError> {
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    // A broken manifest is discovery's to report.
    let Ok(table) = text.parse::<toml::Table>() else { return Ok(None) };
    let mut config = None;
    for section in ["workspace", "package"] {
        let value = table.get(section).and_then(|s| s.get("metadata")).and_then(|m| m.get("uncork"));
        if let Some(value) = value {
            let file = File::deserialize(value.clone()).map_err(|e| {
                let place = format!("{path} [{section}.metadata.uncork]");
                ConfigError { place, message: reword(e.message()) }
            })?;
            let found = convert(path, &text, file)?;
            match &mut config {
                None => config = Some(found),
                Some(c) => Config::overlay(c, found),
            }
        }
    }
    Ok(config)
}

fn convert(path: &Utf8Path, text: &str, file: File) -> Result<Config, ConfigError> {
    let mut levels: Vec<(String, Level)> = file.levels.into_iter().collect();
    for (selector, _) in &levels {
        if let Err(near) = known_selector(selector) {
            let hint = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            return Err(ConfigError {
                place: place(path, text, find_key(text, selector)),
                message: format!("unknown rule or group `{selector}`{hint}"),
            });
        }
    }
    // `all` first, then groups, then rules: the more exact wins whatever the order of the table.
    levels.sort_by_key(|(s, _)| {
        let rule = crate::rules::ALL.iter().any(|r| r.id == s);
        if s == "all" { 0 } else { 1 + u8::from(rule) }
    });
    Ok(Config {
        levels,
        severity: file.severity,
        confidence: file.confidence,
        tests: file.tests,
        exclude: file.exclude,
        rules: file.rules,
        knowledge: file.knowledge.map(|k| (path.to_string(), k)).into_iter().collect(),
    })
}

fn find_key(text: &str, key: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().trim_start_matches(['"', '\'']).starts_with(key) {
            return at + (line.len() - line.trim_start().len());
        }
        at += line.len();
    }
    0
}

fn place(path: &Utf8Path, text: &str, offset: usize) -> String {
    let before = text.get(..offset.min(text.len())).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    format!("{path}:{line}:{column}")
}

fn explain(path: &Utf8Path, text: &str, shift: usize, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |s| s.start) + shift;
    ConfigError { place: place(path, text, offset), message: reword(error.message()) }
}

/// serde's "unknown field `x`, expected one of `a`, `b`" with the nearest of them first.
fn reword(message: &str) -> String {
    let message = message.replace('\n', " ");
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
        None => format!("unknown {what} `{name}`; known are {}", known.join(", ")),
    }
}
