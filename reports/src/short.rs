//! `path:line:column: level[rule] message`, one line a finding, as compilers and editors have it.

use std::io;

use crate::colour::{Paint, paint};
use crate::input::ReportInput;
use crate::text::one_line;
use crate::{human, place, tally};

/// Writes one line a finding, or the table by rule.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    if input.options.statistics {
        return human::write(input, out);
    }
    let colour = input.options.colour;
    for f in input.findings {
        let (path, at) = place::of(input.sources, f.at);
        let head = format!("{}[{}]", tally::level_word(f.level), f.rule);
        writeln!(
            out,
            "{}:{}:{}: {} {}",
            one_line(path.as_str()),
            at.line,
            at.column,
            paint(colour, Paint::Level(f.level), &head),
            one_line(&f.message)
        )?;
    }
    Ok(())
}
