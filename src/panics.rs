//! A fault of the tool itself: the person gets one line and status 2, not a backtrace.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

/// Where the latest panic was. Most are caught where they are expected (the parser), and nobody is told.
static LATEST: Mutex<Option<String>> = Mutex::new(None);

/// Runs `f`; a panic that nobody caught becomes one line and status 2.
pub(crate) fn guard(f: impl FnOnce() -> ExitCode) -> ExitCode {
    std::panic::set_hook(Box::new(remember));
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(status) => status,
        Err(payload) => {
            let what = text(&*payload).lines().next().unwrap_or_default().to_owned();
            let place = LATEST.lock().unwrap_or_else(PoisonError::into_inner).take();
            let place = place.map_or(String::new(), |p| format!(" at {p}"));
            crate::say::error(&format!(
                "cargo-uncork itself failed{place} ({what}); nothing was written; please report this with the code it was reading"
            ));
            ExitCode::from(2)
        }
    }
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = info.location().map(|l| format!("{}:{}", l.file(), l.line()));
    *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = place;
}

fn text(payload: &(dyn std::any::Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("no reason given", String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_payloads() {
        let caught = catch_unwind(|| panic!("a {}", "b")).expect_err("it panics");
        assert_eq!(text(&*caught), "a b");
        let caught = catch_unwind(|| panic!("plain")).expect_err("it panics");
        assert_eq!(text(&*caught), "plain");
    }
}
