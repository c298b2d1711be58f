//! Format strings: the variables they capture.

use syn::{Expr, Lit};

use super::cx::{Lower, ident_len};
use crate::hir::ExprId;
use crate::name::Name;
use crate::source::Span;

impl Lower<'_> {
    /// The string of a literal argument, and the captures in it as expressions. `given` are the names of explicit
    /// arguments, which captures mean first.
    pub(super) fn format_string(
        &mut self,
        arg: &Expr,
        given: &[Name],
        out: &mut Vec<ExprId>,
    ) -> Option<Box<str>> {
        let Expr::Lit(syn::ExprLit { lit: Lit::Str(lit), .. }) = arg else { return None };
        let span = self.span(lit.span());
        let text = self.text;
        let raw = text.get(span.lo as usize..span.hi as usize).unwrap_or("");
        captures(raw, |at, name| {
            let name_ = Name::new(name);
            if given.contains(&name_) {
                return;
            }
            let lo = span.lo + at as u32;
            let at = Span::new(lo, lo + name.len() as u32);
            let kind = self.name_expr(name_, at);
            out.push(self.alloc(kind, at));
        });
        Some(self.str_value(lit, span))
    }
}

/// Calls `found` with byte offset and name for each variable captured by the format string that `literal` (with its
/// quotes and prefix) spells: `{x}`, `{x:?}`, `{:width$}`, `{:.precision$}`.
fn captures(literal: &str, mut found: impl FnMut(usize, &str)) {
    let bytes = literal.as_bytes();
    let raw = bytes.first() == Some(&b'r');
    let mut at = bytes.iter().position(|&b| b == b'"').map_or(bytes.len(), |q| q + 1);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            // `\u{1F600}` is no placeholder.
            b'\\' if !raw => {
                at += 1;
                if bytes.get(at - 1) == Some(&b'u') {
                    at +=
                        bytes.get(at..).and_then(|r| r.iter().position(|&b| b == b'}')).map_or(0, |n| n + 1);
                }
            }
            b'{' if bytes.get(at) == Some(&b'{') => at += 1,
            b'{' => at = placeholder(literal, at, &mut found),
            _ => {}
        }
    }
}

/// Reads a placeholder after its `{`; returns where it ends.
fn placeholder(literal: &str, start: usize, found: &mut impl FnMut(usize, &str)) -> usize {
    let bytes = literal.as_bytes();
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(len) = rest.iter().position(|&b| matches!(b, b'}' | b'"')) else { return bytes.len() };
    let end = start + len;
    let inner = literal.get(start..end).unwrap_or("");
    let blank = inner.len() - inner.trim_start().len();
    let name = ident_at(inner, blank);
    if !name.is_empty() {
        found(start + blank, name);
    }
    // In the specification only `name$` names a variable; the fill may be any character.
    let Some(colon) = inner.find(':') else { return end };
    let mut at = colon + 1;
    while at < inner.len() {
        let name = ident_at(inner, at);
        if name.is_empty() {
            at += inner.get(at..).and_then(|s| s.chars().next()).map_or(1, char::len_utf8);
        } else {
            if inner.as_bytes().get(at + name.len()) == Some(&b'$') {
                found(start + at, name);
            }
            at += name.len();
        }
    }
    end
}

/// The identifier at a byte offset; empty if none begins there.
fn ident_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or("");
    match rest.as_bytes().first() {
        Some(b) if b.is_ascii_digit() => "",
        _ => rest.get(..ident_len(rest.as_bytes())).unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(literal: &str) -> Vec<(usize, String)> {
        let mut out = Vec::new();
        captures(literal, |at, name| out.push((at, name.to_owned())));
        out
    }

    #[test]
    fn names_in_format_strings() {
        assert_eq!(all(r#""a {x} {{no}} {y:?} {0} {} {:>w$.p$} {z:5}""#).len(), 5);
        assert_eq!(all(r#""{x}""#), [(2, "x".to_owned())]);
        assert_eq!(all(r#""\u{1F600}{x}\{y}""#), [(11, "x".to_owned())]);
        assert_eq!(all(r##"r#"\u{x}"#"##), [(6, "x".to_owned())]);
        assert_eq!(all(r#""é{é:é<1$}""#), [(4, "é".to_owned())]);
        assert_eq!(all(r#""{unclosed"#), []);
        assert_eq!(all(r#""{a:b$}{c:#010x}""#).len(), 3);
    }
}
