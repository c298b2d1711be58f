//! Comments that silence findings: `// uncork: allow(rule, rule) reason`.

use crate::hir::{Suppression, SuppressionKind};
use crate::source::Span;

/// Reads a comment (no doc comment) that begins at byte `lo`; `None` if it does not address this tool.
pub(super) fn suppression(comment: &str, lo: u32, trailing: bool) -> Option<Suppression> {
    let marker = if comment.starts_with("//") { "//" } else { "/*" };
    let body = comment.strip_prefix(marker)?;
    let body = if marker == "/*" { body.strip_suffix("*/").unwrap_or(body) } else { body };
    let said = body.trim_start().strip_prefix("uncork:")?;
    let span = Span::new(lo, lo + comment.trim_end().len() as u32);
    let offset_of = |part: &str| lo + (part.as_ptr() as usize - comment.as_ptr() as usize) as u32;
    let (kind, rules, reason) = match read(said) {
        Some((kind, names, reason)) => {
            let rules = names
                .into_iter()
                .map(|name| {
                    let at = offset_of(name);
                    (name.into(), Span::new(at, at + name.len() as u32))
                })
                .collect();
            (kind, rules, reason)
        }
        None => (SuppressionKind::Malformed, Box::default(), said.trim()),
    };
    Some(Suppression { kind, rules, reason: reason.into(), span, trailing })
}

/// `allow(a, b) reason` → kind, rules, reason.
fn read(said: &str) -> Option<(SuppressionKind, Vec<&str>, &str)> {
    let (verb, rest) = said.split_once('(')?;
    let kind = match verb.trim() {
        "allow" => SuppressionKind::Allow,
        "allow-file" => SuppressionKind::AllowFile,
        "expect" => SuppressionKind::Expect,
        "expect-file" => SuppressionKind::ExpectFile,
        _ => return None,
    };
    let (list, reason) = rest.split_once(')')?;
    let names: Vec<&str> = list.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
    let ids = |n: &&str| n.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if names.is_empty() || !names.iter().all(ids) {
        return None;
    }
    Some((kind, names, reason.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let s = suppression("// uncork: allow(lock-unwrap, all) start-up only \r", 10, true).expect("one");
        assert_eq!(s.kind, SuppressionKind::Allow);
        assert_eq!(s.rules[0], ("lock-unwrap".into(), Span::new(27, 38)));
        assert_eq!(s.rules[1].0.as_ref(), "all");
        assert_eq!(s.reason.as_ref(), "start-up only");
        assert_eq!(s.span, Span::new(10, 58));
        let kinds = |text| suppression(text, 0, false).map(|s| s.kind);
        assert_eq!(kinds("/* uncork: expect-file(x) */"), Some(SuppressionKind::ExpectFile));
        assert_eq!(kinds("//uncork:allow-file(x)"), Some(SuppressionKind::AllowFile));
        assert_eq!(kinds("// uncork: expect ( x )"), Some(SuppressionKind::Expect));
        for bad in [
            "// uncork: alow(x)",
            "// uncork: allow",
            "// uncork: allow()",
            "// uncork: allow(a b)",
            "// uncork:",
        ] {
            assert_eq!(kinds(bad), Some(SuppressionKind::Malformed), "{bad}");
        }
        assert_eq!(kinds("// see uncork: allow(x)"), None);
    }
}
