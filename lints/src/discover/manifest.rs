//! Manifests read by ourselves, for when cargo cannot: members, targets, editions, dependencies.

use camino::{Utf8Path, Utf8PathBuf};
use toml::{Table, Value};

use super::package::Workspace;
use super::{Dependency, DependencyKind, DiscoverError, Package, Target, TargetKind, describe, normal};

fn parse(path: &Utf8Path) -> Result<Table, DiscoverError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| DiscoverError::Path { path: path.to_owned(), message: describe(&e) })?;
    text.parse::<Table>().map_err(|e| {
        let at = e.span().map_or(String::new(), |span| {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!(":{line}:{column}")
        });
        DiscoverError::Manifest { path: path.to_owned(), at, message: e.message().replace('\n', " ") }
    })
}

/// A broken manifest is an error of its own, with its place, before cargo says the same in ten lines.
pub(super) fn check_syntax(path: &Utf8Path) -> Result<(), DiscoverError> {
    parse(path).map(|_| ())
}

/// Reads a workspace from its manifests.
pub(super) fn load(manifest: &Utf8Path) -> Result<Workspace, DiscoverError> {
    let own = parse(manifest)?;
    let dir = manifest.parent().unwrap_or(Utf8Path::new("")).to_owned();
    // The workspace root is here or above.
    let (root, root_table) = if own.contains_key("workspace") {
        (dir.clone(), own.clone())
    } else {
        let above = dir.ancestors().skip(1).find_map(|a| {
            let table = parse(&a.join("Cargo.toml")).ok()?;
            table.contains_key("workspace").then(|| (a.to_owned(), table))
        });
        match above {
            Some((root, table)) if members(&root, &table).contains(&dir) => (root, table),
            _ => (dir.clone(), own.clone()),
        }
    };
    let mut dirs =
        if root_table.contains_key("workspace") { members(&root, &root_table) } else { vec![dir.clone()] };
    if root_table.contains_key("package") && !dirs.contains(&root) {
        dirs.insert(0, root.clone());
    }
    let mut packages: Vec<Package> = Vec::new();
    let mut notices = Vec::new();
    let is_workspace = root_table.contains_key("workspace");
    let excluded = folders(&root, &root_table, "exclude", false);
    let mut next = 0;
    while let Some(member) = dirs.get(next).cloned() {
        next += 1;
        let path = member.join("Cargo.toml");
        let found = match parse(&path) {
            Ok(table) => package(&path, &table, &root, &root_table),
            Err(e) if path == manifest => return Err(e),
            Err(e) => {
                notices.push(e.to_string());
                None
            }
        };
        let Some(found) = found else { continue };
        // Path dependencies below the root are members as well.
        let local = found.dependencies.iter().filter_map(|d| d.path.clone());
        for dir in local.filter(|d| is_workspace && d.starts_with(&root) && !excluded.contains(d)) {
            if !dirs.contains(&dir) && dir.join("Cargo.toml").is_file() {
                dirs.push(dir);
            }
        }
        packages.push(found);
    }
    let defaults = folders(&root, &root_table, "default-members", true);
    let is_default = |p: &&Package| match defaults.is_empty() {
        // A virtual root stands for all members; else the package asked about for itself.
        true => !root_table.contains_key("package") || normal(&p.manifest) == normal(manifest),
        false => defaults.iter().any(|d| d == p.dir()),
    };
    let default_members = packages.iter().filter(is_default).map(|p| p.name.clone()).collect();
    // What cargo's configuration files say of it is cargo's to know.
    let target = match std::env::var("CARGO_TARGET_DIR") {
        Ok(dir) if !dir.is_empty() => {
            let here = std::env::current_dir().ok().and_then(|d| Utf8PathBuf::from_path_buf(d).ok());
            normal(&here.unwrap_or_else(|| root.clone()).join(dir))
        }
        _ => root.join("target"),
    };
    Ok(Workspace { root, target, packages, default_members, notices })
}

fn strings<'t>(table: &'t Table, keys: &[&str]) -> Vec<&'t str> {
    get(table, keys).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn get<'t>(table: &'t Table, keys: &[&str]) -> Option<&'t Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |v, k| v.get(*k))
}

/// Folders of the members, globs expanded (`crates/*`).
fn members(root: &Utf8Path, table: &Table) -> Vec<Utf8PathBuf> {
    let excluded = folders(root, table, "exclude", false);
    let mut out = folders(root, table, "members", true);
    out.retain(|d| !excluded.contains(d));
    out
}

/// The folders that a list of the workspace names; `packages`: only those with a manifest.
fn folders(root: &Utf8Path, table: &Table, key: &str, packages: bool) -> Vec<Utf8PathBuf> {
    let mut out: Vec<Utf8PathBuf> = Vec::new();
    for pattern in strings(table, &["workspace", key]) {
        let mut found = vec![root.to_owned()];
        for part in pattern.split('/').filter(|p| !p.is_empty() && *p != ".") {
            found = found
                .into_iter()
                .flat_map(|dir| {
                    if part == ".." {
                        return vec![normal(&dir.join(part))];
                    }
                    if !part.contains(['*', '?']) {
                        return vec![dir.join(part)];
                    }
                    let mut below: Vec<Utf8PathBuf> = dir
                        .read_dir_utf8()
                        .into_iter()
                        .flatten()
                        .flatten()
                        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()) && wild(part, e.file_name()))
                        .map(|e| e.path().to_owned())
                        .collect();
                    below.sort();
                    below
                })
                .collect();
        }
        for dir in found.iter().map(|d| normal(d)).filter(|d| !packages || d.join("Cargo.toml").is_file()) {
            if !out.contains(&dir) {
                out.push(dir);
            }
        }
    }
    out
}

/// `*` and `?` in one path segment.
pub(super) fn wild(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = &pattern[1..];
            wild(rest, text) || text.chars().next().is_some_and(|c| wild(pattern, &text[c.len_utf8()..]))
        }
        (Some('?'), Some(c)) => wild(&pattern[1..], &text[c.len_utf8()..]),
        (Some(a), Some(b)) if a == b => wild(&pattern[a.len_utf8()..], &text[b.len_utf8()..]),
        _ => false,
    }
}

fn package(path: &Utf8Path, table: &Table, root_dir: &Utf8Path, root: &Table) -> Option<Package> {
    let dir = path.parent()?;
    let name = get(table, &["package", "name"])?.as_str()?.to_owned();
    let edition = match get(table, &["package", "edition"]) {
        Some(Value::String(e)) => Some(e.as_str()),
        Some(_) => get(root, &["workspace", "package", "edition"]).and_then(Value::as_str),
        None => Some("2015"),
    };
    let mut targets = Vec::new();
    let add = |targets: &mut Vec<Target>, name: &str, kind, root: Utf8PathBuf| {
        let root = normal(&root);
        if root.is_file() && !targets.iter().any(|t: &Target| t.root == root) {
            targets.push(Target { name: name.to_owned(), kind, root, edition: None });
        }
    };
    let lib = get(table, &["lib", "path"]).and_then(Value::as_str).unwrap_or("src/lib.rs");
    let lib_name = get(table, &["lib", "name"])
        .and_then(Value::as_str)
        .map_or_else(|| name.replace('-', "_"), str::to_owned);
    add(&mut targets, &lib_name, TargetKind::Lib, dir.join(lib));
    let auto = |key: &str| get(table, &["package", key]).and_then(Value::as_bool).unwrap_or(true);
    if auto("autobins") {
        add(&mut targets, &name, TargetKind::Bin, dir.join("src/main.rs"));
    }
    for (key, kind, folder, autos) in [
        ("bin", TargetKind::Bin, "src/bin", "autobins"),
        ("test", TargetKind::Test, "tests", "autotests"),
        ("bench", TargetKind::Bench, "benches", "autobenches"),
        ("example", TargetKind::Example, "examples", "autoexamples"),
    ] {
        for entry in get(table, &[key]).and_then(Value::as_array).into_iter().flatten() {
            let entry_name = entry.get("name").and_then(Value::as_str).unwrap_or(&name);
            let file = match entry.get("path").and_then(Value::as_str) {
                Some(p) => dir.join(p),
                None => dir.join(folder).join(format!("{entry_name}.rs")),
            };
            add(&mut targets, entry_name, kind, file);
        }
        if !auto(autos) {
            continue;
        }
        let mut found: Vec<Utf8PathBuf> = dir
            .join(folder)
            .read_dir_utf8()
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path().to_owned())
            .collect();
        found.sort();
        for file in found {
            let stem = file.file_stem().unwrap_or_default().to_owned();
            if file.extension() == Some("rs") {
                add(&mut targets, &stem, kind, file);
            } else if file.join("main.rs").is_file() {
                add(&mut targets, &stem, kind, file.join("main.rs"));
            }
        }
    }
    let build = get(table, &["package", "build"]).and_then(Value::as_str).unwrap_or("build.rs");
    add(&mut targets, "build-script-build", TargetKind::BuildScript, dir.join(build));
    let dependencies = dependencies(table, dir, root_dir, root);
    let inherited = |key: &str| {
        let own = get(table, &["package", key])?;
        let value = if own.is_table() { get(root, &["workspace", "package", key])? } else { own };
        value.as_str().map(str::to_owned)
    };
    let features = get(table, &["features"]).and_then(Value::as_table);
    Some(Package {
        name,
        version: inherited("version").unwrap_or_else(|| "0.0.0".to_owned()),
        manifest: path.to_owned(),
        edition: edition.and_then(|e| e.parse().ok()).unwrap_or(2021),
        rust_version: inherited("rust-version").map(|v| match v.matches('.').count() {
            0 => v + ".0.0",
            1 => v + ".0",
            _ => v,
        }),
        features: features.into_iter().flat_map(|f| f.keys().cloned()).collect(),
        targets,
        dependencies,
    })
}

fn dependencies(table: &Table, dir: &Utf8Path, root_dir: &Utf8Path, root: &Table) -> Vec<Dependency> {
    let mut dependencies = Vec::new();
    let mut collect = |section: &Table| {
        for (key, kind) in [
            ("dependencies", DependencyKind::Normal),
            ("dev-dependencies", DependencyKind::Dev),
            ("build-dependencies", DependencyKind::Build),
        ] {
            for (name, value) in section.get(key).and_then(Value::as_table).into_iter().flatten() {
                dependencies.push(dependency(name, value, kind, dir, root_dir, root));
            }
        }
    };
    collect(table);
    for (_, section) in get(table, &["target"]).and_then(Value::as_table).into_iter().flatten() {
        if let Some(section) = section.as_table() {
            collect(section);
        }
    }
    dependencies
}

/// What a manifest as edited depends on that the package did not before.
pub(super) fn added(
    text: &str,
    package: &Package,
    root_dir: &Utf8Path,
    root: Option<&str>,
) -> Vec<Dependency> {
    let Ok(table) = text.parse::<Table>() else { return Vec::new() };
    let root = match root {
        Some(text) => text.parse::<Table>().ok(),
        None => parse(&root_dir.join("Cargo.toml")).ok(),
    };
    let mut all = dependencies(&table, package.dir(), root_dir, &root.unwrap_or_default());
    let known = |d: &Dependency| {
        package.dependencies.iter().any(|k| k.extern_name == d.extern_name && k.kind == d.kind)
    };
    all.retain(|d| !known(d));
    all
}

fn dependency(
    name: &str,
    own: &Value,
    kind: DependencyKind,
    dir: &Utf8Path,
    root_dir: &Utf8Path,
    root: &Table,
) -> Dependency {
    let inherits = own.get("workspace").and_then(Value::as_bool).unwrap_or(false);
    let shared = inherits.then(|| get(root, &["workspace", "dependencies", name])).flatten();
    let (value, base) = match shared {
        Some(value) => (value, root_dir),
        None => (own, dir),
    };
    let features = |v: &Value| -> Vec<String> {
        let list = v.get("features").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut all = features(value);
    if inherits {
        all.extend(features(own));
    }
    Dependency {
        extern_name: name.replace('-', "_"),
        package: value.get("package").and_then(Value::as_str).unwrap_or(name).to_owned(),
        requirement: value.as_str().or_else(|| value.get("version")?.as_str()).unwrap_or_default().to_owned(),
        kind,
        optional: own.get("optional").and_then(Value::as_bool).unwrap_or(false),
        features: all,
        path: value.get("path").and_then(Value::as_str).map(|p| normal(&base.join(p))),
    }
}

/// The edition of the package of a manifest.
pub(super) fn edition(manifest: &Utf8Path) -> Option<u16> {
    let workspace = load(manifest).ok()?;
    workspace.packages.iter().find(|p| p.manifest == manifest).map(|p| p.edition)
}
