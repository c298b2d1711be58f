//! A cold scan against a bare parallel parse of the same files, round by round; peak memory; and how time grows with ten
//! copies of the code.
//!
//! `UNCORK_CORPUS=path cargo bench --bench scan` names the code; without it, the crates in cargo's registry folder are
//! taken. Ratios are what counts: the machine's speed cancels out. A round is a process of its own that parses and then
//! scans, so that no scan finds the names, types and memory of the one before. Both sides read the files from the page
//! cache, use the program's allocator and all cores. The tool leaves the outcome of a scan to the end of its process;
//! dropping it is not part of the time here either. What was measured so far: `docs/performance.md`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use rayon::prelude::*;
use uncork_lints::config::Config;
use uncork_lints::discover::Request;
use uncork_lints::run::{self, Outcome};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let corpus = corpus();
    if let Ok(which) = std::env::var("UNCORK_BENCH_CHILD") {
        child(&which, &corpus);
        return;
    }
    let files = rust_files(&corpus);
    let bytes: u64 = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    println!("{} files, {:.1} MB below {}", files.len(), bytes as f64 / 1e6, corpus.display());
    let (bare, scan): (Vec<Duration>, Vec<Duration>) = (0..ROUNDS).filter_map(|_| round(&corpus)).unzip();
    if scan.is_empty() {
        println!("no round could be run");
        return;
    }
    let ratios: Vec<f64> = bare.iter().zip(&scan).map(|(b, s)| s.as_secs_f64() / b.as_secs_f64()).collect();
    println!("bare parse   {:>8.0} ms (median of {ROUNDS})", millis(median(&bare)));
    println!("cold scan    {:>8.0} ms", millis(median(&scan)));
    println!("ratio        {:>8.2} × (rounds: {})", middle(&ratios), list(&ratios));
    if let Some(&peak) = run_child("scan", &corpus).as_deref().and_then(<[u64]>::first) {
        let peak = peak * 1024;
        println!(
            "peak memory  {:>8.1} × the source ({:.0} MB)",
            peak as f64 / bytes as f64,
            peak as f64 / 1e6
        );
    }
    let copies = std::env::temp_dir().join(format!("uncork-bench-{}", std::process::id()));
    let made = (0..10).try_for_each(|n| copy(&corpus, &copies.join(format!("copy{n}"))));
    if made.is_ok() {
        let (bare_ten, ten): (Vec<Duration>, Vec<Duration>) = (0..3).filter_map(|_| round(&copies)).unzip();
        let times = |ten: &[Duration], one: &[Duration]| match (ten.iter().min(), one.iter().min()) {
            (Some(ten), Some(one)) => ten.as_secs_f64() / one.as_secs_f64(),
            _ => f64::NAN,
        };
        let (scans, parses) = (times(&ten, &scan), times(&bare_ten, &bare));
        println!("ten copies   {scans:>8.2} × the time of one (a bare parse: {parses:.2} ×)");
    }
    let _ = std::fs::remove_dir_all(&copies);
}

/// Does in this process what another asked for, and prints numbers for it.
fn child(which: &str, corpus: &Path) {
    if which == "round" {
        let files = rust_files(corpus);
        let (bare, scan) = run::with_room(|| (time(|| parse(&files)), time_check(corpus)));
        println!("{CHILD}{} {}", bare.as_micros(), scan.as_micros());
    } else {
        run::with_room(|| match which {
            "parse" => parse(&rust_files(corpus)),
            _ => drop(check(corpus)),
        });
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("");
        println!("{CHILD}{}", peak.trim().trim_end_matches(" kB"));
    }
}

/// What the line with a child's numbers begins with.
const CHILD: &str = "child ";

/// Numbers that a process of its own prints.
fn run_child(which: &str, corpus: &Path) -> Option<Vec<u64>> {
    let own = std::env::current_exe().ok()?;
    let output = Command::new(own)
        .arg("--bench")
        .env("UNCORK_BENCH_CHILD", which)
        .env("UNCORK_CORPUS", corpus)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers = text.lines().find_map(|l| l.strip_prefix(CHILD))?;
    numbers.split_whitespace().map(|n| n.parse().ok()).collect()
}

/// The times of a bare parse and of a scan after it.
fn round(corpus: &Path) -> Option<(Duration, Duration)> {
    match run_child("round", corpus)?[..] {
        [bare, scan] => Some((Duration::from_micros(bare), Duration::from_micros(scan))),
        _ => None,
    }
}

fn parse(files: &[PathBuf]) {
    let lines: usize = files
        .par_iter()
        .with_max_len(1)
        .map(|file| {
            let Ok(text) = std::fs::read_to_string(file) else { return 0 };
            let items = syn::parse_file(&text).map_or(0, |f| f.items.len());
            proc_macro2::extra::invalidate_current_thread_spans();
            items
        })
        .sum();
    std::hint::black_box(lines);
}

fn check(corpus: &Path) -> Option<Outcome> {
    let path = Utf8PathBuf::from_path_buf(corpus.to_owned()).ok()?;
    let request = Request { paths: vec![path.clone()], cwd: path, ..Request::default() };
    run::check(&request, &Config::default()).ok()
}

fn time_check(corpus: &Path) -> Duration {
    let start = Instant::now();
    let outcome = check(corpus);
    let time = start.elapsed();
    drop(std::hint::black_box(outcome));
    time
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn list(values: &[f64]) -> String {
    values.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(", ")
}

fn corpus() -> PathBuf {
    if let Some(path) = std::env::var_os("UNCORK_CORPUS") {
        return path.into();
    }
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    home.map(|h| h.join("registry/src")).filter(|p| p.is_dir()).unwrap_or_else(|| PathBuf::from("."))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut work = vec![dir.to_owned()];
    while let Some(dir) = work.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(t) if t.is_dir() => work.push(path),
                Ok(t) if t.is_file() && path.extension().is_some_and(|e| e == "rs") => out.push(path),
                _ => {}
            }
        }
    }
    out.sort();
    out
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
