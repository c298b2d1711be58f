//! Where tokens stand: `proc_macro2` counts lines and characters, the HIR counts bytes.
//!
//! `Span::byte_range` keeps a tree of every offset ever asked for; asking for line and column and keeping our own
//! tables is several times faster and costs no memory a span.

use proc_macro2::Span as TokenSpan;

use crate::source::Span;

/// A checkpoint every this many characters bounds the scan in lines that are not ASCII.
const STRIDE: usize = 64;

/// Tables from line and column (in characters) to byte.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Byte offset of each line's start in the parsed text; `\n` ends a line.
    line_bytes: Vec<u32>,
    /// Only for texts that are not ASCII.
    wide: Option<Wide>,
    /// What stood before the parsed text: shebang, frontmatter.
    base: u32,
    len: u32,
}

#[derive(Debug)]
struct Wide {
    /// Character index of each line's start.
    line_chars: Vec<u32>,
    /// Byte offset of every `STRIDE`th character.
    checkpoints: Vec<u32>,
    text: Box<str>,
}

impl Places {
    /// Tables for `text[base..]`, the part that is parsed. O(length).
    pub(super) fn new(text: &str, base: usize) -> Places {
        let parsed = text.get(base..).unwrap_or("");
        let mut line_bytes = Vec::with_capacity(parsed.len() / 32 + 1);
        line_bytes.push(0);
        line_bytes.extend(memchr::memchr_iter(b'\n', parsed.as_bytes()).map(|at| at as u32 + 1));
        let wide = (!parsed.is_ascii()).then(|| {
            let mut line_chars = Vec::with_capacity(line_bytes.len());
            line_chars.push(0);
            let mut checkpoints = Vec::with_capacity(parsed.len() / STRIDE + 1);
            let mut chars = 0usize;
            for (at, c) in parsed.char_indices() {
                if chars.is_multiple_of(STRIDE) {
                    checkpoints.push(at as u32);
                }
                chars += 1;
                if c == '\n' {
                    line_chars.push(chars as u32);
                }
            }
            Wide { line_chars, checkpoints, text: parsed.into() }
        });
        Places { line_bytes, wide, base: base as u32, len: parsed.len() as u32 }
    }

    fn byte(&self, place: proc_macro2::LineColumn) -> u32 {
        let line = place.line.saturating_sub(1);
        let in_text = match &self.wide {
            None => self.line_bytes.get(line).map_or(self.len, |start| start + place.column as u32),
            Some(wide) => wide.byte(line, place.column),
        };
        self.base + in_text.min(self.len)
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
    fn byte(&self, line: usize, column: usize) -> u32 {
        let end = self.text.len() as u32;
        let Some(&line_start) = self.line_chars.get(line) else { return end };
        let index = line_start as usize + column;
        let Some(&from) = self.checkpoints.get(index / STRIDE) else { return end };
        let rest = self.text.get(from as usize..).unwrap_or("");
        match rest.char_indices().nth(index % STRIDE) {
            Some((at, _)) => from + at as u32,
            None => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::LineColumn;

    use super::*;

    #[test]
    fn bytes_of_wide_lines() {
        let text = format!("#!x\n{}é\nλb", "é".repeat(200));
        let places = Places::new(&text, 4);
        for (line, part, start) in [(1, "é".repeat(201), 4), (2, "λb".to_owned(), 4 + 403)] {
            for (column, (at, _)) in part.char_indices().enumerate() {
                assert_eq!(places.byte(LineColumn { line, column }), (start + at) as u32);
            }
        }
        assert_eq!(places.byte(LineColumn { line: 9, column: 9 }), text.len() as u32);
    }
}
