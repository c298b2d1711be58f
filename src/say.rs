//! Lines on standard error. Nobody reading them is no reason to fail.

use std::io::Write;

use anstyle::{AnsiColor, Style};

/// A remark.
pub(crate) fn note(text: &str) {
    labelled(Style::new().bold(), "note", text);
}

/// Something that is not as it should be, and did no harm.
pub(crate) fn warning(text: &str) {
    labelled(Style::new().bold().fg_color(Some(AnsiColor::Yellow.into())), "warning", text);
}

/// Something that could not be done.
pub(crate) fn error(text: &str) {
    labelled(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "error", text);
}

/// A line as it is.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// One line, whatever the text holds.
fn labelled(style: Style, label: &str, text: &str) {
    let text = text.replace(['\n', '\r'], " ");
    let _ = writeln!(anstream::stderr(), "{style}{label}{style:#}: {text}");
}

/// Columns of the terminal; `None` if there is none.
pub(crate) fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|w| *w > 0)
}
