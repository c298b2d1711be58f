//! Text as a terminal shows it: widths, control characters, wrapping.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a terminal would act on the character, or show text in another order than it stands: control characters
/// and the bidirectional overrides that can make code read as what it is not.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The text on one line and harmless: line ends and tabs become spaces, other unsafe characters U+FFFD.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", " ");
    Cow::Owned(
        text.chars()
            .map(|c| match c {
                '\n' | '\r' | '\t' => ' ',
                c if is_unsafe(c) => char::REPLACEMENT_CHARACTER,
                c => c,
            })
            .collect(),
    )
}

/// Columns that a terminal needs for the text.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Columns of one character; control characters have none.
pub(crate) fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Breaks `text` into lines of at most `columns`, the first after `first` columns already taken; later lines begin
/// with `indent`. Words longer than a line are broken.
pub(crate) fn wrap(text: &str, columns: usize, first: usize, indent: &str) -> String {
    let columns = columns.max(20);
    let lead = " ".repeat(first.min(columns.saturating_sub(10)));
    let options = textwrap::Options::new(columns)
        .initial_indent(&lead)
        .subsequent_indent(indent)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options);
    let mut out = String::with_capacity(text.len() + 16);
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(if i == 0 { line.get(lead.len()..).unwrap_or("") } else { line });
    }
    out
}

/// At most `max` characters, the last an ellipsis if something was cut.
pub(crate) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let end = text.char_indices().nth(max.saturating_sub(1)).map_or(0, |(i, _)| i);
            Cow::Owned(format!("{}…", &text[..end]))
        }
    }
}

/// `1 finding`, `2 findings`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_made_visible() {
        assert_eq!(one_line("a\tb\r\nc\x1b[31m\u{202e}"), "a b c\u{fffd}[31m\u{fffd}");
        assert!(matches!(one_line("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn wrapping_counts_what_is_already_there() {
        assert_eq!(wrap("one two three four", 20, 12, "  "), "one two\n  three four");
        assert_eq!(wrap("", 40, 5, ""), "");
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
