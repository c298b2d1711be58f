//! The `uncork-engine` command: looks at, checks, copies and measures databases.

mod bench;
mod dump;
mod soak;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use uncork_engine::storage::{Disk, Storage};
use uncork_engine::{Database, Error, Metrics, Options};

/// Looks at, checks, copies and measures databases of the uncork engine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tables, rows, files and memory of a database.
    Stat {
        /// Directory of the database.
        directory: PathBuf,
    },
    /// Reads every byte of a database that is not open and reports all damage.
    Check {
        /// Directory of the database.
        directory: PathBuf,
    },
    /// Writes all readable rows of a database that is not open as text.
    Dump {
        /// Directory of the database.
        directory: PathBuf,
        /// Where to write; standard output if left out.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Reads what `dump` wrote into a database.
    Load {
        /// Directory of the database; made if it does not exist.
        directory: PathBuf,
        /// What to read; standard input if left out.
        #[arg(long)]
        input: Option<PathBuf>,
    },
    /// Copies a database into an empty directory.
    Backup {
        /// Directory of the database.
        directory: PathBuf,
        /// Where to.
        to: PathBuf,
    },
    /// Merges all runs and drops what nobody can see any more.
    Compact {
        /// Directory of the database.
        directory: PathBuf,
    },
    /// Measures the engine on this machine, in a directory of its own that is removed afterwards.
    Bench(bench::Plan),
    /// Minutes of mixed load on four times as much data as memory; fails if heap, disk or waits get out of bounds.
    Soak(soak::Plan),
}

/// What a command can fail with.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("line {line}: {what}")]
    Input { line: u64, what: &'static str },
    #[error("the database is damaged")]
    Damaged,
    #[error("{0}")]
    Unmet(&'static str),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Stat { directory } => stat(&open(&directory)?),
        Command::Check { directory } => check(&directory),
        Command::Dump { directory, output } => dump::dump(&disk(), &directory, output.as_deref()),
        Command::Load { directory, input } => dump::load(&directory, input.as_deref()),
        Command::Backup { directory, to } => Ok(open(&directory)?.backup(to)?),
        Command::Compact { directory } => {
            let database = open(&directory)?;
            let before = database.metrics().run_bytes;
            database.compact()?;
            let after = database.metrics().run_bytes;
            database.close()?;
            say(&format!("{} -> {} bytes in runs", before, after))
        }
        Command::Bench(plan) => bench::run(&plan),
        Command::Soak(plan) => soak::run(&plan),
    }
}

fn disk() -> Arc<dyn Storage> {
    Arc::new(Disk::default())
}

/// Opens a database that must exist.
fn open(directory: &Path) -> Result<Database, Failure> {
    Ok(Database::open(directory, Options { create: false, ..Options::default() })?)
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

fn stat(database: &Database) -> Result<(), Failure> {
    let metrics = database.metrics();
    for name in database.tables() {
        let Some(table) = database.existing_table(&name) else { continue };
        let mut rows = table.iter()?;
        let (mut count, mut bytes) = (0_u64, 0_u64);
        while let Some((key, value)) = rows.next_ref()? {
            count += 1;
            bytes += (key.len() + value.len()) as u64;
        }
        say(&format!("table {name:?}: {count} rows, {bytes} bytes of keys and values"))?;
    }
    let Metrics { runs, run_bytes, log_file_bytes, sequence, memory, .. } = metrics;
    say(&format!("{runs} runs, {run_bytes} bytes; log {log_file_bytes} bytes; last commit {sequence}"))?;
    say(&format!("memory {} of {} bytes", memory.total(), memory.budget))
}

fn check(directory: &Path) -> Result<(), Failure> {
    let report = uncork_engine::check(&disk(), directory)?;
    let totals = (report.tables, report.runs, report.rows, report.log_groups, report.last_sequence);
    let (tables, runs, rows, groups, last) = totals;
    say(&format!(
        "{tables} tables, {runs} runs, {rows} versions, {groups} groups in the log, last commit {last}"
    ))?;
    for error in &report.damage {
        say(&format!("damage: {error}"))?;
    }
    if report.damage.is_empty() { say("no damage found") } else { Err(Failure::Damaged) }
}
