//! `trend`: how the findings changed from run to run.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::ExitCode;

use serde::Serialize;
use uncork_lints::discover::locate;
use uncork_lints::finding::Severity;

use crate::args::{ListFormat, TrendArgs};
use crate::cache::history::Entry;
use crate::cache::{self, Cache};
use crate::error::Error;
use crate::{check, output};

/// From the gravest.
const SEVERITIES: [(Severity, &str); 4] = [
    (Severity::Critical, "critical"),
    (Severity::High, "high"),
    (Severity::Medium, "medium"),
    (Severity::Low, "low"),
];

/// Prints the history.
pub(crate) fn run(args: &TrendArgs) -> Result<ExitCode, Error> {
    let folder = match &args.cache_dir {
        Some(folder) => Some(folder.clone()),
        None => {
            let selection =
                crate::args::Selection { manifest_path: args.manifest_path.clone(), ..Default::default() };
            let located = locate(&check::request(&selection)?)?;
            cache::folder(None, located.target_directory())
        }
    };
    let Some(folder) = folder else {
        return Err(Error::Usage(
            "no cargo project here, so no history; name one by --manifest-path or --cache-dir".to_owned(),
        ));
    };
    let mut runs = Cache::new(folder, true, false).history();
    let hidden = match (args.all, runs.last().map(|r| r.options.clone())) {
        (false, Some(options)) => {
            let all = runs.len();
            runs.retain(|r| r.options == options);
            all - runs.len()
        }
        _ => 0,
    };
    let runs = &runs[runs.len().saturating_sub(args.last)..];
    let text = match args.format {
        ListFormat::Human => human(runs, hidden),
        ListFormat::Markdown => markdown(runs),
        ListFormat::Json => json(runs),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The cells of a run: time, commit, findings, what changed, severities.
fn cells(runs: &[Entry]) -> Vec<Vec<String>> {
    let mut before: Option<u64> = None;
    let mut rows = Vec::new();
    for run in runs {
        let total = run.total();
        let change = before.map_or(String::new(), |b| signed(total, b));
        before = Some(total);
        let commit = run.commit.as_deref().map_or("-", |c| c.get(..9).unwrap_or(c));
        let mut row = vec![date(run.time, ' '), commit.to_owned(), total.to_string(), change];
        row.extend(SEVERITIES.iter().map(|(s, _)| run.of_severity(*s).to_string()));
        rows.push(row);
    }
    rows
}

fn heads() -> Vec<String> {
    let names = ["time (UTC)", "commit", "findings", "change"];
    names.into_iter().chain(SEVERITIES.iter().map(|(_, name)| *name)).map(str::to_owned).collect()
}

fn human(runs: &[Entry], hidden: usize) -> String {
    let Some(newest) = runs.last() else {
        return "no runs yet: `cargo uncork` adds one each time\n".to_owned();
    };
    let mut rows = vec![heads()];
    rows.extend(cells(runs));
    let mut out = table(&rows, 2);
    out.push('\n');
    let rules: BTreeSet<&str> = runs.iter().flat_map(|r| r.counts.keys().map(|(rule, _)| &**rule)).collect();
    let first = &runs[0];
    let mut rows = Vec::new();
    for rule in rules {
        let counts: Vec<u64> = runs.iter().map(|r| r.of_rule(rule)).collect();
        let (old, new) = (first.of_rule(rule), newest.of_rule(rule));
        rows.push(vec![rule.to_owned(), new.to_string(), signed(new, old), sparkline(&counts)]);
    }
    let totals: Vec<u64> = runs.iter().map(Entry::total).collect();
    let change = signed(newest.total(), first.total());
    rows.push(vec!["all".to_owned(), newest.total().to_string(), change, sparkline(&totals)]);
    out.push_str(&table(&rows, 1));
    if !newest.options.is_empty() {
        let _ = write!(out, "\nruns with `{}`\n", newest.options);
    }
    if hidden > 0 {
        let _ = write!(out, "\n{hidden} more with other arguments; `--all` shows them\n");
    }
    out
}

fn markdown(runs: &[Entry]) -> String {
    let heads = heads();
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in cells(runs) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

/// Columns; the first `left` of them flush left.
fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match i < left || (i + 1 == columns && !cell.is_ascii()) {
                true => write!(line, "{cell:width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// One bar a run, from the least to the greatest; a flat line if all are equal.
fn sparkline(counts: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
    let bar = |n: &u64| match most - least {
        0 => BARS[0],
        range => BARS[((n - least) * 7 / range) as usize],
    };
    counts.iter().map(bar).collect()
}

/// The change from `old`: `+3`, `-2`, `=`.
fn signed(new: u64, old: u64) -> String {
    match new.cmp(&old) {
        std::cmp::Ordering::Equal => "=".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", new - old),
        std::cmp::Ordering::Less => format!("-{}", old - new),
    }
}

/// `2026-11-28 13:05` from milliseconds since 1970, in UTC; with seconds and `Z` where `between` is `T`.
fn date(millis: u64, between: char) -> String {
    let seconds = millis / 1000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (of_day / 3600, of_day / 60 % 60);
    match between {
        'T' => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", of_day % 60),
        _ => format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}"),
    }
}

#[derive(Serialize)]
struct Run<'a> {
    time: String,
    commit: Option<&'a str>,
    options: &'a str,
    files: u64,
    lines: u64,
    findings: u64,
    suppressed: u64,
    counts: Vec<Count<'a>>,
}

#[derive(Serialize)]
struct Count<'a> {
    rule: &'a str,
    severity: Severity,
    findings: u64,
}

fn json(runs: &[Entry]) -> String {
    let run = |r: &'_ Entry| -> serde_json::Value {
        let counts = r.counts.iter();
        let counts =
            counts.map(|((rule, severity), n)| Count { rule, severity: *severity, findings: *n }).collect();
        let run = Run {
            time: date(r.time, 'T'),
            commit: r.commit.as_deref(),
            options: &r.options,
            files: r.files,
            lines: r.lines,
            findings: r.total(),
            suppressed: r.suppressed,
            counts,
        };
        serde_json::to_value(run).unwrap_or_default()
    };
    let runs: Vec<serde_json::Value> = runs.iter().map(run).collect();
    format!("{:#}\n", serde_json::json!({ "version": 1, "runs": runs }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0, 'T'), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400_000, 'T'), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_709_251_199_999, 'T'), "2024-02-29T23:59:59Z");
        assert_eq!(date(4_107_542_400_000, ' '), "2100-03-01 00:00");
    }

    #[test]
    fn bars() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[3, 3]), "▁▁");
        assert_eq!(sparkline(&[0, 7, 14]), "▁▄█");
    }

    #[test]
    fn changes() {
        assert_eq!([signed(3, 1), signed(1, 3), signed(2, 2)], ["+2", "-2", "="]);
    }
}
