//! Changes of `Cargo.toml` that keep its order, comments and style.

mod table;
mod versions;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml_edit::{DocumentMut, Item, TableLike};

pub use versions::{KNOWN, KnownCrate, known};

use crate::change::ChangeId;
use crate::overlay::{Overlay, OverlayError};
use table::{Spec, add_entry, add_features, find};

/// A change of a package's manifest. Making it twice is making it once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ManifestEdit {
    /// Makes a crate of [`KNOWN`] a normal dependency.
    AddDependency {
        /// The package's `Cargo.toml`, relative to the overlay's root.
        manifest: Utf8PathBuf,
        /// The crate's name in the registry.
        krate: String,
        /// Features needed beside those of [`KNOWN`].
        features: Vec<String>,
    },
}

/// Why a manifest cannot be changed.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// It cannot be read or must not be touched.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// It is no TOML.
    #[error("{path} does not parse: {message}")]
    Parse {
        /// The manifest.
        path: Utf8PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The crate is not one that fixes add.
    #[error("no version of `{0}` is known")]
    UnknownCrate(String),
    /// The package has it, but only under a feature.
    #[error("`{krate}` is an optional dependency of {path}")]
    Optional {
        /// The crate.
        krate: String,
        /// The manifest.
        path: Utf8PathBuf,
    },
    /// `dependencies` is not a table, or the workspace has no such dependency to inherit.
    #[error("{path}: {what}")]
    Shape {
        /// The manifest.
        path: Utf8PathBuf,
        /// What is odd.
        what: String,
    },
}

impl ManifestEdit {
    /// Makes the change in the overlay.
    ///
    /// # Errors
    /// See [`ManifestError`]; the overlay is then as it was.
    pub fn apply(&self, overlay: &mut Overlay, id: &ChangeId) -> Result<(), ManifestError> {
        let ManifestEdit::AddDependency { manifest, krate, features } = self;
        let known = known(krate).ok_or_else(|| ManifestError::UnknownCrate(krate.clone()))?;
        let mut wanted: Vec<String> = known.features.iter().map(|f| (*f).to_owned()).collect();
        wanted.extend(features.iter().filter(|f| !known.features.contains(&f.as_str())).cloned());

        let mut doc = parse(overlay, manifest)?;
        let root = workspace_root(overlay, manifest, &doc)?;
        // The root package's manifest is the workspace's: one document then, or one write would undo the other.
        let mut outer = match &root {
            Some(path) if path != manifest => Some(parse(overlay, path)?),
            _ => None,
        };

        match existing(&doc, krate) {
            Some(found) => {
                let entry = entry(&doc, &found);
                if entry.and_then(|e| e.get("optional")).and_then(Item::as_bool) == Some(true) {
                    return Err(ManifestError::Optional { krate: krate.clone(), path: manifest.clone() });
                }
                let inherited = inherits(entry);
                let missing = {
                    let mut have = entry.map(table::features).unwrap_or_default();
                    if inherited {
                        let shared = outer.as_ref().unwrap_or(&doc);
                        have.extend(
                            shared_entry(shared, &found.key).map(table::features).unwrap_or_default(),
                        );
                    }
                    wanted.into_iter().filter(|f| !have.contains(f)).collect::<Vec<_>>()
                };
                if missing.is_empty() {
                    return Ok(());
                }
                if let Some(item) = entry_mut(&mut doc, &found) {
                    add_features(item, &missing);
                }
            }
            None => {
                let shared = match &outer {
                    Some(outer) => outer.as_table(),
                    None => doc.as_table(),
                };
                let key = shared_key(shared, krate);
                let spec = match key {
                    Some(key) => {
                        let have = shared_item(shared, &key).map(table::features).unwrap_or_default();
                        let features = wanted.into_iter().filter(|f| !have.contains(f)).collect();
                        Spec { key, version: None, features }
                    }
                    None if root.is_some() && prefers_inheriting(&doc) => {
                        let target = outer.as_mut().unwrap_or(&mut doc);
                        let version = Some(known.version.to_owned());
                        let spec = Spec { key: krate.clone(), version, features: wanted };
                        let table =
                            shared_table(target).ok_or_else(|| odd(manifest, "no workspace table"))?;
                        add_entry(table, &spec);
                        Spec { key: krate.clone(), version: None, features: Vec::new() }
                    }
                    None => {
                        let version = Some(target_version(&doc, krate).unwrap_or(known.version.to_owned()));
                        Spec { key: krate.clone(), version, features: wanted }
                    }
                };
                let table = table::dependencies(&mut doc)
                    .ok_or_else(|| odd(manifest, "`dependencies` is not a table"))?;
                add_entry(table, &spec);
                if let Some(inline) = doc.get_mut("dependencies").and_then(Item::as_inline_table_mut) {
                    inline.fmt();
                }
            }
        }
        let mut trial = overlay.clone();
        trial.replace(id, manifest, &doc.to_string())?;
        if let (Some(outer), Some(path)) = (outer, root) {
            trial.replace(id, &path, &outer.to_string())?;
        }
        *overlay = trial;
        Ok(())
    }
}

/// The name under which code of a package sees a crate, if the package has it as a normal dependency that is always
/// there. `manifest` is relative to the overlay's root.
///
/// # Errors
/// If the manifest cannot be read or parsed.
pub fn name_in_code(
    overlay: &mut Overlay,
    manifest: &Utf8Path,
    krate: &str,
) -> Result<Option<String>, ManifestError> {
    let doc = parse(overlay, manifest)?;
    let direct = existing(&doc, krate).map(|found| found.key);
    let key = match direct {
        Some(key) => Some(key),
        // `dm.workspace = true`, renamed in the workspace.
        None => match workspace_root(overlay, manifest, &doc)? {
            Some(root) => {
                let outer = parse(overlay, &root)?;
                shared_key(outer.as_table(), krate)
                    .filter(|key| inherits(doc.get("dependencies").and_then(|d| d.get(key))))
            }
            None => None,
        },
    };
    Ok(key.map(|k| k.replace('-', "_")))
}

fn odd(path: &Utf8Path, what: &str) -> ManifestError {
    ManifestError::Shape { path: path.to_owned(), what: what.to_owned() }
}

fn parse(overlay: &mut Overlay, path: &Utf8Path) -> Result<DocumentMut, ManifestError> {
    let text = overlay.read(path)?;
    text.parse().map_err(|e: toml_edit::TomlError| ManifestError::Parse {
        path: path.to_owned(),
        message: e.message().to_owned(),
    })
}

/// A dependency of the package: its key in `[dependencies]`.
struct Found {
    key: String,
}

fn existing(doc: &DocumentMut, krate: &str) -> Option<Found> {
    let table = doc.get("dependencies")?.as_table_like()?;
    find(table, krate).map(|key| Found { key })
}

fn entry<'a>(doc: &'a DocumentMut, found: &Found) -> Option<&'a Item> {
    doc.get("dependencies")?.get(&found.key)
}

fn entry_mut<'a>(doc: &'a mut DocumentMut, found: &Found) -> Option<&'a mut Item> {
    doc.get_mut("dependencies")?.as_table_like_mut()?.get_mut(&found.key)
}

fn inherits(entry: Option<&Item>) -> bool {
    entry.and_then(|e| e.get("workspace")).and_then(Item::as_bool) == Some(true)
}

fn shared_key(root: &toml_edit::Table, krate: &str) -> Option<String> {
    find(root.get("workspace")?.get("dependencies")?.as_table_like()?, krate)
}

fn shared_item<'a>(root: &'a toml_edit::Table, key: &str) -> Option<&'a Item> {
    root.get("workspace")?.get("dependencies")?.get(key)
}

fn shared_entry<'a>(root: &'a DocumentMut, key: &str) -> Option<&'a Item> {
    shared_item(root.as_table(), key)
}

fn shared_table(root: &mut DocumentMut) -> Option<&mut dyn TableLike> {
    root.get_mut("workspace")?.as_table_like_mut()?.get_mut("dependencies")?.as_table_like_mut()
}

/// Whether most of the package's registry dependencies come from the workspace.
fn prefers_inheriting(doc: &DocumentMut) -> bool {
    let Some(table) = doc.get("dependencies").and_then(Item::as_table_like) else { return false };
    let (mut inherited, mut own) = (0, 0);
    for (_, item) in table.iter() {
        if inherits(Some(item)) {
            inherited += 1;
        } else if item.get("path").is_none() {
            own += 1;
        }
    }
    inherited > own
}

/// The requirement of a target-specific dependency on the same crate, which the general one must agree with.
fn target_version(doc: &DocumentMut, krate: &str) -> Option<String> {
    let targets = doc.get("target")?.as_table_like()?;
    targets.iter().find_map(|(_, target)| {
        let table = target.get("dependencies")?.as_table_like()?;
        let entry = table.get(&find(table, krate)?)?;
        entry.as_str().or_else(|| entry.get("version")?.as_str()).map(str::to_owned)
    })
}

/// The manifest of the workspace that a package belongs to, relative to the overlay's root; `None` for a lone package
/// or a workspace outside the overlay.
fn workspace_root(
    overlay: &mut Overlay,
    manifest: &Utf8Path,
    doc: &DocumentMut,
) -> Result<Option<Utf8PathBuf>, ManifestError> {
    if doc.contains_key("workspace") {
        return Ok(Some(manifest.to_owned()));
    }
    let folder = manifest.parent().unwrap_or(Utf8Path::new(""));
    if let Some(named) = doc.get("package").and_then(|p| p.get("workspace")).and_then(Item::as_str) {
        let path = normal(&folder.join(named).join("Cargo.toml"));
        return Ok(path.filter(|p| overlay.absolute(p).is_file()));
    }
    for above in folder.ancestors().skip(1) {
        let path = above.join("Cargo.toml");
        if overlay.absolute(&path).is_file() && parse(overlay, &path)?.contains_key("workspace") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The path without `..`; `None` if it leaves the root.
fn normal(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part.as_str() {
            ".." => {
                if !out.pop() {
                    return None;
                }
            }
            "." => {}
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
