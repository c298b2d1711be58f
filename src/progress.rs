//! A spinner on standard error: for people, and on long work only.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use uncork_lints::run;

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(700);

/// Shown until dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    files: AtomicUsize,
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts one; it stays hidden if standard error is no terminal, in CI, or if asked to be quiet.
    pub(crate) fn start(quiet: bool) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let shown = !quiet && std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let waiting = shown.then(|| show_later(bar.clone())).flatten();
        Progress { bar, files: AtomicUsize::new(0), waiting }
    }
}

fn show_later(bar: ProgressBar) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (done, ended) = mpsc::channel();
    let show = move || {
        if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
    };
    let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(show).ok()?;
    Some((done, thread))
}

impl run::Progress for Progress {
    fn phase(&self, name: &'static str) {
        self.bar.set_message(name);
    }

    fn file(&self) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        if self.waiting.is_some() && files.is_multiple_of(16) {
            self.bar.set_message(format!("read {files} files"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.waiting.take() {
            let _ = done.send(());
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
