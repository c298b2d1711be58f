//! `check`: from arguments to a report and an exit status.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_lints::config::{self, Config, known_selector};
use uncork_lints::discover::Request;
use uncork_lints::finding::{Finding, Level};
use uncork_lints::rules;
use uncork_lints::run::{self, Outcome};
use uncork_reports::{Format, Notice, NoticeLevel, Options, ReportInput, Summary};

use crate::args::{CheckArgs, ColorArg, Selection, Strictness};
use crate::error::Error;
use crate::output::Target;
use crate::{progress, say};

/// How many unreadable files are named on standard error; the report has them all.
const NAMED: usize = 20;

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Error> {
    let format: Format =
        args.format.parse().map_err(|e: uncork_reports::UnknownFormat| Error::Usage(e.to_string()))?;
    let request = request(&args.selection)?;
    let (config, fail_on_warn) = configuration(&args.strictness, &request)?;
    let target = Target::new(args.output.as_deref())?;
    let started = Instant::now();
    let spinner = progress::start(args.quiet, "reading the code");
    let outcome = run::with_room(|| run::check(&request, &config))?;
    drop(spinner);
    if !args.quiet {
        for notice in &outcome.notices {
            say::note(notice);
        }
    }
    let unreadable: Vec<Notice> = outcome
        .settled
        .findings
        .iter()
        .filter(|f| f.rule == rules::tool::unreadable_file::RULE.id)
        .map(|f| unreadable(&outcome, f))
        .collect();
    for notice in unreadable.iter().take(NAMED) {
        say::error(&notice.message);
    }
    if unreadable.len() > NAMED {
        say::error(&format!("{} more files could not be read", unreadable.len() - NAMED));
    }
    let to_terminal = target.is_stdout() && std::io::stdout().is_terminal();
    let colour = colour(args.color, to_terminal);
    let width = to_terminal.then(say::terminal_width).flatten();
    let summary = summary(&outcome, to_terminal.then(|| started.elapsed()));
    let notices: Vec<Notice> = outcome
        .notices
        .iter()
        .map(|message| Notice { level: NoticeLevel::Note, path: None, line: None, message: message.clone() })
        .chain(unreadable)
        .collect();
    let repository = repository(&outcome.root);
    let input = ReportInput {
        root: &outcome.root,
        repository: repository.as_deref(),
        sources: &outcome.analysis.sources,
        findings: &outcome.settled.findings,
        rules: rules::ALL,
        summary,
        tool_version: env!("CARGO_PKG_VERSION"),
        fixes: &[],
        notices: &notices,
        options: Options { colour, width, statistics: args.statistics },
    };
    target.write(|out| uncork_reports::render(format, &input, out))?;
    if args.timings {
        print_timings(&outcome);
    }
    let status = status(&outcome, fail_on_warn);
    // Taking a large analysis apart gains nothing when the process ends anyway.
    std::mem::forget(outcome);
    Ok(status)
}

/// 2 if something could not be read, 1 if a finding fails the run, else 0.
fn status(outcome: &Outcome, fail_on_warn: bool) -> ExitCode {
    let fails = |level: Level| level == Level::Deny || fail_on_warn && level == Level::Warn;
    if outcome.settled.findings.iter().any(|f| f.rule == rules::tool::unreadable_file::RULE.id) {
        ExitCode::from(2)
    } else if outcome.settled.findings.iter().any(|f| fails(f.level)) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// What is to be looked at.
pub(crate) fn request(selection: &Selection) -> Result<Request, Error> {
    let cwd = std::env::current_dir().map_err(|e| Error::file(".", &e))?;
    let cwd = Utf8PathBuf::from_path_buf(cwd)
        .map_err(|p| Error::Usage(format!("{}: the current folder's name is not UTF-8", p.display())))?;
    let mut paths = selection.paths.clone();
    let mut stdin = None;
    if paths.iter().any(|p| p == "-") {
        if paths.len() > 1 {
            return Err(Error::Usage("`-` reads standard input and goes with no other path".to_owned()));
        }
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(|e| Error::file("standard input", &e))?;
        let text = String::from_utf8(bytes).map_err(|e| {
            Error::Usage(format!("standard input: not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
        })?;
        stdin = Some(text);
        paths.clear();
    }
    if let Some(manifest) = &selection.manifest_path
        && !cwd.join(manifest).is_file()
    {
        return Err(Error::Usage(format!("{manifest}: no such manifest; name a Cargo.toml")));
    }
    Ok(Request {
        paths,
        cwd,
        manifest_path: selection.manifest_path.clone(),
        packages: selection.packages.clone(),
        workspace: selection.workspace,
        exclude: selection.exclude.clone(),
        stdin,
        ignore: Vec::new(),
        edited: Default::default(),
    })
}

/// Configuration with the command line laid over it, and whether warnings fail the run.
pub(crate) fn configuration(args: &Strictness, request: &Request) -> Result<(Config, bool), Error> {
    let mut config = match (&args.config, args.no_config) {
        (Some(path), _) => config::load_file(path)?,
        (None, true) => Config::default(),
        (None, false) => {
            let start = match request.paths.first() {
                Some(path) => {
                    let full = request.cwd.join(path);
                    if full.is_dir() {
                        full
                    } else {
                        full.parent().map_or(request.cwd.clone(), Utf8Path::to_owned)
                    }
                }
                None => request.cwd.clone(),
            };
            let root = start
                .ancestors()
                .filter(|a| a.join("Cargo.toml").is_file())
                .last()
                .map_or(start.clone(), Utf8Path::to_owned);
            config::load(&root, &start)?
        }
    };
    let mut fail_on_warn = false;
    for (selector, level) in &args.levels {
        if selector == "warn" && *level == Level::Deny {
            fail_on_warn = true;
            continue;
        }
        if let Err(near) = known_selector(selector) {
            let hint =
                near.map_or("`cargo uncork rules` lists them".to_owned(), |n| format!("did you mean `{n}`?"));
            return Err(Error::Usage(format!("unknown rule or group `{selector}`; {hint}")));
        }
        config.levels.push((selector.clone(), *level));
    }
    config.severity = args.severity.map(Into::into).or(config.severity);
    config.confidence = args.confidence.map(Into::into).or(config.confidence);
    if args.tests {
        config.tests = Some(true);
    }
    Ok((config, fail_on_warn))
}

fn summary(outcome: &Outcome, elapsed: Option<std::time::Duration>) -> Summary {
    let sources = &outcome.analysis.sources;
    Summary {
        files: sources.len(),
        lines: sources.iter().map(|(_, f)| f.line_count()).sum(),
        unreadable: outcome.unreadable,
        suppressed: outcome.settled.suppressed,
        baselined: 0,
        filtered: outcome.settled.filtered,
        in_tests: outcome.settled.in_tests,
        elapsed,
    }
}

/// The nearest folder at or above with a `.git`.
fn repository(root: &Utf8Path) -> Option<Utf8PathBuf> {
    root.ancestors().find(|a| a.join(".git").exists()).map(Utf8Path::to_owned)
}

/// Colour in a report: as asked; by default on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
pub(crate) fn colour(when: ColorArg, to_terminal: bool) -> bool {
    match when {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => {
            to_terminal
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
        }
    }
}

/// A file that could not be read, in one line with its place.
fn unreadable(outcome: &Outcome, finding: &Finding) -> Notice {
    let source = outcome.analysis.sources.get(finding.at.file);
    let at = source.line_column(finding.at.span.lo);
    Notice {
        level: NoticeLevel::Error,
        path: Some(source.path.clone()),
        line: Some(at.line),
        message: format!("{}:{}:{}: {}", source.path, at.line, at.column, finding.message),
    }
}

fn print_timings(outcome: &Outcome) {
    let total: std::time::Duration = outcome.timings.iter().map(|(_, d)| *d).sum();
    let mut err = std::io::stderr().lock();
    for (name, time) in &outcome.timings {
        let _ = writeln!(err, "{name:>16} {:>9.1} ms", time.as_secs_f64() * 1e3);
        if *name == "analyse" {
            for (part, time) in &outcome.analysis.timings {
                let _ = writeln!(err, "{part:>16} {:>9.1} ms", time.as_secs_f64() * 1e3);
            }
        }
    }
    let _ = writeln!(err, "{:>16} {:>9.1} ms", "total", total.as_secs_f64() * 1e3);
}
