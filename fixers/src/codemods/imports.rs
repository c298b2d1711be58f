//! Imports that edits leave without a use.

use uncork_lints::finding::Applicability;
use uncork_lints::hir::{Import, Item, ItemKind, Visibility};
use uncork_lints::program::Program;
use uncork_lints::source::{FileId, Span};

use super::Context;
use super::text::{comments, removal};
use crate::change::{Change, Plan};
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
    let code = Code::new(cx, file);
    let here = || edits.iter().filter(|e| e.path == path);
    let edited: Vec<Span> = here().map(|e| e.span).collect();
    let gone = |item: &Item, import: &Import| {
        import.name.is_some_and(|n| {
            candidate(import)
                && code.mentions(n.as_str()).any(|at| within(at, &edited))
                && !here().any(|e| bare(&e.replacement, n.as_str()).next().is_some())
                && !code.used(item, import, &edited)
        })
    };
    code.removals(&gone).into_iter().flat_map(|(spans, _)| spans).collect()
}

/// After several changes in one file, none of which was the last to name something: its import goes by itself.
pub(crate) fn tidy(cx: &Context<'_>, plan: &mut Plan) {
    for changed in cx.overlay.changed() {
        let Some((file, source)) = cx.analysis.sources.iter().find(|(_, f)| f.path == changed.path) else {
            continue;
        };
        let code = Code::new(cx, file);
        let before = comments(changed.before);
        let gone = |item: &Item, import: &Import| {
            import.name.is_some_and(|n| {
                let was = bare(changed.before, n.as_str()).filter(|&at| !within(at, &before)).count();
                was > code.mentions(n.as_str()).count() && !code.used(item, import, &[])
            })
        };
        for (spans, names) in code.removals(&gone) {
            let names: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
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

/// A file as imports see it.
struct Code<'a> {
    program: &'a Program,
    file: FileId,
    text: &'a str,
    comments: Vec<Span>,
    /// Texts and items of files that may name this file's imports through `super`.
    below: Vec<(&'a str, &'a [Item])>,
}

impl<'a> Code<'a> {
    fn new(cx: &Context<'a>, file: FileId) -> Code<'a> {
        let program = &cx.analysis.program;
        let mut below = Vec::new();
        for module in &program.modules {
            let mut above = module.parent;
            while let Some(ix) = above {
                let parent = program.module(ix);
                if parent.file == file && module.file != file {
                    let text = cx.text(module.file);
                    if text.contains("super::") {
                        below.push((text, &program.file(module.file).items[..]));
                    }
                    break;
                }
                above = parent.parent;
            }
        }
        let text = cx.text(file);
        Code { program, file, text, comments: comments(text), below }
    }

    fn items(&self) -> &'a [Item] {
        &self.program.file(self.file).items
    }

    /// Where a name stands by itself in the code.
    fn mentions(&self, name: &'a str) -> impl Iterator<Item = usize> + '_ {
        bare(self.text, name).filter(|&at| !within(at, &self.comments))
    }

    /// Whether anything but replaced text names what an import brings in.
    fn used(&self, item: &Item, import: &Import, edited: &[Span]) -> bool {
        let Some(name) = import.name else { return true };
        let region = self.region(item);
        let own = |at: usize| import.span.lo as usize <= at && at < import.span.hi as usize;
        let inside = self.mentions(name.as_str()).any(|at| {
            !own(at)
                && !within(at, edited)
                && within(at, &[region])
                && self.through_super(at).unwrap_or(true)
                && self.sees(at, region, name.as_str())
        });
        // Modules in other files: one that imports the name from elsewhere means that.
        inside
            || self.below.iter().any(|(text, items)| {
                bare(text, name.as_str()).next().is_some()
                    && !items.iter().any(|i| imports_from_elsewhere(i, name.as_str()))
            })
    }

    /// For a name in another import: whether that leads back to here.
    fn through_super(&self, at: usize) -> Option<bool> {
        let mut uses = self.items().iter().filter_map(|i| match &i.kind {
            ItemKind::Use(imports) if within(at, &[i.span]) => Some(imports),
            _ => None,
        });
        let leaf = |imports: &'a [Import]| imports.iter().find(|i| within(at, &[i.span]));
        let imports = uses.next_back()?;
        Some(leaf(imports).is_some_and(|i| i.path.first().is_some_and(|n| is_here(n.as_str()))))
    }

    /// What the names of an import are known in: its module, or the function it stands in.
    fn region(&self, item: &Item) -> Span {
        match item.parent.and_then(|p| self.items().get(p.0 as usize)) {
            Some(parent) => parent.span,
            None => {
                let around = self.modules().filter(|m| m.span.contains(item.span));
                around.last().map_or(Span::new(0, self.text.len() as u32), |m| m.span)
            }
        }
    }

    /// Inline modules, outer ones first.
    fn modules(&self) -> impl Iterator<Item = &'a Item> {
        self.items().iter().filter(|i| matches!(i.kind, ItemKind::Mod { inline: Some(_) }))
    }

    /// Whether a place sees the names of the region around it: modules in between must ask for them.
    fn sees(&self, at: usize, region: Span, name: &str) -> bool {
        let between =
            self.modules().filter(|m| within(at, &[m.span]) && region != m.span && region.contains(m.span));
        between.into_iter().all(|module| {
            let own = |i: &&Item| {
                module.span.contains(i.span)
                    && !self.modules().any(|m| {
                        m.span != module.span && module.span.contains(m.span) && m.span.contains(i.span)
                    })
            };
            let mut asks = false;
            for item in self.items().iter().filter(own) {
                if imports_from_elsewhere(item, name) {
                    return false;
                }
                let ItemKind::Use(imports) = &item.kind else { continue };
                asks |= imports.iter().any(|i| {
                    i.path.first().is_some_and(|n| is_here(n.as_str()))
                        && (i.glob || i.path.last().is_some_and(|n| n.as_str() == name))
                });
            }
            // `super::Name` needs no import.
            asks || self.text.get(..at).is_some_and(|before| before.ends_with("super::"))
        })
    }

    /// What removes the imports that are gone, by item, and their names.
    fn removals(&self, gone: &dyn Fn(&Item, &Import) -> bool) -> Vec<(Vec<Span>, Vec<&'a str>)> {
        let mut out = Vec::new();
        for item in self.items() {
            let ItemKind::Use(imports) = &item.kind else { continue };
            if item.vis != Visibility::Private || item.attrs.cfg_other || item.from_macro {
                continue;
            }
            let (leaves, kept): (Vec<&Import>, Vec<&Import>) = imports.iter().partition(|i| gone(item, i));
            if leaves.is_empty() {
                continue;
            }
            let each = || leaves.iter().map(|i| leaf_removal(self.text, i.span)).collect();
            let spans = match kept[..] {
                [] => vec![removal(self.text, item.span)],
                [last] => without_braces(self.text, item.span, last.span).map_or_else(each, Vec::from),
                _ => each(),
            };
            let names = leaves.iter().filter_map(|i| i.name.map(|n| n.as_str())).collect();
            out.push((leaves_removed(self.text, spans), names));
        }
        out
    }
}

/// Whether an item imports a name, and not from this crate's modules around it.
fn imports_from_elsewhere(item: &Item, name: &str) -> bool {
    let ItemKind::Use(imports) = &item.kind else { return false };
    imports.iter().any(|i| {
        i.name.is_some_and(|n| n.as_str() == name) && !i.path.first().is_some_and(|n| is_here(n.as_str()))
    })
}

fn is_here(name: &str) -> bool {
    matches!(name, "super" | "self" | "crate")
}

/// Where a name stands by itself, which an import is for; `parking_lot::Mutex` needs none.
fn bare<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = usize> + 't {
    words(text, name).filter(move |&at| {
        let before = text.get(..at).unwrap_or("");
        !before.ends_with("::") || ["super::", "self::"].iter().any(|path| before.ends_with(path))
    })
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
