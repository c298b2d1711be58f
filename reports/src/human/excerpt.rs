//! The lines of source that a finding shows, made fit for the terminal before codespan-reporting draws them.
//!
//! codespan-reporting prints source lines whole and as they are. Real files have lines of thousands of columns, tabs and
//! control characters, so it is given a small copy: only the labelled lines, each cut to the width around its labels,
//! tabs as spaces, what a terminal would act on made visible. Line and column numbers stay the file's.

use std::ops::Range;

use codespan_reporting::files::{Error, Files};
use uncork_lints::source::{SourceFile, Span};

use crate::place;
use crate::text::{char_width, is_unsafe, one_line, width};

/// Columns of a tab stop.
const TAB: usize = 4;
/// Columns of context kept before a label that does not fit.
const LEAD: usize = 8;
/// The mark of a cut.
const ELLIPSIS: char = '…';

/// A span to label, with its text.
pub(super) struct Mark {
    pub(super) span: Span,
    pub(super) label: String,
}

/// A mark in an [`Excerpt`]'s text.
pub(super) struct Drawn {
    pub(super) range: Range<usize>,
    /// Whether the label's text fits behind it on the line.
    pub(super) fits: bool,
}

/// The labelled lines of one file.
pub(super) struct Excerpt {
    name: String,
    text: String,
    lines: Vec<Line>,
}

struct Line {
    range: Range<usize>,
    number: usize,
    /// Byte in the excerpt → column in the file, for the starts of labels.
    columns: Vec<(usize, usize)>,
}

impl Excerpt {
    /// Copies the lines that `marks` begin on, each within `columns`, and tells where the marks are in the copy.
    pub(super) fn new(file: &SourceFile, marks: &[Mark], columns: usize) -> (Excerpt, Vec<Drawn>) {
        let mut by_line: Vec<(u32, Vec<usize>)> = Vec::new();
        for (i, mark) in marks.iter().enumerate() {
            let line = file.line_column(mark.span.lo).line;
            match by_line.iter_mut().find(|(l, _)| *l == line) {
                Some((_, own)) => own.push(i),
                None => by_line.push((line, vec![i])),
            }
        }
        by_line.sort();
        let mut excerpt = Excerpt {
            name: one_line(file.path.as_str()).into_owned(),
            text: String::new(),
            lines: Vec::new(),
        };
        let mut drawn: Vec<Drawn> = marks.iter().map(|_| Drawn { range: 0..0, fits: true }).collect();
        let mut before = None;
        for (number, own) in by_line {
            if let Some(before) = before {
                excerpt.fill_gap(file, before, number, columns);
            }
            excerpt.add_line(file, number, &own, marks, columns, &mut drawn);
            before = Some(number);
        }
        (excerpt, drawn)
    }

    /// What lies between two labelled lines: the line itself if it is one, else what makes codespan draw a break.
    fn fill_gap(&mut self, file: &SourceFile, before: u32, after: u32, columns: usize) {
        match after - before {
            0 | 1 => {}
            2 => self.add_line(file, before + 1, &[], &[], columns, &mut []),
            _ => {
                for _ in 0..2 {
                    let at = self.text.len();
                    self.text.push('\n');
                    self.lines.push(Line {
                        range: at..at + 1,
                        number: before as usize + 1,
                        columns: Vec::new(),
                    });
                }
            }
        }
    }

    fn add_line(
        &mut self,
        file: &SourceFile,
        number: u32,
        own: &[usize],
        marks: &[Mark],
        columns: usize,
        drawn: &mut [Drawn],
    ) {
        let line = file.line_span(number);
        let spans: Vec<Span> =
            own.iter().filter_map(|&i| marks.get(i)).map(|m| file.one_line(m.span)).collect();
        let labels: Vec<usize> = own.iter().filter_map(|&i| marks.get(i)).map(|m| width(&m.label)).collect();
        let cells = cells(file, line, &spans, columns);
        let (from, to) = window(&cells, &spans, &labels, columns);
        let start = self.text.len();
        let mut placed: Vec<Option<Range<usize>>> = vec![None; spans.len()];
        if from > 0 || cells.cut_before {
            self.text.push(ELLIPSIS);
        }
        let shown = cells.list.get(from..to).unwrap_or(&[]);
        for cell in shown {
            let at = self.text.len();
            for _ in 0..cell.columns.saturating_sub(char_width(cell.shown)) {
                self.text.push(' ');
            }
            self.text.push(cell.shown);
            for (span, place) in spans.iter().zip(&mut placed) {
                let inside = span.lo <= cell.offset && (cell.offset < span.hi || cell.offset == span.lo);
                if inside {
                    let range = place.get_or_insert(at..at);
                    range.end = self.text.len();
                }
            }
        }
        let end = self.text.len();
        if to < cells.list.len() || cells.cut_after {
            self.text.push(ELLIPSIS);
        }
        let mut starts = Vec::new();
        for ((&mark, span), place) in own.iter().zip(&spans).zip(placed) {
            // A span at the line's end, or one that the window leaves out, is marked at the nearer edge.
            let outside = if shown.first().is_some_and(|c| span.lo < c.offset) { start } else { end };
            let range = place.unwrap_or(outside..outside);
            starts.push((range.start, place::region(file, *span).column as usize));
            if let (Some(drawn), Some(m)) = (drawn.get_mut(mark), marks.get(mark)) {
                let right = width(self.text.get(start..range.end).unwrap_or("")).max(1);
                *drawn = Drawn { range, fits: right + 1 + width(&m.label) <= columns };
            }
        }
        self.text.push('\n');
        self.lines.push(Line { range: start..self.text.len(), number: number as usize, columns: starts });
    }
}

/// A character of the line as it is shown.
struct Cell {
    /// Byte in the file.
    offset: u32,
    shown: char,
    columns: usize,
}

struct Cells {
    list: Vec<Cell>,
    cut_before: bool,
    cut_after: bool,
}

/// The characters of the line, but of a very long one only those that a window around the spans can reach.
fn cells(file: &SourceFile, line: Span, spans: &[Span], columns: usize) -> Cells {
    let text = file.slice(line);
    let first = spans.iter().map(|s| s.lo).min().unwrap_or(line.lo).max(line.lo);
    let reach = columns.saturating_mul(2);
    let split = (first - line.lo) as usize;
    let head = text.get(..split).unwrap_or("");
    let skipped = head.char_indices().rev().nth(reach).map_or(0, |(i, c)| i + c.len_utf8());
    let tail_end =
        text.get(split..).and_then(|t| t.char_indices().nth(reach)).map_or(text.len(), |(i, _)| split + i);
    let mut list = Vec::new();
    let mut column = 0;
    for (i, c) in text.get(skipped..tail_end).unwrap_or("").char_indices() {
        let (shown, columns) = match c {
            '\t' => (' ', TAB - column % TAB),
            c if is_unsafe(c) => (char::REPLACEMENT_CHARACTER, 1),
            c => (c, char_width(c)),
        };
        column += columns;
        list.push(Cell { offset: line.lo + (skipped + i) as u32, shown, columns });
    }
    Cells { list, cut_before: skipped > 0, cut_after: tail_end < text.len() }
}

/// Which cells to show: all if they fit, whatever becomes of the labels; else from a little before the first label on,
/// with room for the labels.
fn window(cells: &Cells, spans: &[Span], labels: &[usize], columns: usize) -> (usize, usize) {
    let mut edges = Vec::with_capacity(cells.list.len() + 1);
    let mut column = 0;
    for cell in &cells.list {
        edges.push(column);
        column += cell.columns;
    }
    edges.push(column);
    let column_of = |offset: u32| {
        let i = cells.list.partition_point(|c| c.offset < offset);
        edges.get(i).copied().unwrap_or(column)
    };
    let first = spans.iter().map(|s| column_of(s.lo)).min().unwrap_or(0);
    let right = spans
        .iter()
        .zip(labels)
        .map(|(s, &label)| column_of(s.hi).max(column_of(s.lo) + 1) + if label > 0 { 1 + label } else { 0 })
        .max()
        .unwrap_or(0);
    if !cells.cut_before && !cells.cut_after && column <= columns {
        return (0, cells.list.len());
    }
    // Two columns for the ellipses.
    let room = columns.saturating_sub(2);
    let start_column = if right <= room && !cells.cut_before {
        0
    } else {
        first.saturating_sub(LEAD).min(right.saturating_sub(room))
    };
    let from = edges.partition_point(|&e| e < start_column).min(cells.list.len());
    let begin = edges.get(from).copied().unwrap_or(column);
    let to = edges.partition_point(|&e| e <= begin + room).saturating_sub(1).clamp(from, cells.list.len());
    (from, to)
}

/// The excerpts of one finding, by index.
pub(super) struct Excerpts(pub(super) Vec<Excerpt>);

impl Excerpts {
    fn file(&self, id: usize) -> Result<&Excerpt, Error> {
        self.0.get(id).ok_or(Error::FileMissing)
    }

    fn line(&self, id: usize, index: usize) -> Result<&Line, Error> {
        let file = self.file(id)?;
        file.lines.get(index).ok_or(Error::LineTooLarge { given: index, max: file.lines.len() })
    }
}

impl<'a> Files<'a> for Excerpts {
    type FileId = usize;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: usize) -> Result<&'a str, Error> {
        Ok(&self.file(id)?.name)
    }

    fn source(&'a self, id: usize) -> Result<&'a str, Error> {
        Ok(&self.file(id)?.text)
    }

    fn line_index(&'a self, id: usize, byte: usize) -> Result<usize, Error> {
        let lines = &self.file(id)?.lines;
        Ok(lines.partition_point(|l| l.range.start <= byte).saturating_sub(1))
    }

    fn line_number(&'a self, id: usize, index: usize) -> Result<usize, Error> {
        Ok(self.line(id, index)?.number)
    }

    fn column_number(&'a self, id: usize, index: usize, byte: usize) -> Result<usize, Error> {
        let columns = &self.line(id, index)?.columns;
        Ok(columns.iter().find(|(at, _)| *at == byte).map_or(1, |&(_, column)| column))
    }

    fn line_range(&'a self, id: usize, index: usize) -> Result<Range<usize>, Error> {
        Ok(self.line(id, index)?.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, span: Span, label: &str, columns: usize) -> (String, String, bool) {
        let file = SourceFile::new("a.rs".into(), text.into(), false);
        let (excerpt, drawn) = Excerpt::new(&file, &[Mark { span, label: label.to_owned() }], columns);
        let range = drawn[0].range.clone();
        (excerpt.text.trim_end().to_owned(), excerpt.text[range].to_owned(), drawn[0].fits)
    }

    #[test]
    fn a_short_line_is_shown_whole() {
        assert_eq!(
            excerpt("\tlet g = m.lock();\n", Span::new(9, 17), "here", 40),
            ("    let g = m.lock();".into(), "m.lock()".into(), true)
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_label() {
        let text = format!("{}TARGET{}", "a".repeat(5000), "b".repeat(5000));
        let (line, marked, fits) = excerpt(&text, Span::new(5000, 5006), "label", 40);
        assert_eq!(marked, "TARGET");
        assert!(fits && width(&line) <= 40, "{line}");
        assert!(line.starts_with('…') && line.ends_with('…'), "{line}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let (line, ..) = excerpt("let s = \"\x1b[31m\";\r\n", Span::new(4, 5), "", 40);
        assert_eq!(line, "let s = \"\u{fffd}[31m\";");
    }

    #[test]
    fn an_empty_span_at_the_end_of_a_line() {
        let (line, marked, fits) = excerpt("x;\ny\n", Span::new(2, 2), "", 40);
        assert_eq!((line.as_str(), marked.as_str(), fits), ("x;", "", true));
    }
}
