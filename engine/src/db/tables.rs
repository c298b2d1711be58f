//! Making and removing tables, and the tables beside them that hold their tags.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::core::Core;
use super::open;
use super::table::{Table, Tables, View};
use crate::batch::TableId;
use crate::commit::Job;
use crate::error::{Error, Result};
use crate::manifest::{Failure, State, TableRecord};
use crate::memtable::Memtable;
use crate::tags;

/// Longest name of a table, in bytes.
const MAX_NAME: usize = 255;

impl Core {
    /// Makes a table, unless another thread is first. One that describes another needs that to exist.
    pub(crate) fn create_table(self: &Arc<Self>, name: &str, describes: Option<&Table>) -> Result<Table> {
        let own = describes.map_or(name, |table| table.name());
        if own.is_empty() || own.len() > MAX_NAME || own.starts_with('\0') {
            return Err(Error::BadTableName { len: own.len() });
        }
        let shared = &self.shared;
        let gone = || Error::NoTable { name: Arc::from(own) };
        // The manifest is durable at once; the commits before must not fall behind it.
        self.submit(Job::Sync)?;
        let mut id = None;
        let record = TableRecord { name: name.to_owned(), ..TableRecord::default() };
        let change = |state: &mut State| {
            if describes.is_some_and(|table| !state.tables.contains_key(&table.id())) {
                return;
            }
            let existing = state.tables.iter().find(|(_, table)| table.name == name).map(|(id, _)| *id);
            id = existing.or(Some(state.next_table));
            if existing.is_none() {
                state.tables.insert(state.next_table, record.clone());
                state.next_table += 1;
            }
        };
        shared.change_manifest(change).map_err(cause)?;
        let table = open::open_table(shared, id.ok_or_else(gone)?, &record)?;
        shared.tables.rcu(|tables| {
            let mut tables = Tables::clone(tables);
            if tables.get(table.id).is_none() {
                tables.insert(Arc::clone(&table));
            }
            tables
        });
        if !shared.manifest.lock().state().tables.contains_key(&table.id) {
            // Dropped before it could be found here.
            self.forget(table.id);
        }
        let inner = self.find(name).ok_or_else(gone)?;
        Ok(Table { inner, core: Arc::clone(self) })
    }

    /// The table that holds the tags and the dictionary of another; it is made if there is none.
    pub(crate) fn index_of(self: &Arc<Self>, table: &Table) -> Result<Table> {
        table.inner.check_exists()?;
        let name = tags::index_name(table.name());
        match self.find(&name) {
            Some(inner) => Ok(Table { inner, core: Arc::clone(self) }),
            None => self.create_table(&name, Some(table)),
        }
    }

    /// Removes a table and what describes it. `false`: there was none.
    pub(crate) fn drop_table(&self, name: &str) -> Result<bool> {
        let shared = &self.shared;
        if name.starts_with('\0') || self.find(name).is_none() {
            return Ok(false);
        }
        self.submit(Job::Sync)?;
        let index = tags::index_name(name);
        let mut gone: Vec<TableId> = Vec::new();
        let change = |state: &mut State| {
            let named = |record: &TableRecord| record.name == name || record.name == index;
            gone = state.tables.iter().filter(|(_, record)| named(record)).map(|(id, _)| *id).collect();
            gone.iter().for_each(|id| drop(state.tables.remove(id)));
        };
        shared.change_manifest(change).map_err(cause)?;
        gone.into_iter().for_each(|id| self.forget(id));
        Ok(true)
    }

    /// Lets go of a table that no manifest names any more.
    fn forget(&self, id: TableId) {
        let shared = &self.shared;
        let Some(table) = shared.tables.load().get(id).map(Arc::clone) else { return };
        table.dropped.store(true, Ordering::Release);
        shared.tables.rcu(|tables| {
            let mut tables = Tables::clone(tables);
            tables.remove(&table);
            tables
        });
        let nothing = View {
            active: Arc::new(Memtable::new(0, Vec::new())),
            frozen: Vec::new(),
            young: Vec::new(),
            base: Arc::from([]),
        };
        let view = table.view.swap(Arc::new(nothing));
        shared.budget.thawed(view.frozen.iter().map(|memtable| memtable.bytes()).sum());
        shared.retired.runs(view.young.iter().chain(view.base.iter()).map(Arc::clone));
        shared.retired.memtables(view.memtables().map(Arc::clone));
        drop(view);
        shared.let_go(0);
        if !shared.retired.is_empty() {
            shared.signal.compact();
        }
    }
}

fn cause(failure: Failure) -> Error {
    match failure {
        Failure::Unchanged(error) | Failure::Unknown(error) => error,
    }
}
