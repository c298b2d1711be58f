//! The cache: it changes nothing but the time a run takes, and nothing that happens to it makes a run fail.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Ran, UNWRAP, World, manifest};
use proptest::prelude::*;
use uncork_engine::storage::{Disk, Storage};
use uncork_engine::{Database, Options};

fn store(world: &World) -> PathBuf {
    world.path().join("target/uncork/store")
}

/// Whether a run showed what an earlier one had found.
fn recalled(ran: &Ran) -> bool {
    assert!(ran.err.contains("read and parse"), "{ran:?}");
    let (compared, analysed) = (ran.err.contains(" compare "), ran.err.contains(" analyse "));
    assert_ne!(compared, analysed, "{ran:?}");
    compared
}

fn timed(world: &World) -> Ran {
    world.run(&["check", "--timings"])
}

#[test]
fn the_second_run_is_recalled_and_reads_the_same() {
    let world = World::package(UNWRAP);
    let cold = timed(&world);
    assert!(!recalled(&cold));
    assert!(cold.out.contains("lock-unwrap"), "{cold:?}");
    let warm = timed(&world);
    assert!(recalled(&warm));
    assert_eq!(warm.out, cold.out);
    for format in ["json", "jsonl", "sarif", "html", "junit", "markdown", "gitlab", "github", "short"] {
        let args = ["check", "--format", format];
        let cached = world.run(&args);
        assert_eq!(cached.out, world.run(&[&args[..], &["--no-cache"]].concat()).out, "{format}");
    }
}

#[test]
fn every_input_counts() {
    let world = World::new(&[
        ("Cargo.toml", &manifest("demo")),
        ("src/lib.rs", "mod a;\nmod gone;\n"),
        ("src/a/mod.rs", UNWRAP),
    ]);
    let changes: [(&str, &str); 9] = [
        ("src/a/mod.rs", "pub fn nothing() {}\n"),
        // A file that is found before the one read so far.
        ("src/gone.rs", UNWRAP),
        ("uncork.toml", "[levels]\nlock-unwrap = \"deny\"\n"),
        ("src/uncork.toml", "[levels]\nlock-unwrap = \"allow\"\n"),
        ("src/uncork.toml", ""),
        ("src/unreached.rs", "fn f() {}\n"),
        (".gitignore", "unreached.rs\n"),
        ("src/gone.rs", "not Rust at all {\n"),
        ("Cargo.toml", &(manifest("demo") + "[[bin]]\nname = \"tool\"\npath = \"src/unreached.rs\"\n")),
    ];
    timed(&world);
    assert!(recalled(&timed(&world)));
    for (path, text) in changes {
        world.write(path, text);
        let new = timed(&world);
        assert!(!recalled(&new), "{path}: {text}");
        let bare = world.run(&["check", "--no-cache"]);
        assert_eq!((&new.out, new.status), (&bare.out, bare.status), "{path}: {text}");
        let again = timed(&world);
        assert!(recalled(&again), "{path}: {text}");
        assert_eq!((again.out, again.status), (bare.out, bare.status));
    }
}

/// How many lowered files are kept.
fn lowered(world: &World) -> usize {
    let db = Database::open(store(world), Options::default()).expect("it opens");
    let table = db.existing_table("lowered").expect("the table");
    let rows = table.iter().expect("rows").count();
    db.close().expect("it closes");
    rows
}

#[test]
fn after_an_edit_only_that_file_is_parsed() {
    let mut lib = String::new();
    let world = World::package("");
    for n in 0..80 {
        lib.push_str(&format!("mod m{n};\n"));
        world.write(&format!("src/m{n}.rs"), format!("{UNWRAP}// {n}\n"));
    }
    world.write("src/lib.rs", &lib);
    timed(&world);
    assert_eq!(lowered(&world), 81);
    for (n, text) in ["pub fn empty() {}\n", UNWRAP, "pub fn full() {}\n"].into_iter().enumerate() {
        world.write("src/m7.rs", text);
        let ran = timed(&world);
        assert!(!recalled(&ran));
        assert!(ran.err.contains("unpack the rest"), "{ran:?}");
        assert_eq!(lowered(&world), 82 + n, "one more each time");
        let bare = world.run(&["check", "--no-cache"]);
        assert_eq!((ran.out, ran.status), (bare.out, bare.status));
    }
    sound(&world);
}

#[test]
fn a_file_with_its_old_time_and_length_is_seen_to_differ() {
    let world = World::package(UNWRAP);
    let path = world.path().join("src/lib.rs");
    let before = fs::metadata(&path).and_then(|m| m.modified()).expect("a time");
    timed(&world);
    let other = UNWRAP.replace(".lock().unwrap()", ".lock().anyway()");
    assert_eq!(other.len(), UNWRAP.len());
    fs::write(&path, &other).expect("written");
    let file = fs::File::options().write(true).open(&path).expect("opened");
    file.set_modified(before).expect("set");
    let ran = timed(&world);
    assert!(!recalled(&ran));
    assert!(!ran.out.contains("lock-unwrap"), "{ran:?}");
}

#[test]
fn other_arguments_are_another_run() {
    let world = World::package(UNWRAP);
    world.write("tests/it.rs", UNWRAP);
    for _ in 0..2 {
        assert_eq!(world.found(&[]), ["src/lib.rs:4 lock-unwrap"]);
        assert_eq!(world.found(&["--tests"]), ["src/lib.rs:4 lock-unwrap", "tests/it.rs:4 lock-unwrap"]);
        assert_eq!(world.found(&["-A", "all"]), [""; 0]);
        assert_eq!(world.found(&["tests", "--tests"]), ["tests/it.rs:4 lock-unwrap"]);
        assert_eq!(world.run(&["check", "--deny", "warn"]).status, 1);
    }
}

#[test]
fn without_cache_nothing_is_kept() {
    let world = World::package(UNWRAP);
    world.run(&["check", "--no-cache"]);
    assert!(!world.path().join("target").exists());
    let folder = World::new(&[("a.rs", UNWRAP)]);
    assert_eq!(folder.found(&[]), ["a.rs:4 lock-unwrap"]);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1, "a folder is left as it is");
    let place = tempfile::tempdir().expect("a folder");
    let asked = place.path().join("kept");
    let asked = asked.to_str().expect("UTF-8");
    let args = ["check", "--timings", "--cache-dir", asked];
    assert!(!recalled(&folder.run(&args)));
    assert!(recalled(&folder.run(&args)));
    folder.write("b.rs", UNWRAP);
    assert!(!recalled(&folder.run(&args)));
}

#[test]
fn cargo_clean_clears_it() {
    let world = World::package(UNWRAP);
    timed(&world);
    assert!(store(&world).is_dir());
    let mut clean = std::process::Command::new(env!("CARGO"));
    let clean = clean.args(["clean", "--quiet", "--offline"]).current_dir(world.path());
    assert!(clean.env_remove("CARGO_TARGET_DIR").status().expect("it runs").success());
    assert!(!store(&world).exists());
    assert!(!recalled(&timed(&world)));
    assert!(recalled(&timed(&world)));
}

#[test]
fn whoever_cannot_have_it_runs_without() {
    let world = World::package(UNWRAP);
    let bare = world.run(&["check", "--no-cache"]);
    timed(&world);
    let held = Database::open(store(&world), Options::default()).expect("it opens");
    let ran = timed(&world);
    assert!(!recalled(&ran));
    assert_eq!((&ran.out, ran.status), (&bare.out, bare.status));
    assert!(!ran.err.contains("warning"), "{ran:?}");
    let told = world.run(&["check", "-v"]);
    assert!(told.err.contains("note: without cache: "), "{told:?}");
    held.close().expect("it closes");
    assert!(recalled(&timed(&world)));
    // Where no folder can be made.
    let world = World::package(UNWRAP);
    world.write("target", "a file");
    for args in [&["check"][..], &["check", "-v"]] {
        let ran = world.run(args);
        assert_eq!((&ran.out, ran.status), (&bare.out, bare.status));
        assert!(!ran.err.contains("warning:") && !ran.err.contains("error:"), "{ran:?}");
    }
    assert_eq!(world.run(&["check"]).err, "");
    let about = fs::read_to_string(world.path().join("target")).expect("still a file");
    assert_eq!(about, "a file");
}

#[test]
fn many_at_once() {
    let world = World::package(UNWRAP);
    for round in 0..3 {
        let bare = world.run(&["check", "--no-cache"]);
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| world.run(&["check"]))).collect();
            for run in runs {
                let ran = run.join().expect("it ends");
                assert_eq!((&ran.out, ran.status, ran.err.as_str()), (&bare.out, bare.status, ""));
            }
        });
        sound(&world);
        world.write("tests/it.rs", format!("// {round}\n"));
    }
    timed(&world);
    assert!(recalled(&timed(&world)));
}

/// Asserts that the store has no damage.
fn sound(world: &World) {
    let disk: Arc<dyn Storage> = Arc::new(Disk::default());
    let report = uncork_engine::check(&disk, &store(world)).expect("it can be read");
    assert!(report.damage.is_empty(), "{:?}", report.damage);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|e| if e.path().is_dir() { files_below(&e.path()) } else { vec![e.path()] }).collect()
}

#[test]
fn damage_is_set_aside_with_one_warning() {
    let world = World::package(UNWRAP);
    let bare = world.run(&["check", "--no-cache"]);
    for what in ["garbage", "cut short", "foreign"] {
        timed(&world);
        assert!(recalled(&timed(&world)), "{what}");
        match what {
            "foreign" => {
                fs::remove_dir_all(store(&world)).expect("removed");
                world.write("target/uncork/store/notes.txt", "mine");
            }
            _ => {
                for file in files_below(&store(&world)).iter().filter(|f| !f.ends_with("LOCK")) {
                    let length = fs::metadata(file).expect("it is there").len() as usize;
                    let text = if what == "garbage" { vec![0xa5; length.max(64)] } else { vec![0xa5; 10] };
                    fs::write(file, text).expect("written");
                }
            }
        }
        let ran = timed(&world);
        assert_eq!((&ran.out, ran.status), (&bare.out, bare.status), "{what}");
        assert_eq!(ran.err.matches("warning").count(), 1, "{what}: {ran:?}");
        assert!(world.path().join("target/uncork/damaged").is_dir(), "{what}");
        let ran = timed(&world);
        assert!(recalled(&ran), "{what}");
        assert!(!ran.err.contains("warning"), "{what}: {ran:?}");
        sound(&world);
    }
    assert!(world.path().join("target/uncork/damaged/notes.txt").is_file(), "nothing is thrown away");
}

#[test]
fn any_single_damaged_byte_changes_no_finding() {
    let world = World::package(UNWRAP);
    let bare = world.run(&["check", "--no-cache"]);
    timed(&world);
    let files = files_below(&store(&world));
    let mut seed = 7_u64;
    for file in files.iter().filter(|f| !f.ends_with("LOCK")) {
        let whole = fs::read(file).expect("read");
        let used = whole.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 33) as usize % used.max(1);
            let mut hurt = whole.clone();
            let Some(byte) = hurt.get_mut(at) else { continue };
            *byte ^= 1 << (seed >> 60 & 7);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, hurt).expect("written");
            let ran = world.run(&["check"]);
            assert_eq!((&ran.out, ran.status), (&bare.out, bare.status), "{}: byte {at}", file.display());
        }
        let _ = fs::remove_dir_all(store(&world));
        timed(&world);
    }
}

/// How often the killing test kills: few in CI.
fn rounds() -> u32 {
    std::env::var("KILL_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(8)
}

#[test]
fn killed_at_any_point_the_next_run_is_right() {
    let world = World::package(UNWRAP);
    let start = Instant::now();
    timed(&world);
    let whole = start.elapsed().max(Duration::from_millis(10));
    let mut seed = 11_u64;
    let mut cut = 0;
    for round in 0..rounds() {
        // Something to find and something to write in every round.
        world.write("src/lib.rs", format!("{UNWRAP}\npub fn f{round}() {{}}\n"));
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let wait = whole.mul_f64((seed >> 40) as f64 / f64::from(1 << 24) * 1.2);
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("cargo-uncork"));
        let command =
            command.args(["uncork", "check"]).current_dir(world.path()).env_remove("CARGO_TARGET_DIR");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(wait);
        // Ends at once, like `kill -9`.
        child.kill().expect("killed");
        cut += u32::from(child.wait().expect("ended").code().is_none());
        let (ran, bare) = (world.run(&["check"]), world.run(&["check", "--no-cache"]));
        assert_eq!((&ran.out, ran.status), (&bare.out, bare.status), "round {round}");
        assert!(!ran.err.contains("warning"), "round {round}: {ran:?}");
        assert!(recalled(&timed(&world)), "round {round}");
        sound(&world);
    }
    println!("{cut} of {} runs were cut short", rounds());
}

#[test]
fn fixing_looks_at_the_code_as_it_is() {
    let world = World::package("pub fn nothing() {}\n");
    timed(&world);
    world.write("src/lib.rs", UNWRAP);
    let args = ["fix", "--unsafe", "--diff", "--allow-no-vcs"];
    let planned = world.run(&args);
    assert!(planned.out.contains("-    *total.lock().unwrap() += 1;"), "{planned:?}");
    world.write("src/lib.rs", "pub fn nothing() {}\n");
    assert_eq!(world.run(&args).out, "");
}

fn git(world: &World, args: &[&str]) {
    let mut git = std::process::Command::new("git");
    let names = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    let git = git.current_dir(world.path()).args(names).args(args);
    assert!(git.stdout(Stdio::null()).status().expect("git runs").success(), "{args:?}");
}

#[test]
fn trend_shows_runs() {
    let world = World::package(UNWRAP);
    let empty = world.run(&["trend"]);
    assert_eq!((empty.status, empty.out.contains("no runs yet")), (0, true), "{empty:?}");
    world.write(".gitignore", "target\n");
    git(&world, &["init", "-q"]);
    git(&world, &["add", "-A"]);
    git(&world, &["commit", "-q", "-m", "one"]);
    for _ in 0..3 {
        world.run(&["check"]);
    }
    world.write(
        "src/lib.rs",
        format!("{UNWRAP}{}", UNWRAP.replace("add(", "sub(").replace("use ", "pub use ")),
    );
    git(&world, &["commit", "-q", "-a", "-m", "two"]);
    world.run(&["check"]);
    world.run(&["check", "src"]);
    world.run(&["check", "-A", "all"]);
    world.run(&["check", "--no-cache", "-W", "all"]);
    let json = |args: &[&str]| -> Vec<serde_json::Value> {
        let ran = world.run(&[&["trend", "--format", "json"], args].concat());
        let value: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        value["runs"].as_array().expect("a list").clone()
    };
    let all = json(&["--all"]);
    let seen: Vec<(u64, &str)> = all
        .iter()
        .map(|r| (r["findings"].as_u64().expect("a number"), r["options"].as_str().expect("text")))
        .collect();
    assert_eq!(seen, [(1, ""), (2, ""), (0, "-A all")], "equal runs of one commit are one");
    assert_ne!(all[0]["commit"], all[1]["commit"]);
    assert_eq!(all[1]["commit"], all[2]["commit"]);
    assert_eq!(all[1]["counts"][0]["rule"], "lock-unwrap");
    assert_eq!(json(&[]).len(), 1, "by default those of the newest run");
    world.write("src/lib.rs", UNWRAP);
    world.run(&["check"]);
    let table = world.run(&["trend"]);
    let rows: Vec<Vec<&str>> = table.out.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..4], ["time", "(UTC)", "commit", "findings"]);
    assert_eq!(rows[2][3..5], ["2", "+1"]);
    assert_eq!(rows[3][3..5], ["1", "-1"]);
    assert_eq!(rows[5], ["lock-unwrap", "1", "=", "▁█▁"]);
    assert!(table.out.contains("1 more with other arguments"), "{table:?}");
    let folder = World::new(&[("a.rs", "")]);
    folder.run(&["trend"]).fails_with(&["--cache-dir"]);
}

/// An edit of a project.
#[derive(Clone, Debug)]
enum Edit {
    Write(usize, usize),
    Remove(usize),
    Append(usize, String),
    Touch(usize),
}

const FILES: [&str; 8] = [
    "src/lib.rs",
    "src/a.rs",
    "src/a/mod.rs",
    "src/b.rs",
    "src/bin/tool.rs",
    "tests/it.rs",
    "uncork.toml",
    "src/uncork.toml",
];

/// What files may hold: some lead to others, some use what others declare, some are broken.
fn texts() -> Vec<String> {
    let table = "use std::{collections::HashMap, sync::RwLock};\n#[derive(Default)]\npub struct Table { pub map: RwLock<HashMap<u32, String>> }\nimpl Table {\n    pub fn get(&self, k: u32) -> Option<String> { self.map.read().unwrap().get(&k).cloned() }\n    pub fn put(&self, k: u32, v: String) { self.map.write().unwrap().insert(k, v); }\n    pub fn save(&self) { let map = self.map.read().unwrap(); std::fs::write(\"x\", format!(\"{}\", map.len())).unwrap(); }\n}\n";
    vec![
        "pub mod a;\npub mod b;\n".to_owned(),
        "mod a;\ninclude!(\"b.rs\");\n".to_owned(),
        "pub fn save() { std::fs::write(\"x\", \"y\").unwrap(); }\n".to_owned(),
        "pub fn save() {}\n".to_owned(),
        UNWRAP.to_owned(),
        format!("// uncork: allow-file(lock-unwrap) why not\n{UNWRAP}"),
        table.to_owned(),
        table.replace("Table", "Other"),
        "use crate::a;\npub fn hold(m: &std::sync::Mutex<u32>) { let g = m.lock().unwrap(); a::save(); drop(g); }\n"
            .to_owned(),
        "fn broken( {\n".to_owned(),
        "fn main() {}\n".to_owned(),
        "[levels]\nlock-unwrap = \"deny\"\n".to_owned(),
        "tests = true\n".to_owned(),
        String::new(),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let file = 0..FILES.len();
    prop_oneof![
        4 => (file.clone(), 0..texts().len()).prop_map(|(f, t)| Edit::Write(f, t)),
        1 => file.clone().prop_map(Edit::Remove),
        2 => (file.clone(), "(\n|// words\n|pub fn q\\(\\) \\{\\}\n){1,3}").prop_map(|(f, t)| Edit::Append(f, t)),
        1 => file.prop_map(Edit::Touch),
    ]
}

fn apply(world: &World, edit: &Edit) {
    let full = |f: usize| world.path().join(FILES[f]);
    match edit {
        Edit::Write(file, text) => world.write(FILES[*file], &texts()[*text]),
        Edit::Remove(file) => drop(fs::remove_file(full(*file))),
        Edit::Append(file, more) => {
            if let Ok(text) = fs::read_to_string(full(*file)) {
                world.write(FILES[*file], text + more);
            }
        }
        Edit::Touch(file) => {
            if let Ok(text) = fs::read(full(*file)) {
                world.write(FILES[*file], text);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cold, warm and without cache a run prints the same, whatever was edited in between.
    #[test]
    fn edits_never_show_what_was(edits in proptest::collection::vec(edit(), 1..8)) {
        let world = World::new(&[
            ("Cargo.toml", &manifest("demo")),
            ("src/lib.rs", &texts()[0]),
            ("src/a.rs", &texts()[2]),
            ("src/b.rs", &texts()[8]),
        ]);
        let args = ["check", "--format", "json"];
        for edit in &edits {
            apply(&world, edit);
            let bare = world.run(&[&args[..], &["--no-cache"]].concat());
            for _ in 0..2 {
                let ran = world.run(&args);
                prop_assert_eq!((&ran.out, &ran.err, ran.status), (&bare.out, &bare.err, bare.status), "{:?}", edit);
            }
        }
    }
}
