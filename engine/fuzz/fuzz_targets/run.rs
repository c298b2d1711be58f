//! Any bytes as a run file: opened, checked, read and walked. Checksums would stop a fuzzer at once, so a run is written
//! first and the input says which of its bytes to change and, for some, whether to mend the footer's checksum.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use uncork_engine::blocks::pool::{ReadMode, ReadPool};
use uncork_engine::key::{self, Kind, Version};
use uncork_engine::merge::Cursor;
use uncork_engine::run::{Keep, Run, RunOptions, RunWriter};
use uncork_engine::storage::{Disk, Open, Storage};

fuzz_target!(|changes: Vec<(u16, u8, bool)>| {
    let directory = std::env::temp_dir().join(format!("uncork-fuzz-{}", std::process::id()));
    let storage: Arc<dyn Storage> = Arc::new(Disk::default());
    let _ = storage.create_dir(&directory);
    let path = directory.join("1.run");
    write(&storage, &path);
    let Ok(file) = storage.open(&path, Open::Write) else { return };
    let Ok(length) = file.len() else { return };
    for (at, byte, from_end) in changes {
        let at = u64::from(at) % length;
        let at = if from_end { length - 1 - at } else { at };
        let _ = file.write_at(&[byte], at);
    }
    mend_footer(&*file, length);
    let pool = Arc::new(ReadPool::new(1 << 16, ReadMode::Map));
    if let Ok(run) = Run::open(&storage, &path, 1, &pool) {
        for n in 0..60_u32 {
            let key = format!("key/{n:04}");
            let _ = run.get(key.as_bytes(), key::hash(key.as_bytes()), u64::MAX);
        }
        let mut cursor = run.cursor(Keep::No);
        if cursor.seek_first().is_ok() {
            while cursor.current().is_some() && cursor.next().is_ok() {}
        }
        let _ = run.check();
    }
});

fn write(storage: &Arc<dyn Storage>, path: &Path) {
    let options = RunOptions { block_size: 512, ..RunOptions::default() };
    let Ok(mut writer) = RunWriter::create(storage, path, 1, &options) else { return };
    for n in 0..50_u32 {
        let (key, value) = (format!("key/{n:04}"), vec![b'v'; n as usize]);
        let version = Version { key: key.as_bytes(), sequence: 1, kind: Kind::Put, value: &value };
        if writer.push(version).is_err() {
            return;
        }
    }
    let _ = writer.finish();
}

/// Makes the footer's own checksum right again, so that what it says is believed.
fn mend_footer(file: &dyn uncork_engine::storage::File, length: u64) {
    let mut footer = [0; 192];
    let Some(at) = length.checked_sub(192) else { return };
    if file.read_exact_at(&mut footer, at).is_ok() {
        let sum = key::hash(&footer[..184]);
        let _ = file.write_at(&sum.to_le_bytes(), at + 184);
    }
}
