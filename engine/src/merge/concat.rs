//! Runs that follow each other in key order, read as one source.

use std::sync::Arc;

use crate::blocks::pinned::Value;
use crate::error::Result;
use crate::key::{Kind, Sequence, Version};
use crate::merge::cursor::Cursor;
use crate::run::{Keep, Run, RunCursor};

/// A cursor over disjoint runs sorted by key; only the run it stands in is touched.
#[derive(Debug)]
pub struct Concat {
    runs: Arc<[Arc<Run>]>,
    keep: Keep,
    at: usize,
    cursor: Option<RunCursor>,
}

impl Concat {
    /// Joins `runs`: each key of one is below each key of the next.
    #[must_use]
    pub fn new(runs: Arc<[Arc<Run>]>, keep: Keep) -> Self {
        Self { runs, keep, at: 0, cursor: None }
    }

    /// Opens the run at `at`; the cursor of the one before is given up.
    fn enter(&mut self, at: usize) -> Option<&mut RunCursor> {
        if self.cursor.is_none() || self.at != at {
            self.cursor = self.runs.get(at).map(|run| run.cursor(self.keep));
            self.at = at;
        }
        self.cursor.as_mut()
    }

    /// Goes on to the first version of the next run if this one is exhausted.
    fn settle_forward(&mut self) -> Result<()> {
        while self.cursor.as_ref().is_some_and(|cursor| !cursor.stands()) {
            if let Some(cursor) = self.enter(self.at + 1) {
                cursor.seek_first()?;
            }
        }
        Ok(())
    }

    /// Goes back to the last version of the run before if this one is exhausted.
    fn settle_back(&mut self) -> Result<()> {
        while self.cursor.as_ref().is_some_and(|cursor| !cursor.stands()) {
            match self.at.checked_sub(1) {
                Some(before) => {
                    if let Some(cursor) = self.enter(before) {
                        cursor.seek_last()?;
                    }
                }
                None => self.cursor = None,
            }
        }
        Ok(())
    }
}

impl Cursor for Concat {
    fn seek_first(&mut self) -> Result<()> {
        if let Some(cursor) = self.enter(0) {
            cursor.seek_first()?;
        }
        self.settle_forward()
    }

    fn seek(&mut self, key: &[u8]) -> Result<()> {
        let at = self.runs.partition_point(|run| *run.meta().last_key < *key);
        if let Some(cursor) = self.enter(at) {
            cursor.seek(key)?;
        }
        self.settle_forward()
    }

    fn seek_last(&mut self) -> Result<()> {
        match self.runs.len().checked_sub(1) {
            Some(last) => {
                if let Some(cursor) = self.enter(last) {
                    cursor.seek_last()?;
                }
                self.settle_back()
            }
            None => Ok(()),
        }
    }

    fn seek_back(&mut self, key: &[u8]) -> Result<()> {
        match self.runs.partition_point(|run| *run.meta().first_key < *key).checked_sub(1) {
            Some(at) => {
                if let Some(cursor) = self.enter(at) {
                    cursor.seek_back(key)?;
                }
                self.settle_back()
            }
            None => {
                self.cursor = None;
                Ok(())
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Result<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        cursor.next()?;
        if cursor.stands() { Ok(()) } else { self.settle_forward() }
    }

    #[inline]
    fn step(&mut self) -> Result<Option<(Sequence, Kind)>> {
        self.next()?;
        Ok(self.cursor.as_ref().and_then(RunCursor::here))
    }

    fn is_distinct(&self) -> bool {
        self.runs.iter().all(|run| run.is_distinct())
    }

    #[inline]
    fn prev(&mut self) -> Result<()> {
        let Some(cursor) = &mut self.cursor else { return Ok(()) };
        cursor.prev()?;
        if cursor.stands() { Ok(()) } else { self.settle_back() }
    }

    #[inline]
    fn current(&self) -> Option<Version<'_>> {
        self.cursor.as_ref()?.current()
    }

    fn value(&self) -> Value {
        self.cursor.as_ref().map_or(Value::from_static(b""), Cursor::value)
    }
}
