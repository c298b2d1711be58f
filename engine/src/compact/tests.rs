//! Compaction against a model: whatever is merged, every live snapshot sees the same.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::blocks::pool::{ReadMode, ReadPool};
use crate::compact::{
    CompactEnv, CompactOptions, Job, Pressure, RateLimiter, TableRuns, execute, pick, pick_all, runs_inside,
};
use crate::error::Error;
use crate::key::{Kind, Version};
use crate::merge::{Concat, Cursor, Scan};
use crate::run::tests::Memory;
use crate::run::{Keep, Run, RunMeta, RunOptions, RunWriter};
use crate::storage::Storage;

/// A table in the making.
struct Table {
    storage: Arc<dyn Storage>,
    memory: Arc<Memory>,
    pool: Arc<ReadPool>,
    next_id: AtomicU64,
    young: Vec<Arc<Run>>,
    base: Vec<Arc<Run>>,
    limiter: RateLimiter,
    stop: AtomicBool,
}

impl Table {
    fn new() -> Self {
        let memory = Arc::new(Memory::default());
        Self {
            storage: Arc::<Memory>::clone(&memory),
            memory,
            pool: Arc::new(ReadPool::new(1 << 20, ReadMode::Map)),
            next_id: AtomicU64::new(1),
            young: Vec::new(),
            base: Vec::new(),
            limiter: RateLimiter::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn env<'a>(&'a self, oldest_snapshot: u64, options: &'a CompactOptions) -> CompactEnv<'a> {
        CompactEnv {
            storage: &self.storage,
            directory: Path::new(""),
            next_id: &self.next_id,
            oldest_snapshot,
            limiter: &self.limiter,
            stop: &self.stop,
            options,
        }
    }

    fn open(&self, id: u64) -> Arc<Run> {
        Run::open(&self.storage, Path::new(&format!("{id:016x}.run")), id, &self.pool).unwrap()
    }

    /// Puts rows of one commit each into a new young run.
    fn flush(&mut self, rows: &BTreeMap<Vec<u8>, (u64, Kind, Vec<u8>)>) {
        let id = self.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = format!("{id:016x}.run");
        let options = RunOptions { block_size: 512, ..RunOptions::default() };
        let mut writer = RunWriter::create(&self.storage, Path::new(&path), id, &options).unwrap();
        for (key, (sequence, kind, value)) in rows {
            writer.push(Version { key, sequence: *sequence, kind: *kind, value }).unwrap();
        }
        writer.finish().unwrap();
        self.young.insert(0, self.open(id));
    }

    fn install(&mut self, job: &Job, outputs: &[RunMeta]) {
        let gone: Vec<_> = job.inputs().collect();
        let place = self.young.iter().position(|run| gone.contains(&run.meta().id)).unwrap_or(0);
        for run in job.young.iter().chain(&job.base) {
            run.remove_on_drop();
        }
        self.young.retain(|run| !gone.contains(&run.meta().id));
        self.base.retain(|run| !gone.contains(&run.meta().id));
        let outputs: Vec<_> = outputs.iter().map(|meta| self.open(meta.id)).collect();
        if job.to_base {
            self.base.extend(outputs);
            self.base.sort_by(|a, b| a.meta().first_key.cmp(&b.meta().first_key));
            assert!(self.base.is_sorted_by(|a, b| a.meta().last_key < b.meta().first_key));
        } else {
            assert!(outputs.len() <= 1);
            self.young.splice(place..place, outputs);
        }
    }

    fn seen(&self, snapshot: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let young = self.young.clone();
        let base: Arc<[Arc<Run>]> = self.base.clone().into();
        let sources = move || {
            let young = young.iter().map(|run| Box::new(run.cursor(Keep::No)) as Box<dyn Cursor>);
            young.chain([Box::new(Concat::new(Arc::clone(&base), Keep::No)) as Box<dyn Cursor>]).collect()
        };
        let scan = Scan::new(Box::new(sources), .., snapshot);
        scan.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
    }
}

fn small() -> CompactOptions {
    CompactOptions {
        young_trigger: 3,
        base_run_bytes: 1500,
        run: RunOptions { block_size: 512, ..RunOptions::default() },
        ..CompactOptions::default()
    }
}

fn commits() -> impl Strategy<Value = Vec<Vec<(Vec<u8>, Option<u8>)>>> {
    let key = (0..80_u8).prop_map(|n| format!("key{n:02}").into_bytes());
    vec(vec((key, proptest::option::weighted(0.8, any::<u8>())), 1..40), 1..25)
}

/// Keys count too: with many small rows a run would outgrow the memory that its index may take, and have none.
#[test]
fn runs_of_the_base_are_closed_while_they_can_still_be_indexed() {
    let mut table = Table::new();
    for part in 0..3_u64 {
        let rows = (0..1000_u32).map(|n| (n * 3 + part as u32).to_be_bytes().to_vec());
        table.flush(&rows.map(|key| (key, (part + 1, Kind::Put, Vec::new()))).collect());
    }
    let run = RunOptions { hash_index_keys: 400, bloom_keys: 800, ..small().run };
    let options = CompactOptions { base_run_bytes: u64::MAX, run, ..small() };
    let job = pick_all(&TableRuns { young: &table.young, base: &table.base }).unwrap();
    let outputs = execute(&job, &table.env(9, &options)).unwrap();
    table.install(&job, &outputs);
    assert_eq!(table.seen(9).len(), 3000);
    assert!(table.base.iter().all(|run| run.totals().keys <= 400));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn live_snapshots_never_change(commits in commits(), oldest in 0..30_u64, all: bool) {
        let mut table = Table::new();
        let options = small();
        let mut model = BTreeMap::new();
        let mut history = Vec::new();
        for (at, commit) in commits.iter().enumerate() {
            let sequence = at as u64 + 1;
            let mut rows = BTreeMap::new();
            for (key, value) in commit {
                match value {
                    Some(byte) => {
                        model.insert(key.clone(), vec![*byte; 90]);
                        rows.insert(key.clone(), (sequence, Kind::Put, vec![*byte; 90]));
                    }
                    None => {
                        model.remove(key);
                        rows.insert(key.clone(), (sequence, Kind::Delete, Vec::new()));
                    }
                }
            }
            table.flush(&rows);
            history.push((sequence, model.clone()));
            let runs = TableRuns { young: &table.young, base: &table.base };
            if let Some(job) = pick(&runs, &options) {
                let outputs = execute(&job, &table.env(oldest.min(sequence), &options)).unwrap();
                table.install(&job, &outputs);
            }
            prop_assert!(table.young.len() <= options.young_trigger + 3, "{} young runs", table.young.len());
        }
        let runs = TableRuns { young: &table.young, base: &table.base };
        if all && let Some(job) = pick_all(&runs) {
            let oldest = oldest.min(commits.len() as u64);
            let outputs = execute(&job, &table.env(oldest, &options)).unwrap();
            table.install(&job, &outputs);
            prop_assert!(table.young.is_empty());
            let live: usize = table.base.iter().map(|run| run.totals().keys as usize).sum();
            if oldest == commits.len() as u64 {
                prop_assert_eq!(live, model.len());
                let clean = TableRuns { young: &[], base: &table.base };
                prop_assert!(pick_all(&clean).is_none());
            }
        }
        for (sequence, model) in &history {
            if *sequence >= oldest {
                prop_assert_eq!(&table.seen(*sequence), model, "at {}", sequence);
            }
        }
        // Inputs are gone from the disk.
        let files = table.memory.list(Path::new("")).unwrap().len();
        prop_assert_eq!(files, table.young.len() + table.base.len());
    }
}

fn filled(rows: u32) -> Table {
    let mut table = Table::new();
    let row = |n: u32| (format!("key{n:06}").into_bytes(), (1, Kind::Put, vec![n as u8; 100]));
    table.flush(&(0..rows).map(row).collect());
    table
}

#[test]
fn a_stopped_merge_leaves_nothing() {
    let table = filled(20_000);
    let options = CompactOptions {
        run: RunOptions { compression: crate::compress::Compression::None, ..small().run },
        ..small()
    };
    let job = Job { young: table.young.clone(), base: Vec::new(), to_base: true };
    table.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let stopped = execute(
        &job,
        &CompactEnv {
            options: &CompactOptions { base_run_bytes: 1 << 20, ..options },
            ..table.env(9, &small())
        },
    );
    assert!(matches!(stopped, Err(Error::Closed)));
    assert_eq!(table.memory.list(Path::new("")).unwrap().len(), 1);
}

#[test]
fn parts_meet_without_gap_or_overlap() {
    let mut table = filled(300_000);
    let options = CompactOptions {
        threads: 3,
        base_run_bytes: 5 << 20,
        run: RunOptions { compression: crate::compress::Compression::None, ..RunOptions::default() },
        ..CompactOptions::default()
    };
    let before = table.seen(9);
    for _ in 0..2 {
        let runs = TableRuns { young: &table.young, base: &table.base };
        let job = Job { young: runs.young.to_vec(), base: runs.base.to_vec(), to_base: true };
        let outputs = execute(&job, &table.env(9, &options)).unwrap();
        assert!(outputs.len() >= 6, "{}", outputs.len());
        table.install(&job, &outputs);
        assert_eq!(table.base.iter().map(|run| run.meta().rows).sum::<u64>(), 300_000);
    }
    assert!(table.seen(9) == before);
}

#[test]
fn small_young_runs_do_not_rewrite_a_large_base() {
    let mut table = filled(20_000);
    let job = Job { young: table.young.clone(), base: Vec::new(), to_base: true };
    let options = small();
    let outputs =
        execute(&job, &table.env(9, &CompactOptions { base_run_bytes: 1 << 30, ..options.clone() })).unwrap();
    table.install(&job, &outputs);
    for n in 0..3_u8 {
        table.flush(&BTreeMap::from([(vec![b'k', n], (2 + u64::from(n), Kind::Put, vec![0; 10]))]));
    }
    let runs = TableRuns { young: &table.young, base: &table.base };
    // The base lies wholly outside the range of these keys.
    assert!(pick(&runs, &options).unwrap().base.is_empty());
    table.flush(&BTreeMap::from([(b"key000000".to_vec(), (9, Kind::Put, vec![0; 10]))]));
    table.flush(&BTreeMap::from([(b"key019999".to_vec(), (10, Kind::Put, vec![0; 10]))]));
    let runs = TableRuns { young: &table.young, base: &table.base };
    let job = pick(&runs, &options).unwrap();
    assert!(!job.to_base && job.young.len() == 5);
}

#[test]
fn many_deletions_reach_the_base() {
    let mut table = filled(2000);
    let options = CompactOptions { base_run_bytes: 1 << 30, ..small() };
    let job = Job { young: table.young.clone(), base: Vec::new(), to_base: true };
    let outputs = execute(&job, &table.env(9, &options)).unwrap();
    table.install(&job, &outputs);
    for n in 0..3_u32 {
        let delete =
            |n: u32| (format!("key{n:06}").into_bytes(), (u64::from(n) + 2, Kind::Delete, Vec::new()));
        table.flush(&(n * 600..n * 600 + 600).map(delete).collect());
    }
    let runs = TableRuns { young: &table.young, base: &table.base };
    let job = pick(&runs, &options).unwrap();
    assert!(job.to_base && job.base.len() == 1);
    let outputs = execute(&job, &table.env(u64::MAX, &options)).unwrap();
    assert_eq!(outputs.iter().map(|meta| (meta.rows, meta.deletes)).collect::<Vec<_>>(), [(200, 0)]);
}

#[test]
fn a_range_is_dropped_by_naming_runs() {
    let mut table = filled(3000);
    let options = CompactOptions {
        base_run_bytes: 20_000,
        run: RunOptions { compression: crate::compress::Compression::None, ..small().run },
        ..small()
    };
    let job = Job { young: table.young.clone(), base: Vec::new(), to_base: true };
    let outputs = execute(&job, &table.env(9, &options)).unwrap();
    table.install(&job, &outputs);
    assert!(table.base.len() > 10);
    let runs = TableRuns { young: &table.young, base: &table.base };
    let (start, end) = (table.base[2].meta().first_key.to_vec(), table.base[6].meta().first_key.to_vec());
    let inside = runs_inside(&runs, Bound::Included(&start), Bound::Excluded(&end));
    assert_eq!(inside, table.base[2..6].iter().map(|run| run.meta().id).collect::<Vec<_>>());
    assert_eq!(runs_inside(&runs, Bound::Excluded(&start), Bound::Included(&start)), Vec::<u64>::new());
    assert_eq!(runs_inside(&runs, Bound::Unbounded, Bound::Unbounded).len(), table.base.len());
}

#[test]
fn pressure_rises_before_writers_stop() {
    let options = CompactOptions { young_slow: 4, young_stop: 8, ..CompactOptions::default() };
    assert_eq!(options.pressure(3), Pressure::None);
    let delays: Vec<_> = (4..8).map(|young| options.pressure(young)).collect();
    let expected = [1, 2, 3, 4].map(|ms| Pressure::Delay(Duration::from_millis(ms)));
    assert_eq!(delays, expected);
    assert_eq!(options.pressure(8), Pressure::Stop);
}

#[test]
fn large_writes_are_delayed_longer_up_to_a_bound() {
    let delay = Duration::from_millis(1);
    let delays: Vec<_> = (0..12).map(|power| super::delay_for(delay, 1 << (2 * power))).collect();
    assert!(delays.is_sorted() && delays[0] < 2 * delay, "{delays:?}");
    assert_eq!(super::delay_for(delay, 160 << 10), 11 * delay);
    assert_eq!(delays[11], Duration::from_millis(100));
}
