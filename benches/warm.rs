//! A scan with a cache against one without: nothing changed, and one file changed, round by round.
//!
//! `UNCORK_CORPUS=path cargo bench --bench warm` names a cargo project; it is copied, without `target` and `.git`, and only
//! the copy is changed. Every time is that of a whole process of the tool, from its start to its end, with `cargo metadata`
//! and the report (JSON, thrown away); files come from the page cache. A round runs all kinds one after the other, and a
//! ratio is taken within a round. Each round also holds what is printed against a scan without cache. What was measured so
//! far: `docs/performance.md`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let Some(corpus) = std::env::var_os("UNCORK_CORPUS").map(PathBuf::from) else {
        println!("UNCORK_CORPUS names the project to scan");
        return;
    };
    let copy = std::env::temp_dir().join(format!("uncork-warm-{}", std::process::id()));
    if let Err(error) = copy_sources(&corpus, &copy) {
        println!("{}: {error}", corpus.display());
        return;
    }
    let largest = largest_file(&copy.join("src")).or_else(|| largest_file(&copy));
    let mut rounds: Vec<[Duration; 5]> = Vec::new();
    let mut same = true;
    for round in 0..ROUNDS {
        let _ = std::fs::remove_dir_all(copy.join("target"));
        let (bare, first) = scan(&copy, &["--no-cache"]);
        let (empty, _) = scan(&copy, &[]);
        let (warm, again) = scan(&copy, &[]);
        same &= first == again;
        let mut times = [bare, empty, warm, Duration::ZERO, Duration::ZERO];
        let Some(file) = &largest else { continue };
        let before = std::fs::read_to_string(file).unwrap_or_default();
        for (n, edit) in [comment, statement].into_iter().enumerate() {
            let _ = std::fs::write(file, edit(&before, round));
            let (time, shown) = scan(&copy, &[]);
            times[3 + n] = time;
            same &= shown == scan(&copy, &["--no-cache"]).1;
            let _ = std::fs::write(file, &before);
            scan(&copy, &[]);
        }
        rounds.push(times);
    }
    let _ = std::fs::remove_dir_all(&copy);
    let names =
        ["no cache", "empty cache", "nothing changed", "comment in one file", "statement in one file"];
    println!("{:<24}{:>10}{:>10}  (median of {ROUNDS}; least to greatest)", "", "ms", "ratio");
    for (n, name) in names.iter().enumerate() {
        let mut millis: Vec<f64> = rounds.iter().map(|r| r[n].as_secs_f64() * 1e3).collect();
        let mut ratios: Vec<f64> = rounds.iter().map(|r| r[n].as_secs_f64() / r[0].as_secs_f64()).collect();
        millis.sort_by(f64::total_cmp);
        ratios.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else { continue };
        println!(
            "{name:<24}{:>10.1}{:>10.3}  ({least:.3} to {most:.3})",
            millis[millis.len() / 2],
            ratios[ratios.len() / 2],
        );
    }
    println!("what is printed is {}", if same { "the same in all of them" } else { "NOT the same" });
    if !same {
        std::process::exit(1);
    }
}

/// A comment above the first function: every place below it moves.
fn comment(text: &str, round: usize) -> String {
    match text.find("\nfn ").or_else(|| text.find("\npub fn ")).or_else(|| text.find("\nimpl")) {
        Some(at) => format!("{}\n// round {round}{}", &text[..at], &text[at..]),
        None => format!("// round {round}\n{text}"),
    }
}

/// A statement at the beginning of the last function's body that has a block of its own lines.
fn statement(text: &str, round: usize) -> String {
    let at = text.rfind(") {\n").map_or(text.len(), |at| at + ") {\n".len());
    format!("{}let _round = {round}u64;\n{}", &text[..at], &text[at..])
}

/// The time of a scan, and what it printed.
fn scan(project: &Path, args: &[&str]) -> (Duration, Vec<u8>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-uncork"));
    command.current_dir(project).args(["check", "--workspace", "--format", "json"]).args(args);
    command.env_remove("CARGO_TARGET_DIR").stderr(Stdio::null());
    let start = Instant::now();
    let output = command.output();
    let time = start.elapsed();
    (time, output.map(|o| o.stdout).unwrap_or_default())
}

fn copy_sources(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let target = to.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() && name != "target" && name != ".git" {
            copy_sources(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn largest_file(folder: &Path) -> Option<PathBuf> {
    let mut best: Option<(u64, PathBuf)> = None;
    let mut work = vec![folder.to_owned()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, size) = (entry.path(), entry.metadata().map_or(0, |m| m.len()));
            if path.is_dir() {
                work.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && best.as_ref().is_none_or(|(s, _)| size > *s)
            {
                best = Some((size, path));
            }
        }
    }
    best.map(|(_, path)| path)
}
