//! Places as each format counts them.

use camino::{Utf8Path, Utf8PathBuf};
use uncork_lints::source::{Location, SourceFile, Sources, Span};

use crate::input::ReportInput;

/// A place in lines and columns, both from 1; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) end_line: u32,
    pub(crate) end_column: u32,
}

/// The region of a span, columns in Unicode scalar values.
pub(crate) fn region(file: &SourceFile, span: Span) -> Region {
    let (lo, hi) = (file.line_column(span.lo), file.line_column(span.hi.max(span.lo)));
    Region { line: lo.line, column: lo.column, end_line: hi.line, end_column: hi.column }
}

/// The same with columns in UTF-16 code units.
pub(crate) fn region_utf16(file: &SourceFile, span: Span) -> Region {
    let column = |line: u32, offset: u32| {
        let start = file.line_span(line).lo;
        let before = file.text.get(start as usize..(offset as usize).min(file.text.len())).unwrap_or("");
        before.encode_utf16().count() as u32 + 1
    };
    let (lo, hi) = (file.line_column(span.lo).line, file.line_column(span.hi.max(span.lo)).line);
    Region {
        line: lo,
        column: column(lo, span.lo),
        end_line: hi,
        end_column: column(hi, span.hi.max(span.lo)),
    }
}

/// File and region (scalar columns) of a location.
pub(crate) fn of(sources: &Sources, at: Location) -> (&Utf8Path, Region) {
    let file = sources.get(at.file);
    (&file.path, region(file, at.span))
}

/// The path as a forge wants it: from the repository's root.
pub(crate) fn forge_path(input: &ReportInput<'_>, path: &Utf8Path) -> Utf8PathBuf {
    let prefix = input.repository.and_then(|repository| input.root.strip_prefix(repository).ok());
    match prefix {
        Some(prefix) if !prefix.as_str().is_empty() && !path.is_absolute() => {
            prefix.join(path).as_str().replace('\\', "/").into()
        }
        _ => path.as_str().replace('\\', "/").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_in_both_units() {
        let file = SourceFile::new("a.rs".into(), "x\n\u{1f980}é = 1;\n".into(), false);
        let span = Span::new(6, 8);
        assert_eq!(region(&file, span), Region { line: 2, column: 2, end_line: 2, end_column: 3 });
        assert_eq!(region_utf16(&file, span), Region { line: 2, column: 3, end_line: 2, end_column: 4 });
    }
}
