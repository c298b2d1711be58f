//! A panic is our mistake: the person gets one line and status 2, not a backtrace.

use std::io::Write;

/// Replaces the panic message.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|info| {
        // A worker's panic on a closed pipe or the like has been reported already.
        let place = info.location().map_or(String::new(), |l| format!(" at {}:{}", l.file(), l.line()));
        let what = info
            .payload()
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let _ = writeln!(
            std::io::stderr(),
            "error: cargo-uncork itself failed{place} ({}); please report this with the file it was reading",
            what.lines().next().unwrap_or_default()
        );
        std::process::exit(2);
    }));
}
