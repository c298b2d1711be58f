//! Opening the database, and what happens to one that is damaged.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use camino::Utf8Path;
use uncork_engine::{Database, Error, LogOptions, Options};

/// How often a store that another process has is asked for before a run goes on without, and how long between.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(15);

/// What cargo writes into a target directory, so that tools know it for one.
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by cargo.\n";

/// Where the database is.
pub(super) fn path(folder: &Utf8Path) -> PathBuf {
    folder.join("store").into()
}

/// Opens the store of a cache's folder; makes it if `create`. A damaged one is set aside first.
pub(super) fn open(folder: &Utf8Path, quiet: bool, create: bool) -> Result<Database, Error> {
    if create {
        prepare(folder)?;
    }
    match open_as_is(folder, create) {
        // Who only reads leaves it to who writes: what looks empty may be in the making.
        Err(error) if create && is_damage(&error) => {
            set_aside(folder, quiet);
            open_as_is(folder, create)
        }
        opened => opened,
    }
}

fn open_as_is(folder: &Utf8Path, create: bool) -> Result<Database, Error> {
    let options = Options {
        memory_budget: 32 << 20,
        // Open for moments only: threads would start in order to end.
        background: false,
        log: LogOptions { segment_bytes: 4 << 20, ..LogOptions::default() },
        create,
        ..Options::default()
    };
    let mut tries = 0;
    loop {
        // A fault of the engine's on files that it does not expect is no reason for a scan to fail.
        let open = || Database::open(path(folder), options.clone());
        let opened = catch_unwind(AssertUnwindSafe(open))
            .unwrap_or_else(|_| Err(Error::corrupt(&path(folder), 0, "the engine failed on it")));
        match opened {
            Err(Error::Locked { .. }) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Makes the folder, and the target directory around it as cargo would.
fn prepare(folder: &Utf8Path) -> Result<(), Error> {
    let make = || {
        if let Some(target) = folder.parent()
            && !target.exists()
        {
            fs::create_dir_all(target)?;
            if folder.file_name() == Some("uncork") {
                fs::write(target.join("CACHEDIR.TAG"), TAG)?;
            }
        }
        fs::create_dir_all(folder)
    };
    make().map_err(|error| Error::io("create", folder.as_std_path(), error))
}

/// Whether an error means that the files are no good, rather than that they cannot be had now.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. } | Error::Foreign { .. } | Error::BadIndex { .. })
}

/// Moves a damaged store out of the way, in place of the one that was moved before it.
pub(super) fn set_aside(folder: &Utf8Path, quiet: bool) {
    // One process at a time: a second one must not move away what the first has made anew.
    let Ok(guard) = File::create(folder.join("set-aside.lock")) else { return };
    if guard.try_lock().is_err() {
        return;
    }
    if !open_as_is(folder, true).is_err_and(|error| is_damage(&error)) {
        return;
    }
    let aside = folder.join("damaged");
    let _ = fs::remove_dir_all(&aside);
    let _ = fs::remove_file(&aside);
    if fs::rename(path(folder), &aside).is_ok() && !quiet {
        crate::say::warning(&format!("the cache was damaged and begins anew; what was there is in {aside}"));
    }
}
