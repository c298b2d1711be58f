//! Imports that edits leave without a use.

use uncork_lints::hir::{Import, ItemKind, Visibility};
use uncork_lints::source::{FileId, Span};

use super::Context;
use super::text::removal;
use crate::edit::Edit;

/// What to remove from a file's private imports so that nothing stays imported that only replaced text mentioned.
/// `candidate`: which names may go. A name that the edits did not touch stays, used or not.
pub(crate) fn unused(
    cx: &Context<'_>,
    file: FileId,
    edits: &[Edit],
    candidate: &dyn Fn(&Import) -> bool,
) -> Vec<Span> {
    let path = cx.path(file);
    let text = cx.text(file);
    let here = || edits.iter().filter(|e| e.path == path);
    let edited: Vec<Span> = here().map(|e| e.span).collect();
    let items = &cx.analysis.program.file(file).items;
    let uses: Vec<Span> =
        items.iter().filter(|i| matches!(i.kind, ItemKind::Use(_))).map(|i| i.span).collect();
    let gone = |import: &Import| {
        import.name.is_some_and(|n| {
            candidate(import)
                && words(text, n.as_str()).any(|at| within(at, &edited))
                && words(text, n.as_str()).all(|at| within(at, &edited) || within(at, &uses))
                && !here().any(|e| mentions_word(&e.replacement, n.as_str()))
        })
    };
    let mut removed = Vec::new();
    for item in items {
        let ItemKind::Use(imports) = &item.kind else { continue };
        if item.vis != Visibility::Private || item.attrs.cfg_other {
            continue;
        }
        let leaves: Vec<&Import> = imports.iter().filter(|i| gone(i)).collect();
        if leaves.is_empty() {
            continue;
        }
        let kept: Vec<&Import> = imports.iter().filter(|i| !gone(i)).collect();
        match kept[..] {
            [] => removed.push(removal(text, item.span)),
            [last] => match without_braces(text, item.span, last.span) {
                Some(around) => removed.extend(around),
                None => removed.extend(leaves.iter().map(|i| leaf_removal(text, i.span))),
            },
            _ => removed.extend(leaves.iter().map(|i| leaf_removal(text, i.span))),
        }
    }
    leaves_removed(text, removed)
}

/// What stands around the last leaf of `use a::{b, c};` so that `use a::b;` is left.
fn without_braces(text: &str, item: Span, leaf: Span) -> Option<[Span; 2]> {
    let whole = text.get(item.lo as usize..item.hi as usize)?;
    let (open, close) = (whole.find('{')?, whole.rfind('}')?);
    let nested = whole[open + 1..close].contains(['{', '}']);
    let own = text.get(leaf.lo as usize..leaf.hi as usize)?;
    if nested || own.starts_with("self") {
        return None;
    }
    let (open, close) = (item.lo + open as u32, item.lo + close as u32 + 1);
    Some([Span::new(open, leaf.lo), Span::new(leaf.hi, close)])
}

/// Spans that overlap or touch, made one.
pub(crate) fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|s| (s.lo, s.hi));
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.lo <= last.hi => last.hi = last.hi.max(span.hi),
            _ => out.push(span),
        }
    }
    out
}

/// Leaves that go together; the comma before the last of a list goes with it.
fn leaves_removed(text: &str, spans: Vec<Span>) -> Vec<Span> {
    let mut out = joined(spans);
    for span in &mut out {
        let after = text.get(span.hi as usize..).unwrap_or("").trim_start();
        let before = text.get(..span.lo as usize).unwrap_or("").trim_end();
        if let (true, Some(rest)) = (after.starts_with('}'), before.strip_suffix(',')) {
            span.lo = rest.len() as u32;
        }
    }
    out
}

/// One leaf of a `use` tree with the comma after it, or before it if it is the last.
fn leaf_removal(text: &str, span: Span) -> Span {
    let after = text.get(span.hi as usize..).unwrap_or("");
    let blanks = after.len() - after.trim_start().len();
    if after.trim_start().starts_with(',') {
        let rest = &after[blanks + 1..];
        let more = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        return Span::new(span.lo, span.hi + (blanks + 1 + more) as u32);
    }
    let before = text.get(..span.lo as usize).unwrap_or("");
    let trimmed = before.trim_end();
    match trimmed.strip_suffix(',') {
        Some(rest) => Span::new(rest.len() as u32, span.hi),
        None => span,
    }
}

fn within(at: usize, spans: &[Span]) -> bool {
    spans.iter().any(|s| s.lo as usize <= at && at < s.hi as usize)
}

/// Where an identifier stands in a text, comments and strings included: what is in doubt is kept.
pub(crate) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(ident) && !after.is_some_and(ident)
    })
}

/// Whether an identifier stands anywhere in a text.
pub(crate) fn mentions_word(text: &str, word: &str) -> bool {
    words(text, word).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_go_with_the_second_but_last() {
        let text = "use a::{b, c};";
        let around = without_braces(text, Span::new(0, 14), Span::new(11, 12));
        assert_eq!(around, Some([Span::new(7, 11), Span::new(12, 13)]));
        assert_eq!(without_braces("use a::{self, c};", Span::new(0, 17), Span::new(8, 12)), None);
        assert_eq!(without_braces("use a::{b::{c, d}};", Span::new(0, 19), Span::new(12, 13)), None);
    }

    #[test]
    fn neighbours_are_removed_together() {
        let text = "use a::{b, c, d};";
        let leaves = [Span::new(11, 12), Span::new(14, 15)];
        let both = leaves_removed(text, leaves.iter().map(|&leaf| leaf_removal(text, leaf)).collect());
        assert_eq!(both, [Span::new(9, 15)]);
    }
}
