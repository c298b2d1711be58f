//! The same run once more. A run that reads the same finds the same, so what was found can be shown again without an
//! analysis. "The same" is decided by contents: every file is read and hashed, the module tree and the folders are followed
//! anew, and nothing is taken from a clock.
//!
//! Where the code differs, the files that are the same need not be parsed again.
//!
//! Where all that is kept is the caller's business.

use std::hash::Hash;
use std::time::Instant;

use camino::Utf8PathBuf;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::config::{Config, Places};
use crate::discover::{FileKey, Located, Outline, Outlines, Packs, Project};
use crate::hir::FileHir;
use crate::hir::pack::pack;
use crate::run::{Progress, Read, RunError, Timings};
use crate::settle::Settled;
use crate::source::{FileId, Sources};

/// What is worth keeping of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// A hash of all that was read.
    inputs: u128,
    /// The files that each file leads to.
    outlines: Vec<(FileKey, Outline)>,
    /// What was found.
    settled: Settled,
}

/// What a report is made from.
pub struct Shown {
    /// The files.
    pub sources: Sources,
    /// What is shown.
    pub settled: Settled,
    /// Remarks, a line each.
    pub notices: Vec<String>,
    /// `.rs` files outside every target, absolute.
    pub outside: Vec<Utf8PathBuf>,
    /// Files that could not be read.
    pub unreadable: usize,
    /// The targets read.
    pub targets: Vec<TargetRead>,
    /// Phases in order.
    pub timings: Timings,
    /// The parts of the analysis in order; none if there was no need of one.
    pub parts: Timings,
    /// What paths are relative to.
    pub root: Utf8PathBuf,
    /// What was configured, in all.
    pub config: Config,
}

/// A target that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRead {
    /// As code names it.
    pub name: String,
    /// `2015`, `2018`, `2021`, `2024`.
    pub edition: u16,
    /// A test, bench, example or build script.
    pub is_test: bool,
    /// Its root file, as shown.
    pub file: Utf8PathBuf,
}

/// What a run leaves behind.
pub struct Done {
    /// For the report.
    pub shown: Shown,
    /// What was learnt; none if there was nothing to learn.
    pub learnt: Option<Learnt>,
}

/// What was learnt by an analysis.
pub struct Learnt {
    /// To recall the findings by.
    pub memory: Memory,
    files: Vec<FileHir>,
    /// Of the files that were lowered: the key, and which it is.
    lowered: Vec<(FileKey, usize)>,
}

impl Learnt {
    /// The keys of all files that could be read.
    pub fn keys(&self) -> impl Iterator<Item = FileKey> {
        self.memory.outlines.iter().map(|(key, _)| *key)
    }

    /// The files that had to be lowered, as bytes, in order of their keys. On all cores.
    pub fn pack(&self) -> Vec<(FileKey, Vec<u8>)> {
        self.lowered.par_iter().map(|&(key, file)| (key, pack(&self.files[file]))).collect()
    }
}

/// Does as [`crate::run::check_located`], unless `before` remembers a run over the same: then that run's findings are
/// shown. Files that `packs` has are not parsed. Call it inside [`crate::run::with_room`].
///
/// # Errors
///
/// [`RunError`] where nothing could be analysed.
pub fn check(
    located: &Located,
    places: &Places,
    config: &Config,
    before: Option<Memory>,
    packs: &dyn Packs,
    progress: &dyn Progress,
) -> Result<Done, RunError> {
    let Memory { inputs: then, outlines, settled } = before.unwrap_or_default();
    let known: Outlines = outlines.into_iter().collect();
    let mut read = Read::new(located, places, config, &known, progress)?;
    let targets = targets(&read.project);
    let start = Instant::now();
    let inputs = inputs(&read.project, &read.config);
    if then == inputs {
        read.timings.push(("compare", start.elapsed()));
        let Read { project, config, timings } = read;
        let unreadable = project.unreadable.len();
        let Project { sources, notices, outside, root, .. } = project;
        let parts = Timings::new();
        let shown =
            Shown { sources, settled, notices, outside, unreadable, targets, timings, parts, root, config };
        return Ok(Done { shown, learnt: None });
    }
    read.lower_rest(packs);
    let project = &read.project;
    let readable = project.keys.iter().enumerate().filter(|(_, key)| key.edition != 0);
    let outlines = readable.clone().map(|(file, key)| (*key, project.outlines[file].clone())).collect();
    let mut lowered: Vec<(FileKey, usize)> = readable
        .filter(|(file, _)| !project.unpacked.contains(&FileId(*file as u32)))
        .map(|(file, key)| (*key, file))
        .collect();
    lowered.sort_unstable();
    lowered.dedup_by_key(|(key, _)| *key);
    let mut outcome = read.analyse(packs, progress);
    let memory = Memory { inputs, outlines, settled: outcome.settled.clone() };
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
    let files = std::mem::take(&mut outcome.analysis.program.files);
    // Taking a large analysis apart gains nothing when the process ends soon.
    std::mem::forget(outcome);
    Ok(Done { shown, learnt: Some(Learnt { memory, files, lowered }) })
}

fn targets(project: &Project) -> Vec<TargetRead> {
    let target = |krate: &crate::link::CrateInput| TargetRead {
        name: krate.name.to_string(),
        edition: krate.edition,
        is_test: krate.is_test,
        file: project.sources.path(krate.root).to_owned(),
    };
    project.input.crates.iter().map(target).collect()
}

/// A hash of all that findings depend on, besides the tool itself.
fn inputs(project: &Project, config: &Config) -> u128 {
    let mut hash = Xxh3::new();
    let hash = &mut hash;
    project.root.as_str().hash(hash);
    project.sources.len().hash(hash);
    for ((id, file), key) in project.sources.iter().zip(&project.keys) {
        file.path.as_str().hash(hash);
        (file.bom, key, project.is_shown(id)).hash(hash);
    }
    for krate in &project.input.crates {
        // Names are numbers of this process only: their texts count.
        let texts = |pairs: &[(crate::name::Name, crate::name::Name)]| -> Vec<(&str, &str)> {
            pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
        };
        krate.name.as_str().hash(hash);
        (krate.edition, krate.package, krate.is_test, krate.is_bin, krate.root).hash(hash);
        krate.deps.iter().map(|(n, i)| (n.as_str(), *i)).collect::<Vec<_>>().hash(hash);
        texts(&krate.renames).hash(hash);
        let externs = krate.externs.as_ref();
        externs.map(|e| e.iter().map(|n| n.as_str()).collect::<Vec<_>>()).hash(hash);
    }
    let mut links: Vec<_> = project.input.mod_files.iter().collect();
    links.par_sort_unstable();
    links.hash(hash);
    let mut includes: Vec<_> = project.input.includes.iter().collect();
    includes.sort_unstable();
    includes.hash(hash);
    for (file, why) in &project.unreadable {
        (file, &why.message, why.span).hash(hash);
    }
    project.notices.hash(hash);
    project.outside.iter().for_each(|p| p.as_str().hash(hash));
    config.files.iter().for_each(|p| p.as_str().hash(hash));
    config.contents.hash(hash);
    // What no file says: the command line, and what a program sets by itself.
    format!("{:?} {:?} {:?} {:?}", config.base, config.asked, config.exclude, config.rules).hash(hash);
    for entry in &config.overrides {
        format!("{} {:?}", entry.paths.path().display(), entry.settings).hash(hash);
    }
    let digest = hash.digest128();
    // Zero is what remembers nothing.
    digest.max(1)
}

/// Hash of what stands for a request, for finding its memory again.
pub fn digest(what: impl Hash) -> u128 {
    let mut hash = Xxh3::new();
    what.hash(&mut hash);
    hash.digest128()
}
