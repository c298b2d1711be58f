//! The format for a person at a terminal, drawn by codespan-reporting.

mod excerpt;

use std::io;

use codespan_reporting::diagnostic::{Diagnostic, Label, LabelStyle, Severity};
use codespan_reporting::files::Error as CodespanError;
use codespan_reporting::term::termcolor::{Ansi, NoColor, WriteColor};
use codespan_reporting::term::{Config, Styles, StylesWriter, emit_to_write_style};
use uncork_lints::finding::{Applicability, Finding, Level};
use uncork_lints::source::{FileId, Location};

use crate::colour::{Paint, paint};
use crate::input::{DEFAULT_WIDTH, Fix, ReportInput};
use crate::text::{one_line, width, wrap};
use crate::{place, statistics, tally};
use excerpt::{Drawn, Excerpt, Excerpts, Mark};

/// Related places drawn in the source; the others are counted.
const SECONDARY: usize = 4;
/// Hops of a chain that are listed; of a longer one the first and the last.
const HOPS: usize = 12;

/// Writes the findings, the table by rule and the closing line.
pub(crate) fn write(input: &ReportInput<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    if !input.options.statistics {
        let styles = Styles::default();
        for finding in input.findings {
            if input.options.colour {
                draw(input, finding, &styles, Ansi::new(&mut *out))?;
            } else {
                draw(input, finding, &styles, NoColor::new(&mut *out))?;
            }
        }
    }
    statistics::table(input, out)?;
    if !input.findings.is_empty() {
        writeln!(out)?;
    }
    let closing = statistics::closing(input);
    let wrapped = wrap(&closing, columns(input), 0, "  ");
    writeln!(out, "{}", paint(input.options.colour, Paint::Bold, &wrapped))
}

fn columns(input: &ReportInput<'_>) -> usize {
    input.options.width.unwrap_or(DEFAULT_WIDTH).clamp(40, 400)
}

fn draw(input: &ReportInput<'_>, f: &Finding, styles: &Styles, writer: impl WriteColor) -> io::Result<()> {
    let (files, diagnostic) = diagnostic(input, f);
    let mut writer = StylesWriter::new(writer, styles);
    let config = Config::default();
    emit_to_write_style(&mut writer, &config, &files, &diagnostic).map_err(|error| match error {
        CodespanError::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// The marks of one file, in the order in which they are drawn.
struct Group {
    file: FileId,
    marks: Vec<(LabelStyle, Mark)>,
}

fn diagnostic(input: &ReportInput<'_>, f: &Finding) -> (Excerpts, Diagnostic<usize>) {
    let severity = match f.level {
        Level::Deny => Severity::Error,
        Level::Warn => Severity::Warning,
        Level::Allow => Severity::Note,
    };
    let all = columns(input);
    let groups = groups(f);
    let digits = groups.iter().flat_map(|g| g.marks.iter().map(|(_, m)| (g.file, m.span)));
    let digits = digits
        .map(|(file, span)| input.sources.get(file).line_column(span.lo).line.to_string().len())
        .max()
        .unwrap_or(1);
    // The line number, a space, the border and a space stand before the source.
    let room = all.saturating_sub(digits + 3);
    let mut files = Vec::new();
    let mut labels = Vec::new();
    let mut notes = Vec::new();
    for group in groups {
        let file = input.sources.get(group.file);
        let (styles, marks): (Vec<LabelStyle>, Vec<Mark>) = group.marks.into_iter().unzip();
        let (excerpt, drawn) = Excerpt::new(file, &marks, room);
        let id = files.len();
        files.push(excerpt);
        for ((style, mark), Drawn { range, fits }) in styles.into_iter().zip(marks).zip(drawn) {
            let label = Label::new(style, id, range);
            if fits {
                labels.push(label.with_message(mark.label));
            } else {
                labels.push(label);
                let at = place::region(file, mark.span);
                notes.push(format!("{}:{}: {}", one_line(file.path.as_str()), at.line, mark.label));
            }
        }
    }
    notes.extend(explanations(input, f));
    let note_room = all.saturating_sub(digits + 3);
    let notes = notes.iter().map(|note| wrap_note(note, note_room)).collect();
    let head = severity_word(severity).len() + f.rule.len() + 4;
    let mut diagnostic = Diagnostic::new(severity)
        .with_code(&f.rule)
        .with_message(wrap(&one_line(&f.message), all, head, "  "))
        .with_notes(notes);
    diagnostic.labels = labels;
    (Excerpts(files), diagnostic)
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        _ => "note",
    }
}

/// The primary mark and the first related ones, by file; the primary's file first.
fn groups(f: &Finding) -> Vec<Group> {
    let mark = |at: Location, label: &str| Mark { span: at.span, label: one_line(label).into_owned() };
    let primary = (LabelStyle::Primary, mark(f.at, &f.label));
    let mut groups = vec![Group { file: f.at.file, marks: vec![primary] }];
    for related in f.related.iter().take(SECONDARY) {
        let own = (LabelStyle::Secondary, mark(related.at, &related.label));
        match groups.iter_mut().find(|g| g.file == related.at.file) {
            Some(group) => group.marks.push(own),
            None => groups.push(Group { file: related.at.file, marks: vec![own] }),
        }
    }
    groups
}

/// What stands under the source: further places, the chain, the help, how grave and how sure, what a fix would do.
fn explanations(input: &ReportInput<'_>, f: &Finding) -> Vec<String> {
    let mut notes = Vec::new();
    if f.related.len() > SECONDARY {
        notes.push(format!("and {} more", f.related.len() - SECONDARY));
    }
    if !f.chain.is_empty() {
        notes.push(chain(input, f));
    }
    if !f.help.is_empty() {
        notes.push(format!("help: {}", one_line(&f.help)));
    }
    notes.push(format!(
        "severity {}, confidence {}",
        tally::severity_name(f.severity),
        tally::confidence_name(f.confidence)
    ));
    let planned: Vec<&Fix> = input.fixes.iter().filter(|fix| fix.fingerprint == f.fingerprint).collect();
    for fix in &planned {
        let what = tally::applicability_name(fix.applicability);
        notes.push(format!("fix ({what}): {}", one_line(&fix.description)));
    }
    if planned.is_empty() {
        match f.fix {
            Some(Applicability::Safe) => notes.push("fix: `cargo uncork fix`".to_owned()),
            Some(Applicability::Unsafe) => {
                notes.push("fix: `cargo uncork fix --unsafe` (may change behaviour)".to_owned());
            }
            Some(Applicability::Display) | None => {}
        }
    }
    notes
}

/// The calls that prove it, one a line.
fn chain(input: &ReportInput<'_>, f: &Finding) -> String {
    let mut out = String::from("through:");
    let hops = f.chain.len();
    for (i, hop) in f.chain.iter().enumerate() {
        if hops > HOPS && i == HOPS - 2 {
            out.push_str(&format!("\n  … {} more hops", hops - HOPS));
        }
        if hops > HOPS && (HOPS - 2..hops - 2).contains(&i) {
            continue;
        }
        let (path, at) = place::of(input.sources, hop.at);
        out.push_str(&format!("\n  {}:{}: {}", one_line(path.as_str()), at.line, one_line(&hop.label)));
    }
    out
}

/// Wraps each line of a note, going on under the text of the line.
fn wrap_note(note: &str, columns: usize) -> String {
    let lines: Vec<String> = note
        .lines()
        .map(|line| {
            let lead = line.len() - line.trim_start().len();
            let indent = " ".repeat(lead + 2);
            let head = line.get(..lead).unwrap_or("");
            format!("{head}{}", wrap(line.trim_start(), columns, width(head), &indent))
        })
        .collect();
    lines.join("\n")
}
