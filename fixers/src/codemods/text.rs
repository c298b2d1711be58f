//! Questions about plain source text around a span.

use uncork_lints::source::Span;

/// A span widened to whole lines (with the line end) if nothing else stands on them; else `None`.
pub(crate) fn whole_lines(text: &str, span: Span) -> Option<Span> {
    let (lo, hi) = (span.lo as usize, span.hi as usize);
    let begin = text.get(..lo)?.rfind('\n').map_or(0, |i| i + 1);
    if !text.get(begin..lo)?.trim().is_empty() {
        return None;
    }
    let rest = text.get(hi..)?;
    let end = rest.find('\n').map_or(rest.len(), |i| i + 1);
    rest.get(..end)?.trim().is_empty().then(|| Span::new(begin as u32, (hi + end) as u32))
}

/// The span that removes a statement or comment: its whole lines, or else itself with the blanks before it.
pub(crate) fn removal(text: &str, span: Span) -> Span {
    if let Some(lines) = whole_lines(text, span) {
        return lines;
    }
    let before = text.get(..span.lo as usize).unwrap_or("");
    let blanks = before.len() - before.trim_end_matches([' ', '\t']).len();
    Span::new(span.lo - blanks as u32, span.hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_with_what_stood_on_them() {
        let text = "a();\n    b();\nc(); // x\n";
        assert_eq!(whole_lines(text, Span::new(9, 13)), Some(Span::new(5, 14)));
        assert_eq!(whole_lines(text, Span::new(19, 23)), None);
        assert_eq!(removal(text, Span::new(19, 23)), Span::new(18, 23));
    }
}
