//! Renders uncork's findings for people and machines.
//!
//! [`ReportInput`] says what there is to say, [`render`] says it in one [`Format`]. Everything goes through one
//! `io::Write`; the caller opens files, locks stdout and decides about colour.

#![forbid(unsafe_code)]

mod colour;
mod github;
mod gitlab;
mod html;
mod human;
mod input;
mod json;
mod junit;
mod markdown;
mod place;
mod sarif;
mod short;
mod statistics;
mod tally;
mod text;
mod xml;

use std::io;

pub use input::{
    AppliedFix, DEFAULT_WIDTH, FilePatch, Fix, FixResult, Format, Notice, NoticeLevel, Options, Refused,
    Replacement, ReportInput, Summary, UnknownFormat,
};

/// Writes `input` in `format`. Fails only as `out` fails.
pub fn render(format: Format, input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Human => human::write(input, out),
        Format::Short => short::write(input, out),
        Format::Json => json::write(input, out),
        Format::Jsonl => json::write_lines(input, out),
        Format::Sarif => sarif::write(input, out),
        Format::Github => github::write(input, out),
        Format::Gitlab => gitlab::write(input, out),
        Format::Junit => junit::write(input, out),
        Format::Html => html::write(input, out),
        Format::Markdown => markdown::write(input, out),
    }
}
