//! Which configuration files count, and reading them.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use toml::de::{DeTable, DeValue};

use super::parse::{self, Standing};
use super::value::{Reader, place};
use super::{Config, ConfigError};

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The analysed root, absolute.
    pub root: Utf8PathBuf,
    /// Folders of the workspace's packages, absolute.
    pub packages: Vec<Utf8PathBuf>,
    /// Without a cargo workspace: the folder from which configuration is looked for, upwards.
    pub start: Option<Utf8PathBuf>,
    /// `--config`: this file, and no other.
    pub file: Option<Utf8PathBuf>,
    /// `--no-config`
    pub none: bool,
}

/// Reads the configuration of a run.
///
/// # Errors
/// The first mistake, with its place.
pub fn load(places: &Places) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    if places.none {
        return Ok(config);
    }
    if let Some(file) = &places.file {
        file_config(file, &places.root, Standing::Root, &mut config)?;
        return Ok(config);
    }
    if let Some(start) = &places.start {
        for dir in start.ancestors() {
            folder_config(dir, Standing::Root, &mut config)?;
            if !config.files.is_empty() {
                break;
            }
        }
        return Ok(config);
    }
    folder_config(&places.root, Standing::Root, &mut config)?;
    // Folders between the root and the packages, outer ones first: the nearest wins.
    let mut below: BTreeSet<&Utf8Path> = BTreeSet::new();
    for package in &places.packages {
        below.extend(package.ancestors().take_while(|a| *a != places.root && a.starts_with(&places.root)));
    }
    for dir in below {
        folder_config(dir, Standing::Package, &mut config)?;
    }
    Ok(config)
}

/// Adds what `uncork.toml`s further down say for the files below them. `folders`: those of the code read, absolute.
///
/// # Errors
/// The first mistake, with its place.
pub fn load_near(
    places: &Places,
    folders: impl IntoIterator<Item = Utf8PathBuf>,
    config: &mut Config,
) -> Result<(), ConfigError> {
    if places.none || places.file.is_some() {
        return Ok(());
    }
    let mut below: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    for folder in folders {
        for dir in folder.ancestors().take_while(|a| *a != places.root && a.starts_with(&places.root)) {
            if !below.insert(dir.to_owned()) {
                break;
            }
        }
    }
    for dir in below {
        let file = dir.join("uncork.toml");
        if file.is_file() && !config.files.contains(&file) {
            file_config(&file, &dir, Standing::Deep, config)?;
        }
    }
    Ok(())
}

/// What a folder's manifest holds, and its `uncork.toml` over that.
fn folder_config(dir: &Utf8Path, standing: Standing, config: &mut Config) -> Result<(), ConfigError> {
    manifest_config(dir, standing, config)?;
    let file = dir.join("uncork.toml");
    match file.is_file() {
        true => file_config(&file, dir, standing, config),
        false => Ok(()),
    }
}

/// `[workspace.metadata.uncork]` and `[package.metadata.uncork]`.
fn manifest_config(dir: &Utf8Path, standing: Standing, config: &mut Config) -> Result<(), ConfigError> {
    let manifest = dir.join("Cargo.toml");
    let Ok(text) = std::fs::read_to_string(&manifest) else { return Ok(()) };
    if !text.contains("uncork") {
        return Ok(());
    }
    // A broken manifest is discovery's to report.
    let Ok(table) = DeTable::parse(&text) else { return Ok(()) };
    let reader = Reader { path: &manifest, text: &text };
    for section in ["workspace", "package"] {
        let found = table
            .get_ref()
            .get(section)
            .and_then(|v| v.get_ref().get("metadata"))
            .and_then(|v| v.get_ref().get("uncork"));
        if let Some(value) = found {
            let DeValue::Table(table) = value.get_ref() else {
                return Err(reader.error(value.span(), format!("`{section}.metadata.uncork` wants a table")));
            };
            config.read(&manifest, &text);
            parse::read(reader, table, dir, standing, config)?;
        }
    }
    Ok(())
}

fn file_config(
    file: &Utf8Path,
    base: &Utf8Path,
    standing: Standing,
    config: &mut Config,
) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
        path: file.to_owned(),
        line: 1,
        column: 1,
        message: crate::discover::describe(&e),
    })?;
    let table = DeTable::parse(&text).map_err(|e| {
        let (line, column) = place(&text, e.span().map_or(0, |s| s.start));
        ConfigError { path: file.to_owned(), line, column, message: e.message().replace('\n', ", ") }
    })?;
    config.read(file, &text);
    parse::read(Reader { path: file, text: &text }, table.get_ref(), base, standing, config)
}
