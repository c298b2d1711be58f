//! A copy of a running database.

use std::io::ErrorKind;
use std::path::Path;

use super::core::{Core, LOG, RUNS, Shared};
use crate::commit::Job;
use crate::error::{Error, IoContext, Result};
use crate::manifest::{Manifest, State};
use crate::storage::{Open, Storage};

/// Bytes copied at a time.
const PIECE: usize = 64 << 10;

pub(super) fn backup(core: &Core, to: &Path) -> Result<()> {
    let shared = &*core.shared;
    prepare(&*shared.storage, to)?;
    // From here on the log frees nothing: what it holds, and the manifest taken below, belong together.
    let _pin = shared.log.pin();
    let state = link_runs(core, to)?;
    for from in shared.log.sealed_paths() {
        if let Some(name) = from.file_name() {
            copy(&*shared.storage, &from, &to.join(LOG).join(name))?;
        }
    }
    for part in [RUNS, LOG] {
        shared.storage.sync_dir(&to.join(part)).at("sync", &to.join(part))?;
    }
    // Last, so that an interrupted backup is not taken for one.
    Manifest::create(&shared.storage, to, state).map(drop)
}

fn prepare(storage: &dyn Storage, to: &Path) -> Result<()> {
    match storage.list(to) {
        Ok(names) if names.is_empty() => {}
        Ok(_) => return Err(Error::NotEmpty { path: to.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", to, error)),
    }
    for part in [RUNS, LOG] {
        storage.create_dir(&to.join(part)).at("create", &to.join(part))?;
    }
    Ok(())
}

/// Links all runs of one state of the manifest, none of which is ahead of what the full segments of the log hold.
fn link_runs(core: &Core, to: &Path) -> Result<State> {
    let shared = &*core.shared;
    loop {
        let (state, logged) = {
            // No flush between the end of the segment and the look at the manifest.
            let _turn = core.flushing.enter();
            core.submit(Job::Vouch)?;
            let logged = core.submit(Job::Rotate)?;
            (shared.manifest.lock().state().clone(), logged)
        };
        let ahead = state.tables.values().any(|table| table.flushed > logged);
        let linked = if ahead { Ok(false) } else { try_link(shared, &state, to).map(|()| true) };
        match linked {
            Ok(true) => return Ok(state),
            // Nothing has changed which runs there are: the failure is not a merge's doing.
            Err(error) if shared.manifest.lock().state() == &state => return Err(error),
            Ok(false) | Err(_) => {
                for run in state.runs() {
                    let _may_be_missing = shared.storage.remove(&target(to, run.meta.id));
                }
            }
        }
    }
}

fn target(to: &Path, id: u64) -> std::path::PathBuf {
    to.join(RUNS).join(format!("{id:016x}.run"))
}

fn try_link(shared: &Shared, state: &State, to: &Path) -> Result<()> {
    state.runs().try_for_each(|run| {
        let from = shared.run_path(run.meta.id);
        shared.storage.link(&from, &target(to, run.meta.id)).at("link", &from)
    })
}

fn copy(storage: &dyn Storage, from: &Path, to: &Path) -> Result<()> {
    let source = storage.open(from, Open::Read).at("open", from)?;
    let target = storage.open(to, Open::Create).at("create", to)?;
    let length = source.len().at("measure", from)?;
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        let read = source.read_at(&mut buffer, at).at("read", from)?;
        if read == 0 {
            break;
        }
        target.write_at(buffer.get(..read).unwrap_or_default(), at).at("write", to)?;
        at += read as u64;
    }
    target.sync().at("sync", to)
}
