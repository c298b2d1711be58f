//! The `cargo uncork` subcommand: arguments, command flow, progress, exit status. No analysis.

#![forbid(unsafe_code)]

mod args;
mod cache;
mod check;
mod error;
mod explain;
mod fix;
mod init;
mod interrupt;
mod markdown;
mod output;
mod panics;
mod preview;
mod progress;
mod rule_list;
mod say;
mod trend;

use std::process::ExitCode;

use args::{Cli, Command};

// Parsing is allocation, and lints live in many small vectors: a faster allocator is a faster tool.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    interrupt::install();
    panics::guard(|| match args::parse(std::env::args_os()) {
        Ok(cli) => run(cli).unwrap_or_else(|error| {
            if interrupt::asked() {
                say::note(&format!("stopped: {error}"));
                return ExitCode::from(interrupt::STATUS);
            }
            say::error(&error.to_string());
            ExitCode::from(2)
        }),
        // clap words usage errors, help and version; a reader that has gone is no error.
        Err(error) => {
            let _ = error.print();
            ExitCode::from(if error.use_stderr() { 2 } else { 0 })
        }
    })
}

fn run(cli: Cli) -> Result<ExitCode, error::Error> {
    match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => rule_list::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Trend(args) => trend::run(&args),
        Command::Completions(args) => output::completions(&args),
        Command::Man(args) => output::man(&args),
    }
}
