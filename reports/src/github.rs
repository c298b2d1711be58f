//! GitHub workflow commands: annotations on the lines of a pull request, printed to a job's log.
//!
//! GitHub shows ten of each level a step, so the gravest come first.

use std::io;

use uncork_lints::finding::Level;

use crate::input::{NoticeLevel, ReportInput};
use crate::text::is_unsafe;
use crate::{place, tally};

/// Writes one command a finding, then the notices.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    for f in tally::gravest_first(input.findings) {
        let (path, at) = place::of(input.sources, f.at);
        let command = command(match f.level {
            Level::Deny => NoticeLevel::Error,
            Level::Warn => NoticeLevel::Warning,
            Level::Allow => NoticeLevel::Note,
        });
        let text = if f.help.is_empty() { f.message.clone() } else { format!("{}\n{}", f.message, f.help) };
        writeln!(
            out,
            "::{command} file={},line={},endLine={},col={},endColumn={},title={}::{}",
            property(place::forge_path(input, path).as_str()),
            at.line,
            at.end_line,
            at.column,
            at.end_column,
            property(&f.rule),
            data(&text)
        )?;
    }
    for notice in input.notices {
        let mut properties = Vec::new();
        if let Some(path) = &notice.path {
            properties.push(format!("file={}", property(place::forge_path(input, path).as_str())));
        }
        if let Some(line) = notice.line {
            properties.push(format!("line={line}"));
        }
        properties.push("title=cargo-uncork".to_owned());
        writeln!(out, "::{} {}::{}", command(notice.level), properties.join(","), data(&notice.message))?;
    }
    Ok(())
}

fn command(level: NoticeLevel) -> &'static str {
    match level {
        NoticeLevel::Error => "error",
        NoticeLevel::Warning => "warning",
        NoticeLevel::Note => "notice",
    }
}

/// The text after `::`. What is escaped: <https://github.com/actions/toolkit> (`packages/core/src/command.ts`).
fn data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '\t' => out.push('\t'),
            c if is_unsafe(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// The value of a property: `:` and `,` as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
