//! A spinner on standard error, for people, on long work only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shown until dropped.
pub(crate) struct Progress(ProgressBar);

/// Starts one, if standard error is a terminal and nothing says to be quiet.
pub(crate) fn start(quiet: bool, message: &str) -> Option<Progress> {
    if quiet || !std::io::stderr().is_terminal() || std::env::var_os("CI").is_some() {
        return None;
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    // Nothing flickers up when the work is short.
    bar.enable_steady_tick(Duration::from_millis(250));
    Some(Progress(bar))
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
