//! `check` from the outside: what is looked at, what is shown, with what status.

mod common;

use std::fs;

use common::{UNWRAP, World, manifest};

#[test]
fn check_is_the_default_and_cargo_may_call_it() {
    let world = World::package(UNWRAP);
    for args in [vec!["check"], vec![], vec!["src/lib.rs"], vec!["."], vec!["src"]] {
        let ran = world.run(&args);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.out.contains("lock-unwrap"), "{args:?}: {ran:?}");
    }
}

#[test]
fn levels_decide_the_status_and_the_last_wins() {
    let world = World::package(UNWRAP);
    let status = |args: &[&str]| world.run(&[&["check"], args].concat()).status;
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--deny", "warn"]), 1);
    assert_eq!(status(&["-D", "lock-unwrap"]), 1);
    assert_eq!(status(&["-D", "reliability"]), 1);
    assert_eq!(status(&["-D", "all", "-A", "lock-unwrap"]), 0);
    assert_eq!(status(&["-A", "all", "-D", "lock-unwrap"]), 1);
    assert_eq!(status(&["-D", "lock-unwrap", "-W", "all"]), 0);
    assert_eq!(status(&["-D", "contention,lock-unwrap"]), 1);
    assert_eq!(status(&["-D", "warn", "-A", "lock-unwrap"]), 0);
}

#[test]
fn configuration_is_found_and_the_command_line_wins() {
    let world = World::package(UNWRAP);
    world.write("uncork.toml", "[levels]\nall = \"allow\"\nlock-unwrap = \"deny\"\n");
    assert_eq!(world.run(&["check"]).status, 1);
    assert_eq!(world.run(&["check", "src/lib.rs"]).status, 1);
    assert_eq!(world.run(&["check", "-A", "lock-unwrap"]).status, 0);
    assert_eq!(world.run(&["check", "--no-config"]).status, 0);
    world.write("other.toml", "[levels]\nlock-unwrap = \"warn\"\n");
    assert_eq!(world.run(&["check", "--config", "other.toml"]).status, 0);
}

#[test]
fn comments_silence() {
    let world = World::package(
        "use std::sync::Mutex;\n\npub fn add(total: &Mutex<u64>) {\n    // uncork: allow(lock-unwrap) one thread only\n    *total.lock().unwrap() += 1;\n}\n",
    );
    assert_eq!(world.found(&[]), [""; 0]);
    world.write("src/lib.rs", "// uncork: allow-file(lock-unwrap, clone-in-loop)\npub fn a() {}\n");
    assert_eq!(world.found(&[]), ["src/lib.rs:1 unused-suppression"; 2]);
}

#[test]
fn how_many_copies_make_a_cluster_is_configured() {
    let copy = |name: &str, what: &str| {
        format!(
            "pub fn {name}(items: &[u64], least: u64) -> Result<u64, String> {{\n    if items.is_empty() {{\n        return Err(\"no {what}\".to_owned());\n    }}\n    let mut sum = 0;\n    for item in items.iter().filter(|i| **i > least) {{\n        sum += item * 2;\n    }}\n    Ok(sum)\n}}\n"
        )
    };
    let world = World::package(&[copy("orders", "orders"), copy("users", "users")].concat());
    assert_eq!(world.found(&[]), [""; 0]);
    world.write("uncork.toml", "[rules.duplicate-handler]\nmin-members = 2\n");
    assert_eq!(world.found(&[]), ["src/lib.rs:1 duplicate-handler"]);
    world.write("src/lib.rs", ["a", "b", "c"].map(|n| copy(n, n)).concat());
    world.write("uncork.toml", "[rules.duplicate-handler]\nmin-members = 4\n");
    assert_eq!(world.found(&[]), [""; 0]);
    world.write("uncork.toml", "");
    assert_eq!(world.found(&[]), ["src/lib.rs:1 duplicate-handler"]);
}

#[test]
fn tests_are_silent_unless_asked_for() {
    let world = World::package("pub fn a() {}\n");
    world.write("tests/it.rs", UNWRAP);
    assert_eq!(world.found(&[]), [""; 0]);
    assert_eq!(world.found(&["--tests"]), ["tests/it.rs:4 lock-unwrap"]);
}

#[test]
fn filters() {
    let world = World::package(UNWRAP);
    assert_eq!(world.found(&["--severity", "critical"]), [""; 0]);
    assert_eq!(world.found(&["--severity", "low", "--confidence", "low"]).len(), 1);
}

#[test]
fn folders_files_and_standard_input() {
    let world = World::new(&[
        ("a.rs", UNWRAP),
        ("sub/b.rs", UNWRAP),
        (".gitignore", "hidden/\n"),
        ("hidden/c.rs", UNWRAP),
    ]);
    assert_eq!(world.found(&[]), ["a.rs:4 lock-unwrap", "sub/b.rs:4 lock-unwrap"]);
    assert_eq!(world.found(&["sub/b.rs"]), ["sub/b.rs:4 lock-unwrap"]);
    let ran = world.run_with_input(&["check", "--format", "short", "-"], UNWRAP.as_bytes());
    assert!(ran.out.starts_with("<stdin>:4:"), "{ran:?}");
}

#[test]
fn files_outside_every_target_are_counted_and_can_be_asked_for() {
    let world = World::package("pub fn a() {}\n");
    world.write("examples-of-old/stray.rs", UNWRAP);
    let ran = world.run(&["check"]);
    assert!(ran.err.contains("1 .rs file lies outside every target"), "{ran:?}");
    assert!(!world.run(&["check", "-q"]).err.contains("outside"));
    assert_eq!(world.found(&["examples-of-old/stray.rs"]), ["examples-of-old/stray.rs:4 lock-unwrap"]);
}

#[test]
fn modules_are_followed_wherever_they_lie() {
    let world = World::package(
        "mod a;\nmod r#type;\n#[path = \"elsewhere/x.rs\"]\nmod b;\nmod inline { mod c; }\ninclude!(\"part.rs\");\ninclude!(\"list.rs\");\n",
    );
    world.write("src/a/mod.rs", "mod deep;\n");
    world.write("src/a/deep.rs", UNWRAP);
    world.write("src/elsewhere/x.rs", "mod beside;\n");
    world.write("src/elsewhere/beside.rs", UNWRAP);
    world.write("src/inline/c.rs", UNWRAP);
    world.write("src/part.rs", UNWRAP);
    world.write("src/type.rs", UNWRAP);
    // More items before its modules than the file has that includes it.
    world.write("src/list.rs", format!("{}mod last;\n", "const _: u8 = 0;\n".repeat(9)));
    world.write("src/last.rs", UNWRAP);
    assert_eq!(
        world.found(&[]),
        [
            "src/a/deep.rs:4 lock-unwrap",
            "src/elsewhere/beside.rs:4 lock-unwrap",
            "src/inline/c.rs:4 lock-unwrap",
            "src/last.rs:4 lock-unwrap",
            "src/part.rs:4 lock-unwrap",
            "src/type.rs:4 lock-unwrap"
        ]
    );
    assert!(!world.run(&["check"]).err.contains("outside"));
}

#[test]
fn a_workspace_that_cargo_cannot_read_is_read_from_its_manifests() {
    let broken = manifest("demo") + "[dependencies]\nx = { workspace = true }\n";
    let world = World::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"demo\", \"other\"]\n[workspace.package]\nedition = \"2021\"\n",
        ),
        ("demo/Cargo.toml", &broken),
        ("demo/src/lib.rs", UNWRAP),
        ("demo/src/bin/tool.rs", UNWRAP),
        ("demo/tests/it.rs", UNWRAP),
        ("other/Cargo.toml", &(manifest("other") + "autobins = false\n")),
        ("other/src/lib.rs", "pub fn a() {}\n"),
        ("other/src/main.rs", UNWRAP),
    ]);
    let ran = world.run(&["check"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let notes: Vec<&str> = ran.err.lines().filter(|l| l.contains("read the manifests instead")).collect();
    assert_eq!(notes.len(), 1, "{ran:?}");
    assert_eq!(world.found(&[]), ["demo/src/bin/tool.rs:4 lock-unwrap", "demo/src/lib.rs:4 lock-unwrap"]);
}

#[test]
fn fingerprints_survive_moved_lines() {
    let world = World::package(UNWRAP);
    let prints = || -> Vec<String> {
        let out = world.run(&["check", "--format", "jsonl"]).out;
        let print = |l: &str| {
            let value: serde_json::Value = serde_json::from_str(l).expect("JSON");
            value["fingerprint"].as_str().expect("text").to_owned()
        };
        out.lines().map(print).collect()
    };
    let before = prints();
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].len(), 16);
    world.write("src/lib.rs", format!("//! Moved.\n\npub fn other() {{}}\n\n{UNWRAP}"));
    assert_eq!(prints(), before);
    world.write("src/lib.rs", UNWRAP.replace("fn add", "fn sub"));
    assert_ne!(prints(), before);
}

#[test]
fn the_report_goes_to_a_file_whole() {
    let world = World::package(UNWRAP);
    let ran = world.run(&["check", "--format", "sarif", "--output", "r.sarif"]);
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{ran:?}");
    let text = fs::read_to_string(world.path().join("r.sarif")).expect("a report");
    let sarif: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(1));
    let left: Vec<_> =
        fs::read_dir(world.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn runs_are_the_same_every_time() {
    let world = World::package(&format!("mod a;\nmod b;\n{UNWRAP}"));
    world.write("src/a.rs", UNWRAP);
    world.write("src/b.rs", UNWRAP);
    let first = world.run(&["check", "--format", "json"]).out;
    for _ in 0..4 {
        assert_eq!(world.run(&["check", "--format", "json"]).out, first);
    }
}

#[test]
fn colour_is_for_terminals_or_when_asked_for() {
    let world = World::package(UNWRAP);
    assert!(!world.run(&["check"]).out.contains('\u{1b}'));
    assert!(world.run(&["check", "--color", "always"]).out.contains('\u{1b}'));
}

#[test]
fn timings_and_statistics() {
    let world = World::package(UNWRAP);
    let ran = world.run(&["check", "--timings", "--statistics"]);
    assert!(ran.err.contains("total"), "{ran:?}");
    assert!(ran.out.contains("lock-unwrap"), "{ran:?}");
}

/// A workspace in which `app` uses the lock that `base` declares.
fn layered() -> World {
    World::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n"),
        ("crates/base/Cargo.toml", &manifest("base")),
        ("crates/base/src/lib.rs", &format!("pub type Shared = std::sync::Mutex<u64>;\n{UNWRAP}")),
        ("crates/base/tests/it.rs", UNWRAP),
        ("crates/app/Cargo.toml", &(manifest("app") + "[dependencies]\nbase = { path = \"../base\" }\n")),
        ("crates/app/src/lib.rs", "pub fn get(n: &base::Shared) -> u64 {\n    *n.lock().unwrap()\n}\n"),
        ("crates/other/Cargo.toml", &manifest("other")),
        ("crates/other/src/lib.rs", UNWRAP),
    ])
}

#[test]
fn a_package_is_read_with_what_it_uses_and_reported_alone() {
    let world = layered();
    assert_eq!(world.found(&["-p", "app"]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
    assert_eq!(world.found(&["-p", "app", "--tests"]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
    assert_eq!(world.found(&["crates/app"]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
    assert_eq!(world.found(&["-p", "ba*"]), ["crates/base/src/lib.rs:5 lock-unwrap"]);
    assert_eq!(
        world.found(&["--exclude", "app", "--exclude", "other"]),
        ["crates/base/src/lib.rs:5 lock-unwrap"]
    );
    assert_eq!(world.found(&[]).len(), 3);
    let ran = world.run(&["check", "-p", "app", "-v"]);
    assert!(ran.err.contains("library or binary base (edition 2024) crates/base/src/lib.rs"), "{ran:?}");
    assert!(!ran.err.contains("crates/other"), "{ran:?}");
}

#[test]
fn all_targets_means_tests_as_well() {
    let world = layered();
    for flag in ["--all-targets", "--tests"] {
        let found = world.found(&["-p", "base", flag]);
        assert_eq!(found, ["crates/base/src/lib.rs:5 lock-unwrap", "crates/base/tests/it.rs:4 lock-unwrap"]);
    }
}

#[test]
fn the_nearest_configuration_wins() {
    let world = layered();
    let status = |args: &[&str]| world.run(&[&["check"], args].concat()).status;
    world.write("uncork.toml", "[levels]\nlock-unwrap = \"allow\"\n");
    assert_eq!(world.found(&[]), [""; 0]);
    world.write("crates/app/uncork.toml", "[levels]\nlock-unwrap = \"deny\"\n");
    assert_eq!(world.found(&[]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
    assert_eq!((status(&[]), status(&["-p", "other"]), status(&["-W", "all"])), (1, 0, 0));
    // Between root and package, and below a package.
    world.write("crates/uncork.toml", "[levels]\nreliability = \"warn\"\n");
    assert_eq!(world.found(&[]).len(), 3);
    assert_eq!(status(&[]), 1);
    world.write("crates/app/src/uncork.toml", "severity = \"critical\"\n");
    assert_eq!(world.found(&[]).len(), 2);
    assert_eq!(world.found(&["--severity", "low"]).len(), 3, "the command line wins");
    assert_eq!(world.found(&["--no-config"]).len(), 3);
}

#[test]
fn overrides_are_for_their_paths() {
    let world = layered();
    let text = "[[overrides]]\npaths = [\"crates/o*/\", \"crates/base/src/*.rs\"]\nlevels = { all = \"allow\", contention = \"deny\" }\n";
    world.write("uncork.toml", text);
    assert_eq!(world.found(&[]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
    world.write("uncork.toml", "[[overrides]]\npaths = [\"tests/\"]\ntests = true\n");
    assert!(world.found(&[]).contains(&"crates/base/tests/it.rs:4 lock-unwrap".to_owned()));
    // A rule that is off elsewhere still runs for the paths that want it.
    let text = "[levels]\nall = \"allow\"\n[[overrides]]\npaths = [\"crates/app\"]\nlevels = { lock-unwrap = \"warn\" }\n";
    world.write("uncork.toml", text);
    assert_eq!(world.found(&[]), ["crates/app/src/lib.rs:2 lock-unwrap"]);
}

#[test]
fn denied_warnings_are_errors_in_the_report() {
    let world = World::package(UNWRAP);
    let ran = world.run(&["check", "--deny", "warn", "--format", "short"]);
    assert!(ran.status == 1 && ran.out.contains("error[lock-unwrap]"), "{ran:?}");
}

#[test]
fn a_build_script_is_test_code() {
    let text = format!("mod helper;\nfn main() {{}}\n{UNWRAP}");
    for (key, file) in [("", "build.rs"), ("build = \"make/it.rs\"\n", "make/it.rs")] {
        let world = World::new(&[("src/lib.rs", "pub fn a() {}\n")]);
        world.write("Cargo.toml", manifest("demo") + key);
        world.write(file, &text);
        let helper = file.replace("build.rs", "helper.rs").replace("it.rs", "helper.rs");
        world.write(&helper, UNWRAP);
        assert_eq!(world.found(&[]), [""; 0]);
        let mut expected = [format!("{file}:6 lock-unwrap"), format!("{helper}:4 lock-unwrap")];
        expected.sort();
        assert_eq!(world.found(&["--tests"]), expected);
    }
}

#[test]
fn what_is_included_belongs_to_who_includes_it() {
    let world = World::package(
        "include!(\"code.rs\");\n#[cfg(test)]\nmod tests {\n    include!(\"checks.rs\");\n}\n#[cfg(test)]\n#[path = \"far/away.rs\"]\nmod away;\n",
    );
    world.write("src/code.rs", "use std::sync::Mutex;\npub type Total = Mutex<u64>;\n");
    world.write("src/checks.rs", UNWRAP);
    world.write("src/far/away.rs", format!("mod deep;\n{UNWRAP}"));
    world.write("src/far/deep.rs", UNWRAP);
    world.write("src/lost.rs", UNWRAP);
    assert_eq!(world.found(&[]), [""; 0]);
    let found = world.found(&["--tests"]);
    let expected =
        ["src/checks.rs:4 lock-unwrap", "src/far/away.rs:5 lock-unwrap", "src/far/deep.rs:4 lock-unwrap"];
    assert_eq!(found, expected);
    let ran = world.run(&["check", "-v"]);
    assert!(ran.err.contains("1 .rs file lies outside every target"), "{ran:?}");
    assert!(ran.err.contains("outside every target: src/lost.rs"), "{ran:?}");
    // The type comes from the included file.
    world.write("src/user.rs", "pub fn get(n: &crate::Total) -> u64 {\n    *n.lock().unwrap()\n}\n");
    world.write("src/lib.rs", "include!(\"code.rs\");\nmod user;\n");
    assert_eq!(world.found(&[]), ["src/user.rs:2 lock-unwrap"]);
}

#[test]
fn a_fix_is_offered_where_there_is_one() {
    let world = World::new(&[]);
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rules");
    let ran = world.run(&["check", "--format", "jsonl", "-W", "all", fixtures]);
    let fixable: Vec<&str> = uncork_fixers::codemods::fixable().collect();
    let mut offered = 0;
    for line in ran.out.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let rule = finding["rule"].as_str().expect("text");
        offered += usize::from(finding["fix"].is_object());
        assert!(finding["fix"].is_null() || fixable.contains(&rule), "{line}");
    }
    assert!(offered > 0, "{}", ran.err);
}

#[test]
fn edition_2015_is_read_as_it_was_written() {
    let old = format!("pub trait Sink {{\n    fn put(&self, u8);\n}}\n{UNWRAP}");
    let world = World::package(&old);
    let of_edition = |edition: &str| world.write("Cargo.toml", manifest("demo").replace("2024", edition));
    of_edition("2015");
    assert_eq!(world.found(&[]), ["src/lib.rs:7 lock-unwrap"]);
    of_edition("2018");
    assert_eq!(world.found(&[]), ["src/lib.rs:2 unreadable-file"]);
}

/// A map behind one lock, declared in one file and used in another.
fn two_files() -> World {
    World::new(&[
        ("Cargo.toml", &manifest("demo")),
        (
            "src/lib.rs",
            "pub mod users;\n\nuse std::collections::HashMap;\n\nuse std::sync::{Arc, RwLock};\n\npub struct Sessions {\n    \
             pub by_id: Arc<RwLock<HashMap<u64, String>>>,\n}\n\nimpl Sessions {\n    pub fn open(&self, id: u64, name: String) {\n        \
             self.by_id.write().unwrap().insert(id, name);\n    }\n}\n",
        ),
        (
            "src/users.rs",
            "pub fn close(sessions: &crate::Sessions, id: u64) {\n    sessions.by_id.write().unwrap().remove(&id);\n}\n\n\
             pub fn find(sessions: &crate::Sessions, id: u64) -> Option<String> {\n    \
             sessions.by_id.read().unwrap().get(&id).cloned()\n}\n",
        ),
    ])
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

fn assert_valid(schema: &str, instance: &serde_json::Value) {
    let validator = jsonschema::validator_for(&json(schema)).expect("the schema itself is valid");
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// Makes the replacements of a file of the JSON, from the last to the first.
fn replaced(world: &World, file: &serde_json::Value) -> String {
    let path = file["path"].as_str().expect("a path");
    let mut text = fs::read_to_string(world.path().join(path)).expect("a file");
    for r in file["replacements"].as_array().expect("replacements").iter().rev() {
        let at = |key: &str| r[key].as_u64().expect("a number") as usize;
        text.replace_range(at("start_byte")..at("end_byte"), r["text"].as_str().expect("text"));
    }
    text
}

const SCHEMA: &str = include_str!("../docs/findings.schema.json");
const SARIF: &str = include_str!("../reports/schemas/sarif-schema-2.1.0.json");

#[test]
fn fixes_are_in_the_report_when_asked_for() {
    let world = two_files();
    let plain = json(&world.run(&["check", "--format", "json"]).out);
    assert!(plain["result"].is_null());
    assert!(plain["findings"].as_array().is_some_and(|f| f.iter().all(|f| f["fix"]["files"].is_null())));
    for args in [
        &["check", "--fixes", "--format", "json"][..],
        &["fix", "--unsafe", "--diff", "--format", "json", "--allow-no-vcs"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.status, 0, "{ran:?}");
        let report = json(&ran.out);
        assert_valid(SCHEMA, &report);
        let findings = report["findings"].as_array().expect("findings");
        let map = findings.iter().find(|f| f["rule"] == "shared-map-lock").expect("the map");
        let files = map["fix"]["files"].as_array().expect("files");
        let paths: Vec<_> = files.iter().map(|f| f["path"].as_str().expect("a path")).collect();
        assert_eq!(paths, ["Cargo.toml", "src/lib.rs", "src/users.rs"]);
        assert!(replaced(&world, &files[0]).contains("dashmap = \"6\""));
        assert!(replaced(&world, &files[1]).contains("pub by_id: Arc<DashMap<u64, String>>"));
        assert!(replaced(&world, &files[2]).contains("sessions.by_id.remove(&id);"));
        // The other findings are those of the lock that goes; together they come to the same.
        assert!(findings.iter().all(|f| !f["fix"]["files"].is_null()), "{report}");
        let result = report["result"]["files"].as_array().expect("files");
        assert_eq!(result.len(), 3);
        assert_eq!(replaced(&world, &result[2]), replaced(&world, &files[2]));
        assert_eq!(report["result"]["applied"].as_array().map(Vec::len), Some(1));
    }
    assert!(
        fs::read_to_string(world.path().join("src/users.rs")).expect("a file").contains("unwrap"),
        "nothing is written"
    );
}

#[test]
fn sarif_has_a_change_a_file() {
    let world = two_files();
    let log = json(&world.run(&["check", "--fixes", "--format", "sarif"]).out);
    assert_valid(SARIF, &log);
    let results = log["runs"][0]["results"].as_array().expect("results");
    let map = results.iter().find(|r| r["ruleId"] == "shared-map-lock").expect("the map");
    let changes = map["fixes"][0]["artifactChanges"].as_array().expect("changes");
    let paths: Vec<_> =
        changes.iter().map(|c| c["artifactLocation"]["uri"].as_str().expect("a path")).collect();
    assert_eq!(paths, ["Cargo.toml", "src/lib.rs", "src/users.rs"]);
    assert!(changes[2]["replacements"].as_array().is_some_and(|r| r.len() >= 2));
}

#[test]
fn what_cannot_be_fixed_says_why_and_where() {
    let world = two_files();
    world.write(
        "src/users.rs",
        "pub fn all(sessions: &crate::Sessions) -> usize {\n    let all = sessions.by_id.read().unwrap();\n    count(&all)\n}\n\n\
         fn count(all: &std::collections::HashMap<u64, String>) -> usize {\n    all.len()\n}\n",
    );
    let report = json(&world.run(&["check", "--fixes", "--format", "json"]).out);
    assert_valid(SCHEMA, &report);
    let findings = report["findings"].as_array().expect("findings");
    let map = findings.iter().find(|f| f["rule"] == "shared-map-lock").expect("the map");
    assert!(map["fix"].is_null());
    assert_eq!(map["fix_refused"]["blocking"]["path"], "src/users.rs");
    assert_eq!(map["fix_refused"]["blocking"]["line"], 3);
    let text = world.run(&["check", "--fixes", "--format", "markdown"]).out;
    assert!(text.contains("**no fix**: the map is borrowed and handed on (`src/users.rs:3`)"), "{text}");
    // A pull request sees what the others' fixes would do.
    assert!(
        text.contains("```diff") && text.contains("+    let all = sessions.by_id.read().unwrap_or_else("),
        "{text}"
    );
}

#[test]
fn a_format_of_fix_needs_a_dry_run() {
    let ran = two_files().run(&["fix", "--format", "json"]);
    ran.fails_with(&["--diff"]);
}

#[test]
fn what_a_handler_is_given_is_known_through_its_pattern() {
    let source = "use std::sync::{Arc, Mutex};\n\nuse axum::Json as AxumJson;\nuse axum::extract::State;\n\n\
                  pub struct App {\n    total: Mutex<u64>,\n}\n\npub struct Add {\n    lock: Mutex<u64>,\n}\n\n\
                  pub async fn add(State(app): State<Arc<App>>, AxumJson(add): AxumJson<Add>) {\n    \
                  *app.total.lock().unwrap() += 1;\n    *add.lock.lock().unwrap() += 1;\n}\n";
    let world = World::new(&[
        ("Cargo.toml", &format!("{}\n[dependencies]\naxum = \"0.8\"\n", manifest("demo"))),
        ("src/lib.rs", source),
    ]);
    assert_eq!(world.found(&[]), ["src/lib.rs:15 lock-unwrap", "src/lib.rs:16 lock-unwrap"]);
}
