use super::*;

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Overlay) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    for (path, text) in files {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), text).unwrap();
    }
    (dir, Overlay::new(root))
}

fn add(manifest: &str, krate: &str, features: &[&str]) -> ManifestEdit {
    ManifestEdit::AddDependency {
        manifest: manifest.into(),
        krate: krate.into(),
        features: features.iter().map(|f| (*f).to_owned()).collect(),
    }
}

fn apply(overlay: &mut Overlay, edit: &ManifestEdit) -> Result<(), ManifestError> {
    edit.apply(overlay, &ChangeId("t".into()))
}

/// Adds `krate` to a lone package; checks that a second time changes nothing.
fn added(before: &str, krate: &str, features: &[&str]) -> String {
    let (_dir, mut overlay) = folder(&[("Cargo.toml", before)]);
    let edit = add("Cargo.toml", krate, features);
    apply(&mut overlay, &edit).unwrap();
    let once = overlay.read("Cargo.toml".into()).unwrap();
    apply(&mut overlay, &edit).unwrap();
    assert_eq!(once, overlay.read("Cargo.toml".into()).unwrap(), "not idempotent");
    once.to_string()
}

#[test]
fn sorted_in_with_comments_kept() {
    let before = "[package]\nname = \"a\" # mine\n\n[dependencies]\n# for bytes\nbytes = \"1\"\nserde = \"1\" # always\n\n[dev-dependencies]\nx = \"1\"\n";
    let after = "[package]\nname = \"a\" # mine\n\n[dependencies]\n# for bytes\nbytes = \"1\"\ndashmap = \"6\"\nserde = \"1\" # always\n\n[dev-dependencies]\nx = \"1\"\n";
    assert_eq!(added(before, "dashmap", &[]), after);
}

#[test]
fn appended_to_an_unsorted_table() {
    let before = "[dependencies]\nserde = \"1\"\nbytes = \"1\"\n\n[features]\nx = []\n";
    let after = "[dependencies]\nserde = \"1\"\nbytes = \"1\"\ndashmap = \"6\"\n\n[features]\nx = []\n";
    assert_eq!(added(before, "dashmap", &[]), after);
}

#[test]
fn a_table_is_made_where_there_is_none() {
    let after = added("[package]\nname = \"a\"\n", "dashmap", &[]);
    assert_eq!(after, "[package]\nname = \"a\"\n\n[dependencies]\ndashmap = \"6\"\n");
    let after = added("[package]\nname = \"a\"\n\n[dependencies.serde]\nversion = \"1\"\n", "dashmap", &[]);
    let doc: DocumentMut = after.parse().unwrap();
    assert_eq!(doc["dependencies"]["dashmap"].as_str(), Some("6"), "{after}");
    assert_eq!(doc["dependencies"]["serde"]["version"].as_str(), Some("1"), "{after}");
}

#[test]
fn an_inline_dependencies_table_stays_inline() {
    let after = added("dependencies = { serde = \"1\" }\n[package]\nname = \"a\"\n", "dashmap", &[]);
    assert_eq!(after, "dependencies = { serde = \"1\", dashmap = \"6\" }\n[package]\nname = \"a\"\n");
}

#[test]
fn features_are_added_in_every_form() {
    let moka = |line: &str| added(&format!("[dependencies]\n{line}\n"), "moka", &["future"]);
    assert_eq!(
        moka("moka = \"0.11\" # cache"),
        "[dependencies]\nmoka = { version = \"0.11\", features = [\"sync\", \"future\"] } # cache\n"
    );
    assert_eq!(
        moka("moka = { version = \"0.12\", features = [\"sync\"] }"),
        "[dependencies]\nmoka = { version = \"0.12\", features = [\"sync\", \"future\"] }\n"
    );
    assert_eq!(
        moka("moka = { version = \"0.12\", features = [\n    \"sync\", # here\n    \"logging\",\n] }"),
        "[dependencies]\nmoka = { version = \"0.12\", features = [\n    \"sync\", # here\n    \"logging\",\n    \"future\",\n] }\n"
    );
    let (_dir, mut overlay) = folder(&[(
        "Cargo.toml",
        "[workspace.dependencies]\nmoka = \"0.12\"\n\n[dependencies]\nmoka.workspace = true\n",
    )]);
    apply(&mut overlay, &add("Cargo.toml", "moka", &[])).unwrap();
    let text = overlay.read("Cargo.toml".into()).unwrap();
    let doc: DocumentMut = text.parse().unwrap();
    assert_eq!(doc["dependencies"]["moka"]["workspace"].as_bool(), Some(true), "{text}");
    assert_eq!(table::features(&doc["dependencies"]["moka"]), ["sync"], "{text}");
}

#[test]
fn renamed_and_target_specific_dependencies_are_seen() {
    let renamed = "[dependencies]\ndm = { package = \"dashmap\", version = \"5\" }\n";
    assert_eq!(added(renamed, "dashmap", &[]), renamed);
    let (_dir, mut overlay) = folder(&[("Cargo.toml", renamed)]);
    let name = name_in_code(&mut overlay, "Cargo.toml".into(), "dashmap").unwrap();
    assert_eq!(name.as_deref(), Some("dm"));

    let target = "[dependencies]\na = \"1\"\n\n[target.'cfg(unix)'.dependencies]\ndashmap = \"5.4\"\n";
    assert!(added(target, "dashmap", &[]).contains("[dependencies]\na = \"1\"\ndashmap = \"5.4\"\n"));
}

#[test]
fn what_the_workspace_has_is_inherited() {
    let (_dir, mut overlay) = folder(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\"]\n\n[workspace.dependencies]\ndashmap = \"5\"\nserde = \"1\"\n",
        ),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n\n[dependencies]\nserde.workspace = true\n"),
    ]);
    apply(&mut overlay, &add("a/Cargo.toml", "dashmap", &[])).unwrap();
    let text = overlay.read("a/Cargo.toml".into()).unwrap();
    assert_eq!(
        &*text,
        "[package]\nname = \"a\"\n\n[dependencies]\nserde.workspace = true\ndashmap.workspace = true\n"
    );
    assert_eq!(overlay.changed().count(), 1);
}

#[test]
fn a_workspace_that_shares_versions_gets_the_new_one() {
    let (_dir, mut overlay) = folder(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\"]\n\n[workspace.dependencies]\nbytes = \"1\"\nserde = \"1\"\n",
        ),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n\n[dependencies]\nserde = { workspace = true }\n"),
    ]);
    apply(&mut overlay, &add("a/Cargo.toml", "moka", &[])).unwrap();
    assert!(overlay.read("a/Cargo.toml".into()).unwrap().ends_with("moka = { workspace = true }\n"));
    let root = overlay.read("Cargo.toml".into()).unwrap();
    assert!(
        root.contains("bytes = \"1\"\nmoka = { version = \"0.12\", features = [\"sync\"] }\nserde"),
        "{root}"
    );
}

#[test]
fn a_root_package_that_is_its_own_workspace() {
    let (_dir, mut overlay) = folder(&[(
        "Cargo.toml",
        "[workspace]\n\n[workspace.dependencies]\nserde = \"1\"\n\n[package]\nname = \"a\"\n\n[dependencies]\nserde.workspace = true\n",
    )]);
    apply(&mut overlay, &add("Cargo.toml", "dashmap", &[])).unwrap();
    let text = overlay.read("Cargo.toml".into()).unwrap();
    assert!(text.contains("dashmap = \"6\"\n") && text.contains("dashmap.workspace = true\n"), "{text}");
}

#[test]
fn optional_and_unknown_crates_are_refused() {
    let (_dir, mut overlay) =
        folder(&[("Cargo.toml", "[dependencies]\ndashmap = { version = \"6\", optional = true }\n")]);
    let refused = apply(&mut overlay, &add("Cargo.toml", "dashmap", &[]));
    assert!(matches!(refused, Err(ManifestError::Optional { .. })));
    let refused = apply(&mut overlay, &add("Cargo.toml", "left-pad", &[]));
    assert!(matches!(refused, Err(ManifestError::UnknownCrate(_))));
    assert_eq!(overlay.changed().count(), 0);
}
