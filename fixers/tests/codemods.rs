//! Each codemod makes of `<name>.before.rs` exactly `<name>.after.rs`, under the configuration `<name>.toml` if there is
//! one; the compiler takes all of it, a second run finds nothing to do. With `UNCORK_BLESS` set, what comes out is written
//! to the `after` files, to be read before it is committed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::change::Plan;
use uncork_fixers::codemods;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::overlay::Overlay;
use uncork_fixers::session::{Report, Request, run};
use uncork_fixers::vcs::Allowed;
use uncork_fixers::verify::{CargoOptions, Verified};
use uncork_lints::config;
use uncork_lints::discover;
use uncork_lints::finding::Applicability;
use uncork_lints::run as analysis;

fn package(name: &str, source: &str, config: Option<&str>) -> Utf8PathBuf {
    let here = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("codemods").join(name);
    fs::create_dir_all(root.join("src")).unwrap();
    let manifest = "[workspace]\n\n[package]\nname = \"case\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\ndashmap = \"6\"\nparking_lot = \"0.12\"\n";
    fs::write(root.join("Cargo.toml"), manifest).unwrap();
    fs::write(root.join("src/lib.rs"), source).unwrap();
    match config {
        Some(text) => fs::write(root.join("uncork.toml"), text).unwrap(),
        None => drop(fs::remove_file(root.join("uncork.toml"))),
    }
    // The workspace's lock file: the same versions, and none that has to be fetched.
    fs::copy(here.join("../Cargo.lock"), root.join("Cargo.lock")).unwrap();
    root
}

fn plan(root: &Utf8Path, rule: &str, overlay: &mut Overlay) -> Result<Plan, String> {
    let edited = overlay.changed().map(|f| (overlay.absolute(f.path), f.after.clone())).collect();
    let request =
        discover::Request { cwd: root.to_owned(), edited: Arc::new(edited), ..discover::Request::default() };
    let places = discover::locate(&request).map_err(|e| e.to_string())?.places();
    let config = config::load(&places).map_err(|e| e.to_string())?;
    let outcome = analysis::with_room(|| analysis::check(&request, &config)).map_err(|e| e.to_string())?;
    let findings = &outcome.settled.findings;
    let of_rule: Vec<_> = findings.iter().filter(|f| f.rule == rule).cloned().collect();
    let mut plan = codemods::plan(&outcome.analysis, &of_rule, &config.rules, overlay);
    plan.marks = codemods::marks(&outcome.analysis, findings);
    Ok(plan)
}

fn fix(root: &Utf8Path, rule: &str) -> Report {
    let request = Request {
        root: root.to_owned(),
        cargo: true,
        least: Applicability::Unsafe,
        dry: false,
        allowed: Allowed { dirty: true, staged: true, no_vcs: true },
        options: CargoOptions { arguments: vec!["--offline".into()], ..CargoOptions::default() },
        limits: Limits::default(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let mut planner = |overlay: &mut Overlay| plan(root, rule, overlay);
    run(&request, &mut planner, &mut |_, _| Answer::Apply).unwrap()
}

#[test]
fn before_becomes_after() {
    let cases = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut count = 0;
    for rule in cases.read_dir_utf8().unwrap().map(|e| e.unwrap().into_path()) {
        for before in rule.read_dir_utf8().unwrap().map(|e| e.unwrap().into_path()) {
            let Some(stem) = before.as_str().strip_suffix(".before.rs") else { continue };
            count += 1;
            let after = fs::read_to_string(format!("{stem}.after.rs")).unwrap();
            let id = rule.file_name().unwrap();
            // A file of the same name with configuration: another of a fix's ways.
            let config = fs::read_to_string(format!("{stem}.toml")).ok();
            let root = package(id, &fs::read_to_string(&before).unwrap(), config.as_deref());
            let report = fix(&root, id);
            assert!(report.backed_out.is_empty(), "{before}:\n{}", report.text());
            let text = fs::read_to_string(root.join("src/lib.rs")).unwrap();
            if std::env::var_os("UNCORK_BLESS").is_some() {
                fs::write(format!("{stem}.after.rs"), &text).unwrap();
                println!("{before}:\n{}", report.text());
                continue;
            }
            assert_eq!(text, after, "{before}:\n{}", report.text());

            assert_eq!(report.verified, Verified::Clean, "{before}");
            let again = fix(&root, id);
            assert!(again.applied.is_empty(), "{before}: a second run\n{}", again.text());
        }
    }
    assert!(count >= 10);
}
