//! Merges and scans against a model.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::blocks::pool::{ReadMode, ReadPool};
use crate::key::{Kind, Version};
use crate::merge::{Concat, Cursor, Merge, Scan};
use crate::run::tests::Memory;
use crate::run::{Keep, Run, RunOptions, RunWriter};
use crate::storage::Storage;

type Rows = Vec<(Vec<u8>, u64, Kind, Vec<u8>)>;

/// Key and sequence; kind, value and run.
type Versions = BTreeMap<(Vec<u8>, u64), (Kind, Vec<u8>, usize)>;

/// Each version, and which of a few runs it lies in.
fn versions() -> impl Strategy<Value = Versions> {
    let key = vec(0..3_u8, 0..5);
    let kind = prop_oneof![3 => Just(Kind::Put), 1 => Just(Kind::Delete)];
    btree_map((key, 1..30_u64), (kind, vec(any::<u8>(), 1..50), 0..4_usize), 0..120).prop_map(|rows| {
        let blank = |(kind, value, run): (Kind, Vec<u8>, usize)| match kind {
            Kind::Put => (kind, value, run),
            Kind::Delete => (kind, Vec::new(), run),
        };
        rows.into_iter().map(|(at, row)| (at, blank(row))).collect()
    })
}

fn in_order(versions: &Versions) -> Vec<(Version<'_>, usize)> {
    let mut rows: Vec<_> = versions
        .iter()
        .map(|((key, sequence), (kind, value, run))| {
            (Version { key, sequence: *sequence, kind: *kind, value }, *run)
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| crate::key::compare((a.key, a.sequence), (b.key, b.sequence)));
    rows
}

/// Three runs, and a fourth part cut into disjoint runs.
fn runs(rows: &[(Version<'_>, usize)]) -> (Vec<Arc<Run>>, Arc<[Arc<Run>]>) {
    let storage: Arc<dyn Storage> = Arc::new(Memory::default());
    let pool = Arc::new(ReadPool::new(1 << 20, ReadMode::Map));
    let write = |id: u64, rows: &[Version<'_>]| {
        let path = format!("{id}");
        let options = RunOptions { block_size: 512, ..RunOptions::default() };
        let mut writer = RunWriter::create(&storage, Path::new(&path), id, &options).unwrap();
        for row in rows {
            writer.push(*row).unwrap();
        }
        writer.finish().unwrap();
        Run::open(&storage, Path::new(&path), id, &pool).unwrap()
    };
    let part = |part: usize| rows.iter().filter(|row| row.1 == part).map(|row| row.0).collect::<Vec<_>>();
    let young =
        (0..3).map(part).filter(|rows| !rows.is_empty()).enumerate().map(|(n, rows)| write(n as u64, &rows));
    let base = part(3);
    let base = base.chunk_by(|a, b| a.key.first() == b.key.first()).enumerate();
    (young.collect(), base.map(|(n, rows)| write(n as u64 + 10, rows)).collect())
}

fn sources(young: &[Arc<Run>], base: &Arc<[Arc<Run>]>) -> Vec<Box<dyn Cursor>> {
    let young = young.iter().map(|run| Box::new(run.cursor(Keep::Yes)) as Box<dyn Cursor>);
    young.chain([Box::new(Concat::new(Arc::clone(base), Keep::Yes)) as Box<dyn Cursor>]).collect()
}

fn here(cursor: &dyn Cursor) -> Option<(Vec<u8>, u64, Kind, Vec<u8>)> {
    cursor.current().map(|v| (v.key.to_vec(), v.sequence, v.kind, v.value.to_vec()))
}

/// What a snapshot sees.
fn seen(rows: &Rows, snapshot: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut newest = BTreeMap::new();
    for (key, sequence, kind, value) in rows {
        if *sequence <= snapshot {
            newest.entry(key.clone()).or_insert((*kind, value.clone()));
        }
    }
    newest
        .into_iter()
        .filter(|(_, (kind, _))| *kind == Kind::Put)
        .map(|(key, (_, value))| (key, value))
        .collect()
}

#[test]
fn of_equal_versions_the_first_source_wins() {
    let version = |key, value| (Version { key, sequence: 5, kind: Kind::Put, value }, 0);
    let (old, _) = runs(&[version(b"a", b"old"), version(b"b", b"old"), version(b"d", b"old")]);
    let delete = (Version { key: b"d", sequence: 5, kind: Kind::Delete, value: b"" }, 0);
    let (own, _) = runs(&[version(b"b", b"own"), version(b"c", b"own"), delete]);
    let scan = || {
        let (own, old) = (own.clone(), old.clone());
        let sources =
            move || own.iter().chain(&old).map(|run| Box::new(run.cursor(Keep::Yes)) as _).collect();
        Scan::new(Box::new(sources), .., 5).map(|row| row.unwrap()).map(|(k, v)| (k.to_vec(), v.to_vec()))
    };
    let expected = [(b"a", b"old"), (b"b", b"own"), (b"c", b"own")].map(|(k, v)| (k.to_vec(), v.to_vec()));
    assert_eq!(scan().collect::<Vec<_>>(), expected);
    let mut backwards: Vec<_> = scan().rev().collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
}

proptest! {
    #[test]
    fn a_merge_walks_like_one_source(versions in versions(), steps in vec((any::<bool>(), 1..9_usize), 12),
                                     seeks in vec(vec(0..4_u8, 0..5), 6)) {
        let in_order = in_order(&versions);
        let rows: Rows = in_order.iter().map(|(v, _)| (v.key.to_vec(), v.sequence, v.kind, v.value.to_vec())).collect();
        let (young, base) = runs(&in_order);
        let mut merge = Merge::new(sources(&young, &base));
        for seek in &seeks {
            let at = rows.partition_point(|row| &row.0 < seek);
            merge.seek_back(seek).unwrap();
            prop_assert_eq!(here(&merge), at.checked_sub(1).map(|at| rows[at].clone()));
            merge.seek(seek).unwrap();
            prop_assert_eq!(here(&merge), rows.get(at).cloned());
            let mut at = at;
            'walk: for (forward, count) in &steps {
                for _ in 0..*count {
                    if at >= rows.len() { break 'walk }
                    if *forward {
                        merge.next().unwrap();
                        at += 1;
                    } else {
                        merge.prev().unwrap();
                        if at == 0 {
                            prop_assert_eq!(here(&merge), None);
                            break 'walk;
                        }
                        at -= 1;
                    }
                    prop_assert_eq!(here(&merge), rows.get(at).cloned());
                }
            }
        }
        merge.seek_last().unwrap();
        for row in rows.iter().rev() {
            prop_assert_eq!(here(&merge), Some(row.clone()));
            merge.prev().unwrap();
        }
        prop_assert_eq!(here(&merge), None);
    }

    #[test]
    fn scans_see_what_the_snapshot_sees(
        versions in versions(),
        bounds in (0..3_u8, vec(0..3_u8, 0..4), 0..3_u8, vec(0..3_u8, 0..4)),
        snapshot in prop_oneof![0..31_u64, Just(u64::MAX)],
        ends in vec(any::<bool>(), 60),
        lend: bool,
        distinct: bool,
    ) {
        let mut in_order = in_order(&versions);
        if distinct {
            // As after a compaction that no snapshot has seen: one version a key, all in the base.
            in_order.dedup_by(|later, first| later.0.key == first.0.key);
            in_order.iter_mut().for_each(|row| row.1 = 3);
        }
        let rows: Rows = in_order.iter().map(|(v, _)| (v.key.to_vec(), v.sequence, v.kind, v.value.to_vec())).collect();
        let (young, base) = runs(&in_order);
        let bound = |kind: u8, key: Vec<u8>| match kind {
            0 => Bound::Unbounded,
            1 => Bound::Included(key),
            _ => Bound::Excluded(key),
        };
        let range = (bound(bounds.0, bounds.1), bound(bounds.2, bounds.3));
        let mut expected: Vec<_> = seen(&rows, snapshot)
            .into_iter()
            .filter(|(key, _)| std::ops::RangeBounds::contains(&range, key))
            .collect();
        prop_assert!(!distinct || Merge::new(sources(&young, &base)).is_distinct());
        let borrowed = (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
        let mut scan = Scan::new(Box::new(move || sources(&young, &base)), borrowed, snapshot);
        for front in ends.into_iter().chain(std::iter::repeat_n(true, 200)) {
            let wanted = match front {
                _ if expected.is_empty() => None,
                true => Some(expected.remove(0)),
                false => expected.pop(),
            };
            let got = if lend {
                let row = if front { scan.next_ref() } else { scan.next_back_ref() };
                row.unwrap().map(|(key, value)| (key.to_vec(), value.to_vec()))
            } else {
                let row = if front { scan.next() } else { scan.next_back() };
                row.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
            };
            let over = wanted.is_none();
            prop_assert_eq!(got, wanted);
            if over { break }
        }
    }
}
