//! Source text and places in it: files, byte spans, lines and columns.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// A file of the run: an index into [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file's text (after a byte-order mark, if there was one).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
}

impl Span {
    /// The span from `lo` to `hi`, in bytes.
    pub fn new(lo: u32, hi: u32) -> Span {
        Span { lo, hi }
    }

    /// The smallest span that holds both.
    pub fn to(self, end: Span) -> Span {
        Span { lo: self.lo.min(end.lo), hi: self.hi.max(end.hi) }
    }

    /// Whether `other` lies inside.
    pub fn contains(self, other: Span) -> bool {
        self.lo <= other.lo && other.hi <= self.hi
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        (self.hi - self.lo) as usize
    }

    /// Whether it holds no byte.
    pub fn is_empty(self) -> bool {
        self.hi <= self.lo
    }
}

/// A span in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The file.
    pub file: FileId,
    /// The bytes.
    pub span: Span,
}

/// A place as a person reads it. Both count from 1; `column` counts Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in Unicode scalar values, from 1.
    pub column: u32,
}

/// One source file, text and line starts. Line ends are kept as they are on disk.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Relative to the analysed root where it lies under it, forward slashes; `<stdin>` for standard input.
    pub path: Utf8PathBuf,
    /// The text without byte-order mark.
    pub text: Arc<str>,
    /// Whether the file on disk begins with a UTF-8 byte-order mark.
    pub bom: bool,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// Indexes the lines of `text`. O(length).
    pub fn new(path: Utf8PathBuf, text: Arc<str>, bom: bool) -> SourceFile {
        let mut line_starts = vec![0];
        line_starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i as u32 + 1));
        SourceFile { path, text, bom, line_starts }
    }

    /// Line and column of a byte offset; an offset past the end is the end. O(log lines + column).
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let offset = (offset as usize).min(self.text.len());
        let line = self.line_starts.partition_point(|&start| start as usize <= offset) - 1;
        let start = self.line_starts[line] as usize;
        let before = self.text.get(start..offset).unwrap_or("");
        LineColumn { line: line as u32 + 1, column: before.chars().count() as u32 + 1 }
    }

    /// The span of a line (from 1) without its line end; empty past the last.
    pub fn line_span(&self, line: u32) -> Span {
        let Some(&lo) = self.line_starts.get(line.saturating_sub(1) as usize) else { return Span::default() };
        let hi = self.line_starts.get(line as usize).copied().unwrap_or(self.text.len() as u32);
        let text = &self.text[lo as usize..hi as usize];
        Span { lo, hi: lo + text.trim_end_matches(['\n', '\r']).len() as u32 }
    }

    /// The number of lines (a final line end does not begin another).
    pub fn line_count(&self) -> usize {
        self.line_starts.len() - usize::from(self.text.is_empty() || self.text.ends_with('\n'))
    }

    /// The text of a span; empty if it is none of this file's.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.lo as usize..span.hi as usize).unwrap_or("")
    }

    /// `span` cut to the line it begins on, so that it fits a one-line region.
    pub fn one_line(&self, span: Span) -> Span {
        let line = self.line_span(self.line_column(span.lo).line);
        Span { lo: span.lo, hi: span.hi.min(line.hi).max(span.lo) }
    }
}

/// All files of a run, by [`FileId`].
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        FileId(self.files.len() as u32 - 1)
    }

    /// The file.
    pub fn get(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The path of a file as shown.
    pub fn path(&self, id: FileId) -> &Utf8Path {
        &self.get(id).path
    }

    /// All files in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }

    /// How many files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns() {
        let f = SourceFile::new("a.rs".into(), "aé\r\nb\n".into(), false);
        assert_eq!(f.line_column(0), LineColumn { line: 1, column: 1 });
        assert_eq!(f.line_column(3), LineColumn { line: 1, column: 3 });
        assert_eq!(f.line_column(5), LineColumn { line: 2, column: 1 });
        assert_eq!(f.line_span(1), Span::new(0, 3));
        assert_eq!(f.line_count(), 2);
        assert_eq!(f.one_line(Span::new(1, 6)), Span::new(1, 3));
    }
}
