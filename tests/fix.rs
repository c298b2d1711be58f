//! `fix` on trees that are not as it would like them: every refusal is one line, and nothing of the user's is lost.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{UNWRAP, World, manifest};

const FIXED: &str = "unwrap_or_else(std::sync::PoisonError::into_inner)";

fn git(folder: &Path, args: &[&str]) {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let done = Command::new("git").args(who).args(args).current_dir(folder).output().expect("git runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A package in a repository, all of it committed.
fn committed(files: &[(&str, &str)]) -> World {
    let world = World::new(files);
    world.write(".gitignore", "target\nCargo.lock\n");
    git(world.path(), &["init", "-q"]);
    git(world.path(), &["add", "."]);
    git(world.path(), &["commit", "-qm", "all"]);
    world
}

fn lib(world: &World) -> String {
    fs::read_to_string(world.path().join("src/lib.rs")).expect("it is there")
}

/// The one line that says why, with nothing written.
fn refused(world: &World, args: &[&str], why: &str) {
    let before = lib(world);
    let ran = world.run(args);
    assert_eq!(ran.status, 2, "{ran:?}");
    let said: Vec<&str> = ran.err.lines().filter(|l| !l.trim().is_empty()).collect();
    assert!(said.len() == 1 && said[0].starts_with("error: ") && said[0].contains(why), "{ran:?}");
    assert_eq!(lib(world), before);
}

#[test]
fn a_dirty_tree_and_none_at_all_are_refused() {
    let manifest = manifest("demo");
    let world = committed(&[("Cargo.toml", &manifest), ("src/lib.rs", UNWRAP)]);
    world.write("src/lib.rs", format!("{UNWRAP}// mine\n"));
    refused(&world, &["fix", "--unsafe"], "uncommitted changes (src/lib.rs)");
    git(world.path(), &["add", "."]);
    refused(&world, &["fix", "--unsafe"], "staged changes (src/lib.rs)");
    let ran = world.run(&["fix", "--unsafe", "--allow-dirty", "--allow-staged", "--offline"]);
    assert!(ran.status == 0 && lib(&world).contains(FIXED) && lib(&world).ends_with("// mine\n"), "{ran:?}");

    let world = World::package(UNWRAP);
    refused(&world, &["fix", "--unsafe"], "no version control");
}

#[test]
fn what_did_not_compile_before_is_fixed_all_the_same() {
    let source = format!("{UNWRAP}\npub fn broken() -> u64 {{\n    \"text\"\n}}\n");
    let world = committed(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", &source)]);
    let ran = world.run(&["fix", "--unsafe", "--offline"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.err.contains("no new error beside the 1 error of before"), "{ran:?}");
    assert!(lib(&world).contains(FIXED) && lib(&world).contains("\"text\""));
}

/// A build script that says when it runs, and then waits.
const WAIT: &str = "fn main() {\n    std::fs::write(\"target/started\", \"\").unwrap();\n    \
                    while !std::path::Path::new(\"target/stop\").exists() {\n        \
                    std::thread::sleep(std::time::Duration::from_millis(20));\n    }\n}\n";

/// Starts a run, and waits until it has written and cargo is at work.
fn begun(world: &World, args: &[&str]) -> Child {
    let child = Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"))
        .arg("uncork")
        .args(args)
        .current_dir(world.path())
        .env_remove("CARGO_TARGET_DIR")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let started = Instant::now();
    while !world.path().join("target/started").exists() {
        assert!(started.elapsed() < Duration::from_secs(600), "the build script never ran");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn the_second_of_two_runs_is_told_so() {
    let world = World::new(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", UNWRAP), ("build.rs", WAIT)]);
    let args = ["fix", "--unsafe", "--allow-no-vcs", "--offline"];
    let mut first = begun(&world, &args);
    refused(&world, &args, &format!("{}", first.id()));
    world.write("target/stop", "");
    assert!(first.wait().expect("it ends").success());
    assert!(lib(&world).contains(FIXED), "the first is not disturbed");
}

#[test]
fn a_run_after_one_that_was_killed_begins_with_what_was_there() {
    let world = committed(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", UNWRAP), ("build.rs", WAIT)]);
    let args = ["fix", "--unsafe", "--offline"];
    let mut first = begun(&world, &args);
    first.kill().expect("it is killed");
    first.wait().expect("it has ended");
    world.write("target/stop", "");
    assert!(lib(&world).contains(FIXED), "it was killed with the files written");
    // Where the user has work of their own as well, the tree is dirty all the same.
    world.write("src/mine.rs", "// mine\n");
    let ran = world.run(&args);
    assert!(
        ran.status == 2 && ran.err.contains("lib.rs, which an interrupted run had left half-done; "),
        "{ran:?}"
    );
    assert_eq!(lib(&world), UNWRAP);
    fs::remove_file(world.path().join("src/mine.rs")).expect("it is there");

    let ran = world.run(&args);
    assert!(ran.status == 0 && ran.err.contains("1 change made"), "{ran:?}");
    assert_eq!(lib(&world).matches(FIXED).count(), 1);
}

#[test]
fn what_does_not_parse_is_named() {
    let world = committed(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", "pub fn open() {\n")]);
    let ran = world.run(&["fix", "--unsafe", "--offline"]);
    assert!(ran.status == 2 && ran.err.contains("error: src/lib.rs:"), "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_read_only_file_and_a_full_disk_leave_all_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let many: String = (0..200).map(|i| format!("\n/// Number {i}.\npub fn f{i}() {{}}\n")).collect();
    let world = committed(&[("Cargo.toml", &manifest("demo")), ("src/lib.rs", &format!("{UNWRAP}{many}"))]);
    let path = world.path().join("src/lib.rs");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("a mode");
    refused(&world, &["fix", "--unsafe", "--allow-dirty"], "read-only");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");

    // The system refuses to write more than one block to any file.
    let before = lib(&world);
    let tool = assert_cmd::cargo::cargo_bin!("cargo-uncork");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" uncork fix --unsafe --verify none"])
        .arg(tool)
        .current_dir(world.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: cannot write"), "{said}");
    assert_eq!(lib(&world), before);
    let left: Vec<_> = fs::read_dir(world.path().join("src")).expect("a folder").collect();
    assert_eq!(left.len(), 1, "something was left behind");
    let ran = world.run(&["fix", "--unsafe", "--offline"]);
    assert!(ran.status == 0 && lib(&world).contains(FIXED), "{ran:?}");
}
