//! Where tokens stand: `proc_macro2` counts lines and characters, the HIR counts bytes.
//!
//! `Span::byte_range` keeps a tree of every offset ever asked for; asking for line and column and keeping our own
//! tables is several times faster and costs no memory a span.

use proc_macro2::Span as TokenSpan;

use crate::source::Span;

/// A checkpoint every this many characters bounds the scan in lines that are not ASCII.
const STRIDE: usize = 64;

/// The piece that a byte of the code lies in is known for every byte that is a multiple of two to this.
const BLOCK: u32 = 6;

/// Tables from line and column (in characters) of what is parsed to bytes of the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where the part of the code begins that is parsed now.
    base: u32,
    /// Where in the part each of its lines begins.
    lines: Vec<u32>,
    /// Where each piece begins in the code and in the file.
    pieces: Vec<(u32, u32)>,
    /// By block of the code: the piece its first byte lies in.
    blocks: Vec<u32>,
    /// Only for parts that are not ASCII.
    wide: Option<Wide>,
    /// Length of the file, in bytes.
    len: u32,
}

#[derive(Debug)]
struct Wide {
    /// Character index in the part of each line's start.
    starts: Vec<u32>,
    /// Byte in the part of every `STRIDE`th character.
    checkpoints: Vec<u32>,
    code: Box<str>,
}

impl Places {
    /// Tables for `code`, made of `pieces` (where each begins in the code and in the file) of a file of `len` bytes; all
    /// of it is parsed at once until [`Places::enter`] says otherwise. O(length).
    pub(super) fn new(code: &str, pieces: Vec<(u32, u32)>, len: u32) -> Places {
        let mut blocks = Vec::with_capacity((code.len() >> BLOCK) + 1);
        let mut piece = 0;
        for block in 0..=(code.len() as u32) >> BLOCK {
            while pieces.get(piece + 1).is_some_and(|next| next.0 <= block << BLOCK) {
                piece += 1;
            }
            blocks.push(piece as u32);
        }
        let mut places = Places { pieces, blocks, len, ..Places::default() };
        places.enter(0, code);
        places
    }

    /// From now on tokens are those of `part`, which begins at byte `base` of the code. O(length).
    pub(super) fn enter(&mut self, base: u32, part: &str) {
        self.base = base;
        self.lines.clear();
        self.lines.push(0);
        self.lines.extend(memchr::memchr_iter(b'\n', part.as_bytes()).map(|at| at as u32 + 1));
        self.wide = (!part.is_ascii()).then(|| {
            let mut starts = Vec::with_capacity(self.lines.len());
            starts.push(0);
            let mut checkpoints = Vec::with_capacity(part.len() / STRIDE + 1);
            let mut chars = 0usize;
            for (at, c) in part.char_indices() {
                if chars.is_multiple_of(STRIDE) {
                    checkpoints.push(at as u32);
                }
                chars += 1;
                if c == '\n' {
                    starts.push(chars as u32);
                }
            }
            Wide { starts, checkpoints, code: part.into() }
        });
    }

    fn byte(&self, place: proc_macro2::LineColumn) -> u32 {
        let line = place.line.saturating_sub(1);
        let Some(&start) = self.lines.get(line) else { return self.len };
        let column = match &self.wide {
            None => place.column as u32,
            Some(wide) => wide.bytes_into(line, start, place.column),
        };
        self.in_file(self.base + start + column)
    }

    /// Where in the file a byte of the code stands. O(1), but for blocks of many short pieces.
    fn in_file(&self, at: u32) -> u32 {
        let Some(&first) = self.blocks.get((at >> BLOCK) as usize) else { return self.len };
        let mut piece = first as usize;
        while self.pieces.get(piece + 1).is_some_and(|next| next.0 <= at) {
            piece += 1;
        }
        match self.pieces.get(piece) {
            Some(&(code, file)) => (file + (at - code)).min(self.len),
            None => self.len,
        }
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
    /// Bytes from the start of a line, at byte `start`, to its character `column`.
    fn bytes_into(&self, line: usize, start: u32, column: usize) -> u32 {
        let Some(&char_start) = self.starts.get(line) else { return 0 };
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
        let (first, second) = ("é".repeat(201), "λb".to_owned());
        let code = format!("{first}\n{second} ");
        let at = first.len() as u32 + 1;
        let places = Places::new(&code, vec![(0, 7), (at, 1000)], 2000);
        for (line, part, start) in [(1, first, 7), (2, second, 1000)] {
            for (column, (at, _)) in part.char_indices().enumerate() {
                assert_eq!(places.byte(LineColumn { line, column }), (start + at) as u32);
            }
        }
        assert_eq!(places.byte(LineColumn { line: 9, column: 9 }), 2000);
    }

    #[test]
    fn bytes_of_pieces() {
        // Pieces shorter and longer than a block, each twice as far into the file.
        let (mut code, mut pieces) = (String::new(), Vec::new());
        for len in [1, 2, 3, 63, 64, 65, 1, 500, 1] {
            pieces.push((code.len() as u32, 2 * code.len() as u32));
            code.push_str(&"x".repeat(len));
            code.push(' ');
        }
        let places = Places::new(&code, pieces.clone(), 5000);
        for (n, &(start, file)) in pieces.iter().enumerate() {
            let end = pieces.get(n + 1).map_or(code.len() as u32, |next| next.0);
            for at in start..end {
                let column = at as usize;
                assert_eq!(places.byte(LineColumn { line: 1, column }), file + (at - start));
            }
        }
    }
}
