//! Manifests read by ourselves, held against what cargo says of the same folder.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::package::Workspace;
use super::{manifest, metadata};

fn world(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let real = fs::canonicalize(dir.path()).expect("it is there");
    let root = Utf8PathBuf::from_path_buf(real).expect("UTF-8");
    for (path, text) in files {
        let full = root.join(path);
        fs::create_dir_all(full.parent().expect("a parent")).expect("folders");
        fs::write(full, text).expect("a file");
    }
    (dir, root)
}

fn describe(workspace: &Workspace) -> String {
    let mut packages = workspace.packages.clone();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = format!("root {}\n", workspace.root);
    for p in packages {
        let rust = p.rust_version.unwrap_or_default();
        let default = workspace.default_members.contains(&p.name);
        out += &format!("{} {} edition {} rust {rust} default {default}\n", p.name, p.version, p.edition);
        let mut targets: Vec<String> =
            p.targets.iter().map(|t| format!("  {:?} {} {}\n", t.kind, t.name, t.root)).collect();
        targets.sort();
        let dependency = |d: &super::Dependency| {
            format!("  uses {} as {} {:?} {:?} {:?}\n", d.package, d.extern_name, d.kind, d.path, d.features)
        };
        let mut dependencies: Vec<String> = p.dependencies.iter().map(dependency).collect();
        dependencies.sort();
        out += &(targets.concat() + &dependencies.concat() + &format!("  features {:?}\n", p.features));
    }
    out
}

fn both_agree(root: &Utf8Path) {
    let path = root.join("Cargo.toml");
    let cargo = metadata::load(&path).expect("cargo reads it");
    assert_eq!(cargo.notices, [""; 0]);
    let own = manifest::load(&path).expect("we read it");
    assert_eq!(describe(&own), describe(&cargo));
}

#[test]
fn a_workspace_with_everything() {
    let (_keep, root) = world(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"crates/*\", \"tools/one\"]\nexclude = [\"crates/skipped\"]\nresolver = \"3\"\n\
             [workspace.package]\nedition = \"2021\"\nversion = \"1.2.3\"\nrust-version = \"1.80\"\n\
             [workspace.dependencies]\nb = { path = \"crates/b\", features = [\"x\"] }\n",
        ),
        (
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\"\nedition.workspace = true\nversion.workspace = true\nrust-version.workspace = true\n\
             [dependencies]\nb = { workspace = true, features = [\"y\"] }\nrenamed = { package = \"hidden-one\", path = \"../../inner\" }\n\
             [dev-dependencies]\none = { path = \"../../tools/one\" }\n",
        ),
        ("crates/a/src/lib.rs", ""),
        ("crates/a/src/main.rs", "fn main() {}"),
        ("crates/a/src/bin/tool.rs", "fn main() {}"),
        ("crates/a/src/bin/big/main.rs", "fn main() {}"),
        ("crates/a/tests/it.rs", ""),
        ("crates/a/tests/dir/main.rs", ""),
        ("crates/a/benches/speed.rs", "fn main() {}"),
        ("crates/a/examples/show.rs", "fn main() {}"),
        ("crates/a/build.rs", "fn main() {}"),
        (
            "crates/b/Cargo.toml",
            "[package]\nname = \"b\"\nversion = \"0.1.0\"\nautobins = false\nautotests = false\n\
             [lib]\nname = \"bee\"\npath = \"lib/root.rs\"\n[features]\nx = []\ny = []\n\
             [[bin]]\nname = \"named\"\npath = \"other.rs\"\n[[test]]\nname = \"only\"\n",
        ),
        ("crates/b/lib/root.rs", ""),
        ("crates/b/other.rs", "fn main() {}"),
        ("crates/b/src/main.rs", "fn main() {}"),
        ("crates/b/tests/only.rs", ""),
        ("crates/b/tests/unlisted.rs", ""),
        ("crates/skipped/Cargo.toml", "[package]\nname = \"skipped\"\nversion = \"0.1.0\"\n"),
        ("crates/skipped/src/lib.rs", ""),
        ("tools/one/Cargo.toml", "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        ("tools/one/src/lib.rs", ""),
        ("inner/Cargo.toml", "[package]\nname = \"hidden-one\"\nversion = \"0.1.0\"\nedition = \"2018\"\n"),
        ("inner/src/lib.rs", ""),
    ]);
    both_agree(&root);
}

#[test]
fn a_root_package_with_members_and_one_alone() {
    let (_keep, root) = world(&[
        (
            "Cargo.toml",
            "[package]\nname = \"root-one\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\nmembers = [\"sub\"]\n",
        ),
        ("src/lib.rs", ""),
        ("sub/Cargo.toml", "[package]\nname = \"sub\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        ("sub/src/main.rs", "fn main() {}"),
    ]);
    both_agree(&root);
    both_agree(&root.join("sub"));
    let (_keep, root) = world(&[
        ("Cargo.toml", "[package]\nname = \"alone\"\nversion = \"0.1.0\"\n"),
        ("src/main.rs", "fn main() {}"),
    ]);
    both_agree(&root);
}

#[test]
fn what_an_edited_manifest_adds_can_be_named() {
    let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n";
    let (_keep, root) = world(&[
        ("Cargo.toml", manifest),
        ("src/lib.rs", "use dashmap::DashMap;\n\npub struct A {\n    pub map: DashMap<u8, u8>,\n}\n"),
    ]);
    let externs = |edited: super::Edited| {
        let request = super::Request { cwd: root.clone(), edited, ..super::Request::default() };
        let project = super::locate(&request).unwrap().load(&[], &()).unwrap();
        let externs = project.input.crates[0].externs.clone().unwrap();
        externs.iter().map(|n| n.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(externs(super::Edited::default()), [""; 0]);
    let text = format!("{manifest}dashmap = \"6\"\n");
    let edited = [(root.join("Cargo.toml"), text.as_str().into())].into_iter().collect();
    assert_eq!(externs(std::sync::Arc::new(edited)), ["dashmap"]);
}
