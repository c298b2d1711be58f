//! What a leader does with a group.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::queue::Lead;
use super::window::{ReadSet, Window};
use crate::db::core::Shared;
use crate::db::ingest::Install;
use crate::db::table::TableInner;
use crate::error::{Error, Result};
use crate::key::Sequence;
use crate::log::{Failure, Writer};

/// Something only the leader may do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Commit an encoded batch.
    Commit(Commit),
    /// Make all commits so far durable.
    Sync,
    /// Let a table's active memtable become a frozen one, if it holds anything.
    Freeze(Arc<TableInner>),
    /// Begin a new log segment.
    Rotate,
    /// The log is left alone or copied: end it with a frame that says that all commits before are on the medium.
    Vouch,
    /// Make runs that were written aside part of a table.
    Install(Box<Install>),
}

/// A commit on its way.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) body: Arc<[u8]>,
    /// Whether it must be durable before anyone sees it.
    pub(crate) sync: bool,
    /// What it depends on, if it is a transaction.
    pub(crate) reads: Option<ReadSet>,
    /// When it was handed in.
    pub(crate) submitted: Instant,
}

/// All that the leader of the moment has to itself.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    pub(crate) window: Window,
    /// The last sequence given out.
    pub(crate) last: Sequence,
    /// The last commit with anything in it.
    pub(crate) content: Sequence,
    /// The newest commit that a later frame of the log says was on the medium.
    pub(crate) vouched: Sequence,
}

impl Lead for Leader {
    type Job = Job;
    type Outcome = Result<Sequence>;

    fn weigh(job: &Job) -> usize {
        match job {
            Job::Commit(commit) => commit.body.len() + 64,
            Job::Sync | Job::Freeze(_) | Job::Rotate | Job::Vouch | Job::Install(_) => 64,
        }
    }

    fn lead(&mut self, jobs: Vec<Job>) -> Vec<Result<Sequence>> {
        if let Some(error) = self.shared.poisoned() {
            return jobs.iter().map(|_| Err(error.clone())).collect();
        }
        let watched = self.shared.transactions.watched();
        let mut outcomes = self.number(&jobs, watched.is_some());
        let accepted = || jobs.iter().zip(&outcomes).filter_map(accepted_commit);
        let wants_sync =
            accepted().any(|(commit, _)| commit.sync) || jobs.iter().any(|job| matches!(job, Job::Sync));
        let bodies: Vec<&[u8]> = accepted().map(|(commit, _)| &*commit.body).collect();
        if let Err(error) = self.persist(&bodies, wants_sync) {
            self.window.retract(self.last);
            for (job, outcome) in jobs.iter().zip(&mut outcomes) {
                if outcome.is_ok() && matches!(job, Job::Commit(_) | Job::Sync) {
                    *outcome = Err(error.clone());
                }
            }
        } else {
            self.apply(accepted());
            self.last += bodies.len() as u64;
            self.shared.visible.store(self.last, Ordering::Release);
        }
        drop(bodies);
        self.window.trim(watched.unwrap_or(0));
        self.shared.budget.set_window(self.window.bytes());
        for (job, outcome) in jobs.into_iter().zip(&mut outcomes) {
            self.control(job, outcome);
        }
        outcomes
    }
}

fn accepted_commit<'a>((job, outcome): (&'a Job, &Result<Sequence>)) -> Option<(&'a Commit, Sequence)> {
    match (job, outcome) {
        (Job::Commit(commit), Ok(sequence)) => Some((commit, *sequence)),
        _ => None,
    }
}

impl Leader {
    /// Gives each commit that conflicts with none before it the next sequence.
    fn number(&mut self, jobs: &[Job], is_watched: bool) -> Vec<Result<Sequence>> {
        let now = Instant::now();
        let mut next = self.last;
        if !is_watched {
            self.window.skip(self.last);
        }
        jobs.iter()
            .map(|job| {
                let Job::Commit(commit) = job else { return Ok(self.last) };
                self.shared.metrics.turn.record(now.saturating_duration_since(commit.submitted));
                if commit.reads.as_ref().is_some_and(|reads| !self.window.allows(reads)) {
                    self.shared.metrics.conflicts.add(1);
                    return Err(Error::Conflict);
                }
                next += 1;
                self.window.record(next, &commit.body);
                Ok(next)
            })
            .collect()
    }

    /// Writes the group to the log, and syncs it if asked to.
    fn persist(&mut self, bodies: &[&[u8]], sync: bool) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        if !bodies.is_empty() {
            let durable = shared.durable.load(Ordering::Relaxed);
            match self.writer.append(self.last + 1, bodies, durable) {
                Ok(()) => {}
                Err(Failure::Clean(error)) => return Err(error),
                Err(Failure::Unknown(error)) => return Err(shared.poison(&error)),
            }
            self.vouched = self.vouched.max(durable);
            let filled = bodies.iter().rposition(|body| !body.is_empty());
            self.content = filled.map_or(self.content, |at| self.last + 1 + at as u64);
            shared.metrics.groups.add(1);
            shared.metrics.log_bytes.add(bodies.iter().map(|body| body.len() as u64).sum());
        }
        if sync && !self.writer.synced() {
            let started = Instant::now();
            self.writer.sync().map_err(|error| shared.poison(&error))?;
            shared.metrics.sync.record(started.elapsed());
            shared.durable.store(self.last + bodies.len() as u64, Ordering::Release);
        }
        if self.writer.nears_the_end() && shared.log.wants_segment() {
            shared.signal.segment();
        }
        Ok(())
    }

    /// Puts the commits into memtables; nobody sees them there before `visible` is raised.
    fn apply<'a>(&self, commits: impl Iterator<Item = (&'a Commit, Sequence)>) {
        let tables = self.shared.tables.load();
        for (commit, sequence) in commits {
            self.shared.metrics.commits.add(1);
            tables.apply(sequence, &commit.body, |_| 0, |table| self.freeze(table));
        }
        if self.shared.budget.memtables_are_over(&tables)
            && let Some(largest) = tables.largest_memtable()
        {
            // Many small tables: the largest memtable makes room.
            self.shared.metrics.early_flushes.add(1);
            self.freeze(largest);
        }
    }

    fn freeze(&self, table: &TableInner) {
        if table.freeze(self.shared.options.write_buffer_bytes) {
            self.shared.signal.flush();
        }
    }

    fn control(&mut self, job: Job, outcome: &mut Result<Sequence>) {
        match job {
            Job::Commit(_) | Job::Sync => {}
            Job::Freeze(table) => self.freeze(&table),
            Job::Rotate => {
                if let Err(failure) = self.writer.rotate() {
                    *outcome = Err(match failure {
                        Failure::Clean(error) => error,
                        Failure::Unknown(error) => self.shared.poison(&error),
                    });
                }
            }
            Job::Vouch => *outcome = self.vouch(),
            Job::Install(install) => *outcome = self.install(*install),
        }
    }

    /// A frame at the end of the log that does not hold is taken for one that a crash has cut short, unless something
    /// later says it was whole. At the end of a life there is no crash: an empty commit says so.
    fn vouch(&mut self) -> Result<Sequence> {
        self.persist(&[], true)?;
        let in_runs = self.shared.manifest.lock().state().in_runs;
        if self.content > self.vouched.max(in_runs) {
            self.persist(&[&[]], true)?;
            self.last += 1;
            self.shared.visible.store(self.last, Ordering::Release);
        }
        Ok(self.last)
    }

    /// Gives runs written aside a sequence of their own and makes them visible with it.
    fn install(&mut self, install: Install) -> Result<Sequence> {
        install.table.is_quiet()?;
        let sequence = self.last + 1;
        // An empty commit takes the number in the log; should the machine stop before the manifest names the runs, that
        // is all that is left of them.
        self.persist(&[&[]], true)?;
        self.last = sequence;
        // Whatever transactions read of the table may have changed.
        self.window.skip(sequence);
        let installed = install.run(&self.shared, sequence);
        self.shared.visible.store(sequence, Ordering::Release);
        installed.map(|()| sequence)
    }
}
