//! Ctrl-C: leave nothing half-done behind.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

/// As shells say it: 128 + SIGINT.
pub(crate) const STATUS: u8 = 130;

/// The file that is being written and must not stay if we are stopped.
static UNFINISHED: Mutex<Option<Utf8PathBuf>> = Mutex::new(None);

/// Something is half-done that the main thread undoes when it sees the flag of [`stop_flag`].
static CAREFUL: AtomicBool = AtomicBool::new(false);

/// Installs the handler. Without one (a system that refuses) the default holds: the process ends at once.
pub(crate) fn install() {
    drop(ctrlc::set_handler(|| {
        let pressed_before = stop_flag().swap(true, Ordering::SeqCst);
        if CAREFUL.load(Ordering::SeqCst) && !pressed_before {
            crate::say::line("");
            crate::say::note("stopping and putting the files back; again to stop at once");
            return;
        }
        if let Some(path) = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(std::fs::remove_file(path));
        }
        // A spinner or a prompt may stand on the line.
        crate::say::line("");
        exit(i32::from(STATUS));
    }));
}

/// Raised once someone has asked to stop.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    STOP.get_or_init(Arc::default).clone()
}

/// Whether someone has asked to stop.
pub(crate) fn asked() -> bool {
    stop_flag().load(Ordering::SeqCst)
}

/// Runs `f`, which looks at the flag and undoes what is half-done; a second Ctrl-C ends the process all the same.
pub(crate) fn careful<R>(f: impl FnOnce() -> R) -> R {
    with(true, f)
}

/// Runs a part of [`careful`] work in which nothing is half-done: Ctrl-C ends the process at once.
pub(crate) fn at_ease<R>(f: impl FnOnce() -> R) -> R {
    with(false, f)
}

fn with<R>(careful: bool, f: impl FnOnce() -> R) -> R {
    let before = CAREFUL.swap(careful, Ordering::SeqCst);
    let out = f();
    CAREFUL.store(before, Ordering::SeqCst);
    out
}

/// Names the file to remove if the process is stopped; `None` when it is whole.
pub(crate) fn unfinished(path: Option<&Utf8Path>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = path.map(Utf8Path::to_owned);
}
