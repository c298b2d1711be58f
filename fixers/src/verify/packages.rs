//! Packages of a workspace: which one a file belongs to, and which depend on it.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

/// A package of the workspace.
#[derive(Clone, Debug)]
pub struct Package {
    /// Cargo's id, accepted by `-p`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its manifest, absolute.
    pub manifest: Utf8PathBuf,
    /// Its edition.
    pub edition: String,
    /// Folders of packages it depends on by path, absolute.
    path_dependencies: Vec<Utf8PathBuf>,
}

impl Package {
    /// The folder of its manifest.
    pub fn folder(&self) -> &Utf8Path {
        self.manifest.parent().unwrap_or(&self.manifest)
    }
}

/// A cargo workspace.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Its root, absolute.
    pub root: Utf8PathBuf,
    /// Where build products go.
    pub target: Utf8PathBuf,
    /// Its members.
    pub packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<RawPackage>,
    workspace_root: Utf8PathBuf,
    target_directory: Utf8PathBuf,
}

#[derive(Deserialize)]
struct RawPackage {
    id: String,
    name: String,
    manifest_path: Utf8PathBuf,
    edition: String,
    dependencies: Vec<RawDependency>,
}

#[derive(Deserialize)]
struct RawDependency {
    path: Option<Utf8PathBuf>,
}

impl Workspace {
    /// Reads the output of `cargo metadata --no-deps`.
    pub(super) fn parse(json: &str) -> Result<Workspace, String> {
        let raw: Metadata = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let packages = raw
            .packages
            .into_iter()
            .map(|p| Package {
                id: p.id,
                name: p.name,
                manifest: p.manifest_path,
                edition: p.edition,
                path_dependencies: p.dependencies.into_iter().filter_map(|d| d.path).collect(),
            })
            .collect();
        Ok(Workspace { root: raw.workspace_root, target: raw.target_directory, packages })
    }

    /// The package a file (absolute) belongs to: the one with the deepest folder around it.
    pub fn package_of(&self, path: &Utf8Path) -> Option<&Package> {
        self.packages
            .iter()
            .filter(|p| path.starts_with(p.folder()))
            .max_by_key(|p| p.folder().components().count())
    }

    /// The packages of these files (absolute) and all members that depend on one of them.
    pub fn affected<'a>(&self, files: impl Iterator<Item = &'a Utf8Path>) -> Vec<&Package> {
        let mut folders: BTreeSet<&Utf8Path> =
            files.filter_map(|f| self.package_of(f)).map(Package::folder).collect();
        loop {
            let before = folders.len();
            for package in &self.packages {
                if package.path_dependencies.iter().any(|d| folders.contains(d.as_path())) {
                    folders.insert(package.folder());
                }
            }
            if folders.len() == before {
                break;
            }
        }
        self.packages.iter().filter(|p| folders.contains(p.folder())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, deps: &[&str]) -> Package {
        Package {
            id: folder.into(),
            name: folder.into(),
            manifest: Utf8PathBuf::from(folder).join("Cargo.toml"),
            edition: "2021".into(),
            path_dependencies: deps.iter().map(Utf8PathBuf::from).collect(),
        }
    }

    #[test]
    fn dependents_are_affected_transitively() {
        let workspace = Workspace {
            packages: vec![
                package("/w", &["/w/a"]),
                package("/w/a", &["/w/b"]),
                package("/w/b", &[]),
                package("/w/c", &[]),
            ],
            ..Workspace::default()
        };
        let names = |file: &str| -> Vec<String> {
            let affected = workspace.affected([Utf8Path::new(file)].into_iter());
            affected.into_iter().map(|p| p.name.clone()).collect()
        };
        assert_eq!(names("/w/b/src/lib.rs"), ["/w", "/w/a", "/w/b"]);
        assert_eq!(names("/w/c/src/lib.rs"), ["/w/c"]);
        assert_eq!(names("/w/src/lib.rs"), ["/w"]);
        assert!(names("/elsewhere/x.rs").is_empty());
    }
}
