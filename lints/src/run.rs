//! One run, from what to look at to what to show.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::Analysis;
use crate::config::Config;
use crate::discover::{DiscoverError, Project, Request, discover};
use crate::finding::{Finding, Level};
use crate::hir::FileHir;
use crate::knowledge::{Knowledge, KnowledgeError};
use crate::rules;
use crate::settle::{Settled, settle};
use crate::source::Location;

/// Why a run could not be done: one line.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing to analyse.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The user's knowledge tables.
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
}

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
    /// Files that could not be read.
    pub unreadable: usize,
    /// Phases in order.
    pub timings: Timings,
    /// What paths are relative to.
    pub root: camino::Utf8PathBuf,
    /// Whether a cargo workspace was found.
    pub cargo: bool,
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

/// Discovers, analyses and settles. Call it inside [`with_room`].
///
/// # Errors
///
/// [`RunError`] where nothing could be analysed.
pub fn check(request: &Request, config: &Config) -> Result<Outcome, RunError> {
    let mut timings: Timings = Vec::new();
    let mut clock = Instant::now();
    let mut lap = |name, timings: &mut Timings| {
        timings.push((name, clock.elapsed()));
        clock = Instant::now();
    };
    let mut knowledge = Knowledge::builtin();
    knowledge.extend(&config.knowledge)?;
    lap("knowledge", &mut timings);
    let mut request = request.clone();
    request.ignore.extend(config.exclude.iter().cloned());
    let Project { root, sources, files, input, unreadable, mut notices, outside, shown, cargo } =
        discover(&request)?;
    if outside > 0 {
        let (noun, verb) = if outside == 1 { ("file", "lies") } else { ("files", "lie") };
        notices.push(format!(
            "{outside} .rs {noun} {verb} outside every target and {verb2} not analysed",
            verb2 = if outside == 1 { "is" } else { "are" }
        ));
    }
    lap("read and parse", &mut timings);
    let program = crate::link::link(files, &input, knowledge);
    lap("link", &mut timings);
    let analysis = Analysis::with_options(sources, program, config.rules.clone());
    lap("analyse", &mut timings);
    let mut findings: Vec<Finding> = rules::ALL
        .par_iter()
        .filter(|rule| config.level(rule) != Level::Allow)
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
    let files: &[FileHir] = &analysis.program.files;
    let settled = settle(&analysis.sources, files, findings, config, &shown);
    lap("settle", &mut timings);
    Ok(Outcome { settled, notices, unreadable: unreadable.len(), timings, root, cargo, analysis })
}
