//! What each fix makes of a fixture `fires_<subject>.rs` is `fixed_<subject>.rs`, to the letter; there is nothing left
//! to fix in that. (That it compiles is `fixtures/tests/compile.rs`' business.)
//!
//! With `UNCORK_BLESS` set, what comes out is written to the `fixed` files that are there, to be read before it is
//! committed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use proptest::test_runner::{Config as Runs, TestRunner};
use uncork_fixers::change::Plan;
use uncork_fixers::codemods;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::overlay::Overlay;
use uncork_fixers::resolve::resolve;
use uncork_fixers::session::{Report, Request, run};
use uncork_fixers::vcs::Allowed;
use uncork_fixers::verify::CargoOptions;
use uncork_fixtures::{Case, Kind, cases};
use uncork_lints::config::Config;
use uncork_lints::discover;
use uncork_lints::finding::Applicability;
use uncork_lints::run as analysis;

const MANIFEST: &str = "[workspace]\n\n[package]\nname = \"case\"\nversion = \"0.1.0\"\nedition = \"EDITION\"\n\n\
                        [dependencies]\ndashmap = \"6\"\nparking_lot = \"0.12\"\ntokio = \"1\"\n";

fn package(name: &str, edition: u16, source: &str) -> Utf8PathBuf {
    let root = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures").join(name);
    fs::create_dir_all(root.join("src")).unwrap();
    fs::write(root.join("Cargo.toml"), MANIFEST.replace("EDITION", &edition.to_string())).unwrap();
    fs::write(root.join("src/lib.rs"), source).unwrap();
    root
}

fn plan(root: &Utf8Path, rule: &str, overlay: &mut Overlay) -> Result<Plan, String> {
    let edited = overlay.changed().map(|f| (overlay.absolute(f.path), f.after.clone())).collect();
    let request =
        discover::Request { cwd: root.to_owned(), edited: Arc::new(edited), ..discover::Request::default() };
    let config = Config::default();
    let outcome = analysis::with_room(|| analysis::check(&request, &config)).map_err(|e| e.to_string())?;
    let findings = &outcome.settled.findings;
    let of_rule: Vec<_> = findings.iter().filter(|f| f.rule == rule).cloned().collect();
    let mut plan = codemods::plan(&outcome.analysis, &of_rule, &config.rules, overlay);
    plan.marks = codemods::marks(&outcome.analysis, findings);
    Ok(plan)
}

/// What would be done to the package's one file, and the file then.
fn fix(root: &Utf8Path, rule: &str) -> (Report, String) {
    let request = Request {
        root: root.to_owned(),
        cargo: true,
        least: Applicability::Unsafe,
        dry: true,
        allowed: Allowed { dirty: true, staged: true, no_vcs: true },
        options: CargoOptions::default(),
        limits: Limits::default(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut planner = |overlay: &mut Overlay| plan(root, rule, overlay);
    let mut report = run(&request, &mut planner, &mut |_, _| Answer::Apply).unwrap();
    let text = report.overlay.read(Utf8Path::new("src/lib.rs")).unwrap().to_string();
    (report, text)
}

/// A case's text without its marks, which say what is found before.
fn unmarked(case: &Case) -> String {
    let text = &case.files[0].text;
    let kept = text.lines().filter(|line| !line.trim_start().starts_with("//~"));
    kept.map(|line| line.split(" //~").next().unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn fires_becomes_fixed() {
    let all = cases().unwrap();
    let bless = std::env::var_os("UNCORK_BLESS").is_some();
    let (mut count, mut wrong) = (0, Vec::new());
    for rule in codemods::fixable() {
        let mut pairs = 0;
        for case in all.iter().filter(|c| c.rule == rule && c.kind == Kind::Fires && !c.folder) {
            let path = case.path.with_file_name(format!("fixed_{}.rs", case.subject()));
            if !path.is_file() {
                continue;
            }
            pairs += 1;
            let root = package(&case.id().replace('/', "-"), case.edition, &unmarked(case));
            let (report, text) = fix(&root, rule);
            if bless {
                fs::write(&path, &text).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap();
            if text != expected {
                wrong.push(format!("{}:\n{}\n{}", case.id(), similar(&expected, &text), report.text()));
                continue;
            }
            assert!(report.refused.is_empty(), "{}: {}", case.id(), report.text());
            let root = package(&format!("{}-again", case.id().replace('/', "-")), case.edition, &text);
            let (again, same) = fix(&root, rule);
            assert_eq!(same, text, "{}: a second run\n{}", case.id(), again.text());
            assert!(again.applied.is_empty() && again.refused.is_empty(), "{}: {}", case.id(), again.text());
        }
        assert!(pairs > 0, "no fixture shows what the fix of {rule} makes");
        count += pairs;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= codemods::fixable().count());
}

/// Which of the changes are made is up to whoever runs it: each choice leaves Rust behind.
#[test]
fn any_subset_that_does_not_conflict_parses() {
    let mut subsets = 0;
    for rule in codemods::fixable() {
        for case in cases().unwrap().iter().filter(|c| c.rule == rule && c.kind == Kind::Fires && !c.folder) {
            let root =
                package(&format!("{}-subset", case.id().replace('/', "-")), case.edition, &unmarked(case));
            let plan = plan(&root, rule, &mut Overlay::new(root.clone())).unwrap();
            if plan.changes.is_empty() {
                continue;
            }
            subsets += 1;
            let masks = proptest::collection::vec(proptest::bool::ANY, plan.changes.len());
            let mut runner =
                TestRunner::new(Runs { cases: 24, failure_persistence: None, ..Runs::default() });
            let outcome = runner.run(&masks, |mask| {
                let chosen =
                    plan.changes.iter().zip(&mask).filter(|(_, taken)| **taken).map(|(c, _)| c.clone());
                let resolved = resolve(chosen.collect(), Applicability::Display);
                assert!(resolved.broken.is_empty(), "{}: {:?}", case.id(), resolved.broken);
                let edits: Vec<_> = resolved.accepted.iter().map(|c| (c.id(), &c.edits[..])).collect();
                let mut overlay = Overlay::new(root.clone());
                overlay.apply(&edits).unwrap();
                let text = overlay.read(Utf8Path::new("src/lib.rs")).unwrap();
                assert!(syn::parse_file(&text).is_ok(), "{}:\n{text}", case.id());
                Ok(())
            });
            outcome.unwrap();
        }
    }
    assert!(subsets >= codemods::fixable().count());
}

/// The lines that differ.
fn similar(expected: &str, found: &str) -> String {
    let only = |a: &str, b: &str, sign: char| -> String {
        let other: Vec<&str> = b.lines().collect();
        a.lines().filter(|l| !other.contains(l)).map(|l| format!("{sign} {l}\n")).collect()
    };
    only(expected, found, '-') + &only(found, expected, '+')
}
