//! `check`: from arguments to a report and an exit status.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::codemods;
use uncork_lints::config::{self, Config, Levels, Places, Selector, Settings, nearest};
use uncork_lints::discover::{DiscoverError, Located, Request, locate};
use uncork_lints::finding::Finding;
use uncork_lints::rules;
use uncork_lints::run::{self, Outcome};
use uncork_reports::{Format, Notice, NoticeLevel, Options, ReportInput, Summary};

use crate::args::{CheckArgs, ColorArg, Selection, Strictness};
use crate::error::Error;
use crate::output::Target;
use crate::progress::Progress;
use crate::say;

/// How many unreadable files are named on standard error; the report has them all.
const NAMED: usize = 20;

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode, Error> {
    let format: Format =
        args.format.parse().map_err(|e: uncork_reports::UnknownFormat| Error::Usage(e.to_string()))?;
    let target = Target::new(args.output.as_deref())?;
    let request = request(&args.selection)?;
    let started = Instant::now();
    let progress = Progress::start(args.quiet);
    let plan = plan(&args.selection, &args.strictness, &request, &progress)?;
    let outcome = run::with_room(|| plan.check(&progress));
    drop(progress);
    let mut outcome = outcome?;
    // A fix is offered where there is one to be had: `fix` knows which rules it can rewrite so far.
    for finding in &mut outcome.settled.findings {
        if !codemods::fixable().any(|rule| rule == finding.rule) {
            finding.fix = None;
        }
    }
    if args.verbose {
        describe(&outcome);
    }
    if !args.quiet {
        for notice in &outcome.notices {
            say::note(notice);
        }
        if args.selection.no_default_features {
            say::note("`--no-default-features` changes nothing: code of every feature is analysed");
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
    let status = outcome.settled.status();
    // Taking a large analysis apart gains nothing when the process ends anyway.
    std::mem::forget(outcome);
    Ok(ExitCode::from(status))
}

/// What a run looks at, and how.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The code.
    pub(crate) located: Located,
    pub(crate) places: Places,
    /// Configuration, with the command line over it.
    pub(crate) config: Config,
}

impl Plan {
    /// Does it. Call it inside [`run::with_room`].
    pub(crate) fn check(&self, progress: &dyn run::Progress) -> Result<Outcome, run::RunError> {
        run::check_located(&self.located, &self.places, &self.config, progress)
    }
}

/// Finds the code and its configuration.
pub(crate) fn plan(
    selection: &Selection,
    strictness: &Strictness,
    request: &Request,
    progress: &dyn run::Progress,
) -> Result<Plan, Error> {
    progress.phase("finding the code");
    let asked = asked(selection, strictness)?;
    let located = locate(request).map_err(|e| slip(e, selection))?;
    features(selection, &located)?;
    let places = Places { file: strictness.config.clone(), none: strictness.no_config, ..located.places() };
    let mut config = config::load(&places)?;
    config.asked = asked;
    Ok(Plan { located, places, config })
}

/// What the command line says of what is shown.
fn asked(selection: &Selection, strictness: &Strictness) -> Result<Settings, Error> {
    let mut levels = Levels::default();
    for (name, level) in &strictness.levels {
        let selector = Selector::parse(name).map_err(|e| {
            let more = if e.nearest.is_none() { "; `cargo uncork rules` lists them" } else { "" };
            Error::Usage(format!("{e}{more}"))
        })?;
        levels.push(selector, *level);
    }
    Ok(Settings {
        levels,
        severity: strictness.severity.map(Into::into),
        confidence: strictness.confidence.map(Into::into),
        tests: (strictness.tests || selection.all_targets).then_some(true),
    })
}

/// A word that is no path may be a command written wrong.
fn slip(error: DiscoverError, selection: &Selection) -> Error {
    let command = crate::args::command();
    let known: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    match (&error, selection.paths.first()) {
        (DiscoverError::Path { path, .. }, Some(first)) if path == first => {
            match nearest(first.as_str(), known.iter().copied()) {
                Some(near) => Error::Usage(format!("{error}; did you mean the command `{near}`?")),
                None => error.into(),
            }
        }
        _ => error.into(),
    }
}

/// Features are named as cargo has them; one that no package has is a slip, though all code is analysed anyway.
fn features(selection: &Selection, located: &Located) -> Result<(), Error> {
    let packages = located.packages();
    if packages.is_empty() {
        return Ok(());
    }
    for name in selection.features.iter().flat_map(|f| f.split([',', ' '])).filter(|f| !f.is_empty()) {
        let (owner, feature) = match name.split_once('/') {
            Some((owner, feature)) => (Some(owner), feature),
            None => (None, name),
        };
        let mut owners = packages.iter().filter(|p| owner.is_none_or(|o| o == p.name)).peekable();
        // A feature of something outside the workspace is cargo's to know.
        if owners.peek().is_none() || owners.clone().any(|p| p.features.iter().any(|f| f == feature)) {
            continue;
        }
        let known = owners.flat_map(|p| p.features.iter().map(String::as_str));
        let hint = nearest(feature, known).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        return Err(Error::Usage(format!("no package of the workspace has the feature `{name}`{hint}")));
    }
    Ok(())
}

/// What is to be looked at. Reads standard input for `-`.
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
    Ok(Request {
        paths,
        cwd,
        manifest_path: selection.manifest_path.clone(),
        packages: selection.packages.clone(),
        workspace: selection.workspace,
        exclude: selection.exclude.clone(),
        stdin,
        edited: Default::default(),
    })
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

/// What was read, for `--verbose`.
fn describe(outcome: &Outcome) {
    say::note(&format!("root {}", outcome.root));
    for file in &outcome.config.files {
        say::note(&format!("configuration {file}"));
    }
    for file in &outcome.outside {
        say::note(&format!("outside every target: {}", file.strip_prefix(&outcome.root).unwrap_or(file)));
    }
    let program = &outcome.analysis.program;
    for krate in &program.crates {
        let kind = if krate.is_test { "test target, build script or example" } else { "library or binary" };
        let root = &program.modules[krate.root.0 as usize];
        say::note(&format!(
            "{kind} {} (edition {}) {}",
            krate.name,
            krate.edition,
            outcome.analysis.sources.path(root.file)
        ));
    }
}

fn print_timings(outcome: &Outcome) {
    let total: std::time::Duration = outcome.timings.iter().map(|(_, d)| *d).sum();
    let line = |name: &str, time: std::time::Duration| {
        say::line(&format!("{name:>16} {:>9.1} ms", time.as_secs_f64() * 1e3));
    };
    for (name, time) in &outcome.timings {
        line(name, *time);
        if *name == "analyse" {
            outcome.analysis.timings.iter().for_each(|(part, time)| line(part, *time));
        }
    }
    line("total", total);
}
