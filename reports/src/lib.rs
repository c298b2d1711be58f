//! Renders uncork's findings for people and machines.
//!
//! [`ReportInput`] says what there is to say, [`render`] says it in one [`Format`]. Everything goes through one
//! `io::Write`; the caller opens files, locks stdout and decides about colour.

#![forbid(unsafe_code)]

mod input;
mod short;

use std::io;

pub use input::{
    DEFAULT_WIDTH, FilePatch, Fix, Format, Notice, NoticeLevel, Options, Replacement, ReportInput, Summary,
    UnknownFormat,
};

/// Writes `input` in `format`. Fails only as `out` fails.
pub fn render(format: Format, input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Short => short::write(input, out),
        other => Err(io::Error::new(io::ErrorKind::Unsupported, format!("format {other} is not built yet"))),
    }
}
