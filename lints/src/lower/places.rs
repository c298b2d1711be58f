//! Where tokens stand: `proc_macro2` counts lines and characters, the HIR counts bytes.
//!
//! `Span::byte_range` keeps a tree of every offset ever asked for; asking for line and column and keeping our own
//! tables is several times faster and costs no memory a span.

use proc_macro2::Span as TokenSpan;

use crate::source::Span;

/// A checkpoint every this many characters bounds the scan in lines that are not ASCII.
const STRIDE: usize = 64;

/// Tables from line and column (in characters) of what is parsed to bytes of the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where in the file each parsed line begins.
    lines: Vec<u32>,
    /// Only for code that is not ASCII.
    wide: Option<Wide>,
    /// Length of the file, in bytes.
    len: u32,
}

#[derive(Debug)]
struct Wide {
    /// Byte and character index in the code of each line's start.
    starts: Vec<(u32, u32)>,
    /// Byte in the code of every `STRIDE`th character.
    checkpoints: Vec<u32>,
    code: Box<str>,
}

impl Places {
    /// Tables for `code`, whose lines begin at the bytes `lines` of a file of `len` bytes. O(length).
    pub(super) fn new(code: &str, lines: Vec<u32>, len: u32) -> Places {
        let wide = (!code.is_ascii()).then(|| {
            let mut starts = Vec::with_capacity(lines.len() + 1);
            starts.push((0, 0));
            let mut checkpoints = Vec::with_capacity(code.len() / STRIDE + 1);
            let mut chars = 0usize;
            for (at, c) in code.char_indices() {
                if chars.is_multiple_of(STRIDE) {
                    checkpoints.push(at as u32);
                }
                chars += 1;
                if c == '\n' {
                    starts.push((at as u32 + 1, chars as u32));
                }
            }
            Wide { starts, checkpoints, code: code.into() }
        });
        Places { lines, wide, len }
    }

    fn byte(&self, place: proc_macro2::LineColumn) -> u32 {
        let line = place.line.saturating_sub(1);
        let Some(&start) = self.lines.get(line) else { return self.len };
        let column = match &self.wide {
            None => place.column as u32,
            Some(wide) => wide.bytes_into(line, place.column),
        };
        (start + column).min(self.len)
    }

    /// First byte of a token.
    pub(super) fn lo(&self, span: TokenSpan) -> u32 {
        self.byte(span.start())
    }

    /// One past the last byte of a token.
    pub(super) fn hi(&self, span: TokenSpan) -> u32 {
        self.byte(span.end())
    }

    /// A token's bytes.
    pub(super) fn span(&self, span: TokenSpan) -> Span {
        let lo = self.lo(span);
        Span::new(lo, self.hi(span).max(lo))
    }
}

impl Wide {
    /// Bytes from the start of a line to its character `column`.
    fn bytes_into(&self, line: usize, column: usize) -> u32 {
        let Some(&(start, char_start)) = self.starts.get(line) else { return 0 };
        let index = char_start as usize + column;
        let end = self.code.len() as u32;
        let byte = match self.checkpoints.get(index / STRIDE) {
            None => end,
            Some(&from) => {
                let rest = self.code.get(from as usize..).unwrap_or("");
                rest.char_indices().nth(index % STRIDE).map_or(end, |(at, _)| from + at as u32)
            }
        };
        byte.saturating_sub(start)
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::LineColumn;

    use super::*;

    #[test]
    fn bytes_of_wide_lines() {
        let code = format!("{}é\nλb", "é".repeat(200));
        let places = Places::new(&code, vec![7, 1000], 2000);
        for (line, part, start) in [(1, "é".repeat(201), 7), (2, "λb".to_owned(), 1000)] {
            for (column, (at, _)) in part.char_indices().enumerate() {
                assert_eq!(places.byte(LineColumn { line, column }), (start + at) as u32);
            }
        }
        assert_eq!(places.byte(LineColumn { line: 9, column: 9 }), 2000);
    }
}
