//! `rules`: all rules as a table.

use std::process::ExitCode;

use uncork_lints::rules;

use crate::args::{ListFormat, RulesArgs};
use crate::error::Error;
use crate::output;

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
    let names = ["rule", "group", "level", "severity", "fix", "summary"];
    let text = match args.format {
        ListFormat::Human => {
            let width = |i: usize| rows.iter().map(|r| r[i].len()).chain([names[i].len()]).max().unwrap_or(0);
            let widths: Vec<usize> = (0..5).map(width).collect();
            let line = |cells: [&str; 6]| {
                let mut out = String::new();
                for (cell, width) in cells.iter().zip(&widths) {
                    out.push_str(&format!("{cell:width$}  "));
                }
                out.push_str(cells[5]);
                out.push('\n');
                out
            };
            let mut out = line(names);
            for row in &rows {
                out.push_str(&line([&row[0], &row[1], &row[2], &row[3], &row[4], &row[5]]));
            }
            out
        }
        ListFormat::Markdown => {
            let mut out = format!("| {} |\n|{}\n", names.join(" | "), " --- |".repeat(6));
            for row in &rows {
                out.push_str(&format!("| {} |\n", row.join(" | ")));
            }
            out
        }
        ListFormat::Json => {
            let list: Vec<serde_json::Value> = rows
                .iter()
                .map(|row| {
                    names
                        .iter()
                        .zip(row)
                        .map(|(n, c)| ((*n).to_owned(), serde_json::Value::from(c.as_str())))
                        .collect()
                })
                .collect();
            format!("{:#}\n", serde_json::Value::Array(list))
        }
    };
    output::write(None, |out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
