//! `fix`: from arguments to files rewritten and verified, or nothing.

use std::io::{BufReader, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use uncork_fixers::change::{Change, Plan};
use uncork_fixers::codemods;
use uncork_fixers::fixpoint::{Answer, Limits};
use uncork_fixers::interactive::Interactive;
use uncork_fixers::overlay::Overlay;
use uncork_fixers::session::{Request, Session};
use uncork_fixers::vcs::Allowed;
use uncork_fixers::verify::{CargoOptions, Verify};
use uncork_fixers::write::Recovered;
use uncork_lints::discover::Edited;
use uncork_lints::finding::{Applicability, Level};
use uncork_lints::run::{self, Outcome};
use uncork_reports::Format;

use crate::args::{ColorArg, Selection, Strictness};
use crate::error::Error;
use crate::output::Target;
use crate::preview::{self, First};
use crate::progress::Progress;
use crate::{args, check, interrupt, say};

#[derive(Args, Debug, Clone, Default)]
pub(crate) struct FixArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) strictness: Strictness,
    /// Fix only these rules
    #[arg(long = "rule", value_name = "RULE", help_heading = "Fixing")]
    rules: Vec<String>,
    /// Make changes that may alter behaviour, too; each says how
    #[arg(long = "unsafe", help_heading = "Fixing")]
    unsafe_: bool,
    /// Write nothing; print what would be written as a unified diff
    #[arg(long, help_heading = "Fixing", conflicts_with = "interactive")]
    diff: bool,
    /// With --diff, print a report of the findings with their fixes in this format instead
    #[arg(long, value_name = "FORMAT", value_parser = args::format_parser(), help_heading = "Output")]
    format: Option<String>,
    /// With --diff, write to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<Utf8PathBuf>,
    /// Show each change and ask
    #[arg(short, long, help_heading = "Fixing")]
    interactive: bool,
    /// What must agree before a change is kept
    #[arg(long, value_name = "WHAT", default_value = "check", help_heading = "Fixing")]
    verify: VerifyArg,
    /// The longest one run of cargo may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, help_heading = "Fixing")]
    timeout: u64,
    /// Fix even if the working tree has uncommitted changes
    #[arg(long, help_heading = "Fixing")]
    allow_dirty: bool,
    /// Fix even if the index has staged changes
    #[arg(long, help_heading = "Fixing")]
    allow_staged: bool,
    /// Fix even without version control
    #[arg(long, help_heading = "Fixing")]
    allow_no_vcs: bool,
    /// Verify without network access
    #[arg(long, help_heading = "Fixing")]
    offline: bool,
    /// Verify with the lock file as it is
    #[arg(long, help_heading = "Fixing")]
    locked: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: ColorArg,
    /// Print only errors
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default)]
enum VerifyArg {
    /// `cargo check`
    #[default]
    Check,
    /// `cargo check`, then `cargo test`
    Test,
    /// Nothing
    None,
}

/// Runs the command. Status 2 if a file could not be read, 1 if a finding that fails a check is left, 0 else.
pub(crate) fn run(args: &FixArgs) -> Result<ExitCode, Error> {
    if args.selection.paths.iter().any(|p| p == "-") {
        return Err(Error::Usage(
            "standard input cannot be fixed; name a file, a folder or a project".into(),
        ));
    }
    if !args.diff && (args.format.is_some() || args.output.is_some()) {
        let option = if args.format.is_some() { "--format" } else { "--output" };
        return Err(Error::Usage(format!("`{option}` reports what would be done: add `--diff`")));
    }
    for rule in &args.rules {
        if !codemods::fixable().any(|known| known == rule) {
            let known: Vec<&str> = codemods::fixable().collect();
            return Err(Error::Usage(format!("`{rule}` has no fix; rules with one: {}", known.join(", "))));
        }
    }
    let format = args.format.as_deref().map(str::parse::<Format>).transpose();
    let format = format.map_err(|e| Error::Usage(e.to_string()))?;
    let target = Target::new(args.output.as_deref())?;
    let started = Instant::now();
    let progress = Progress::start(args.quiet || args.interactive);
    let located =
        || check::plan(&args.selection, &args.strictness, &check::request(&args.selection)?, &progress);
    let mut analysed = located()?;
    let request = Request {
        root: analysed.located.root.clone(),
        cargo: analysed.located.in_cargo(),
        least: if args.unsafe_ { Applicability::Unsafe } else { Applicability::Safe },
        dry: args.diff,
        allowed: Allowed { dirty: args.allow_dirty, staged: args.allow_staged, no_vcs: args.allow_no_vcs },
        options: cargo_options(args),
        limits: Limits::default(),
        stop: interrupt::stop_flag(),
    };
    let session = interrupt::careful(|| Session::open(&request))?;
    if session.recovered != Recovered::default() {
        analysed = located()?;
    }
    // Looked at once before anything is planned.
    let first = run::with_room(|| analysed.check(&progress))?;
    let unreadable = check::unreadable_lines(&first);
    let mut planned = None;
    let mut left = Vec::new();
    let mut planner = |overlay: &mut Overlay| -> Result<Plan, String> {
        let plan =
            interrupt::at_ease(|| plan(&analysed, Some(&first), &args.rules, overlay, &progress, &mut left));
        let plan = plan.map_err(|e| e.to_string())?;
        planned.get_or_insert_with(|| First::of(&plan));
        Ok(plan)
    };
    let colour = check::colour(args.color, target.is_stdout() && std::io::stdout().is_terminal());
    let mut asking = Interactive::new(BufReader::new(std::io::stdin()), std::io::stdout(), colour);
    let mut gate = |change: &Change, overlay: &Overlay| match args.interactive {
        true => interrupt::at_ease(|| asking.ask(change, overlay)),
        false => Answer::Apply,
    };
    let report = interrupt::careful(|| session.run(&request, &mut planner, &mut gate));
    drop(progress);
    let report = report?;
    match format {
        Some(format) => {
            let gathered = preview::gather(
                &first,
                planned.unwrap_or_default(),
                &report.refused,
                &report.applied,
                report.stopped,
                &report.overlay,
            );
            let mut shown = check::shown(first);
            shown.settled.findings.retain(|f| args.rules.is_empty() || args.rules.contains(&f.rule));
            check::report(
                &mut shown,
                Some(&gathered),
                &check::Style { format, target: &target, color: args.color, statistics: false, started },
            )?;
        }
        None if args.diff => {
            let diff = report.diff(colour);
            target.write(|out| out.write_all(diff.as_bytes()))?;
        }
        None => {}
    }
    // A report names them itself.
    for line in unreadable.iter().filter(|_| args.format.is_none()) {
        say::error(line);
    }
    if !args.quiet {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(report.text().as_bytes());
        let _ = writeln!(err);
    }
    Ok(if !unreadable.is_empty() {
        ExitCode::from(2)
    } else if left.contains(&Level::Deny) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

/// Analyses the text as edited so far and plans on it; `first` is what was found before any edit, and need not be
/// looked for again. `left` gets the levels of what was found.
pub(crate) fn plan(
    analysed: &check::Plan,
    first: Option<&Outcome>,
    rules: &[String],
    overlay: &mut Overlay,
    progress: &Progress,
    left: &mut Vec<Level>,
) -> Result<Plan, run::RunError> {
    let found;
    let outcome = match first {
        Some(first) if overlay.changed().next().is_none() => first,
        _ => {
            found = analyse(analysed, overlay, progress)?;
            &found
        }
    };
    let findings = &outcome.settled.findings;
    *left = findings.iter().map(|f| f.level).collect();
    let chosen: Vec<_> =
        findings.iter().filter(|f| rules.is_empty() || rules.contains(&f.rule)).cloned().collect();
    let mut plan = codemods::plan(&outcome.analysis, &chosen, &analysed.config.rules, overlay);
    plan.marks = codemods::marks(&outcome.analysis, findings);
    Ok(plan)
}

fn analyse(analysed: &check::Plan, overlay: &Overlay, progress: &Progress) -> Result<Outcome, run::RunError> {
    let edited: Edited =
        Arc::new(overlay.changed().map(|f| (overlay.absolute(f.path), f.after.clone())).collect());
    let analysed = check::Plan { located: analysed.located.with_edited(edited), ..analysed.clone() };
    run::with_room(|| analysed.check(progress))
}

fn cargo_options(args: &FixArgs) -> CargoOptions {
    let selection = &args.selection;
    let mut arguments = Vec::new();
    if !selection.features.is_empty() {
        arguments.push(format!("--features={}", selection.features.join(",")));
    }
    let flags = [
        (selection.all_features, "--all-features"),
        (selection.no_default_features, "--no-default-features"),
        (args.offline, "--offline"),
        (args.locked, "--locked"),
    ];
    arguments.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
    CargoOptions {
        arguments,
        packages: selection.packages.clone(),
        verify: match args.verify {
            VerifyArg::Check => Verify::Check,
            VerifyArg::Test => Verify::Test,
            VerifyArg::None => Verify::None,
        },
        timeout: std::time::Duration::from_secs(args.timeout),
    }
}
