//! `path:line:column: level[rule] message`.

use std::io;

use crate::input::ReportInput;

/// Writes one line a finding.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    for f in input.findings {
        let file = input.sources.get(f.at.file);
        let at = file.line_column(f.at.span.lo);
        writeln!(out, "{}:{}:{}: {:?}[{}] {}", file.path, at.line, at.column, f.level, f.rule, f.message)?;
    }
    Ok(())
}
