//! The loop: what the tool finds in the naive twin is what stands beside it, in the engine it finds nothing, and what it
//! writes into the twin compiles, passes the suite, and leaves nothing that it could have fixed.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Ran, UNWRAP, World};
use serde_json::Value;
use uncork_fixtures::expectations;
use walkdir::WalkDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the tool in a folder.
fn uncork(folder: &Path, args: &[&str]) -> Ran {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"));
    let output = command.current_dir(folder).arg("uncork").args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { status: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

fn findings(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn the_twin_has_exactly_what_is_marked_in_it() {
    let ran = uncork(Path::new(ROOT), &["check", "fixtures/naive-engine", "--format", "jsonl"]);
    let found: BTreeSet<String> = findings(&ran)
        .iter()
        .map(|f| format!("{}:{} {}", text(f, "path"), f["line"], text(f, "rule")))
        .collect();
    let mut expected = BTreeSet::new();
    for entry in WalkDir::new(Path::new(ROOT).join("fixtures/naive-engine/src")) {
        let path = entry.expect("an entry").into_path();
        if path.extension().is_some_and(|e| e == "rs") {
            let shown = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().replace('\\', "/");
            let marks = expectations(&fs::read_to_string(&path).expect("a source"));
            expected.extend(marks.iter().map(|mark| format!("{shown}:{} {}", mark.line, mark.rule)));
        }
    }
    assert!(!expected.is_empty());
    let missed: Vec<_> = expected.difference(&found).collect();
    let unmarked: Vec<_> = found.difference(&expected).collect();
    assert!(missed.is_empty() && unmarked.is_empty(), "not found: {missed:#?}\nnot marked: {unmarked:#?}");
}

#[test]
fn the_engine_has_nothing_and_no_suppression() {
    let ran = uncork(Path::new(ROOT), &["check", "engine", "--format", "json", "--deny", "warn"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(ran.status, 0, "{}", ran.out);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{}", ran.out);
    assert_eq!(report["summary"]["suppressed"], 0, "{}", report["summary"]);
    assert!(report["summary"]["lines"].as_u64() > Some(5000), "all of it was read: {}", report["summary"]);
}

#[test]
fn what_is_left_out_is_looked_at_when_it_is_named() {
    let world = World::package("mod deep;\n");
    world.write("src/deep.rs", "mod inner;\n");
    world.write("src/deep/inner.rs", UNWRAP);
    world.write("uncork.toml", "exclude = [\"src/deep\"]\n");
    assert_eq!(world.found(&[]), [""; 0]);
    assert_eq!(world.found(&["src/deep"]), ["src/deep/inner.rs:4 lock-unwrap"]);
    assert_eq!(world.found(&["src/deep/inner.rs"]), ["src/deep/inner.rs:4 lock-unwrap"]);
    assert_eq!(world.found(&["src/deep.rs"]), [""; 0]);
}

#[test]
fn the_twin_as_fixed_conforms_and_keeps_only_what_is_left_to_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    uncork_side_by_side::twin::set_out(Path::new(ROOT), at).expect("a copy");
    let args = ["fix", "-p", "naive-engine", "--unsafe", "--allow-no-vcs", "--offline"];
    let before = findings(&uncork(at, &["check", "-p", "naive-engine", "--format", "jsonl"])).len();
    let ran = uncork(at, &args);
    assert_eq!(ran.status, 0, "{}", ran.err);
    let left = findings(&uncork(at, &["check", "-p", "naive-engine", "--format", "jsonl"]));
    assert!(left.len() < before, "something is fixed: {}", ran.err);
    let fixable: Vec<String> = left
        .iter()
        .filter(|f| !matches!(f["fix"]["applicability"].as_str(), None | Some("display")))
        .map(|f| format!("{}:{} {}", text(f, "path"), f["line"], text(f, "rule")))
        .collect();
    assert!(fixable.is_empty(), "these promise a fix and have none: {fixable:#?}\n{}", ran.err);
    let suite = std::process::Command::new(env!("CARGO"))
        .args([
            "test",
            "--offline",
            "--quiet",
            "--color=never",
            "-p",
            "naive-engine",
            "--test",
            "conformance",
        ])
        .current_dir(at)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixed-twin"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(suite.status.success(), "{}", String::from_utf8_lossy(&suite.stderr));
}
