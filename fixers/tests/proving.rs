//! Verification: what the compiler refuses is taken back, and only that.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::change::{Change, Plan};
use uncork_fixers::edit::Edit;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::manifest::ManifestEdit;
use uncork_fixers::overlay::Overlay;
use uncork_fixers::verify::{
    Cargo, CargoOptions, Checker, Outcome, Problem, Proof, Prover, Verified, Verify, VerifyError,
};
use uncork_fixers::write::{Disk, RunLock};
use uncork_lints::finding::Applicability;
use uncork_lints::source::Span;

struct Tree {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        for (path, text) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        Tree { _dir: dir, root }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }
}

/// Replaces words in files; one change a match, named by what stands there and where.
fn replacing(
    files: &'static [&'static str],
    words: &'static [(&'static str, &'static str)],
) -> impl FnMut(&mut Overlay) -> Result<Plan, String> {
    move |overlay| {
        let mut plan = Plan::default();
        for file in files {
            let text = overlay.read(Utf8Path::new(file)).map_err(|e| e.to_string())?;
            for (from, to) in words {
                for (at, _) in text.match_indices(from) {
                    let span = Span::new(at as u32, (at + from.len()) as u32);
                    let line = text[..at].matches('\n').count() + 1;
                    plan.changes.push(change(&format!("{file}:{line} {from}"), Edit::new(*file, span, *to)));
                }
            }
        }
        Ok(plan)
    }
}

fn change(name: &str, edit: Edit) -> Change {
    Change {
        rule: "r".into(),
        title: name.into(),
        fingerprints: vec![name.into()],
        applicability: Applicability::Safe,
        caveat: None,
        edits: vec![edit],
        manifest: Vec::new(),
        claims: Vec::new(),
    }
}

fn prove(
    tree: &Tree,
    planner: &mut dyn FnMut(&mut Overlay) -> Result<Plan, String>,
    checker: Option<&mut dyn Checker>,
) -> Result<Proof, VerifyError> {
    let lock = RunLock::acquire(&tree.root.join("target/uncork")).unwrap();
    let mut planner = planner;
    Prover {
        root: tree.root.clone(),
        planner: &mut planner,
        gate: &mut |_, _| Answer::Apply,
        finish: &mut |_| {},
        least: Applicability::Safe,
        limits: Limits::default(),
        // Spelled out, so that the trait object's lifetime can shrink.
        checker: match checker {
            Some(checker) => Some(checker),
            None => None,
        },
        lock: &lock,
        disk: &mut Disk::default(),
        stop: &AtomicBool::new(false),
    }
    .run()
}

fn names(proof: &Proof) -> Vec<&str> {
    proof.backed_out.iter().map(|b| b.change.title.as_str()).collect()
}

/// Finds an error in each line of `a.txt` that holds `bad`; says where, if asked to.
struct Fake {
    root: Utf8PathBuf,
    says_where: bool,
    checks: usize,
}

impl Fake {
    fn new(tree: &Tree, says_where: bool) -> Fake {
        Fake { root: tree.root.clone(), says_where, checks: 0 }
    }
}

impl Checker for Fake {
    fn check(&mut self, _: &[Utf8PathBuf], _: bool) -> Result<Outcome, VerifyError> {
        self.checks += 1;
        let text = fs::read_to_string(self.root.join("a.txt")).unwrap();
        let bad = text.lines().enumerate().filter(|(_, l)| l.contains("bad"));
        let problems = bad.map(|(i, line)| {
            let place = format!(
                r#"{{"reason":"compiler-message","message":{{"message":"no","level":"error","code":null,"rendered":"no: {line}","spans":[{{"file_name":"a.txt","line_start":{n},"line_end":{n},"is_primary":true,"text":[{{"text":"{line}"}}]}}],"children":[]}}}}"#,
                n = i + 1
            );
            let mut problem = parse_one(&place);
            if !self.says_where {
                problem.primary.clear();
            }
            problem
        });
        Ok(Outcome { problems: problems.collect() })
    }

    fn test(&mut self, _: &[Utf8PathBuf]) -> Result<Outcome, VerifyError> {
        Ok(Outcome::default())
    }

    fn lock_file(&self) -> Option<Utf8PathBuf> {
        None
    }
}

fn parse_one(line: &str) -> Problem {
    let all = format!("{line}\n{}\n", r#"{"reason":"build-finished","success":false}"#);
    Outcome::from_cargo(&all).unwrap().problems.remove(0)
}

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

#[test]
fn a_bad_change_is_found_by_its_place() {
    let tree = Tree::new(&[("a.txt", LINES)]);
    let mut fake = Fake::new(&tree, true);
    let mut plan = replacing(&["a.txt"], &[("two", "2"), ("five", "bad"), ("six", "6")]);
    let proof = prove(&tree, &mut plan, Some(&mut fake)).unwrap();
    assert_eq!(names(&proof), ["a.txt:5 five"]);
    assert_eq!(proof.backed_out[0].words, "no: bad");
    assert_eq!(tree.read("a.txt"), LINES.replace("two", "2").replace("six", "6"));
    assert_eq!(proof.verified, Verified::Clean);
    assert_eq!(fake.checks, 3, "with all of them, with none, without the bad one");
}

#[test]
fn a_bad_change_without_a_place_is_found_by_bisection() {
    for bad in ["one", "four", "eight"] {
        let tree = Tree::new(&[("a.txt", LINES)]);
        let mut fake = Fake::new(&tree, false);
        let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
        let mut plan = |overlay: &mut Overlay| {
            let text = overlay.read("a.txt".into()).map_err(|e| e.to_string())?;
            let mut plan = Plan::default();
            for word in words {
                if let Some(at) = text.find(word) {
                    let to = if word == bad { "bad" } else { "ok" };
                    let span = Span::new(at as u32, (at + word.len()) as u32);
                    plan.changes.push(change(word, Edit::new("a.txt", span, to)));
                }
            }
            Ok(plan)
        };
        let proof = prove(&tree, &mut plan, Some(&mut fake)).unwrap();
        assert_eq!(names(&proof), [bad]);
        assert_eq!(tree.read("a.txt").matches("ok").count(), 7);
        assert!(fake.checks <= 8, "{} checks", fake.checks);
    }
}

#[test]
fn errors_that_were_there_are_no_ones_fault() {
    let tree = Tree::new(&[("a.txt", "bad line\none\ntwo\n")]);
    let mut fake = Fake::new(&tree, true);
    // The insertion moves the old error down.
    let mut plan = replacing(&["a.txt"], &[("bad line", "new\nbad line ")]);
    let mut once = |overlay: &mut Overlay| {
        if overlay.changed().next().is_some() { Ok(Plan::default()) } else { plan(overlay) }
    };
    let proof = prove(&tree, &mut once, Some(&mut fake)).unwrap();
    assert!(proof.backed_out.is_empty());
    assert_eq!(proof.verified, Verified::SameErrors(1));
    assert_eq!(tree.read("a.txt"), "new\nbad line \none\ntwo\n");
    assert_eq!(fake.checks, 2, "with all of them and with none");
}

#[test]
fn when_all_is_bad_nothing_changes() {
    let tree = Tree::new(&[("a.txt", "one\ntwo\n")]);
    let mut fake = Fake::new(&tree, true);
    let mut plan = replacing(&["a.txt"], &[("one", "bad1"), ("two", "bad2")]);
    let proof = prove(&tree, &mut plan, Some(&mut fake)).unwrap();
    assert_eq!(names(&proof).len(), 2);
    assert_eq!(proof.verified, Verified::Unchanged);
    assert_eq!(tree.read("a.txt"), "one\ntwo\n");
}

const MANIFEST: &str = "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

fn cargo(tree: &Tree, verify: Verify) -> Cargo {
    let options = CargoOptions { verify, arguments: vec!["--offline".into()], ..CargoOptions::default() };
    Cargo::new(&tree.root, options, Arc::new(AtomicBool::new(false))).unwrap()
}

#[test]
fn rustc_decides() {
    let source = "pub fn a() -> u32 {\n    10\n}\n\npub fn b() -> u32 {\n    20\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        let _: u32 = 30;\n    }\n}\n";
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", source)]);
    let mut cargo = cargo(&tree, Verify::Check);
    let mut plan = replacing(&["src/lib.rs"], &[("10", "11"), ("20", "\"twenty\""), ("30", "\"thirty\"")]);
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    let mut backed_out = names(&proof);
    backed_out.sort();
    assert_eq!(backed_out, ["src/lib.rs:13 30", "src/lib.rs:6 20"]);
    assert!(proof.backed_out[0].words.contains("mismatched types"), "{}", proof.backed_out[0].words);
    assert_eq!(tree.read("src/lib.rs"), source.replace("10", "11"));
    assert_eq!(proof.verified, Verified::Clean);
}

#[test]
fn what_no_compiler_has_seen_is_left_alone() {
    let tree = Tree::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "#[cfg(feature = \"never\")]\nmod other;\n\npub fn a() -> u32 {\n    10\n}\n"),
        ("src/other.rs", "pub fn b() -> u32 {\n    20\n}\n"),
    ]);
    let mut cargo = cargo(&tree, Verify::Check);
    let mut plan = replacing(&["src/lib.rs", "src/other.rs"], &[("10", "11"), ("20", "21")]);
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    assert!(proof.backed_out.is_empty(), "the analysis was not wrong");
    let [refused] = &proof.fixed.refused[..] else { panic!("{:?}", proof.fixed.refused) };
    assert_eq!(refused.at.path, "src/other.rs");
    assert!(refused.reason.starts_with("the file is not part of this build"), "{refused:?}");
    assert!(tree.read("src/lib.rs").contains("11"));
    assert_eq!(tree.read("src/other.rs"), "pub fn b() -> u32 {\n    20\n}\n");
    assert_eq!(proof.verified, Verified::Clean);
}

#[test]
fn a_dependent_package_is_checked_too() {
    let tree = Tree::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"low\", \"high\"]\nresolver = \"2\"\n"),
        ("low/Cargo.toml", &MANIFEST.replace("demo", "low")),
        ("low/src/lib.rs", "pub fn good() {}\npub fn used() {}\n"),
        (
            "high/Cargo.toml",
            &format!("{}\n[dependencies]\nlow = {{ path = \"../low\" }}\n", MANIFEST.replace("demo", "high")),
        ),
        ("high/src/lib.rs", "pub fn f() { low::used() }\n"),
    ]);
    let mut cargo = cargo(&tree, Verify::Check);
    let mut plan = replacing(&["low/src/lib.rs"], &[("good", "fine"), ("used", "renamed")]);
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    // The error stands in a file that no change touched: bisection finds the culprit.
    assert_eq!(names(&proof), ["low/src/lib.rs:2 used"]);
    assert_eq!(tree.read("low/src/lib.rs"), "pub fn fine() {}\npub fn used() {}\n");
}

#[test]
fn a_project_that_does_not_compile_is_no_worse_after() {
    let source = "pub fn a() -> u32 {\n    \"broken before\"\n}\n\npub fn b() -> u32 {\n    20\n}\n\npub fn c() -> u32 {\n    30\n}\n";
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", source)]);
    let mut cargo = cargo(&tree, Verify::Check);
    let mut plan = replacing(&["src/lib.rs"], &[("20", "\"twenty\""), ("30", "31")]);
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    assert_eq!(names(&proof), ["src/lib.rs:6 20"]);
    assert_eq!(tree.read("src/lib.rs"), source.replace("30", "31"));
    assert_eq!(proof.verified, Verified::SameErrors(1));
}

#[test]
fn a_failing_test_takes_its_change_back() {
    let source = "pub fn a() -> u32 {\n    10\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn old() {\n        assert_eq!(1, 2);\n    }\n    #[test]\n    fn holds() {\n        assert_eq!(super::a(), 10); // ten\n    }\n}\n";
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", source)]);
    let mut cargo = cargo(&tree, Verify::Test);
    let mut plan = replacing(&["src/lib.rs"], &[("10\n", "1000\n"), ("// ten", "// dix")]);
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    assert_eq!(names(&proof), ["src/lib.rs:2 10\n"]);
    assert!(proof.backed_out[0].words.contains("tests::holds failed"), "{}", proof.backed_out[0].words);
    assert_eq!(tree.read("src/lib.rs"), source.replace("// ten", "// dix"));
}

#[test]
fn a_dependency_out_of_reach_is_taken_back_with_its_lock_file() {
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "pub fn a() -> u32 {\n    10\n}\n")]);
    // The only registry is an empty folder: cargo cannot get the crate.
    let config = tree.root.join(".cargo");
    fs::create_dir(&config).unwrap();
    fs::create_dir(tree.root.join("vendor")).unwrap();
    fs::write(
        config.join("config.toml"),
        "[source.crates-io]\nreplace-with = \"none\"\n[source.none]\ndirectory = \"vendor\"\n",
    )
    .unwrap();
    let mut cargo = cargo(&tree, Verify::Check);
    let mut plan = |overlay: &mut Overlay| {
        let mut found = replacing(&["src/lib.rs"], &[("10", "11")])(overlay)?;
        if !overlay.read("Cargo.toml".into()).map_err(|e| e.to_string())?.contains("dashmap") {
            found.changes.push(Change {
                manifest: vec![ManifestEdit::AddDependency {
                    manifest: "Cargo.toml".into(),
                    krate: "dashmap".into(),
                    features: Vec::new(),
                }],
                ..change("dashmap", Edit::new("src/lib.rs", Span::new(0, 0), "// map\n"))
            });
        }
        Ok(found)
    };
    let proof = prove(&tree, &mut plan, Some(&mut cargo)).unwrap();
    assert_eq!(names(&proof), ["dashmap"]);
    assert!(proof.backed_out[0].words.contains("dashmap"), "{}", proof.backed_out[0].words);
    assert_eq!(tree.read("Cargo.toml"), MANIFEST);
    assert_eq!(tree.read("src/lib.rs"), "pub fn a() -> u32 {\n    11\n}\n");
}

#[test]
fn an_interrupted_check_restores_everything() {
    let tree = Tree::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", "pub fn a() -> u32 {\n    10\n}\n")]);
    let stop = Arc::new(AtomicBool::new(false));
    let mut cargo = Cargo::new(&tree.root, CargoOptions::default(), stop.clone()).unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut plan = replacing(&["src/lib.rs"], &[("10", "11")]);
    let ended = prove(&tree, &mut plan, Some(&mut cargo));
    assert!(matches!(ended, Err(VerifyError::Interrupted)), "{ended:?}");
    assert_eq!(tree.read("src/lib.rs"), "pub fn a() -> u32 {\n    10\n}\n");
    assert!(!tree.root.join("target/uncork/journal").exists());
}
