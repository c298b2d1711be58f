//! `rules`: all rules as a table.

use std::process::ExitCode;

use uncork_lints::rules;

use crate::args::{ListFormat, RulesArgs};
use crate::error::Error;
use crate::{output, say};

const NAMES: [&str; 6] = ["rule", "group", "level", "severity", "fix", "summary"];

/// Prints the list.
pub(crate) fn run(args: &RulesArgs) -> Result<ExitCode, Error> {
    let word = |debug: String| debug.to_lowercase();
    let rows: Vec<[String; 6]> = rules::ALL
        .iter()
        .map(|r| {
            [
                r.id.to_owned(),
                r.group.name().to_owned(),
                word(format!("{:?}", r.level)),
                word(format!("{:?}", r.severity)),
                r.fix.map_or("-".to_owned(), |f| word(format!("{f:?}"))),
                r.summary.to_owned(),
            ]
        })
        .collect();
    let text = match args.format {
        ListFormat::Human => human(&rows, say::terminal_width()),
        ListFormat::Markdown => {
            let mut out = format!("| {} |\n|{}\n", NAMES.join(" | "), " --- |".repeat(6));
            for row in &rows {
                out.push_str(&format!("| {} |\n", row.join(" | ")));
            }
            out
        }
        ListFormat::Json => json(&rows),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Columns; where the terminal is too narrow for them, a paragraph a rule.
fn human(rows: &[[String; 6]], terminal: Option<usize>) -> String {
    let width = |i: usize| rows.iter().map(|r| r[i].len()).chain([NAMES[i].len()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let before: usize = widths.iter().map(|w| w + 2).sum();
    let terminal = terminal.unwrap_or(usize::MAX);
    let mut out = String::new();
    if terminal < before + 30 {
        for [id, group, level, severity, fix, summary] in rows {
            let fix = if fix == "-" { "no fix".to_owned() } else { format!("fix {fix}") };
            out.push_str(&format!("{id}\n"));
            for text in [format!("{group}, {level}, {severity}, {fix}"), summary.clone()] {
                let options =
                    textwrap::Options::new(terminal.max(20)).initial_indent("  ").subsequent_indent("  ");
                out.push_str(&textwrap::fill(&text, options));
                out.push('\n');
            }
        }
        return out;
    }
    let header = NAMES.map(str::to_owned);
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        let indent = " ".repeat(before);
        let options =
            textwrap::Options::new(terminal.min(200)).initial_indent(&line).subsequent_indent(&indent);
        out.push_str(&textwrap::fill(&row[5], options));
        out.push('\n');
    }
    out
}

fn json(rows: &[[String; 6]]) -> String {
    let object = |row: &[String; 6]| -> serde_json::Value {
        let cell = |c: &String| match c.as_str() {
            "-" => serde_json::Value::Null,
            text => serde_json::Value::from(text),
        };
        NAMES.iter().zip(row).map(|(n, c)| ((*n).to_owned(), cell(c))).collect()
    };
    let list: Vec<serde_json::Value> = rows.iter().map(object).collect();
    format!("{:#}\n", serde_json::Value::Array(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_terminals_get_narrow_lines() {
        let row = [
            "a-rule",
            "group",
            "warn",
            "high",
            "-",
            "a summary that is longer than the terminal is wide, surely",
        ];
        let rows = [row.map(str::to_owned)];
        for width in [40, 60, 80, 120] {
            for line in human(&rows, Some(width)).lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}
