//! Whatever is wrong with the input: one clear line that names file and place, status 2, nothing written.

mod common;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use common::{UNWRAP, World, manifest};

#[test]
fn a_path_that_does_not_exist() {
    let world = World::package(UNWRAP);
    world.run(&["check", "nowhere/a.rs"]).fails_with(&["nowhere/a.rs", "no such file or folder"]);
    world
        .run(&["check", "--manifest-path", "x/Cargo.toml"])
        .fails_with(&["x/Cargo.toml", "no such manifest"]);
}

#[test]
fn a_file_that_is_not_utf8() {
    let world = World::package(UNWRAP);
    world.write("src/lib.rs", b"mod bad;\n".as_slice());
    world.write("src/bad.rs", b"fn a() {}\n// caf\xe9\n".as_slice());
    world.run(&["check"]).fails_with(&["src/bad.rs:2:7", "not UTF-8", "offset 16"]);
}

#[test]
fn a_file_with_nul_bytes() {
    let world = World::new(&[("a.rs", "fn a() {}\n\0\0\n")]);
    world.run(&["check", "a.rs"]).fails_with(&["a.rs:2:1", "NUL"]);
}

#[test]
fn a_file_that_does_not_parse_and_the_rest_goes_on() {
    let world = World::package(&format!("mod bad;\nmod good;\n{UNWRAP}"));
    world.write("src/bad.rs", "fn a( {\n");
    world.write("src/good.rs", UNWRAP);
    let ran = world.run(&["check", "--format", "short"]);
    ran.fails_with(&["src/bad.rs:1:"]);
    assert!(ran.out.contains("src/good.rs:4:"), "{ran:?}");
    assert_eq!(
        world.found(&[]),
        ["src/bad.rs:1 unreadable-file", "src/good.rs:4 lock-unwrap", "src/lib.rs:6 lock-unwrap"]
    );
}

#[test]
fn unreadable_files_can_be_accepted_or_left_out() {
    let world = World::package("mod bad;\n");
    world.write("src/bad.rs", "fn a( {\n");
    assert_eq!(world.run(&["check", "-A", "unreadable-file"]).status, 0);
    world.write("uncork.toml", "exclude = [\"src/bad.rs\"]\n");
    let ran = world.run(&["check"]);
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::package("mod secret;\n");
    world.write("src/secret.rs", "fn a() {}\n");
    let file = world.path().join("src/secret.rs");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("permissions");
    let ran = world.run(&["check"]);
    // Who may read everything (root) is not stopped by the mode.
    match fs::read(&file) {
        Ok(_) => assert_eq!(ran.status, 0, "{ran:?}"),
        Err(_) => ran.fails_with(&["src/secret.rs:1:1", "permission denied"]),
    }
}

#[test]
fn nesting_as_deep_as_it_may_be() {
    for depth in [200, 20_000] {
        let text = format!("fn f() -> u32 {{ {}1{} }}\n", "(".repeat(depth), ")".repeat(depth));
        let world = World::new(&[("deep.rs", &text)]);
        let ran = world.run(&["check", "deep.rs"]);
        assert!(matches!(ran.status, 0 | 2), "depth {depth}: {ran:?}");
        if ran.status == 2 {
            ran.fails_with(&["deep.rs:1:"]);
        }
        assert!(depth > 200 || ran.status == 0, "{ran:?}");
    }
}

#[test]
fn one_line_of_ten_megabytes() {
    let mut text = String::from("use std::sync::Mutex; ");
    for n in 0..200 {
        text.push_str(&format!("pub fn f{n}(m: &Mutex<u64>) {{ *m.lock().unwrap() += {n}; }} "));
    }
    text.push_str(&format!("pub static LONG: &str = \"{}\";\n", "é ".repeat((10 << 20) / 3)));
    let world = World::new(&[("long.rs", &text)]);
    let ran = world.run(&["check", "--format", "short", "long.rs"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.matches("lock-unwrap").count() >= 200);
}

#[cfg(unix)]
#[test]
fn links_that_lead_in_circles() {
    use std::os::unix::fs::symlink;
    let world = World::new(&[("dir/a.rs", UNWRAP)]);
    symlink("..", world.path().join("dir/up")).expect("a link");
    world.run(&["check", "."]).fails_with(&["dir/up:1:1", "leads back"]);
    let world = World::new(&[]);
    symlink("b.rs", world.path().join("a.rs")).expect("a link");
    symlink("a.rs", world.path().join("b.rs")).expect("a link");
    world.run(&["check", "a.rs"]).fails_with(&["a.rs", "symbolic links"]);
    let world = World::package("mod a;\n");
    symlink("a.rs", world.path().join("src/a.rs")).expect("a link");
    assert_eq!(world.run(&["check"]).status, 0, "rustc cannot find the module either; cfg may leave it out");
}

#[test]
fn an_empty_folder_and_an_empty_workspace() {
    let world = World::new(&[]);
    world.run(&["check"]).fails_with(&["no Rust file below"]);
    let world = World::new(&[("Cargo.toml", "[workspace]\nmembers = []\n")]);
    world.run(&["check"]).fails_with(&["Cargo.toml", "no member"]);
}

#[test]
fn a_virtual_workspace() {
    let world = World::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n"),
        ("crates/a/Cargo.toml", &manifest("a")),
        ("crates/a/src/lib.rs", UNWRAP),
        ("crates/b/Cargo.toml", &manifest("b")),
        ("crates/b/src/main.rs", "fn main() {}\n"),
    ]);
    assert_eq!(world.found(&[]), ["crates/a/src/lib.rs:4 lock-unwrap"]);
    assert_eq!(world.found(&["-p", "b"]), [""; 0]);
    world.run(&["check", "-p", "aa"]).fails_with(&["package `aa`", "did you mean `a`?"]);
}

#[test]
fn a_broken_manifest() {
    let world = World::new(&[("Cargo.toml", "[package\nname = 1\n"), ("src/lib.rs", UNWRAP)]);
    world.run(&["check"]).fails_with(&["Cargo.toml:1:9"]);
}

#[test]
fn configuration_that_nobody_knows() {
    let world = World::package(UNWRAP);
    world.write("uncork.toml", "# comment\nlevles = { all = \"deny\" }\n");
    world.run(&["check"]).fails_with(&["uncork.toml:2:1", "unknown key `levles`", "did you mean `levels`?"]);
    world.write("uncork.toml", "[levels]\nall = \"warn\"\nlock-unwarp = \"deny\"\n");
    world.run(&["check"]).fails_with(&["uncork.toml:3:1", "`lock-unwarp`", "did you mean `lock-unwrap`?"]);
    world.write("uncork.toml", "[levels]\nall = \"forbid\"\n");
    world.run(&["check"]).fails_with(&["uncork.toml:2:7", "not `forbid`"]);
    world.write("uncork.toml", "[rules.lock-unwrap]\npoisn = \"recover\"\n");
    world.run(&["check"]).fails_with(&["uncork.toml:2:1", "`poisn`", "did you mean `poison`?"]);
    world.write("uncork.toml", "exclude = \"a\"\n");
    world.run(&["check"]).fails_with(&["uncork.toml:1:11"]);
    world.write("uncork.toml", "[knowledge.type.\"x::Lock\"]\nlok = \"mutex\"\n");
    world.run(&["check"]).fails_with(&["uncork.toml:2:1", "`lok`", "did you mean `lock`?"]);
    world.write("uncork.toml", "a = [\n");
    world.run(&["check"]).fails_with(&["uncork.toml:"]);
    world.run(&["check", "--no-config", "--config", "x.toml"]).fails_with(&["--no-config"]);
    let ran = world.run(&["check", "--no-config"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    world.run(&["check", "--config", "gone.toml"]).fails_with(&["gone.toml", "no such file"]);
}

#[test]
fn configuration_in_a_manifest() {
    let text = manifest("demo") + "[package.metadata.uncork]\nseverty = \"high\"\n";
    let world = World::new(&[("Cargo.toml", &text), ("src/lib.rs", UNWRAP)]);
    world.run(&["check"]).fails_with(&["Cargo.toml:6:1", "did you mean `severity`?"]);
    let text = manifest("demo") + "[package.metadata.uncork]\ntests = 1\n";
    world.write("Cargo.toml", text);
    world.run(&["check"]).fails_with(&["Cargo.toml:6:9", "`tests` wants `true` or `false`, not an integer"]);
    let text = manifest("demo") + "[package.metadata.uncork.levels]\nlock-unwrap = \"deny\"\n";
    world.write("Cargo.toml", text);
    assert_eq!(world.run(&["check"]).status, 1);
    // The file beside it wins where both speak.
    world.write("uncork.toml", "[levels]\nlock-unwrap = \"warn\"\n");
    assert_eq!(world.run(&["check"]).status, 0);
    world.write("uncork.toml", "severity = \"low\"\n");
    assert_eq!(world.run(&["check"]).status, 1);
}

#[test]
fn configuration_in_the_wrong_folder() {
    let world = two_packages();
    world.write("crates/b/uncork.toml", "[rules.lock-unwrap]\npoison = \"propagate\"\n");
    world.run(&["check"]).fails_with(&["crates/b/uncork.toml:1:2", "`rules` belongs in the workspace root"]);
    world.write("crates/b/uncork.toml", "overides = []\n");
    world.run(&["check"]).fails_with(&["crates/b/uncork.toml:1:1", "did you mean `overrides`?"]);
    world.write("crates/b/uncork.toml", "[[overrides]]\nlevels = { all = \"deny\" }\n");
    world.run(&["check"]).fails_with(&["crates/b/uncork.toml:1:1", "needs `paths`"]);
    world.write("crates/b/uncork.toml", "");
    world.write("crates/b/src/uncork.toml", "exclude = [\"x.rs\"]\n");
    world.run(&["check"]).fails_with(&["crates/b/src/uncork.toml:1:1", "`exclude` belongs in"]);
}

#[test]
fn features_that_no_package_has() {
    let world = two_packages();
    world.write("crates/a/Cargo.toml", manifest("a") + "[features]\nfast = []\n");
    for fine in ["fast", "a/fast", "fast,a/fast", "elsewhere/any"] {
        assert_eq!(world.run(&["check", "--features", fine]).status, 0, "{fine}");
    }
    world.run(&["check", "--features", "fsat"]).fails_with(&["feature `fsat`", "did you mean `fast`?"]);
    world.run(&["check", "-F", "b/fast"]).fails_with(&["feature `b/fast`"]);
    let ran = world.run(&["check", "--no-default-features"]);
    assert!(ran.status == 0 && ran.err.contains("changes nothing"), "{ran:?}");
}

/// A virtual workspace of two libraries, each with a finding.
fn two_packages() -> World {
    World::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"3\"\n"),
        ("crates/a/Cargo.toml", &manifest("a")),
        ("crates/a/src/lib.rs", UNWRAP),
        ("crates/b/Cargo.toml", &manifest("b")),
        ("crates/b/src/lib.rs", UNWRAP),
    ])
}

#[test]
fn rules_that_nobody_knows() {
    let world = World::package(UNWRAP);
    world.run(&["check", "-D", "lock-unwarp"]).fails_with(&["did you mean `lock-unwrap`?"]);
    world.run(&["check", "-A", "qqqqqqqq"]).fails_with(&["qqqqqqqq", "cargo uncork rules"]);
    world.run(&["explain", "lock-unwarp"]).fails_with(&["did you mean `lock-unwrap`?"]);
}

#[test]
fn output_that_cannot_be_written() {
    let world = World::package(UNWRAP);
    world.run(&["check", "--output", "gone/report.json"]).fails_with(&["gone/report.json", "does not exist"]);
    world.run(&["check", "--output", "src"]).fails_with(&["src", "a folder"]);
    world.write("old.json", "old");
    let file = world.path().join("old.json");
    let mut permissions = fs::metadata(&file).expect("it is there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).expect("permissions");
    world.run(&["check", "--output", "old.json"]).fails_with(&["old.json", "read-only"]);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
}

#[test]
fn nobody_reads_standard_output() {
    let mut lib = String::from("use std::sync::Mutex;\n");
    for n in 0..2000 {
        lib.push_str(&format!("pub fn f{n}(m: &Mutex<u64>) {{ *m.lock().unwrap() += {n}; }}\n"));
    }
    let world = World::package(&lib);
    for args in [
        vec!["check"],
        vec!["check", "--format", "json"],
        vec!["rules"],
        vec!["explain", "lock-unwrap"],
        vec!["man"],
    ] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"))
            .args(&args)
            .current_dir(world.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{args:?}: {err}");
        assert_eq!(err, "", "{args:?}");
    }
}

#[test]
fn standard_input_that_is_no_rust() {
    let world = World::new(&[]);
    let ran = world.run_with_input(&["check", "-"], b"\xff\xfe");
    ran.fails_with(&["standard input", "not UTF-8 at byte 0"]);
    world.run_with_input(&["check", "-"], b"fn (").fails_with(&["<stdin>:1:"]);
    world.run(&["check", "-", "src"]).fails_with(&["`-`"]);
}

#[test]
fn usage_errors() {
    let world = World::package(UNWRAP);
    for args in
        [vec!["check", "--format", "xml"], vec!["check", "--severity", "huge"], vec!["check", "--nope"]]
    {
        let ran = world.run(&args);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.err.starts_with("error:"), "{ran:?}");
    }
}
