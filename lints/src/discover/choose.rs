//! Which packages of a workspace are meant: `-p`, `--workspace`, `--exclude`, paths, the current folder.

use camino::{Utf8Path, Utf8PathBuf};

use super::manifest::wild;
use super::package::{Package, Workspace};
use super::{DiscoverError, Request, normal};

/// Indices of the packages asked for; `None` if the paths lie in no package of this workspace.
pub(super) fn packages(
    request: &Request,
    workspace: &Workspace,
    manifest: &Utf8Path,
    paths: &[Utf8PathBuf],
) -> Result<Option<Vec<usize>>, DiscoverError> {
    for pattern in request.packages.iter().chain(&request.exclude) {
        if !workspace.packages.iter().any(|p| named(pattern, p)) {
            let known = workspace.packages.iter().map(|p| p.name.as_str());
            let hint = match crate::config::nearest(pattern, known) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!(": its packages are {}", names(workspace)),
            };
            return Err(DiscoverError::Nothing(format!(
                "package `{pattern}` is not in the workspace at {}{hint}",
                workspace.root
            )));
        }
    }
    if workspace.packages.is_empty() {
        return Err(DiscoverError::Nothing(format!(
            "{}: the workspace has no member; add one to `workspace.members`, or name a folder",
            workspace.root.join("Cargo.toml")
        )));
    }
    let all = 0..workspace.packages.len();
    let mut chosen: Vec<usize> = if !request.packages.is_empty() {
        all.filter(|&i| request.packages.iter().any(|p| named(p, &workspace.packages[i]))).collect()
    } else if request.workspace || (!request.exclude.is_empty() && paths.is_empty()) {
        all.collect()
    } else if paths.is_empty() {
        of_folder(workspace, manifest)
    } else {
        let mut chosen = Vec::new();
        for path in paths {
            let of_path = of_path(workspace, path);
            if of_path.is_empty() {
                return Ok(None);
            }
            chosen.extend(of_path);
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    };
    chosen.retain(|&i| !request.exclude.iter().any(|e| named(e, &workspace.packages[i])));
    if chosen.is_empty() {
        return Err(DiscoverError::Nothing(format!(
            "{}: no package is left to check; its packages are {}",
            workspace.root.join("Cargo.toml"),
            names(workspace)
        )));
    }
    Ok(Some(chosen))
}

/// Whether a package is meant by `-p NAME` or `-p 'GLOB*'`.
fn named(pattern: &str, package: &Package) -> bool {
    pattern == package.name || (pattern.contains(['*', '?']) && wild(pattern, &package.name))
}

/// As cargo does without `-p`: the package whose manifest it is; for the root, the default members.
fn of_folder(workspace: &Workspace, manifest: &Utf8Path) -> Vec<usize> {
    let own = normal(manifest);
    let here = workspace.packages.iter().position(|p| normal(&p.manifest) == own);
    match here {
        Some(index) if own.parent() != Some(workspace.root.as_path()) => vec![index],
        _ => defaults(workspace),
    }
}

fn defaults(workspace: &Workspace) -> Vec<usize> {
    (0..workspace.packages.len())
        .filter(|&i| workspace.default_members.contains(&workspace.packages[i].name))
        .collect()
}

/// The packages at or below a path; else the innermost one around it.
fn of_path(workspace: &Workspace, path: &Utf8Path) -> Vec<usize> {
    if path == workspace.root {
        return defaults(workspace);
    }
    let all = workspace.packages.iter().enumerate();
    let below: Vec<usize> = all.clone().filter(|(_, p)| p.dir().starts_with(path)).map(|(i, _)| i).collect();
    if !below.is_empty() {
        return below;
    }
    all.filter(|(_, p)| path.starts_with(p.dir()))
        .max_by_key(|(_, p)| p.dir().as_str().len())
        .map(|(i, _)| vec![i])
        .unwrap_or_default()
}

fn names(workspace: &Workspace) -> String {
    let names: Vec<&str> = workspace.packages.iter().map(|p| p.name.as_str()).collect();
    match names.len() {
        0..=12 => names.join(", "),
        n => format!("{}, … ({n} in all)", names[..12].join(", ")),
    }
}
