//! Imports that nothing names any more once edits are made.

use uncork_lints::finding::Applicability;
use uncork_lints::hir::{Import, ItemKind};
use uncork_lints::source::{FileId, Span};

use super::super::Context;
use super::super::text::removal;
use super::decl::words;
use crate::change::{Change, Plan};
use crate::edit::Edit;

/// Types that migrations take out of code.
const TAKEN_OUT: [&str; 6] = ["HashMap", "HashSet", "DashMap", "RwLock", "Mutex", "PoisonError"];

/// Removes imports of what the edited files no longer mention.
pub(in crate::codemods) fn unused_imports(cx: &Context<'_>, edits: &mut Vec<Edit>) {
    let program = &cx.analysis.program;
    let mut files: Vec<FileId> = Vec::new();
    for (id, file) in cx.analysis.sources.iter() {
        if edits.iter().any(|e| e.path == file.path) {
            files.push(id);
        }
    }
    for file in files {
        let path = cx.path(file);
        let text = cx.text(file);
        let edited: Vec<Span> = edits.iter().filter(|e| e.path == path).map(|e| e.span).collect();
        let new: Vec<String> =
            edits.iter().filter(|e| e.path == path).map(|e| e.replacement.clone()).collect();
        let items = &program.file(file).items;
        let uses: Vec<Span> =
            items.iter().filter(|i| matches!(i.kind, ItemKind::Use(_))).map(|i| i.span).collect();
        let mut removed = Vec::new();
        for item in items {
            let ItemKind::Use(imports) = &item.kind else { continue };
            if item.vis != uncork_lints::hir::Visibility::Private || item.attrs.cfg_other {
                continue;
            }
            let gone: Vec<&Import> = imports
                .iter()
                .filter(|i| {
                    i.name.is_some_and(|n| {
                        TAKEN_OUT.contains(&n.as_str())
                            && i.path.last() == Some(&n)
                            && bare(text, n.as_str()).any(|at| within(at, &edited))
                            && bare(text, n.as_str()).all(|at| within(at, &edited) || within(at, &uses))
                            && !new.iter().any(|t| bare(t, n.as_str()).next().is_some())
                    })
                })
                .collect();
            if gone.is_empty() {
                continue;
            }
            if gone.len() == imports.len() {
                removed.push(removal(text, item.span));
            } else {
                removed.extend(gone.iter().map(|i| leaf_removal(text, i.span)));
            }
        }
        for span in removed {
            let edit = cx.edit(file, span, "");
            edits.push(edit);
        }
    }
}

/// After several migrations in one file, none of which was the last to name a type: its import goes by itself.
pub(in crate::codemods) fn tidy(cx: &Context<'_>, plan: &mut Plan) {
    let program = &cx.analysis.program;
    for changed in cx.overlay.changed() {
        let Some((file, source)) = cx.analysis.sources.iter().find(|(_, f)| f.path == changed.path) else {
            continue;
        };
        let items = &program.file(file).items;
        let uses: Vec<Span> =
            items.iter().filter(|i| matches!(i.kind, ItemKind::Use(_))).map(|i| i.span).collect();
        for item in items {
            let ItemKind::Use(imports) = &item.kind else { continue };
            if item.vis != uncork_lints::hir::Visibility::Private || item.attrs.cfg_other {
                continue;
            }
            let gone: Vec<&Import> = imports
                .iter()
                .filter(|i| {
                    i.name.is_some_and(|n| {
                        TAKEN_OUT.contains(&n.as_str())
                            && i.path.last() == Some(&n)
                            && bare(&source.text, n.as_str()).all(|at| within(at, &uses))
                            && bare(changed.before, n.as_str()).count()
                                > bare(&source.text, n.as_str()).count()
                    })
                })
                .collect();
            if gone.is_empty() {
                continue;
            }
            let spans = leaves_removal(&source.text, item.span, &gone, imports.len());
            let names: Vec<String> = gone.iter().filter_map(|i| i.name).map(|n| format!("`{n}`")).collect();
            plan.changes.push(Change {
                rule: "unused-import".to_owned(),
                title: format!("remove the import of {} from {}", names.join(", "), source.path),
                fingerprints: Vec::new(),
                applicability: Applicability::Safe,
                caveat: None,
                edits: spans.into_iter().map(|span| cx.edit(file, span, "")).collect(),
                manifest: Vec::new(),
                claims: Vec::new(),
            });
        }
    }
}

/// Where a name stands by itself, which an import is for; `parking_lot::Mutex` needs none.
fn bare<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    words(text, name).filter(move |&at| !text.get(..at).is_some_and(|before| before.ends_with("::")))
}

/// What removes some leaves of a `use`, or all of it.
fn leaves_removal(text: &str, item: Span, gone: &[&Import], of: usize) -> Vec<Span> {
    if gone.len() == of {
        return vec![removal(text, item)];
    }
    let mut spans: Vec<Span> = gone.iter().map(|i| leaf_removal(text, i.span)).collect();
    spans.sort_by_key(|s| s.lo);
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.lo <= last.hi => *last = Span::new(last.lo, span.hi.max(last.hi)),
            _ => out.push(span),
        }
    }
    // Where the last ones go, the comma before them goes as well.
    for span in &mut out {
        let (before, after) = (text.get(..span.lo as usize), text.get(span.hi as usize..));
        if after.is_some_and(|a| a.trim_start().starts_with('}'))
            && let Some(before) = before.and_then(|b| b.trim_end().strip_suffix(','))
        {
            span.lo = before.len() as u32;
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

#[cfg(test)]
mod tests {
    use uncork_lints::name::Name;

    use super::*;

    fn without(text: &str, names: &[&str]) -> String {
        let leaf = |name: &&str| {
            let lo = text.find(*name).unwrap() as u32;
            Import {
                global: false,
                path: [Name::new(name)].into(),
                name: Some(Name::new(name)),
                glob: false,
                span: Span::new(lo, lo + name.len() as u32),
            }
        };
        let leaves: Vec<Import> = names.iter().map(leaf).collect();
        let gone: Vec<&Import> = leaves.iter().collect();
        let mut out = text.to_owned();
        for span in leaves_removal(text, Span::new(0, text.len() as u32), &gone, 4).iter().rev() {
            out.replace_range(span.lo as usize..span.hi as usize, "");
        }
        out
    }

    #[test]
    fn leaves_go_with_their_commas() {
        let text = "use a::{Aa, Bb, Cc, Dd};";
        assert_eq!(without(text, &["Aa"]), "use a::{Bb, Cc, Dd};");
        assert_eq!(without(text, &["Dd"]), "use a::{Aa, Bb, Cc};");
        assert_eq!(without(text, &["Cc", "Dd"]), "use a::{Aa, Bb};");
        assert_eq!(without(text, &["Bb", "Cc", "Dd"]), "use a::{Aa};");
        assert_eq!(without(text, &["Aa", "Cc"]), "use a::{Bb, Dd};");
        assert_eq!(without(text, &["Aa", "Bb", "Cc", "Dd"]), "");
    }
}
