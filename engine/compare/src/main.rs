//! Measures `uncork-engine` against redb, fjall, LMDB, RocksDB and sled: the same rows, the same order, one machine.
//!
//! Each database runs in a process of its own; the rounds go around all of them, so that a slow minute of the machine
//! hits every one. Printed are medians of the rounds, their spread, and ratios to the peers.

mod measure;
mod peer;
#[cfg(feature = "peers")]
mod peers;
#[cfg(feature = "rocksdb")]
mod rocks;
mod runs_only;
mod uncork;
mod workload;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use measure::Scale;
use peer::{Open, Result};
use workload::Shape;

const DATABASES: &[(&str, Open)] = &[
    ("uncork", uncork::open),
    #[cfg(feature = "peers")]
    ("redb", peers::redb),
    #[cfg(feature = "peers")]
    ("fjall", peers::fjall),
    #[cfg(feature = "peers")]
    ("lmdb", peers::lmdb),
    #[cfg(feature = "rocksdb")]
    ("rocksdb", rocks::open),
    #[cfg(feature = "peers")]
    ("sled", peers::sled),
    ("runs", runs_only::open),
];

const USAGE: &str = "\
usage: uncork-engine-compare [--rows N] [--seconds S] [--rounds N] [--cache-mib N] [--shape random|prefixed|large]
                             [--only DB,DB…] [--match TEXT] [--dir PATH] [--clock wall|processor]";

struct Arguments {
    scale: Scale,
    rounds: usize,
    cache_mib: u64,
    only: Option<Vec<String>>,
    matching: String,
    directory: PathBuf,
    child: Option<String>,
}

fn arguments() -> Result<Arguments> {
    let mut parsed = Arguments {
        scale: Scale { shape: Shape::Random, rows: 1_000_000, seconds: 2.0, processor_time: false },
        rounds: 3,
        cache_mib: 256,
        only: None,
        matching: String::new(),
        directory: std::env::temp_dir(),
        child: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--rows" => parsed.scale.rows = value.parse()?,
            "--seconds" => parsed.scale.seconds = value.parse()?,
            "--rounds" => parsed.rounds = value.parse()?,
            "--cache-mib" => parsed.cache_mib = value.parse()?,
            "--clock" => parsed.scale.processor_time = value == "processor",
            "--shape" => parsed.scale.shape = Shape::parse(&value).ok_or(USAGE)?,
            "--only" => parsed.only = Some(value.split(',').map(str::to_owned).collect()),
            "--match" => parsed.matching = value,
            "--dir" => parsed.directory = value.into(),
            "--child" => parsed.child = Some(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let done = arguments().and_then(|arguments| match &arguments.child {
        Some(name) => child(name, &arguments),
        None => parent(&arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures one database and prints a line a figure.
fn child(name: &str, arguments: &Arguments) -> Result<()> {
    let (_, open) = DATABASES.iter().find(|(known, _)| *known == name).ok_or(USAGE)?;
    let peer = open(&arguments.directory, arguments.cache_mib << 20)?;
    let wanted = |figure: &str| figure.contains(&arguments.matching);
    measure::all(&*peer, &arguments.directory, arguments.scale, &wanted, &mut |(name, value)| {
        println!("{name}\t{value}");
    })
}

/// Figures by name; of each database, one a round.
type Table = Vec<(String, BTreeMap<&'static str, Vec<f64>>)>;

fn parent(arguments: &Arguments) -> Result<()> {
    let chosen: Vec<_> = DATABASES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| match &arguments.only {
            Some(only) => only.iter().any(|chosen| chosen == name),
            None => *name != "runs",
        })
        .collect();
    let mut table = Table::new();
    for round in 0..arguments.rounds {
        // What the disk itself can do, in the same round.
        let raw = measure::raw_syncs(&arguments.directory, arguments.scale.seconds)?;
        add(&mut table, "durable single, the disk alone".into(), "raw", raw);
        for name in &chosen {
            eprintln!("round {} of {}: {name}", round + 1, arguments.rounds);
            let directory = arguments.directory.join(format!("uncork-compare-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&directory)?;
            let figures = run_child(name, &directory, arguments);
            std::fs::remove_dir_all(&directory)?;
            // One that fails is reported and leaves its cells empty.
            let figures = figures.unwrap_or_else(|error| {
                eprintln!("{error}");
                Vec::new()
            });
            for (figure, value) in figures {
                add(&mut table, figure, name, value);
            }
        }
    }
    print(&table, &chosen, arguments);
    Ok(())
}

fn add(table: &mut Table, figure: String, name: &'static str, value: f64) {
    let at = table.iter().position(|(known, _)| *known == figure).unwrap_or_else(|| {
        table.push((figure, BTreeMap::new()));
        table.len() - 1
    });
    table[at].1.entry(name).or_default().push(value);
}

fn run_child(name: &str, directory: &Path, arguments: &Arguments) -> Result<Vec<(String, f64)>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--child", name, "--dir"])
        .arg(directory)
        .args(["--rows", &arguments.scale.rows.to_string()])
        .args(["--seconds", &arguments.scale.seconds.to_string()])
        .args(["--cache-mib", &arguments.cache_mib.to_string()])
        .args(["--shape", arguments.scale.shape.name()])
        .args(["--match", &arguments.matching])
        .args(["--clock", if arguments.scale.processor_time { "processor" } else { "wall" }])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{name} failed").into());
    }
    let text = String::from_utf8(output.stdout)?;
    let figures = text.lines().filter_map(|line| line.split_once('\t'));
    figures.map(|(figure, value)| Ok((figure.to_owned(), value.parse()?))).collect()
}

fn print(table: &Table, chosen: &[&'static str], arguments: &Arguments) {
    let scale = arguments.scale;
    println!(
        "{} rows ({}), cache {} MiB, {} s a figure, median of {} rounds (± half the spread)\n",
        scale.rows,
        scale.shape.name(),
        arguments.cache_mib,
        scale.seconds,
        arguments.rounds
    );
    println!("| | {} |", chosen.join(" | "));
    println!("|---|{}", "---|".repeat(chosen.len()));
    for (figure, values) in table {
        if let Some(raw) = values.get("raw") {
            println!("| {figure} | {} |", vec![cell(raw); chosen.len()].join(" | "));
            continue;
        }
        let cells: Vec<_> =
            chosen.iter().map(|name| values.get(name).map_or("".into(), |values| cell(values))).collect();
        println!("| {figure} | {} |", cells.join(" | "));
    }
    if !chosen.contains(&"uncork") || chosen.len() < 2 {
        return;
    }
    println!("\nRatios, uncork to peer (above 1: more of it than the peer):\n");
    println!("| | {} |", chosen[1..].join(" | "));
    println!("|---|{}", "---|".repeat(chosen.len() - 1));
    for (figure, values) in table {
        let Some(own) = values.get("uncork") else { continue };
        let ratio = |name: &&str| {
            values.get(*name).map_or(String::new(), |v| format!("{:.2}", median(own) / median(v)))
        };
        println!("| {figure} | {} |", chosen[1..].iter().map(ratio).collect::<Vec<_>>().join(" | "));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn cell(values: &[f64]) -> String {
    let middle = median(values);
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let spread = if middle > 0.0 { (high - low) / middle * 50.0 } else { 0.0 };
    let shown = match middle {
        v if v >= 1e6 => format!("{:.2}M", v / 1e6),
        v if v >= 1e4 => format!("{:.0}k", v / 1e3),
        v if v >= 1e3 => format!("{:.1}k", v / 1e3),
        v => format!("{v:.0}"),
    };
    format!("{shown} ±{spread:.0}%")
}
