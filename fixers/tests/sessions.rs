//! Whole runs: the tree's state, a dry run, asking in a terminal, the report. Runs itself as the program asked.

use std::fs;
use std::io::{BufReader, Write, stdin, stdout};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::change::{Change, Place, Plan, Refusal};
use uncork_fixers::edit::Edit;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::interactive::Interactive;
use uncork_fixers::overlay::Overlay;
use uncork_fixers::session::{Report, Request, SessionError, run};
use uncork_fixers::vcs::{Allowed, VcsError};
use uncork_fixers::verify::{CargoOptions, Verified};
use uncork_lints::finding::Applicability;
use uncork_lints::source::Span;

const ROOT: &str = "UNCORK_TEST_SESSION_ROOT";

fn main() {
    if let Ok(root) = std::env::var(ROOT) {
        return ask_in_terminal(Utf8Path::new(&root));
    }
    a_dirty_tree_is_refused();
    a_dry_run_writes_nothing_and_shows_what_a_run_writes();
    the_report_tells_all();
    a_second_run_changes_nothing();
    #[cfg(unix)]
    terminal::asked_in_a_terminal();
    println!("sessions: ok");
}

const SOURCE: &str =
    "pub fn a() -> u32 {\n    10\n}\n\npub fn b() -> u32 {\n    20\n}\n\npub fn c() -> u32 {\n    30\n}\n";

fn project() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
    fs::create_dir(root.join("src")).unwrap();
    fs::write(
        root.join("Cargo.toml"),
        "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
    )
    .unwrap();
    fs::write(root.join("src/lib.rs"), SOURCE).unwrap();
    fs::write(root.join(".gitignore"), "target\nCargo.lock\n").unwrap();
    for arguments in [
        &["init", "-q"][..],
        &["add", "."],
        &["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
    ] {
        assert!(Command::new("git").args(arguments).current_dir(&root).status().unwrap().success());
    }
    (dir, root)
}

fn request(root: &Utf8Path) -> Request {
    Request {
        root: root.to_owned(),
        cargo: true,
        least: Applicability::Safe,
        dry: false,
        allowed: Allowed::default(),
        options: CargoOptions { arguments: vec!["--offline".into()], ..CargoOptions::default() },
        limits: Limits::default(),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// `10` → `11` (good), `20` → a string (bad), `30` refused.
fn plan(overlay: &mut Overlay) -> Result<Plan, String> {
    let path = Utf8Path::new("src/lib.rs");
    let text = overlay.read(path).map_err(|e| e.to_string())?;
    let mut plan = Plan::default();
    for (from, to) in [("10", "1+10"), ("20", "\"twenty\"")] {
        let Some(at) = text.find(&format!("    {from}\n")) else { continue };
        let span = Span::new(at as u32 + 4, at as u32 + 6);
        plan.changes.push(Change {
            rule: "numbers".into(),
            title: format!("replace {from}"),
            fingerprints: vec![from.into()],
            applicability: Applicability::Safe,
            caveat: None,
            edits: vec![Edit::new(path, span, to)],
            manifest: Vec::new(),
            claims: Vec::new(),
        });
    }
    if let Some(at) = text.find("30") {
        let span = Span::new(at as u32, at as u32 + 2);
        plan.refused.push(Refusal {
            rule: "numbers".into(),
            fingerprint: "30".into(),
            at: Place::new(path, span),
            reason: "it is thirty".into(),
            blocking: Some(Place::new(path, Span::new(0, 3))),
        });
    }
    Ok(plan)
}

fn fix(request: &Request) -> Result<Report, SessionError> {
    run(request, &mut plan, &mut |_, _| Answer::Apply)
}

fn source(root: &Utf8Path) -> String {
    fs::read_to_string(root.join("src/lib.rs")).unwrap()
}

fn a_dirty_tree_is_refused() {
    let (_dir, root) = project();
    fs::write(root.join("src/lib.rs"), format!("{SOURCE}// mine\n")).unwrap();
    let refused = fix(&request(&root));
    assert!(matches!(refused, Err(SessionError::Vcs { why: VcsError::Dirty(_), .. })));
    assert_eq!(source(&root), format!("{SOURCE}// mine\n"));
}

fn a_dry_run_writes_nothing_and_shows_what_a_run_writes() {
    let (_dir, root) = project();
    let dry = fix(&Request { dry: true, ..request(&root) }).unwrap();
    assert_eq!(source(&root), SOURCE);
    // Both would be made; only the compiler knows better. The file was formatted, so the result is.
    assert!(dry.diff(false).contains("-    10\n+    1 + 10\n"), "{}", dry.diff(false));
    assert!(dry.text().ends_with("2 changes would be made in 1 file, 1 finding left alone, not verified\n"));
}

fn the_report_tells_all() {
    let (_dir, root) = project();
    let report = fix(&request(&root)).unwrap();
    assert_eq!(source(&root), SOURCE.replace("    10", "    1 + 10"));
    assert_eq!(report.verified, Verified::Clean);
    let text = report.text();
    assert!(text.contains("left alone: src/lib.rs:10:5: numbers: it is thirty (src/lib.rs:1:1)\n"), "{text}");
    assert!(text.contains("taken back: numbers: replace 20\n    error[E0308]: mismatched types\n"), "{text}");
    assert!(text.contains("applied: numbers: replace 10\n"), "{text}");
    assert!(
        text.ends_with("1 change made in 1 file, 1 taken back, 1 finding left alone, the compiler agrees\n"),
        "{text}"
    );
    let counts = report.counts()["numbers"];
    assert_eq!((counts.applied, counts.backed_out, counts.refused), (1, 1, 1));
    assert_eq!(report.reasons(), [("it is thirty", 1)]);
}

fn a_second_run_changes_nothing() {
    let (_dir, root) = project();
    fix(&request(&root)).unwrap();
    let once = source(&root);
    let allowed = Allowed { dirty: true, ..Allowed::default() };
    let report = fix(&Request { allowed, ..request(&root) }).unwrap();
    assert_eq!(report.verified, Verified::Unchanged);
    assert!(report.applied.is_empty());
    assert_eq!(source(&root), once);
}

/// The child: as a command line would, on whatever standard input and output are.
fn ask_in_terminal(root: &Utf8Path) {
    let mut asking = Interactive::new(BufReader::new(stdin()), stdout(), false);
    let report = run(&request(root), &mut plan, &mut |change, overlay| asking.ask(change, overlay));
    match report {
        Ok(report) => print!("{}", report.text()),
        Err(e) => println!("error: {e}"),
    }
    stdout().flush().unwrap();
}

#[cfg(unix)]
mod terminal {
    use std::time::Duration;

    use expectrl::{Expect, Session};

    use super::*;

    pub(super) fn asked_in_a_terminal() {
        let (_dir, root) = project();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(ROOT, &root);
        let mut terminal = Session::spawn(command).unwrap();
        terminal.set_expect_timeout(Some(Duration::from_secs(60)));
        terminal.expect("+    1+10").unwrap();
        terminal.expect("[q]uit: ").unwrap();
        terminal.send_line("?").unwrap();
        terminal.expect("leave out this and all that follow").unwrap();
        terminal.expect("[q]uit: ").unwrap();
        terminal.send_line("y").unwrap();
        terminal.expect("twenty").unwrap();
        terminal.expect("[q]uit: ").unwrap();
        terminal.send_line("n").unwrap();
        terminal.expect("1 change made in 1 file").unwrap();
        assert_eq!(source(&root), SOURCE.replace("    10", "    1 + 10"));
    }
}
