//! A cold scan against a bare parallel parse of the same files, round by round; peak memory; and how time grows with ten
//! copies of the code.
//!
//! `UNCORK_CORPUS=path cargo bench --bench scan` names the code; without it, the crates in cargo's registry folder are
//! taken. Ratios are what counts: the machine's speed cancels out. A round is three processes: a bare parse with the
//! allocator that a program gets if it asks for none (the yardstick), one with the tool's allocator, and a scan. All
//! read the files from the page cache and use all cores. The tool leaves the outcome of a scan to the end of its
//! process; dropping it is not part of the time here either. What was measured so far: `docs/performance.md`.

mod yardstick;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use uncork_lints::config::Config;
use uncork_lints::discover::Request;
use uncork_lints::run::{self, Outcome};
use yardstick::{NUMBERS, rust_files, time_parse};

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
    let (Some(bare), Ok(own)) = (bare_parse(), std::env::current_exe()) else {
        println!("`benches/bare` could not be built");
        return;
    };
    let programs = Programs { bare, own };
    let files = rust_files(&corpus);
    let bytes: u64 = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    println!("{} files, {:.1} MB below {}", files.len(), bytes as f64 / 1e6, corpus.display());
    let rounds: Vec<Round> = (0..ROUNDS).filter_map(|_| programs.round(&corpus)).collect();
    let Some(best) = best(&rounds) else {
        println!("no round could be run");
        return;
    };
    let of = |time: fn(&Round) -> Duration| middle(rounds.iter().map(|r| time(r).as_secs_f64() * 1e3));
    println!("bare parse   {:>8.0} ms (median of {ROUNDS})", of(|r| r.bare));
    println!("  the tool's allocator {:>8.0} ms", of(|r| r.bare_ours));
    println!("cold scan    {:>8.0} ms", of(|r| r.scan));
    print_ratios("ratio        ", rounds.iter().map(|r| r.scan.div_duration_f64(r.bare)));
    print_ratios("  the tool's allocator ", rounds.iter().map(|r| r.scan.div_duration_f64(r.bare_ours)));
    if let Some(&peak) = numbers(programs.own("peak", &corpus)).as_deref().and_then(<[u64]>::first) {
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
        let ten: Vec<Round> = (0..3).filter_map(|_| programs.round(&copies)).collect();
        if let Some(ten) = self::best(&ten) {
            println!(
                "ten copies   {:>8.2} × the time of one (a bare parse: {:.2} ×)",
                ten.scan.div_duration_f64(best.scan),
                ten.bare.div_duration_f64(best.bare)
            );
        }
    }
    let _ = std::fs::remove_dir_all(&copies);
}

/// Does in this process what another asked for, and prints numbers for it.
fn child(which: &str, corpus: &Path) {
    let number = match which {
        "parse" => time_parse(corpus).as_micros() as u64,
        "scan" => run::with_room(|| time_check(corpus)).as_micros() as u64,
        _ => {
            run::with_room(|| drop(check(corpus)));
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("");
            peak.trim().trim_end_matches(" kB").parse().unwrap_or(0)
        }
    };
    println!("{NUMBERS}{number}");
}

/// What is run and measured.
struct Programs {
    /// Parses with the default allocator.
    bare: PathBuf,
    /// This program.
    own: PathBuf,
}

/// Times of one round.
#[derive(Clone, Copy)]
struct Round {
    bare: Duration,
    bare_ours: Duration,
    scan: Duration,
}

impl Programs {
    fn own(&self, child: &str, corpus: &Path) -> Command {
        let mut command = Command::new(&self.own);
        command.arg("--bench").env("UNCORK_BENCH_CHILD", child).env("UNCORK_CORPUS", corpus);
        command
    }

    fn round(&self, corpus: &Path) -> Option<Round> {
        let time = |command| Some(Duration::from_micros(*numbers(command)?.first()?));
        let mut bare = Command::new(&self.bare);
        bare.arg(corpus);
        Some(Round {
            bare: time(bare)?,
            bare_ours: time(self.own("parse", corpus))?,
            scan: time(self.own("scan", corpus))?,
        })
    }
}

/// The least of each time.
fn best(rounds: &[Round]) -> Option<Round> {
    rounds.iter().copied().reduce(|a, b| Round {
        bare: a.bare.min(b.bare),
        bare_ours: a.bare_ours.min(b.bare_ours),
        scan: a.scan.min(b.scan),
    })
}

/// Builds `benches/bare`: another allocator needs another program.
fn bare_parse() -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(format!("{root}benches/bare/Cargo.toml"))
        .arg("--target-dir")
        .arg(format!("{root}target/bare"))
        .stderr(std::process::Stdio::inherit())
        .output()
        .ok()?;
    let messages = String::from_utf8(output.stdout).ok()?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Numbers that a process prints.
fn numbers(mut command: Command) -> Option<Vec<u64>> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers = text.lines().find_map(|l| l.strip_prefix(NUMBERS))?;
    numbers.split_whitespace().map(|n| n.parse().ok()).collect()
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

/// The median.
fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn print_ratios(name: &str, values: impl Iterator<Item = f64> + Clone) {
    let all: Vec<String> = values.clone().map(|v| format!("{v:.2}")).collect();
    println!("{name}{:>8.2} × (rounds: {})", middle(values), all.join(", "));
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
