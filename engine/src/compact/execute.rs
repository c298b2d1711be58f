//! Carrying out a merge: in parallel by key range, at a bounded rate, all or nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::compact::gc::Gc;
use crate::compact::limiter::RateLimiter;
use crate::compact::pick::{CompactOptions, Job};
use crate::error::{Error, Result};
use crate::key::Sequence;
use crate::merge::{Concat, Cursor, Merge};
use crate::run::{Keep, RunId, RunMeta, RunOptions, RunWriter};
use crate::storage::Storage;

/// What a merge needs of its database.
#[derive(Debug, Clone, Copy)]
pub struct CompactEnv<'a> {
    /// Where files live.
    pub storage: &'a Arc<dyn Storage>,
    /// Directory of the run files.
    pub directory: &'a Path,
    /// Number of the next run.
    pub next_id: &'a AtomicU64,
    /// No snapshot is older: versions only older ones could see are dropped.
    pub oldest_snapshot: Sequence,
    /// How fast to write.
    pub limiter: &'a RateLimiter,
    /// Set when the database closes: the merge gives up.
    pub stop: &'a AtomicBool,
    /// When and how to compact.
    pub options: &'a CompactOptions,
}

impl CompactEnv<'_> {
    /// Path of a run's file.
    #[must_use]
    pub fn path(&self, id: RunId) -> PathBuf {
        self.directory.join(format!("{id:016x}.run"))
    }
}

/// A part smaller than this is not worth a thread.
const PART_MIN: u64 = 16 << 20;
/// Bytes between two looks at the limiter and the stop flag.
const STRIDE: u64 = 256 << 10;

/// Carries out `job`. The outputs, sorted by key, are complete and synced; their names are not yet. After an error or
/// a stop none of them is left behind.
pub fn execute(job: &Job, env: &CompactEnv<'_>) -> Result<Vec<RunMeta>> {
    let parts = if job.to_base { part_count(job, env.options) } else { 1 };
    let cuts = cuts(job, parts);
    let base: Arc<[_]> = job.base.iter().map(Arc::clone).collect();
    let starts = std::iter::once(None).chain(cuts.iter().map(|cut| Some(&**cut)));
    let ends = cuts.iter().map(|cut| Some(&**cut)).chain(std::iter::once(None));
    let ranges: Vec<_> = starts.zip(ends).map(|(start, end)| Part { start, end }).collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = ranges
            .iter()
            .map(|part| {
                let base = Arc::clone(&base);
                scope.spawn(move || part.merge(job, base, env))
            })
            .collect();
        // A panic is passed on, not hidden.
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    let mut outputs = Vec::new();
    let mut failed = None;
    for result in results {
        match result {
            Ok(written) => outputs.extend(written),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => Ok(outputs),
        Some(error) => {
            remove(&outputs, env);
            Err(error)
        }
    }
}

fn part_count(job: &Job, options: &CompactOptions) -> usize {
    let by_size = usize::try_from(job.bytes() / PART_MIN).unwrap_or(usize::MAX);
    by_size.clamp(1, options.threads.max(1))
}

/// Keys that cut the job into parts of about equal work: the fences of its largest run, weighed by that run alone.
/// Where the base has several runs, their boundaries do.
fn cuts(job: &Job, parts: usize) -> Vec<Box<[u8]>> {
    if parts < 2 {
        return Vec::new();
    }
    if job.base.len() >= 2 * parts {
        let at = (1..parts).filter_map(|part| job.base.get(part * job.base.len() / parts));
        return at.map(|run| run.meta().first_key.clone()).collect();
    }
    let largest = job.runs().max_by_key(|run| run.meta().bytes);
    largest.map_or_else(Vec::new, |run| run.split_keys(parts).into_iter().map(Box::from).collect())
}

fn remove(outputs: &[RunMeta], env: &CompactEnv<'_>) {
    for output in outputs {
        // What cannot be removed now is swept up at the next open: no manifest names it.
        let _left = env.storage.remove(&env.path(output.id));
    }
}

/// Keys from `start` up to, not including, `end`.
struct Part<'a> {
    start: Option<&'a [u8]>,
    end: Option<&'a [u8]>,
}

impl Part<'_> {
    fn merge(
        &self,
        job: &Job,
        base: Arc<[Arc<crate::run::Run>]>,
        env: &CompactEnv<'_>,
    ) -> Result<Vec<RunMeta>> {
        let mut outputs = Vec::new();
        let merged = self.merge_into(&mut outputs, job, base, env);
        if merged.is_err() {
            remove(&outputs, env);
        }
        merged.map(|()| outputs)
    }

    fn merge_into(
        &self,
        outputs: &mut Vec<RunMeta>,
        job: &Job,
        base: Arc<[Arc<crate::run::Run>]>,
        env: &CompactEnv<'_>,
    ) -> Result<()> {
        let mut sources: Vec<Box<dyn Cursor>> = Vec::with_capacity(job.young.len() + 1);
        for run in &job.young {
            sources.push(Box::new(run.cursor(Keep::No)));
        }
        sources.push(Box::new(Concat::new(base, Keep::No)));
        let mut merge = Merge::new(sources);
        match self.start {
            Some(start) => merge.seek(start)?,
            None => merge.seek_first()?,
        }
        let base_sequence = job.runs().map(|run| run.meta().min_sequence).min().unwrap_or_default();
        let options = RunOptions { base_sequence, ..env.options.run };
        let mut gc = Gc::new(env.oldest_snapshot, job.to_base);
        let mut writer: Option<RunWriter> = None;
        let mut paid = 0;
        while let Some(version) = merge.current() {
            if self.end.is_some_and(|end| version.key >= end) {
                break;
            }
            if gc.keep(version) {
                // All versions of a key stay in one run: runs of the base are disjoint by key.
                let is_full = |w: &mut RunWriter| {
                    job.to_base && w.is_full(env.options.base_run_bytes) && w.last_key() != version.key
                };
                if let Some(full) = writer.take_if(is_full) {
                    outputs.push(full.finish()?);
                    paid = 0;
                }
                let open = match &mut writer {
                    Some(open) => open,
                    None => {
                        let id = env.next_id.fetch_add(1, Ordering::Relaxed);
                        let fresh = RunWriter::create(env.storage, &env.path(id), id, &options)?;
                        writer.insert(match job.runs().next() {
                            Some(run) => fresh.counted(run.work()),
                            None => fresh,
                        })
                    }
                };
                open.push(version)?;
                let written = open.written();
                if written >= paid + STRIDE {
                    pause(written - paid, env)?;
                    paid = written;
                }
            }
            merge.next()?;
        }
        if let Some(last) = writer {
            outputs.push(last.finish()?);
        }
        Ok(())
    }
}

/// Waits for the limiter; an error if the database is closing.
fn pause(bytes: u64, env: &CompactEnv<'_>) -> Result<()> {
    if env.stop.load(Ordering::Relaxed) {
        return Err(Error::Closed);
    }
    let wait = env.limiter.reserve(bytes);
    if !wait.is_zero() {
        std::thread::sleep(wait);
    }
    Ok(())
}
