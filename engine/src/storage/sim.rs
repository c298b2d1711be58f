//! A disk in memory that loses what a real one may lose.
//!
//! Until a file is synced, each of its written 512-byte sectors survives a crash or not, on its own and in no order; a
//! file's name, a rename and a removal survive only once the directory is synced, until then any part of them may.
//! Every choice comes from a seed, so that a failure can be played again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{File, Lock, Map, Open, Storage};

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// What goes wrong, and when. Operations that change something are counted from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The machine stops in the middle of this operation: it and all later ones fail, until [`SimDisk::restart`].
    pub crash_at: Option<u64>,
    /// This operation fails without having done anything.
    pub fail_at: Option<u64>,
    /// The first sync at or after this operation fails, and what it should have written is gone for good.
    pub fail_sync_at: Option<u64>,
    /// Bytes all files together may have; more is refused as a full disk.
    pub capacity: Option<u64>,
}

/// The simulated disk. Clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

type Id = u64;

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<Id, Content>,
    /// Names as a running program sees them.
    names: BTreeMap<PathBuf, Id>,
    /// Names as they are on the medium.
    durable_names: BTreeMap<PathBuf, Id>,
    /// Changes of names since their directory was synced, in order; each happens whole or not at all.
    pending: Vec<Vec<(PathBuf, Option<Id>)>>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    faults: Faults,
    operations: u64,
    syncs: u64,
    next_id: Id,
    random: Random,
    /// The machine stopped; nothing works until it restarts.
    stopped: bool,
    /// Which incarnation of the machine this is: file handles of an earlier one are dead.
    boot: u64,
}

#[derive(Debug, Default, Clone)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// What lies behind was never written: it takes no room.
    written: usize,
    /// Sectors written since the last sync, with what the medium may hold of them.
    dirty: BTreeSet<usize>,
}

/// A small generator of numbers that look random (splitmix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone, Default)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// How much of a write at `offset` was done when it stopped: up to some sector's end.
    fn cut(&mut self, offset: usize, length: usize) -> usize {
        let end = (offset + self.below(length as u64 + SECTOR as u64) as usize) / SECTOR * SECTOR;
        end.saturating_sub(offset).min(length)
    }

    /// A number below `bound`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

impl SimDisk {
    /// An empty disk whose choices follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State { random: Random::new(seed), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Sets what goes wrong from now on. The count of operations goes on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Operations that changed something, so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Syncs of files, so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Whether the crash that was asked for has come.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Bytes written to all files that have a name.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// Pulls the plug and starts again: what was not durable is decided, all handles and locks are gone, no fault is
    /// set any more.
    pub fn restart(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.lose_names();
        let kept: BTreeSet<Id> = state.names.values().copied().collect();
        state.files.retain(|id, _| kept.contains(id));
        let random = &mut state.random;
        for content in state.files.values_mut() {
            content.crash(random);
        }
        state.locks.clear();
        state.faults = Faults::default();
        state.stopped = false;
        state.boot += 1;
    }

    /// Inverts one bit of a file, as a failing medium does.
    pub fn flip(&self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.find(path)?;
        let content = state.files.get_mut(&id).ok_or(ErrorKind::NotFound)?;
        let at = usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput)?;
        for bytes in [&mut content.live, &mut content.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit & 7);
            }
        }
        Ok(())
    }

    /// Cuts a file, as a careless copy does.
    pub fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.find(path)?;
        let content = state.files.get_mut(&id).ok_or(ErrorKind::NotFound)?;
        let length = usize::try_from(length).map_err(|_| ErrorKind::InvalidInput)?;
        content.live.truncate(length);
        content.durable.truncate(length);
        Ok(())
    }

    /// Paths and lengths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state.lock();
        let length = |id| state.files.get(id).map_or(0, |content| content.live.len() as u64);
        state.names.iter().map(|(path, id)| (path.clone(), length(id))).collect()
    }
}

impl State {
    fn used(&self) -> u64 {
        let named: BTreeSet<Id> = self.names.values().copied().collect();
        named.iter().filter_map(|id| self.files.get(id)).map(|content| content.written as u64).sum()
    }

    fn find(&self, path: &Path) -> io::Result<Id> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn alive(&self, boot: u64) -> io::Result<()> {
        if self.stopped || boot != self.boot {
            Err(io::Error::other("the simulated machine has stopped"))
        } else {
            Ok(())
        }
    }

    /// Counts an operation that changes something. `Ok(true)`: it is the one in whose middle the machine stops.
    fn step(&mut self) -> io::Result<bool> {
        self.alive(self.boot)?;
        self.operations += 1;
        if self.faults.fail_at == Some(self.operations) {
            return Err(io::Error::other("a simulated failure"));
        }
        if self.faults.crash_at == Some(self.operations) {
            self.stopped = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn crashed<T>() -> io::Result<T> {
        Err(io::Error::other("the simulated machine stopped here"))
    }

    fn rename_all(&mut self, change: Vec<(PathBuf, Option<Id>)>) {
        for (path, id) in &change {
            match id {
                Some(id) => self.names.insert(path.clone(), *id),
                None => self.names.remove(path),
            };
        }
        self.pending.push(change);
    }

    /// One change of names: counted, and if the machine stops in it, made or not.
    fn change_names(&mut self, change: Vec<(PathBuf, Option<Id>)>) -> io::Result<()> {
        if self.step()? {
            self.pending.push(change);
            return Self::crashed();
        }
        self.rename_all(change);
        Ok(())
    }

    /// Decides which changes of names since the last sync have reached the medium: none, all, the first few, or any.
    fn lose_names(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let mode = self.random.below(4);
        let first = self.random.below(pending.len() as u64 + 1);
        for (n, change) in pending.into_iter().enumerate() {
            let kept = match mode {
                0 => false,
                1 => true,
                2 => (n as u64) < first,
                _ => self.random.below(2) == 0,
            };
            if kept {
                self.make_durable(change);
            }
        }
        self.names = self.durable_names.clone();
    }

    fn make_durable(&mut self, change: Vec<(PathBuf, Option<Id>)>) {
        // A rename whose file never reached the directory leaves nothing to rename: it is made as far as it can be.
        for (path, id) in change {
            match id {
                Some(id) => self.durable_names.insert(path, id),
                None => self.durable_names.remove(&path),
            };
        }
    }
}

impl Content {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.written = self.written.max(end);
        if let Some(to) = self.live.get_mut(offset..end) {
            to.copy_from_slice(bytes);
        }
        if !bytes.is_empty() {
            self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&mut self.durable, &self.live, sector);
        }
    }

    /// The sync failed: the system forgets that these sectors are dirty, and the medium never gets them.
    fn drop_dirty(&mut self) {
        self.dirty.clear();
    }

    fn crash(&mut self, random: &mut Random) {
        let longest = self.live.len();
        let mode = random.below(4);
        if random.below(2) == 0 && longest > self.durable.len() {
            // The new length arrived, whatever of the content did.
            self.durable.resize(longest, 0);
        }
        let dirty = std::mem::take(&mut self.dirty);
        let first = random.below(dirty.len() as u64 + 1);
        for (n, sector) in dirty.into_iter().enumerate() {
            let kept = match mode {
                0 => false,
                1 => true,
                2 => (n as u64) < first,
                _ => random.below(2) == 0,
            };
            if kept {
                copy_sector(&mut self.durable, &self.live, sector);
            }
        }
        self.live = self.durable.clone();
        self.written = self.written.min(self.live.len());
    }
}

/// Copies one sector of `from`; the target grows if it has to.
fn copy_sector(to: &mut Vec<u8>, from: &[u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len());
    let Some(source) = from.get(start..end) else { return };
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(target) = to.get_mut(start..end) {
        target.copy_from_slice(source);
    }
}

impl Storage for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let boot = state.boot;
        state.alive(boot)?;
        let existing = state.names.get(path).copied();
        let id = match (how, existing) {
            (Open::Read | Open::Write, found) => found.ok_or(ErrorKind::NotFound)?,
            (Open::Create, Some(_)) => return Err(ErrorKind::AlreadyExists.into()),
            (Open::Create | Open::Replace, _) => {
                let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
                if !state.directories.contains(directory) {
                    return Err(ErrorKind::NotFound.into());
                }
                // Emptying a file in place is modelled as a new file under the name: either content may survive.
                let id = state.next_id;
                state.next_id += 1;
                state.files.insert(id, Content::default());
                state.change_names(vec![(path.to_owned(), Some(id))])?;
                id
            }
        };
        Ok(Arc::new(SimFile { disk: self.clone(), id, boot }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.alive(state.boot)?;
        if !state.directories.contains(directory) {
            return Err(ErrorKind::NotFound.into());
        }
        let names =
            state.names.keys().chain(&state.directories).filter(|path| path.parent() == Some(directory));
        Ok(names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.state.lock();
        state.alive(state.boot)?;
        Ok(state.names.contains_key(path) || state.directories.contains(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        // Directories are taken to be durable at once: losing one is losing all in it, which tests nothing more.
        let mut state = self.state.lock();
        state.alive(state.boot)?;
        state.directories.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.find(from)?;
        state.change_names(vec![(from.to_owned(), None), (to.to_owned(), Some(id))])
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.find(path)?;
        state.change_names(vec![(path.to_owned(), None)])
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let id = state.find(from)?;
        if state.names.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.change_names(vec![(to.to_owned(), Some(id))])
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.step()? {
            return State::crashed();
        }
        let pending = std::mem::take(&mut state.pending);
        for change in pending {
            if change.iter().any(|(name, _)| name.parent() == Some(path)) {
                state.make_durable(change);
            } else {
                state.pending.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let mut state = self.state.lock();
        state.alive(state.boot)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Lock::new(SimLock { disk: self.clone(), path: path.to_owned(), boot: state.boot }))
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.state.lock().operations)
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    boot: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.boot == self.boot {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: Id,
    boot: u64,
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state.lock();
        state.alive(self.boot)?;
        act(&mut state)
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state| {
            let content = state.files.get(&self.id).ok_or(ErrorKind::NotFound)?;
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.live.len());
            let rest = content.live.get(start..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) {
                to.copy_from_slice(from);
            }
            Ok(length)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state| {
            let stops = state.step()?;
            let at = usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput)?;
            let before = state.files.get(&self.id).map_or(0, |content| content.written);
            let growth = (at + bytes.len()).saturating_sub(before) as u64;
            if growth > 0 && state.faults.capacity.is_some_and(|capacity| state.used() + growth > capacity) {
                return Err(ErrorKind::StorageFull.into());
            }
            let written = if stops { state.random.cut(at, bytes.len()) } else { bytes.len() };
            let content = state.files.get_mut(&self.id).ok_or(ErrorKind::NotFound)?;
            content.write(bytes.get(..written).unwrap_or(bytes), at);
            if stops { State::crashed() } else { Ok(()) }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state| {
            let stops = state.step()?;
            if stops {
                return State::crashed();
            }
            state.syncs += 1;
            let fails = state.faults.fail_sync_at.is_some_and(|at| state.operations >= at);
            let content = state.files.get_mut(&self.id).ok_or(ErrorKind::NotFound)?;
            if fails {
                content.drop_dirty();
                state.faults.fail_sync_at = None;
                return Err(io::Error::other("a simulated failure to sync"));
            }
            content.sync();
            Ok(())
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|state| {
            if state.step()? {
                return State::crashed();
            }
            let length = usize::try_from(length).map_err(|_| ErrorKind::InvalidInput)?;
            let content = state.files.get_mut(&self.id).ok_or(ErrorKind::NotFound)?;
            content.live.resize(length, 0);
            content.written = content.written.min(length);
            if content.durable.len() > length {
                content.durable.truncate(length);
            }
            content.dirty.retain(|sector| sector * SECTOR < length);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state| {
            state.files.get(&self.id).map(|c| c.live.len() as u64).ok_or_else(|| ErrorKind::NotFound.into())
        })
    }

    fn map(&self) -> io::Result<Map> {
        self.with(|state| {
            let content = state.files.get(&self.id).ok_or(ErrorKind::NotFound)?;
            Ok(Map::held(Arc::from(content.live.as_slice())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(seed: u64) -> (SimDisk, PathBuf) {
        let disk = SimDisk::new(seed);
        disk.create_dir(Path::new("/d")).unwrap();
        (disk, PathBuf::from("/d/file"))
    }

    #[test]
    fn synced_content_under_a_synced_name_survives() {
        for seed in 0..50 {
            let (disk, path) = disk(seed);
            let file = disk.open(&path, Open::Create).unwrap();
            file.write_at(&[7; 2000], 0).unwrap();
            file.sync().unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            file.write_at(&[8; 100], 1900).unwrap();
            disk.restart();
            assert!(file.len().is_err(), "a handle from before the crash");
            let bytes = super::super::read(&disk, &path).unwrap();
            assert_eq!(bytes[..1536], [7; 1536]);
        }
    }

    #[test]
    fn unsynced_sectors_survive_in_all_mixtures() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let (disk, path) = disk(seed);
            let file = disk.open(&path, Open::Create).unwrap();
            file.write_at(&[1; 2 * SECTOR], 0).unwrap();
            file.sync().unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            file.write_at(&[2; 2 * SECTOR], 0).unwrap();
            disk.restart();
            let bytes = super::super::read(&disk, &path).unwrap();
            seen.insert((bytes[0], bytes[SECTOR]));
        }
        assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
    }

    #[test]
    fn a_rename_may_be_lost_until_the_directory_is_synced() {
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let (disk, path) = disk(seed);
            super::super::replace(&disk, &path, b"old").unwrap();
            let other = disk.open(Path::new("/d/other"), Open::Create).unwrap();
            other.write_at(b"new", 0).unwrap();
            other.sync().unwrap();
            disk.sync_dir(Path::new("/d")).unwrap();
            disk.rename(Path::new("/d/other"), &path).unwrap();
            disk.restart();
            seen.insert(super::super::read(&disk, &path).unwrap());
        }
        assert_eq!(seen, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
    }

    #[test]
    fn the_machine_stops_where_it_was_told_to() {
        let (disk, path) = disk(1);
        disk.set_faults(Faults { crash_at: Some(2), ..Faults::default() });
        let file = disk.open(&path, Open::Create).unwrap();
        assert!(file.write_at(b"x", 0).is_err());
        assert!(disk.stopped() && file.sync().is_err() && disk.exists(&path).is_err());
        disk.restart();
        assert!(!disk.stopped() && disk.exists(&path).is_ok());
    }

    #[test]
    fn a_failed_sync_loses_the_writes_and_a_full_disk_refuses_growth() {
        let (disk, path) = disk(1);
        let file = disk.open(&path, Open::Create).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        file.write_at(&[1; 600], 0).unwrap();
        file.sync().unwrap();
        file.write_at(&[2; 600], 0).unwrap();
        disk.set_faults(Faults { fail_sync_at: Some(0), capacity: Some(700), ..Faults::default() });
        assert!(file.sync().is_err());
        file.sync().unwrap();
        assert_eq!(file.write_at(&[3; 200], 600).unwrap_err().kind(), ErrorKind::StorageFull);
        file.write_at(&[3; 10], 0).unwrap();
        disk.restart();
        assert_eq!(super::super::read(&disk, &path).unwrap()[512..], [1; 88]);
    }

    #[test]
    fn a_lock_is_held_once() {
        let (disk, path) = disk(1);
        let held = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(held);
        disk.lock(&path).unwrap();
    }
}
