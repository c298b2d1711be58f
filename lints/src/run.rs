//! One run, from what to look at to what to show.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::Analysis;
use crate::config::{self, Config, ConfigError, Places};
use crate::discover::{DiscoverError, Located, Outlines, Packs, Project, Request, locate};
use crate::finding::Finding;
use crate::knowledge::Knowledge;
use crate::rules;
use crate::settle::{Scene, Settled, settle};
use crate::source::Location;

/// Why a run could not be done: one line.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing to analyse.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// A mistake in a configuration that was found beside the code.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Told how far the run is. All methods do nothing by default; they may be called from any thread.
pub trait Progress: Sync {
    /// A phase begins.
    fn phase(&self, name: &'static str) {
        let _ = name;
    }

    /// A file has been read and lowered.
    fn file(&self) {}
}

impl Progress for () {}

/// How long each phase took.
pub type Timings = Vec<(&'static str, Duration)>;

/// What a run found.
pub struct Outcome {
    /// The analysis, for what comes after (fixing).
    pub analysis: Analysis,
    /// What is shown.
    pub settled: Settled,
    /// Remarks, a line each.
    pub notices: Vec<String>,
    /// `.rs` files outside every target, absolute; a notice counts them.
    pub outside: Vec<camino::Utf8PathBuf>,
    /// Files that could not be read.
    pub unreadable: usize,
    /// Phases in order.
    pub timings: Timings,
    /// What paths are relative to.
    pub root: camino::Utf8PathBuf,
    /// Whether a cargo workspace was found.
    pub cargo: bool,
    /// What was configured, in all.
    pub config: Config,
}

/// Stack of the threads that walk trees, in bytes; only what is touched is backed by memory.
const STACK: usize = 256 << 20;

/// Runs `f` on a pool whose threads have room for deep trees. Without such a pool, on the caller's.
pub fn with_room<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().stack_size(STACK).build() {
        Ok(pool) => pool.install(f),
        Err(_) => f(),
    }
}

/// Locates what `request` names, and does the rest as [`check_located`]; reads no configuration.
///
/// # Errors
///
/// [`RunError`] where nothing could be analysed.
pub fn check(request: &Request, config: &Config) -> Result<Outcome, RunError> {
    let located = locate(request)?;
    let bare = Places { none: true, ..located.places() };
    check_located(&located, &bare, config, &())
}

/// Reads, analyses and settles what was located. `config` as loaded from `places`; what stands in folders of the code is
/// added to it. Call it inside [`with_room`].
///
/// # Errors
///
/// [`RunError`] where nothing could be analysed.
pub fn check_located(
    located: &Located,
    places: &Places,
    config: &Config,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    let read = Read::new(located, places, config, &Outlines::default(), progress)?;
    Ok(read.analyse(&(), progress))
}

/// The code and its configuration, before the analysis.
pub(crate) struct Read {
    pub(crate) project: Project,
    pub(crate) config: Config,
    pub(crate) timings: Timings,
}

impl Read {
    /// Reads what was located; files with `known` outlines are not lowered yet.
    pub(crate) fn new(
        located: &Located,
        places: &Places,
        config: &Config,
        known: &Outlines,
        progress: &dyn Progress,
    ) -> Result<Read, RunError> {
        let start = Instant::now();
        progress.phase("reading the code");
        let mut project = located.load_knowing(&config.exclude, known, progress)?;
        if !project.outside.is_empty() {
            project.notices.push(match project.outside.len() {
                1 => "1 .rs file lies outside every target and is not analysed".to_owned(),
                n => format!("{n} .rs files lie outside every target and are not analysed"),
            });
        }
        let mut config = config.clone();
        let root = &project.root;
        let folders =
            project.sources.iter().filter_map(|(_, f)| root.join(&f.path).parent().map(ToOwned::to_owned));
        config::load_near(places, folders, &mut config)?;
        Ok(Read { project, config, timings: vec![("read and parse", start.elapsed())] })
    }

    /// Lowers or unpacks what was only read so far.
    pub(crate) fn lower_rest(&mut self, packs: &dyn Packs) {
        if !self.project.pending.is_empty() {
            let start = Instant::now();
            self.project.lower_pending(packs);
            self.timings.push(("unpack the rest", start.elapsed()));
        }
    }

    /// Analyses and settles it.
    pub(crate) fn analyse(mut self, packs: &dyn Packs, progress: &dyn Progress) -> Outcome {
        self.lower_rest(packs);
        let Read { project, config, mut timings } = self;
        let mut clock = Instant::now();
        let mut lap = |name, timings: &mut Timings| {
            timings.push((name, std::mem::replace(&mut clock, Instant::now()).elapsed()));
        };
        progress.phase("linking");
        let Project { root, sources, files, input, unreadable, notices, outside, shown, cargo, .. } = project;
        let knowledge = config.knowledge.clone().unwrap_or_else(Knowledge::builtin);
        let program = crate::link::link(files, &input, knowledge);
        lap("link", &mut timings);
        progress.phase("analysing");
        let analysis = Analysis::with_options(sources, program, config.rules.clone());
        lap("analyse", &mut timings);
        progress.phase("checking");
        let mut findings: Vec<Finding> = rules::ALL
            .par_iter()
            .with_max_len(1)
            .filter(|rule| config.may_show(rule))
            .map(|rule| {
                let mut found = Vec::new();
                (rule.check)(&analysis, &mut found);
                found
            })
            .flatten()
            .collect();
        for (file, why) in &unreadable {
            let source = analysis.sources.get(*file);
            let at = Location { file: *file, span: source.one_line(why.span) };
            let mut finding = Finding::new(&rules::tool::unreadable_file::RULE, at, why.message.clone());
            finding.label = "cannot be read from here on".to_owned();
            finding.help = "mend the file, or leave it out with `exclude` in uncork.toml".to_owned();
            finding.key = "unreadable".to_owned();
            findings.push(finding);
        }
        lap("check", &mut timings);
        let scene =
            Scene { sources: &analysis.sources, program: &analysis.program, root: &root, shown: &shown };
        let settled = settle(scene, findings, &config);
        lap("settle", &mut timings);
        let unreadable = unreadable.len();
        Outcome { settled, notices, outside, unreadable, timings, root, cargo, config, analysis }
    }
}
