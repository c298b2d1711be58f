//! A workspace as `cargo metadata` tells it; where cargo cannot, as the manifests do.

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::{MetadataCommand, TargetKind as Kind};

use super::manifest;
use super::package::Workspace;
use super::{Dependency, DependencyKind, DiscoverError, Package, Target, TargetKind};

/// Learns of a workspace. `--no-deps` resolves nothing, so no network is needed.
pub(super) fn load(manifest: &Utf8Path) -> Result<Workspace, DiscoverError> {
    manifest::check_syntax(manifest)?;
    let mut command = MetadataCommand::new();
    command.manifest_path(manifest).no_deps();
    match command.exec() {
        Ok(metadata) => Ok(convert(metadata)),
        Err(error) => {
            let why = first_line(&error);
            let mut workspace = manifest::load(manifest)?;
            workspace.notices.push(format!("cargo metadata failed ({why}); read the manifests instead"));
            Ok(workspace)
        }
    }
}

fn first_line(error: &cargo_metadata::Error) -> String {
    let text = error.to_string();
    let useful = text
        .lines()
        .map(str::trim)
        .map(|l| l.strip_prefix("`cargo metadata` exited with an error:").unwrap_or(l).trim())
        .map(|l| l.strip_prefix("error:").unwrap_or(l).trim())
        .find(|l| !l.is_empty())
        .unwrap_or("no reason given");
    useful.to_owned()
}

fn convert(metadata: cargo_metadata::Metadata) -> Workspace {
    let packages = metadata.packages.iter().map(package).collect();
    let name_of = |id: &cargo_metadata::PackageId| {
        metadata.packages.iter().find(|p| p.id == *id).map(|p| p.name.to_string())
    };
    let default_members = if metadata.workspace_default_members.is_available() {
        metadata.workspace_default_members.iter().filter_map(name_of).collect()
    } else {
        metadata.workspace_members.iter().filter_map(name_of).collect()
    };
    Workspace {
        root: metadata.workspace_root.clone(),
        target: metadata.target_directory.clone(),
        packages,
        default_members,
        notices: Vec::new(),
    }
}

fn package(p: &cargo_metadata::Package) -> Package {
    Package {
        name: p.name.to_string(),
        version: p.version.to_string(),
        manifest: p.manifest_path.clone(),
        edition: p.edition.as_str().parse().unwrap_or(2021),
        rust_version: p.rust_version.as_ref().map(ToString::to_string),
        features: p.features.keys().cloned().collect(),
        targets: p.targets.iter().filter_map(target).collect(),
        dependencies: p.dependencies.iter().map(dependency).collect(),
    }
}

fn dependency(d: &cargo_metadata::Dependency) -> Dependency {
    Dependency {
        extern_name: d.rename.as_deref().unwrap_or(&d.name).replace('-', "_"),
        package: d.name.clone(),
        requirement: d.req.to_string(),
        kind: match d.kind {
            cargo_metadata::DependencyKind::Development => DependencyKind::Dev,
            cargo_metadata::DependencyKind::Build => DependencyKind::Build,
            _ => DependencyKind::Normal,
        },
        optional: d.optional,
        features: d.features.clone(),
        path: d.path.clone(),
    }
}

fn target(target: &cargo_metadata::Target) -> Option<Target> {
    let kind = target.kind.iter().find_map(|k| {
        Some(match k {
            Kind::Bin => TargetKind::Bin,
            Kind::Test => TargetKind::Test,
            Kind::Bench => TargetKind::Bench,
            Kind::Example => TargetKind::Example,
            Kind::CustomBuild => TargetKind::BuildScript,
            Kind::Lib | Kind::RLib | Kind::DyLib | Kind::CDyLib | Kind::StaticLib | Kind::ProcMacro => {
                TargetKind::Lib
            }
            _ => return None,
        })
    })?;
    Some(Target {
        name: target.name.clone(),
        kind,
        root: Utf8PathBuf::from(target.src_path.as_str()),
        edition: target.edition.as_str().parse().ok(),
    })
}
