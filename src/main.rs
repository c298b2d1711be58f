//! The `cargo uncork` subcommand: arguments, command flow, progress, exit status. No analysis.

#![forbid(unsafe_code)]

mod args;
mod check;
mod error;
mod explain;
mod fix;
mod init;
mod output;
mod panics;
mod progress;
mod rule_list;

use std::process::ExitCode;

use args::{Cli, Command};

// Parsing is allocation, and lints live in many small vectors: a faster allocator is a faster tool.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::install();
    let cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints usage errors well; its status for them is ours as well.
            let status = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    match run(cli) {
        Ok(status) => status,
        Err(error::Error::Closed) => ExitCode::SUCCESS,
        Err(error) => {
            error::report(&error);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, error::Error> {
    match cli.command {
        Command::Check(args) => check::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => rule_list::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Completions(args) => output::completions(&args),
        Command::Man(args) => output::man(&args),
    }
}
