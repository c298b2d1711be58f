//! Replacements in one text, and the algebra they obey: apply, invert, compose, follow a place through.

use std::ops::Range;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uncork_lints::source::Span;

/// A replacement of a span of one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Edit {
    /// The file, as [`uncork_lints::source::SourceFile::path`] names it.
    pub path: Utf8PathBuf,
    /// The bytes that go; empty for an insertion.
    pub span: Span,
    /// What takes their place.
    pub replacement: String,
}

impl Edit {
    /// Replaces `span` of `path`.
    pub fn new(path: impl Into<Utf8PathBuf>, span: Span, replacement: impl Into<String>) -> Edit {
        Edit { path: path.into(), span, replacement: replacement.into() }
    }
}

/// A replacement in a text known from context.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextEdit {
    /// The bytes that go.
    pub span: Span,
    /// What takes their place.
    pub text: String,
}

/// Why edits cannot be applied.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EditError {
    /// Two edits want the same bytes.
    #[error("edits overlap at bytes {}..{} and {}..{}", .0.lo, .0.hi, .1.lo, .1.hi)]
    Overlap(Span, Span),
    /// A span that is not of this text: past the end, reversed, or inside a character.
    #[error("bytes {}..{} are no place in this text", .0.lo, .0.hi)]
    BadSpan(Span),
}

/// Whether two edits cannot both be made. Equal spans conflict unless both are the same edit; spans that merely touch do
/// not, nor an insertion at the end of a replacement.
pub fn conflicts(a: Span, b: Span) -> bool {
    if a == b {
        return true;
    }
    if a.is_empty() {
        return b.lo < a.lo && a.lo < b.hi;
    }
    if b.is_empty() {
        return a.lo < b.lo && b.lo < a.hi;
    }
    a.lo < b.hi && b.lo < a.hi
}

/// Replacements in one text: sorted, none overlapping, identical ones merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextEdits {
    edits: Vec<TextEdit>,
}

/// A stretch of the edited text: kept from the original, or new. An open end is `u32::MAX`.
#[derive(Clone, Debug)]
enum Piece {
    Keep(Range<u32>),
    New(String),
}

impl TextEdits {
    /// Sorts and checks. Identical edits count once; insertions at one place by one caller must be joined by it.
    ///
    /// # Errors
    /// [`EditError::Overlap`] if two want the same bytes, [`EditError::BadSpan`] for a reversed span.
    pub fn new(mut edits: Vec<TextEdit>) -> Result<TextEdits, EditError> {
        // An insertion before the replacement that begins where it stands.
        edits.sort_by(|a, b| (a.span.lo, a.span.hi, &a.text).cmp(&(b.span.lo, b.span.hi, &b.text)));
        edits.dedup();
        for edit in &edits {
            if edit.span.hi < edit.span.lo {
                return Err(EditError::BadSpan(edit.span));
            }
        }
        for pair in edits.windows(2) {
            if let [a, b] = pair
                && conflicts(a.span, b.span)
            {
                return Err(EditError::Overlap(a.span, b.span));
            }
        }
        Ok(TextEdits { edits })
    }

    /// The edits in order of place.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &TextEdit> {
        self.edits.iter()
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The text with all edits made. O(length).
    ///
    /// # Errors
    /// [`EditError::BadSpan`] if a span is no place in `text`.
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        let grown: usize = self.edits.iter().map(|e| e.text.len()).sum();
        let mut out = String::with_capacity(text.len() + grown);
        let mut at = 0;
        for edit in &self.edits {
            let kept = text.get(at..edit.span.lo as usize).ok_or(EditError::BadSpan(edit.span))?;
            text.get(edit.span.lo as usize..edit.span.hi as usize).ok_or(EditError::BadSpan(edit.span))?;
            out.push_str(kept);
            out.push_str(&edit.text);
            at = edit.span.hi as usize;
        }
        out.push_str(text.get(at..).unwrap_or(""));
        Ok(out)
    }

    /// The edits that turn the edited text back into `text`.
    ///
    /// # Errors
    /// [`EditError::BadSpan`] if a span is no place in `text`.
    pub fn invert(&self, text: &str) -> Result<TextEdits, EditError> {
        let mut edits = Vec::with_capacity(self.edits.len());
        let mut shift = 0i64;
        for edit in &self.edits {
            let old = text
                .get(edit.span.lo as usize..edit.span.hi as usize)
                .ok_or(EditError::BadSpan(edit.span))?;
            let lo = moved(edit.span.lo, shift);
            edits.push(TextEdit { span: Span::new(lo, lo + edit.text.len() as u32), text: old.to_owned() });
            shift += edit.text.len() as i64 - edit.span.len() as i64;
        }
        // Built in order, and disjoint because the originals were; neighbours that touch are joined so that two
        // insertions never share a place.
        Ok(TextEdits { edits: join_touching(edits) })
    }

    /// One set of edits with the effect of these and then `next`, whose spans are places in the text these make.
    pub fn compose(&self, next: &TextEdits) -> TextEdits {
        let mut pieces = self.pieces();
        for edit in next.edits.iter().rev() {
            pieces = splice(pieces, edit);
        }
        TextEdits { edits: from_pieces(pieces) }
    }

    /// Where a place of the old text is in the new one. What was replaced is where its replacement is.
    pub fn follow(&self, span: Span) -> Span {
        let lo = self.follow_offset(span.lo, false);
        Span::new(lo, self.follow_offset(span.hi, true).max(lo))
    }

    fn follow_offset(&self, offset: u32, end: bool) -> u32 {
        let mut shift = 0i64;
        for edit in &self.edits {
            let Span { lo, hi } = edit.span;
            let grows = edit.text.len() as i64 - i64::from(hi - lo);
            // An insertion at a span's start stays outside it, one at its end too.
            if hi < offset || (hi == offset && !(end && lo == hi)) {
                shift += grows;
            } else if lo < offset {
                let new_lo = moved(lo, shift);
                return if end { new_lo + edit.text.len() as u32 } else { new_lo };
            } else {
                break;
            }
        }
        moved(offset, shift)
    }

    /// The places of the replacements in the new text, in order.
    pub fn new_spans(&self) -> Vec<Span> {
        let mut shift = 0i64;
        let mut out = Vec::with_capacity(self.edits.len());
        for edit in &self.edits {
            let lo = moved(edit.span.lo, shift);
            out.push(Span::new(lo, lo + edit.text.len() as u32));
            shift += edit.text.len() as i64 - edit.span.len() as i64;
        }
        out
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(self.edits.len() * 2 + 1);
        let mut at = 0;
        for edit in &self.edits {
            if at < edit.span.lo {
                pieces.push(Piece::Keep(at..edit.span.lo));
            }
            if !edit.text.is_empty() {
                pieces.push(Piece::New(edit.text.clone()));
            }
            at = edit.span.hi;
        }
        pieces.push(Piece::Keep(at..u32::MAX));
        pieces
    }
}

fn moved(offset: u32, shift: i64) -> u32 {
    u32::try_from(i64::from(offset) + shift).unwrap_or(0)
}

fn join_touching(edits: Vec<TextEdit>) -> Vec<TextEdit> {
    let mut out: Vec<TextEdit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match out.last_mut() {
            Some(last) if last.span.hi == edit.span.lo => {
                last.span.hi = edit.span.hi;
                last.text.push_str(&edit.text);
            }
            _ => out.push(edit),
        }
    }
    out
}

fn piece_len(piece: &Piece) -> u64 {
    match piece {
        Piece::Keep(range) => u64::from(range.end - range.start),
        Piece::New(text) => text.len() as u64,
    }
}

fn cut(piece: &Piece, range: Range<u64>) -> Option<Piece> {
    if range.start >= range.end {
        return None;
    }
    Some(match piece {
        Piece::Keep(kept) => {
            let end = if range.end >= piece_len(piece) { kept.end } else { kept.start + range.end as u32 };
            Piece::Keep(kept.start + range.start as u32..end)
        }
        Piece::New(text) => {
            Piece::New(text.get(range.start as usize..range.end as usize).unwrap_or("").to_owned())
        }
    })
}

/// Replaces the bytes `edit.span` of what `pieces` make.
fn splice(pieces: Vec<Piece>, edit: &TextEdit) -> Vec<Piece> {
    let (lo, hi) = (u64::from(edit.span.lo), u64::from(edit.span.hi));
    let mut out = Vec::with_capacity(pieces.len() + 2);
    let mut at = 0u64;
    let mut placed = false;
    for piece in pieces {
        let len = piece_len(&piece);
        let (from, to) = (at, at + len);
        out.extend(cut(&piece, 0..lo.clamp(from, to) - from));
        if !placed && lo < to {
            placed = true;
            out.push(Piece::New(edit.text.clone()));
        }
        out.extend(cut(&piece, hi.clamp(from, to).max(lo.clamp(from, to)) - from..len));
        at = to;
    }
    if !placed {
        out.push(Piece::New(edit.text.clone()));
    }
    out
}

fn from_pieces(pieces: Vec<Piece>) -> Vec<TextEdit> {
    let mut edits = Vec::new();
    let mut at = 0;
    let mut new = String::new();
    for piece in pieces {
        match piece {
            Piece::New(text) => new.push_str(&text),
            Piece::Keep(range) => {
                if at < range.start || !new.is_empty() {
                    edits.push(TextEdit { span: Span::new(at, range.start), text: std::mem::take(&mut new) });
                }
                at = range.end;
            }
        }
    }
    if !new.is_empty() {
        edits.push(TextEdit { span: Span::new(at, at), text: new });
    }
    edits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(lo: u32, hi: u32, text: &str) -> TextEdit {
        TextEdit { span: Span::new(lo, hi), text: text.into() }
    }

    #[test]
    fn applies_in_any_order_and_merges_equals() {
        let edits = TextEdits::new(vec![edit(4, 5, "X"), edit(0, 1, ""), edit(4, 5, "X")]).unwrap();
        assert_eq!(edits.apply("abcdef").unwrap(), "bcdXf");
    }

    #[test]
    fn refuses_overlaps_and_bad_places() {
        assert!(TextEdits::new(vec![edit(0, 3, ""), edit(2, 4, "")]).is_err());
        assert!(TextEdits::new(vec![edit(1, 1, "a"), edit(1, 1, "b")]).is_err());
        assert!(TextEdits::new(vec![edit(0, 2, "a"), edit(2, 2, "b")]).is_ok());
        let inside = TextEdits::new(vec![edit(1, 2, "")]).unwrap();
        assert!(matches!(inside.apply("é"), Err(EditError::BadSpan(_))));
    }

    #[test]
    fn follows_places() {
        let edits = TextEdits::new(vec![edit(2, 4, "longer")]).unwrap();
        assert_eq!(edits.follow(Span::new(0, 1)), Span::new(0, 1));
        assert_eq!(edits.follow(Span::new(5, 6)), Span::new(9, 10));
        assert_eq!(edits.follow(Span::new(3, 6)), Span::new(2, 10));
        assert_eq!(edits.new_spans(), vec![Span::new(2, 8)]);
    }

    /// Random edits of a text of `len` ASCII bytes.
    fn edits_of(len: u32) -> impl Strategy<Value = TextEdits> {
        prop::collection::vec((0..=len, 0..=len, "[a-z]{0,4}"), 0..6).prop_map(|raw| {
            let mut kept: Vec<TextEdit> = Vec::new();
            for (a, b, text) in raw {
                let new = TextEdit { span: Span::new(a.min(b), a.max(b)), text };
                if kept.iter().all(|k| !conflicts(k.span, new.span)) {
                    kept.push(new);
                }
            }
            TextEdits::new(kept).unwrap()
        })
    }

    proptest! {
        #[test]
        fn inverse_restores((text, edits) in "[A-Z]{0,24}".prop_flat_map(|t| {
            let len = t.len() as u32;
            (Just(t), edits_of(len))
        })) {
            let new = edits.apply(&text).unwrap();
            let back = edits.invert(&text).unwrap();
            prop_assert_eq!(back.apply(&new).unwrap(), text);
        }

        #[test]
        fn composition_is_one_after_the_other((text, first, second) in "[A-Z]{0,24}"
            .prop_flat_map(|t| { let len = t.len() as u32; (Just(t), edits_of(len)) })
            .prop_flat_map(|(t, first)| {
                let len = first.apply(&t).unwrap().len() as u32;
                (Just(t), Just(first), edits_of(len))
            })
        ) {
            let two = second.apply(&first.apply(&text).unwrap()).unwrap();
            prop_assert_eq!(first.compose(&second).apply(&text).unwrap(), two);
        }

        #[test]
        fn replacements_are_where_said((text, edits) in "[A-Z]{0,24}".prop_flat_map(|t| {
            let len = t.len() as u32;
            (Just(t), edits_of(len))
        })) {
            let new = edits.apply(&text).unwrap();
            for (edit, span) in edits.iter().zip(edits.new_spans()) {
                prop_assert_eq!(&new[span.lo as usize..span.hi as usize], edit.text.as_str());
            }
        }
    }
}
