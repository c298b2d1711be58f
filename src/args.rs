//! The command line.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use uncork_lints::finding::{Confidence, Level, Severity};
use uncork_reports::Format;

/// Finds what corks up a Rust program under load.
#[derive(Parser, Debug)]
#[command(name = "cargo-uncork", bin_name = "cargo uncork", version, about, max_term_width = 100)]
#[command(
    after_help = "Without a command, `check` is meant. Exit status: 0 nothing at failing level, 1 findings that \
    fail the run, 2 could not do what was asked."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Report findings (the default)
    Check(Box<CheckArgs>),
    /// Rewrite what can be rewritten, and keep what the compiler agrees with
    Fix(Box<crate::fix::FixArgs>),
    /// Explain a rule: what it finds, why it is bad, what to write instead
    Explain(ExplainArgs),
    /// List all rules
    Rules(RulesArgs),
    /// Write an uncork.toml with the defaults to start from
    Init(InitArgs),
    /// Show how the findings changed from run to run
    Trend(TrendArgs),
    /// Print a completion script for a shell
    Completions(CompletionArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// What to look at.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Files and folders to check; `-` reads standard input. Default: the workspace of the current folder
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<Utf8PathBuf>,
    /// Only these packages (a name, or a pattern with `*`); what they use in the workspace is read too
    #[arg(short, long = "package", value_name = "NAME", help_heading = "Package selection")]
    pub(crate) packages: Vec<String>,
    /// All packages of the workspace
    #[arg(long, help_heading = "Package selection")]
    pub(crate) workspace: bool,
    /// All packages but these
    #[arg(long, value_name = "NAME", help_heading = "Package selection")]
    pub(crate) exclude: Vec<String>,
    /// The manifest to start from
    #[arg(long, value_name = "PATH", help_heading = "Package selection")]
    pub(crate) manifest_path: Option<Utf8PathBuf>,
    /// Report findings in tests, benches and examples too, as `--tests` does: they are always analysed
    #[arg(long, help_heading = "Package selection")]
    pub(crate) all_targets: bool,
    /// Features to verify fixes with; code of every feature is analysed in any case
    #[arg(short = 'F', long, value_name = "FEATURES", help_heading = "Package selection")]
    pub(crate) features: Vec<String>,
    /// Verify fixes with all features; code of every feature is analysed in any case
    #[arg(long, help_heading = "Package selection")]
    pub(crate) all_features: bool,
    /// Verify fixes without default features; code of every feature is analysed in any case
    #[arg(long, help_heading = "Package selection")]
    pub(crate) no_default_features: bool,
}

/// Which rules, and how strict.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Strictness {
    /// Do not report a rule, group or `all`. The last of -A, -W, -D that names a rule wins
    #[arg(short = 'A', long, value_delimiter = ',', value_name = "RULE", help_heading = "Levels")]
    pub(crate) allow: Vec<String>,
    /// Report a rule, group or `all`
    #[arg(short = 'W', long, value_delimiter = ',', value_name = "RULE", help_heading = "Levels")]
    pub(crate) warn: Vec<String>,
    /// Report a rule, group or `all` and fail; `warn` means everything that is reported
    #[arg(short = 'D', long, value_delimiter = ',', value_name = "RULE", help_heading = "Levels")]
    pub(crate) deny: Vec<String>,
    /// Least severity shown
    #[arg(long, value_name = "SEVERITY", help_heading = "Levels")]
    pub(crate) severity: Option<SeverityArg>,
    /// Least confidence shown
    #[arg(long, value_name = "CONFIDENCE", help_heading = "Levels")]
    pub(crate) confidence: Option<ConfidenceArg>,
    /// Report findings in test code too
    #[arg(long, help_heading = "Levels")]
    pub(crate) tests: bool,
    /// Read this configuration instead of looking for one
    #[arg(long, value_name = "PATH", help_heading = "Levels", conflicts_with = "no_config")]
    pub(crate) config: Option<Utf8PathBuf>,
    /// Read no configuration
    #[arg(long, help_heading = "Levels")]
    pub(crate) no_config: bool,
    /// Levels in the order they were given; filled after parsing.
    #[arg(skip)]
    pub(crate) levels: Vec<(String, Level)>,
}

#[derive(Args, Debug, Clone, Default)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) strictness: Strictness,
    /// How to report
    #[arg(long, value_name = "FORMAT", default_value = "human", value_parser = format_parser(), help_heading = "Output")]
    pub(crate) format: String,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<Utf8PathBuf>,
    /// Compute the fixes and put them into the report (json, jsonl, sarif, markdown); nothing is written
    #[arg(long, help_heading = "Output")]
    pub(crate) fixes: bool,
    /// Only count findings by rule
    #[arg(long, help_heading = "Output")]
    pub(crate) statistics: bool,
    /// Print how long each phase took to standard error
    #[arg(long, help_heading = "Output")]
    pub(crate) timings: bool,
    /// Neither use nor keep what is known from earlier runs
    #[arg(long, help_heading = "Cache")]
    pub(crate) no_cache: bool,
    /// Keep what is known from earlier runs here, not in cargo's target directory
    #[arg(long, value_name = "FOLDER", help_heading = "Cache", conflicts_with = "no_cache")]
    pub(crate) cache_dir: Option<Utf8PathBuf>,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: ColorArg,
    /// Print nothing but the report and errors
    #[arg(short, long, help_heading = "Output", conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what is read
    #[arg(short, long, help_heading = "Output")]
    pub(crate) verbose: bool,
}

pub(crate) fn format_parser() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(Format::ALL.map(Format::name))
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The rule's id; for a group's name its rules are listed
    pub(crate) rule: String,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorArg,
}

#[derive(Args, Debug)]
pub(crate) struct RulesArgs {
    /// How to list
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ListFormat,
}

#[derive(Args, Debug)]
pub(crate) struct TrendArgs {
    /// The manifest of the project. Default: that of the current folder
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<Utf8PathBuf>,
    /// Where the runs were kept, if not in cargo's target directory
    #[arg(long, value_name = "FOLDER", conflicts_with = "manifest_path")]
    pub(crate) cache_dir: Option<Utf8PathBuf>,
    /// How many runs to show
    #[arg(long, value_name = "RUNS", default_value_t = 20)]
    pub(crate) last: usize,
    /// Runs with any arguments, not only those of the newest run
    #[arg(long)]
    pub(crate) all: bool,
    /// How to show them
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ListFormat,
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The folder to write into
    #[arg(default_value = ".")]
    pub(crate) folder: Utf8PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct ManArgs {}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListFormat {
    Human,
    Json,
    Markdown,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default)]
pub(crate) enum ColorArg {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum SeverityArg {
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Severity {
        match arg {
            SeverityArg::Low => Severity::Low,
            SeverityArg::Medium => Severity::Medium,
            SeverityArg::High => Severity::High,
            SeverityArg::Critical => Severity::Critical,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum ConfidenceArg {
    Low,
    Medium,
    High,
}

impl From<ConfidenceArg> for Confidence {
    fn from(arg: ConfidenceArg) -> Confidence {
        match arg {
            ConfidenceArg::Low => Confidence::Low,
            ConfidenceArg::Medium => Confidence::Medium,
            ConfidenceArg::High => Confidence::High,
        }
    }
}

/// The command itself, for completions and the manual.
pub(crate) fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Parses the command line: cargo's own `uncork` is dropped, and `check` is put in where no command stands.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|a| a == "uncork") {
        args.remove(1);
    }
    let known: Vec<String> = command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let first = args.get(1).and_then(|a| a.to_str()).unwrap_or("");
    let own = ["help", "--help", "-h", "--version", "-V"];
    if !known.iter().any(|k| k == first) && !own.contains(&first) {
        args.insert(1, "check".into());
    }
    let matches = command().try_get_matches_from(&args)?;
    let mut cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches)?;
    match (&mut cli.command, matches.subcommand()) {
        (Command::Check(check), Some((_, sub))) => check.strictness.levels = levels(sub),
        (Command::Fix(fix), Some((_, sub))) => fix.strictness.levels = levels(sub),
        _ => {}
    }
    Ok(cli)
}

/// `-A`, `-W`, `-D` in the order they were given: the last one wins.
fn levels(matches: &clap::ArgMatches) -> Vec<(String, Level)> {
    let mut found: Vec<(usize, String, Level)> = Vec::new();
    for (name, level) in [("allow", Level::Allow), ("warn", Level::Warn), ("deny", Level::Deny)] {
        let values = matches.get_many::<String>(name).into_iter().flatten();
        let indices = matches.indices_of(name).into_iter().flatten();
        found.extend(indices.zip(values).map(|(i, v)| (i, v.clone(), level)));
    }
    found.sort();
    found.into_iter().map(|(_, selector, level)| (selector, level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> CheckArgs {
        match parse(args.iter().map(OsString::from)).map(|c| c.command) {
            Ok(Command::Check(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn check_is_the_default_under_cargo_and_alone() {
        assert_eq!(check(&["cargo-uncork", "uncork", "src"]).selection.paths, ["src"]);
        assert_eq!(check(&["cargo-uncork", "uncork", "check", "src"]).selection.paths, ["src"]);
        assert_eq!(check(&["cargo-uncork", "--format", "json"]).format, "json");
        assert!(check(&["cargo-uncork", "uncork"]).selection.paths.is_empty());
    }

    #[test]
    fn levels_keep_their_order() {
        let args = check(&["x", "-A", "all", "-D", "lock-unwrap", "-W", "contention", "-A", "lock-unwrap"]);
        let names: Vec<&str> = args.strictness.levels.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["all", "lock-unwrap", "contention", "lock-unwrap"]);
        assert_eq!(args.strictness.levels[3].1, Level::Allow);
    }

    #[test]
    fn the_command_is_sound() {
        command().debug_assert();
    }
}
