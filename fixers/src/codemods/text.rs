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

/// Comments, documentation included.
pub(crate) fn comments(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let length = match rest {
            [b'/', b'/', ..] => rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'"', ..] => 1 + quoted(&rest[1..]),
            [b'r', b'"' | b'#', ..] if !word => raw(&rest[1..]).map_or(1, |n| 1 + n),
            [b'b' | b'c', b'r', b'"' | b'#', ..] if !word => raw(&rest[2..]).map_or(1, |n| 2 + n),
            [b'\'', b'\\', ..] => 3 + rest.iter().skip(3).take_while(|&&b| b != b'\'').count() + 1,
            // A character, and not a lifetime.
            [b'\'', _, b'\'', ..] => 3,
            _ => 1,
        };
        let end = (at + length).min(bytes.len());
        if matches!(rest, [b'/', b'/' | b'*', ..]) {
            out.push(Span::new(at as u32, end as u32));
        }
        at = end;
    }
    out
}

/// Length of a comment that may hold others.
fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of what follows an opening quote, the closing one included.
fn quoted(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Length of `#"…"#`; `None` if it is a raw name (`r#type`).
fn raw(text: &[u8]) -> Option<usize> {
    let marks = text.iter().take_while(|&&b| b == b'#').count();
    if text.get(marks) != Some(&b'"') {
        return None;
    }
    let mut at = marks + 1;
    while at < text.len() {
        let closes =
            text[at] == b'"' && text[at + 1..].iter().take(marks).filter(|&&b| b == b'#').count() == marks;
        at += 1;
        if closes {
            return Some(at + marks);
        }
    }
    Some(at)
}

/// What stands before an offset on its line, if that is only blanks.
pub(crate) fn indent_at(text: &str, at: u32) -> Option<&str> {
    let before = text.get(..at as usize)?;
    let indent = before.get(before.rfind('\n').map_or(0, |i| i + 1)..)?;
    indent.trim().is_empty().then_some(indent)
}

/// Where a statement begins with the comment lines right above it.
pub(crate) fn before_comments(text: &str, at: u32) -> u32 {
    let mut at = at;
    while let Some(indent) = indent_at(text, at) {
        let line_start = at as usize - indent.len();
        let Some(above) = text.get(..line_start).and_then(|t| t.strip_suffix('\n')) else { return at };
        let begin = above.rfind('\n').map_or(0, |i| i + 1);
        let line = above.get(begin..).unwrap_or("");
        let code = line.trim_start();
        if !code.starts_with("//") || code.starts_with("///") || code.starts_with("//!") {
            return at;
        }
        at = (begin + line.len() - code.len()) as u32;
    }
    at
}

/// Where a statement ends with the comment that stands after it on its line.
pub(crate) fn after_comment(text: &str, at: u32) -> u32 {
    let rest = text.get(at as usize..).unwrap_or("");
    let line = rest.lines().next().unwrap_or("");
    if line.trim_start().starts_with("//") { at + line.trim_end().len() as u32 } else { at }
}

/// A span with the parentheses right around it, if they group it and nothing else: no call, no tuple.
pub(crate) fn without_parens(text: &str, span: Span) -> Span {
    let (Some(before), Some(after)) = (text.get(..span.lo as usize), text.get(span.hi as usize..)) else {
        return span;
    };
    let Some(rest) = before.strip_suffix('(').filter(|_| after.starts_with(')')) else { return span };
    let called = rest
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '>' | '!' | ')' | ']' | '}'));
    if called { span } else { Span::new(span.lo - 1, span.hi + 1) }
}

/// The span that a name replaces where a value stood: `total: value` becomes `total`, not `total: total`.
pub(crate) fn named_field(text: &str, value: Span, name: &str) -> Span {
    let field = || {
        let before = text.get(..value.lo as usize)?.trim_end().strip_suffix(':')?.trim_end();
        let rest = before.strip_suffix(name)?;
        rest.trim_end().ends_with(['{', ',']).then_some(rest.len() as u32)
    };
    Span::new(field().unwrap_or(value.lo), value.hi)
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

    #[test]
    fn comments_belong_to_what_follows() {
        let text = "{\n    a();\n    // why\n    // more\n    b();\n}\n";
        let b = text.find("b()").map_or(0, |i| i as u32);
        let why = text.find("// why").map_or(0, |i| i as u32);
        assert_eq!(before_comments(text, b), why);
        let a = text.find("a()").map_or(0, |i| i as u32);
        assert_eq!(before_comments(text, a), a);
    }

    #[test]
    fn grouping_parentheses_go() {
        let text = "(*x).y + f(*x)";
        assert_eq!(without_parens(text, Span::new(1, 3)), Span::new(0, 4));
        assert_eq!(without_parens(text, Span::new(11, 13)), Span::new(11, 13));
    }

    #[test]
    fn a_field_of_the_same_name_is_written_once() {
        let text = "S { total: *x, rest: *x }";
        assert_eq!(named_field(text, Span::new(11, 13), "total"), Span::new(4, 13));
        assert_eq!(named_field(text, Span::new(21, 23), "total"), Span::new(21, 23));
        assert_eq!(named_field(text, Span::new(11, 13), "al"), Span::new(11, 13));
    }
}
