//! `check`: from arguments to a report and an exit status.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use uncork_fixers::codemods;
use uncork_lints::again::{self, Done, Learnt, Shown, TargetRead};
use uncork_lints::config::{self, Config, Levels, Places, Selector, Settings, nearest};
use uncork_lints::discover::{DiscoverError, Located, Request, locate};
use uncork_lints::finding::{Confidence, Finding, Level, Severity};
use uncork_lints::rules;
use uncork_lints::run::{self, Outcome};
use uncork_lints::source::Sources;
use uncork_reports::{Format, Notice, NoticeLevel, Options, ReportInput, Summary};

use crate::args::{CheckArgs, ColorArg, Selection, Strictness};
use crate::cache::history::{self, Entry};
use crate::cache::{self, Cache};
use crate::error::Error;
use crate::output::Target;
use crate::preview::{self, Preview};
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
    if args.fixes {
        let outcome = run::with_room(|| plan.check(&progress))?;
        let fixes = preview::compute(&plan, &outcome, &progress)?;
        drop(progress);
        let mut outcome = shown(outcome);
        tell(args, &outcome);
        report(&mut outcome, Some(&fixes), &style(args, format, &target, started))?;
        if args.timings {
            print_timings(&outcome);
        }
        return Ok(ExitCode::from(outcome.settled.status()));
    }
    let recall = Recall::new(args, &request, &plan);
    let (known, commit) =
        recall.as_ref().map(|r| (r.recall(), history::ask_commit(&plan.located.root))).unzip();
    let cache::Recalled { memory, last } = known.unwrap_or_default();
    let files = recall.as_ref().map_or_else(cache::Files::none, |r| r.cache.files());
    let done =
        run::with_room(|| again::check(&plan.located, &plan.places, &plan.config, memory, &files, &progress));
    files.close();
    drop(progress);
    let Done { shown: mut outcome, learnt } = done?;
    tell(args, &outcome);
    report(&mut outcome, None, &style(args, format, &target, started))?;
    if args.timings {
        print_timings(&outcome);
    }
    if let Some(recall) = recall {
        recall.keep(&outcome, learnt.as_ref(), commit.and_then(history::Asked::answer), last);
    }
    let status = outcome.settled.status();
    // Taking all of it apart gains nothing when the process ends anyway.
    std::mem::forget((outcome, learnt));
    Ok(ExitCode::from(status))
}

/// What is said besides the report.
fn tell(args: &CheckArgs, outcome: &Shown) {
    if args.verbose {
        describe(outcome);
    }
    if !args.quiet {
        for notice in &outcome.notices {
            say::note(notice);
        }
        if args.selection.no_default_features {
            say::note("`--no-default-features` changes nothing: code of every feature is analysed");
        }
    }
}

fn style<'a>(args: &CheckArgs, format: Format, target: &'a Target, started: Instant) -> Style<'a> {
    Style { format, target, color: args.color, statistics: args.statistics, started }
}

/// An analysis that nothing but a report is left to make from.
pub(crate) fn shown(mut outcome: Outcome) -> Shown {
    let program = &outcome.analysis.program;
    let target = |krate: &uncork_lints::program::Crate| TargetRead {
        name: krate.name.to_string(),
        edition: krate.edition,
        is_test: krate.is_test,
        file: outcome.analysis.sources.path(program.modules[krate.root.0 as usize].file).to_owned(),
    };
    let targets = program.crates.iter().map(target).collect();
    let shown = Shown {
        sources: std::mem::take(&mut outcome.analysis.sources),
        settled: std::mem::take(&mut outcome.settled),
        notices: std::mem::take(&mut outcome.notices),
        outside: std::mem::take(&mut outcome.outside),
        unreadable: outcome.unreadable,
        targets,
        timings: std::mem::take(&mut outcome.timings),
        parts: std::mem::take(&mut outcome.analysis.timings),
        root: std::mem::take(&mut outcome.root),
        config: std::mem::take(&mut outcome.config),
    };
    // Taking a large analysis apart gains nothing when the process ends soon.
    std::mem::forget(outcome);
    shown
}

/// How a report is made.
pub(crate) struct Style<'a> {
    pub(crate) format: Format,
    pub(crate) target: &'a Target,
    pub(crate) color: ColorArg,
    pub(crate) statistics: bool,
    pub(crate) started: Instant,
}

/// Renders what was found; files that could not be read are named on standard error.
pub(crate) fn report(outcome: &mut Shown, fixes: Option<&Preview>, style: &Style<'_>) -> Result<(), Error> {
    match fixes {
        Some(fixes) => preview::settle(&mut outcome.settled.findings, fixes),
        // A fix is offered where there is one to be had: `fix` knows which rules it can rewrite so far.
        None => {
            for finding in &mut outcome.settled.findings {
                if !codemods::fixable().any(|rule| rule == finding.rule) {
                    finding.fix = None;
                }
            }
        }
    }
    let unreadable: Vec<Notice> = outcome
        .settled
        .findings
        .iter()
        .filter(|f| f.rule == rules::tool::unreadable_file::RULE.id)
        .map(|f| unreadable(outcome, f))
        .collect();
    for notice in unreadable.iter().take(NAMED) {
        say::error(&notice.message);
    }
    if unreadable.len() > NAMED {
        say::error(&format!("{} more files could not be read", unreadable.len() - NAMED));
    }
    let to_terminal = style.target.is_stdout() && std::io::stdout().is_terminal();
    let colour = colour(style.color, to_terminal);
    let width = to_terminal.then(say::terminal_width).flatten();
    let summary = summary(outcome, to_terminal.then(|| style.started.elapsed()));
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
        sources: &outcome.sources,
        findings: &outcome.settled.findings,
        rules: rules::ALL,
        summary,
        tool_version: env!("CARGO_PKG_VERSION"),
        fixes: fixes.map_or(&[], |f| &f.fixes),
        refusals: fixes.map_or(&[], |f| &f.refusals),
        result: fixes.map(|f| &f.result),
        notices: &notices,
        options: Options { colour, width, statistics: style.statistics },
    };
    style.target.write(|out| uncork_reports::render(style.format, &input, out))
}

/// The cache, and what this run is called in it.
struct Recall {
    cache: Cache,
    request: u128,
    /// The arguments that decide what is looked at and shown.
    options: String,
    /// Whether the run belongs into the history: it looks at packages, not at paths.
    counted: bool,
}

impl Recall {
    /// `None` for a run without cache.
    fn new(args: &CheckArgs, request: &Request, plan: &Plan) -> Option<Recall> {
        if args.no_cache || plan.located.is_edited() {
            return None;
        }
        let folder = cache::folder(args.cache_dir.as_deref(), plan.located.target_directory())?;
        let options = options(args);
        let identity = (plan.located.root.as_str(), request.cwd.as_str(), &options, &args.selection.paths);
        Some(Recall {
            request: cache::request(identity),
            cache: Cache::new(folder, args.verbose, args.quiet),
            options,
            counted: args.selection.paths.is_empty(),
        })
    }

    fn recall(&self) -> cache::Recalled {
        self.cache.recall(self.request, &self.options)
    }

    fn keep(&self, shown: &Shown, learnt: Option<&Learnt>, commit: Option<String>, last: Option<Entry>) {
        let entry = Entry {
            time: cache::now(),
            commit,
            options: self.options.clone(),
            files: shown.sources.len() as u64,
            lines: shown.sources.iter().map(|(_, f)| f.line_count() as u64).sum(),
            suppressed: shown.settled.suppressed as u64,
            counts: history::count(&shown.settled.findings),
        };
        let new = self.counted && !last.is_some_and(|last| entry.repeats(&last));
        self.cache.keep(self.request, learnt, new.then_some(&entry));
    }
}

/// The arguments that decide what is looked at and shown, as they are written; paths are left out.
fn options(args: &CheckArgs) -> String {
    let (selection, strictness) = (&args.selection, &args.strictness);
    let mut all: Vec<String> = Vec::new();
    let mut one = |name: &str, value: Option<String>| {
        all.extend(value.map(|v| if v.is_empty() { name.to_owned() } else { format!("{name} {v}") }));
    };
    let flag = |given: bool| given.then(String::new);
    selection.packages.iter().for_each(|p| one("-p", Some(p.clone())));
    one("--workspace", flag(selection.workspace));
    selection.exclude.iter().for_each(|p| one("--exclude", Some(p.clone())));
    one("--manifest-path", selection.manifest_path.as_ref().map(ToString::to_string));
    one("--tests", flag(strictness.tests || selection.all_targets));
    for (rule, level) in &strictness.levels {
        let name = match level {
            Level::Allow => "-A",
            Level::Warn => "-W",
            Level::Deny => "-D",
        };
        one(name, Some(rule.clone()));
    }
    one("--severity", strictness.severity.map(|s| format!("{:?}", Severity::from(s)).to_lowercase()));
    one("--confidence", strictness.confidence.map(|c| format!("{:?}", Confidence::from(c)).to_lowercase()));
    one("--config", strictness.config.as_ref().map(ToString::to_string));
    one("--no-config", flag(strictness.no_config));
    all.join(" ")
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

fn summary(outcome: &Shown, elapsed: Option<std::time::Duration>) -> Summary {
    let sources = &outcome.sources;
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
fn unreadable(outcome: &Shown, finding: &Finding) -> Notice {
    unreadable_in(&outcome.sources, finding)
}

/// The files of a run that could not be read, a line each.
pub(crate) fn unreadable_lines(outcome: &Outcome) -> Vec<String> {
    let findings = outcome.settled.findings.iter();
    let unreadable = findings.filter(|f| f.rule == rules::tool::unreadable_file::RULE.id);
    let named = unreadable.take(NAMED).map(|f| unreadable_in(&outcome.analysis.sources, f).message);
    let more = outcome.unreadable.saturating_sub(NAMED);
    named.chain((more > 0).then(|| format!("{more} more files could not be read"))).collect()
}

fn unreadable_in(sources: &Sources, finding: &Finding) -> Notice {
    let source = sources.get(finding.at.file);
    let at = source.line_column(finding.at.span.lo);
    Notice {
        level: NoticeLevel::Error,
        path: Some(source.path.clone()),
        line: Some(at.line),
        message: format!("{}:{}:{}: {}", source.path, at.line, at.column, finding.message),
    }
}

/// What was read, for `--verbose`.
fn describe(outcome: &Shown) {
    say::note(&format!("root {}", outcome.root));
    for file in &outcome.config.files {
        say::note(&format!("configuration {file}"));
    }
    for file in &outcome.outside {
        say::note(&format!("outside every target: {}", file.strip_prefix(&outcome.root).unwrap_or(file)));
    }
    for target in &outcome.targets {
        let kind = if target.is_test { "test target, build script or example" } else { "library or binary" };
        say::note(&format!("{kind} {} (edition {}) {}", target.name, target.edition, target.file));
    }
}

fn print_timings(outcome: &Shown) {
    let total: std::time::Duration = outcome.timings.iter().map(|(_, d)| *d).sum();
    let line = |name: &str, time: std::time::Duration| {
        say::line(&format!("{name:>16} {:>9.1} ms", time.as_secs_f64() * 1e3));
    };
    for (name, time) in &outcome.timings {
        line(name, *time);
        if *name == "analyse" {
            outcome.parts.iter().for_each(|(part, time)| line(part, *time));
        }
    }
    line("total", total);
}
