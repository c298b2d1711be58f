//! The index against sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::tags::{IndexRows, IndexRowsMut, Query, Tags, Verify};

#[derive(Debug, Default)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl IndexRows for Rows {
    fn table(&self) -> &str {
        "rows"
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.0.get(key).map(|value| Value::from(value.clone())))
    }
}

impl IndexRowsMut for Rows {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.insert(key.to_vec(), value.to_vec());
        Ok(())
    }
    fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.0.remove(key);
        Ok(())
    }
}

fn verify(rows: &Rows) -> Vec<&'static str> {
    let mut verify = Verify::default();
    rows.0.iter().for_each(|(key, value)| verify.row(key, value));
    verify.finish()
}

type Model = BTreeMap<u8, BTreeSet<u8>>;

/// Tags are numbers from 0 to 5, of which 5 is never set.
const NAMES: [&[u8]; 6] = [b"zero", b"one", b"", b"three", b"a rather long tag, as tags go", b"never"];

fn query() -> impl Strategy<Value = Query<'static>> {
    let leaf = (0..6_usize).prop_map(|tag| Query::Tag(NAMES[tag]));
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Query::And),
            vec(inner.clone(), 0..4).prop_map(Query::Or),
            inner.prop_map(|part| Query::Not(Box::new(part))),
        ]
    })
}

fn holds(query: &Query<'_>, tags: &BTreeSet<u8>) -> bool {
    match query {
        Query::Tag(name) => tags.iter().any(|tag| NAMES[usize::from(*tag)] == *name),
        Query::And(parts) => parts.iter().all(|part| holds(part, tags)),
        Query::Or(parts) => parts.iter().any(|part| holds(part, tags)),
        Query::Not(part) => !holds(part, tags),
    }
}

proptest! {
    #[test]
    fn answers_as_sets_do(steps in vec((0..30_u8, btree_set(0..5_u8, 0..4)), 0..60), queries in vec(query(), 8)) {
        let mut tags = Tags::new(Rows::default());
        let mut model = Model::new();
        for (row, set) in &steps {
            let names: Vec<&[u8]> = set.iter().map(|tag| NAMES[usize::from(*tag)]).collect();
            tags.set(&[*row], &names).unwrap();
            if set.is_empty() { model.remove(row); } else { model.insert(*row, set.clone()); }
        }
        for (row, set) in &model {
            let mut names: Vec<_> = tags.tags_of(&[*row]).unwrap().iter().map(|name| name.to_vec()).collect();
            names.sort();
            let mut expected: Vec<_> = set.iter().map(|tag| NAMES[usize::from(*tag)].to_vec()).collect();
            expected.sort();
            prop_assert_eq!(names, expected);
        }
        for query in &queries {
            let mut found: Vec<u8> = tags.find(query).unwrap().map(|key| key.unwrap()[0]).collect();
            found.sort_unstable();
            let expected: Vec<u8> = model.iter().filter(|(_, set)| holds(query, set)).map(|(row, _)| *row).collect();
            prop_assert_eq!(tags.count(query).unwrap(), expected.len() as u64);
            prop_assert_eq!(found, expected);
        }
        // Ids stay dense: no more were given out than rows were ever tagged at once.
        let rows = tags.into_inner();
        prop_assert_eq!(verify(&rows), Vec::<&str>::new());
        let ids = rows.0.get(&b"n"[..]).map_or(0, |n| u32::from_be_bytes(*n.first_chunk().unwrap()));
        let mut now = BTreeSet::new();
        let mut most = 0;
        for (row, set) in &steps {
            if set.is_empty() { now.remove(row); } else { now.insert(*row); }
            most = most.max(now.len());
        }
        prop_assert_eq!(ids as usize, most);
    }

    #[test]
    fn damaged_rows_are_errors(at: prop::sample::Index, value in vec(any::<u8>(), 0..20)) {
        let mut tags = Tags::new(Rows::default());
        for row in 0..20_u8 {
            tags.set(&[row], &[NAMES[usize::from(row % 3)], NAMES[3]]).unwrap();
        }
        let mut rows = tags.into_inner();
        let key = rows.0.keys().nth(at.index(rows.0.len())).unwrap().clone();
        let changed = rows.0.insert(key, value.clone()).is_some_and(|old| old != value);
        prop_assert_eq!(changed, !verify(&rows).is_empty());
        let mut tags = Tags::new(rows);
        let query = Query::Not(Box::new(Query::And(vec![Query::Tag(NAMES[3]), Query::Tag(NAMES[0])])));
        if let Ok(matches) = tags.find(&query) {
            // Wrong counters may promise many chunks; a few show enough.
            let _ = matches.take(40).collect::<Vec<_>>();
        }
        for row in 0..20_u8 {
            let _ = tags.tags_of(&[row]);
            let _ = tags.set(&[row], &[NAMES[4]]);
        }
    }
}

#[test]
fn rows_of_several_chunks_are_found() {
    let mut tags = Tags::new(Rows::default());
    // Counters are set forward rather than a hundred thousand rows written.
    tags.set(b"first", &[b"x"]).unwrap();
    let mut rows = tags.into_inner();
    rows.put(b"n", &[70_000_u32, 0].map(u32::to_be_bytes).concat()).unwrap();
    let mut tags = Tags::new(rows);
    tags.set(b"second", &[b"x", b"y"]).unwrap();
    let all =
        |query: Query<'_>| tags.find(&query).unwrap().map(|key| key.unwrap().to_vec()).collect::<Vec<_>>();
    assert_eq!(all(Query::Tag(b"x")), [b"first".to_vec(), b"second".to_vec()]);
    assert_eq!(
        all(Query::And(vec![Query::Tag(b"x"), Query::Not(Box::new(Query::Tag(b"y")))])),
        [b"first".to_vec()]
    );
    assert_eq!(tags.count(&Query::Or(vec![Query::Tag(b"x"), Query::Tag(b"y")])).unwrap(), 2);
}

#[test]
fn lost_and_foreign_rows_are_noticed() {
    let mut tags = Tags::new(Rows::default());
    for row in 0..40_u8 {
        let names: Vec<&[u8]> = (0..usize::from(row % 5)).map(|tag| NAMES[tag]).collect();
        tags.set(&[row], &names).unwrap();
    }
    tags.remove(&[7]).unwrap();
    let rows = tags.into_inner();
    assert!(verify(&rows).is_empty());
    for key in rows.0.keys() {
        let mut less = Rows(rows.0.clone());
        less.0.remove(key);
        assert!(!verify(&less).is_empty(), "without {}", key.escape_ascii());
    }
    let mut more = Rows(rows.0.clone());
    more.0.insert(b"x".to_vec(), Vec::new());
    assert!(!verify(&more).is_empty());
}
