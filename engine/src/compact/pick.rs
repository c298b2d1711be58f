//! Which runs to merge next. Pure: it only looks at numbers and key ranges.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::run::{Run, RunId, RunOptions};

/// When and how to compact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOptions {
    /// Young runs from which on merging begins.
    pub young_trigger: usize,
    /// Young runs from which on writers are slowed down.
    pub young_slow: usize,
    /// Young runs at which writers wait.
    pub young_stop: usize,
    /// The young go into the base once they are this fraction (one in so many) of the base they overlap.
    pub base_ratio: u64,
    /// Length at which a run of the base is closed and the next begun.
    pub base_run_bytes: u64,
    /// Threads a merge into the base may use.
    pub threads: usize,
    /// How runs are laid out.
    pub run: RunOptions,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self {
            young_trigger: 4,
            young_slow: 10,
            young_stop: 20,
            base_ratio: 4,
            base_run_bytes: 128 << 20,
            threads: 2,
            run: RunOptions::default(),
        }
    }
}

/// What back-pressure asks of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Go on.
    None,
    /// Sleep this long first.
    Delay(Duration),
    /// Wait until compaction has caught up.
    Stop,
}

/// Longest delay of a small write before writers are stopped, and of any.
const LONGEST_DELAY: Duration = Duration::from_millis(4);
const LONGEST_OF_ANY: Duration = Duration::from_millis(100);
/// A write of this many bytes is delayed twice as long as a small one.
const SMALL: usize = 16 << 10;

/// The delay of a write of some bytes: it is bytes that flushes and merges lag behind with.
pub(crate) fn delay_for(delay: Duration, bytes: usize) -> Duration {
    delay.mul_f64(1.0 + bytes as f64 / SMALL as f64).min(LONGEST_OF_ANY.max(delay))
}

impl Pressure {
    /// A delay that grows with how much of the way from the first warning to a stop is behind.
    pub(crate) fn growing(behind: usize, whole: usize) -> Self {
        Self::Delay(LONGEST_DELAY.mul_f64(behind as f64 / whole.max(1) as f64))
    }
}

impl CompactOptions {
    /// What a writer should do while there are `young` young runs. Delays grow with the backlog, so that writers slow
    /// down long before they would have to stop.
    #[must_use]
    pub fn pressure(&self, young: usize) -> Pressure {
        if young >= self.young_stop {
            return Pressure::Stop;
        }
        match young.checked_sub(self.young_slow) {
            None => Pressure::None,
            Some(over) => Pressure::growing(over + 1, self.young_stop.saturating_sub(self.young_slow)),
        }
    }
}

/// The runs of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableRuns<'a> {
    /// Overlapping runs, newest first.
    pub young: &'a [Arc<Run>],
    /// Disjoint runs sorted by key, all older than the young.
    pub base: &'a [Arc<Run>],
}

/// A merge to do. Its inputs are replaced by its outputs in one step.
#[derive(Debug, Clone)]
pub struct Job {
    /// Young inputs, newest first; neighbours among the table's young runs.
    pub young: Vec<Arc<Run>>,
    /// Base inputs, sorted by key.
    pub base: Vec<Arc<Run>>,
    /// Outputs join the base; otherwise there is one output, which takes the inputs' place among the young.
    pub to_base: bool,
}

impl Job {
    /// Numbers of all inputs.
    pub fn inputs(&self) -> impl Iterator<Item = RunId> {
        self.runs().map(|run| run.meta().id)
    }

    /// Bytes of all inputs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs().map(|run| run.meta().bytes).sum()
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.young.iter().chain(&self.base)
    }
}

/// The most useful merge for a table, if there is one worth doing now.
#[must_use]
pub fn pick(table: &TableRuns<'_>, options: &CompactOptions) -> Option<Job> {
    if table.young.len() < options.young_trigger.max(1) {
        return None;
    }
    let base = overlapped(table.young, table.base);
    let base_bytes: u64 = base.iter().map(|run| run.meta().bytes).sum();
    let base_rows: u64 = base.iter().map(|run| run.meta().rows).sum();
    let row = base_bytes / base_rows.max(1);
    // A deletion is small itself and frees a row of the base: it counts for what it frees.
    let weight: u64 = table.young.iter().map(|run| run.meta().bytes + run.meta().deletes * row).sum();
    if weight.saturating_mul(options.base_ratio) < base_bytes
        && let Some(young) = tier(table.young)
    {
        return Some(Job { young: young.to_vec(), base: Vec::new(), to_base: false });
    }
    Some(Job { young: table.young.to_vec(), base: base.to_vec(), to_base: true })
}

/// All runs of a table into its base, whatever their number; `None` if there is nothing to gain.
#[must_use]
pub fn pick_all(table: &TableRuns<'_>) -> Option<Job> {
    let garbage =
        table.base.iter().any(|run| run.totals().rows > run.totals().keys || run.meta().deletes > 0);
    if table.young.is_empty() && !garbage {
        return None;
    }
    Some(Job { young: table.young.to_vec(), base: table.base.to_vec(), to_base: true })
}

/// The newest young runs up to one that is too large to be merged with those before it. Merging like with like keeps
/// the number of times a row is rewritten logarithmic.
fn tier(young: &[Arc<Run>]) -> Option<&[Arc<Run>]> {
    let mut sum = 0_u64;
    let mut count = 0;
    for run in young {
        let bytes = run.meta().bytes;
        if count >= 2 && bytes > 2 * sum {
            break;
        }
        sum += bytes;
        count += 1;
    }
    young.get(..count).filter(|runs| runs.len() > 1)
}

/// The runs of the base that share a key range with any of `young`: neighbours, since the base is sorted.
fn overlapped<'a>(young: &[Arc<Run>], base: &'a [Arc<Run>]) -> &'a [Arc<Run>] {
    let first = young.iter().map(|run| &run.meta().first_key).min();
    let last = young.iter().map(|run| &run.meta().last_key).max();
    let (Some(first), Some(last)) = (first, last) else { return &[] };
    let start = base.partition_point(|run| run.meta().last_key < *first);
    let end = base.partition_point(|run| run.meta().first_key <= *last);
    base.get(start..end).unwrap_or_default()
}

/// Runs whose every key lies in a range: to drop the range, they leave the manifest and nothing is rewritten.
#[must_use]
pub fn runs_inside(table: &TableRuns<'_>, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Vec<RunId> {
    let inside = |run: &&Arc<Run>| {
        let (first, last): (&[u8], &[u8]) = (&run.meta().first_key, &run.meta().last_key);
        let above = match start {
            Bound::Unbounded => true,
            Bound::Included(start) => first >= start,
            Bound::Excluded(start) => first > start,
        };
        let below = match end {
            Bound::Unbounded => true,
            Bound::Included(end) => last <= end,
            Bound::Excluded(end) => last < end,
        };
        above && below
    };
    table.young.iter().chain(table.base).filter(inside).map(|run| run.meta().id).collect()
}
