//! What a person at a terminal sees: progress, narrow lines, Ctrl-C.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{UNWRAP, World, manifest};
use expectrl::session::OsSession;
use expectrl::{Expect, Regex, Session};

/// Runs a shell script on a terminal of its own; `$TOOL` is the command.
fn terminal(world: &World, script: &str) -> OsSession {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(world.path());
    command.env("TOOL", assert_cmd::cargo::cargo_bin!("cargo-uncork"));
    command.env("TERM", "xterm-256color").env("CARGO_NET_OFFLINE", "true");
    for name in ["NO_COLOR", "CI", "CLICOLOR_FORCE", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    let mut session = Session::spawn(command).expect("a terminal");
    session.set_expect_timeout(Some(Duration::from_secs(300)));
    session
}

/// All that is printed until the script says `status:…`, and the status.
fn until_status(session: &mut OsSession) -> (String, i32) {
    let found = session.expect(Regex("status:[0-9]+")).expect("the script ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = found.get(0).map(text).unwrap_or_default();
    (text(found.before()), status.trim_start_matches("status:").parse().expect("a number"))
}

/// A pipe that blocks who opens it for reading until somebody writes.
fn pipe(world: &World) -> PathBuf {
    let path = world.path().join("pipe.toml");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("waited in vain for {what}");
}

fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("a folder").flatten();
    names.map(|e| e.file_name().to_string_lossy().into_owned()).filter(|n| n.ends_with(".tmp")).collect()
}

#[test]
fn progress_is_for_people() {
    let world = World::package(UNWRAP);
    let pipe = pipe(&world);
    let mut session = terminal(&world, "\"$TOOL\" uncork --config pipe.toml; echo status:$?");
    session.expect("finding the code").expect("a spinner");
    fs::write(&pipe, "").expect("written");
    let (out, status) = until_status(&mut session);
    assert!(status == 0 && out.contains("lock-unwrap"), "{out}");
    // Standard error is not a terminal, or someone asked for quiet, or it is a machine.
    for script in [
        "\"$TOOL\" uncork --config pipe.toml 2>err; echo status:$?",
        "\"$TOOL\" uncork -q --config pipe.toml; echo status:$?",
        "CI=1 \"$TOOL\" uncork --config pipe.toml; echo status:$?",
    ] {
        let mut session = terminal(&world, script);
        // Longer than the spinner waits.
        std::thread::sleep(Duration::from_millis(1500));
        fs::write(&pipe, "").expect("written");
        let (out, status) = until_status(&mut session);
        assert!(status == 0 && !out.contains("finding the code"), "{script}: {out}");
    }
    assert_eq!(fs::read_to_string(world.path().join("err")).expect("a file"), "");
}

#[test]
fn sixty_columns_are_enough() {
    let long = "use std::collections::HashMap;\nuse std::sync::{Arc, RwLock};\n\
        /// Shared.\npub struct SessionRegistryOfEverything {\n    sessions_by_identifier: Arc<RwLock<HashMap<u64, String>>>,\n}\n\
        impl SessionRegistryOfEverything {\n    pub fn find(&self, identifier: u64) -> Option<String> {\n        self.sessions_by_identifier.read().unwrap().get(&identifier).cloned()\n    }\n\
        \n    pub fn add(&self, identifier: u64) {\n        self.sessions_by_identifier.write().unwrap().insert(identifier, identifier.to_string());\n    }\n}\n";
    let world = World::package(long);
    for command in
        ["check -q", "check -q --statistics", "rules", "explain shared-map-lock", "explain lock-across-io"]
    {
        // The terminal gets its first size from this side, at any time after the script begins.
        let mut session = terminal(&world, &format!("read go; \"$TOOL\" uncork {command}; echo status:$?"));
        session.get_process_mut().set_window_size(60, 40).expect("a size");
        session.send_line("go").expect("sent");
        let (out, status) = until_status(&mut session);
        assert_eq!(status, 0, "{out}");
        assert!(out.lines().count() > 5, "{out}");
        let plain = anstream::adapter::strip_str(&out).to_string();
        // Code in a rule's page is shown as it is.
        for line in plain.lines().map(str::trim_end).filter(|l| !l.starts_with("    ")) {
            assert!(line.chars().count() <= 60, "{command}: {line}");
        }
    }
}

#[test]
fn control_c_ends_a_check_and_leaves_nothing() {
    let world = World::package(UNWRAP);
    pipe(&world);
    let script = "trap : INT; \"$TOOL\" uncork --output report.txt --config pipe.toml; echo status:$?";
    let mut session = terminal(&world, script);
    session.expect("finding the code").expect("a spinner");
    session.send("\u{3}").expect("sent");
    let (out, status) = until_status(&mut session);
    assert_eq!(status, 130, "{out}");
    assert!(!out.contains("panicked"), "{out}");
    assert!(!world.path().join("report.txt").exists());
    assert_eq!(leftovers(world.path()), [""; 0]);
}

#[test]
fn control_c_while_a_report_is_written_leaves_no_half_of_it() {
    let mut lib = String::from("use std::sync::Mutex;\n");
    for n in 0..3000 {
        lib.push_str(&format!("pub fn f{n}(m: &Mutex<u64>) {{ *m.lock().unwrap() += {n}; }}\n"));
    }
    let world = World::package(&lib);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"))
        .args(["check", "--format", "json", "--output", "report.json"])
        .current_dir(world.path())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    while leftovers(world.path()).is_empty() && child.try_wait().expect("it runs").is_none() {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &pid]).stderr(Stdio::null()).status();
    assert!(interrupted.is_ok());
    let status = child.wait().expect("it ends").code();
    assert_eq!(leftovers(world.path()), [""; 0]);
    match fs::read_to_string(world.path().join("report.json")) {
        Ok(text) => {
            let report: serde_json::Value = serde_json::from_str(&text).expect("a whole report");
            assert_eq!(report["findings"].as_array().map(Vec::len), Some(3000));
        }
        Err(_) => assert_eq!(status, Some(130)),
    }
}

const UNUSED: &str = "// uncork: allow(lock-unwrap) long gone\npub fn a() {}\n";

/// A package whose build script says that it runs, and then waits: `fix` has written, and cargo checks.
fn slow_to_check() -> World {
    let world = World::new(&[
        ("Cargo.toml", &manifest("demo")),
        ("src/lib.rs", UNUSED),
        (
            "build.rs",
            "fn main() {\n    std::fs::write(\"started\", \"\").unwrap();\n    for _ in 0..1200 {\n        \
             if std::path::Path::new(\"stop\").exists() {\n            return;\n        }\n        \
             std::thread::sleep(std::time::Duration::from_millis(50));\n    }\n}\n",
        ),
    ]);
    world.write(".gitignore", "target\n");
    world
}

fn lib(world: &World) -> String {
    fs::read_to_string(world.path().join("src/lib.rs")).expect("it is there")
}

#[test]
fn control_c_in_a_fix_puts_the_files_back() {
    for presses in ["\u{3}", "\u{3}\u{3}"] {
        let world = slow_to_check();
        let script = "trap : INT; \"$TOOL\" uncork fix --allow-no-vcs --offline; echo status:$?";
        let mut session = terminal(&world, script);
        wait_for("the build script", || world.path().join("started").exists());
        assert_ne!(lib(&world), UNUSED, "the fix is on disk while cargo checks it");
        session.send(presses).expect("sent");
        let (out, status) = until_status(&mut session);
        assert_eq!(status, 130, "{out}");
        world.write("stop", "");
        // One that was stopped at once leaves it to the next run.
        if presses.len() == 1 {
            assert_eq!(lib(&world), UNUSED, "{out}");
        }
        let next = world.run(&["fix", "--diff", "--allow-no-vcs", "--offline"]);
        assert!(next.status == 0 && next.out.contains("-// uncork"), "{next:?}");
        assert_eq!(lib(&world), UNUSED);
        assert_eq!(leftovers(&world.path().join("src")), [""; 0]);
    }
}

#[test]
fn control_c_at_the_prompt_ends_at_once() {
    let world = World::package(UNUSED);
    let script = "trap : INT; \"$TOOL\" uncork fix -i --verify none --allow-no-vcs; echo status:$?";
    let mut session = terminal(&world, script);
    session.expect("[q]uit: ").expect("a question");
    session.send("\u{3}").expect("sent");
    let (out, status) = until_status(&mut session);
    assert_eq!((status, lib(&world).as_str()), (130, UNUSED), "{out}");
}

#[test]
fn each_change_is_asked_about() {
    let mut source = String::from("use std::sync::Mutex;\n");
    for name in ["a", "b", "c", "d", "e"] {
        source.push_str(&format!(
            "\npub fn {name}(total: &Mutex<u64>) {{\n    *total.lock().unwrap() += 1;\n}}\n"
        ));
    }
    source.push_str("\n// uncork: allow(lock-unwrap) long gone\npub fn f() {}\n");
    let run = |answers: &[&str]| {
        let world = World::package(&source);
        let script =
            "\"$TOOL\" uncork fix -i --unsafe --verify none --allow-no-vcs --color never; echo status:$?";
        let mut session = terminal(&world, script);
        for answer in answers {
            session.expect("[q]uit: ").expect("a question");
            session.send_line(answer).expect("sent");
        }
        let (out, status) = until_status(&mut session);
        assert_eq!(status, 0, "{out}");
        (lib(&world), out)
    };
    let mended = |text: &str| text.matches("unwrap_or_else(std::sync::PoisonError::into_inner)").count();
    // The safe change comes first.
    let (text, out) = run(&["y", "n", "s", "y", "q"]);
    assert_eq!((text.contains("long gone"), mended(&text)), (false, 1), "{out}");
    assert!(
        text.contains("pub fn a(total: &Mutex<u64>) {\n    *total.lock().unwrap() += 1;"),
        "skipped: {text}"
    );
    assert!(out.contains("2 changes made in 1 file") && out.contains("stopped as asked"), "{out}");
    // All of a rule, and no further question about it.
    let (text, out) = run(&["n", "y", "n", "a"]);
    assert_eq!((text.contains("long gone"), mended(&text)), (true, 4), "{out}");
    // Nothing at all.
    let (text, out) = run(&["q"]);
    assert_eq!(text, source, "{out}");
}
