//! `clone-in-loop`: move the item, iterate by value, or lend what was copied to be lent.

use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{Body, ExprId, ExprKind, LocalId, PatId, PatKind};
use uncork_lints::program::BodyIx;
use uncork_lints::source::Span;
use uncork_lints::ty::TyKind;

use super::Context;
use super::tree::Tree;
use crate::change::Plan;
use crate::edit::Edit;

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    for finding in findings {
        match edits(cx, finding) {
            Ok(edits) => {
                let title = format!("save a clone at {}", cx.at_line(finding.at));
                let mut change = cx.change(finding, title, Applicability::Safe);
                change.edits = edits;
                plan.changes.push(change);
            }
            Err(reason) => {
                let refusal = cx.refuse(finding, reason, None);
                plan.refused.push(refusal);
            }
        }
    }
}

struct Site<'a> {
    body: BodyIx,
    hir: &'a Body,
    tree: Tree<'a>,
    /// The call that clones, and what it clones.
    call: ExprId,
    of: ExprId,
}

fn edits(cx: &Context<'_>, finding: &Finding) -> Result<Vec<Edit>, &'static str> {
    let fact = |name: &str| finding.facts.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    let site = site(cx, finding).ok_or("the clone is written in a way that is not understood")?;
    let file = finding.at.file;
    let span = |id: ExprId| site.hir.expr(id).span;
    let without_clone = || {
        let from = short(&site, cx.text(file)).unwrap_or(span(site.of).hi);
        cx.edit(file, Span::new(from, span(site.call).hi), "")
    };
    match fact("kind") {
        Some("owned-item") => {
            let types = &cx.analysis.types[site.body.0 as usize];
            if types.expr(site.of) != types.expr(site.call) {
                return Err("the clone has another type than what it is made of");
            }
            Ok(vec![without_clone()])
        }
        Some("borrowed-copy") => {
            let lent =
                matches!(cx.analysis.types[site.body.0 as usize].expr(site.of).kind(), TyKind::Ref(..));
            match site.tree.parent_kind(site.call) {
                // Already a reference: the `&` goes with the clone.
                Some((outer, ExprKind::Ref { mutable: false, .. })) if lent => {
                    let text = cx.slice(file, span(site.of)).to_owned();
                    Ok(vec![cx.edit(file, span(outer), text)])
                }
                Some((_, ExprKind::Ref { mutable: false, .. })) => Ok(vec![without_clone()]),
                _ => Err("the copy is lent in a way that is not understood"),
            }
        }
        Some("cloned-items") => {
            let ExprKind::Method { name_span, .. } = &site.hir.expr(site.of).kind else {
                return Err("the clone is written in a way that is not understood");
            };
            Ok(vec![cx.edit(file, *name_span, "into_iter"), without_clone()])
        }
        Some("dead-collection") => {
            let mut out = by_value(cx, finding, &site)?;
            out.push(without_clone());
            Ok(out)
        }
        Some("lookup-insert") => {
            Err("what follows would have to go on with the reference that `entry` gives")
        }
        _ => Err("the callee would have to take a reference"),
    }
}

/// In `S { name: name.clone() }`, where the field's name ends: it says all once the clone is gone.
fn short(site: &Site<'_>, text: &str) -> Option<u32> {
    let ExprKind::Local(local) = site.hir.expr(site.of).kind else { return None };
    let name = site.hir.local(local).name;
    let (_, ExprKind::Struct { fields, .. }) = site.tree.parent_kind(site.call)? else { return None };
    fields.iter().find(|f| f.value == site.call && f.name == name)?;
    let before =
        text.get(..site.hir.expr(site.of).span.lo as usize)?.trim_end().strip_suffix(':')?.trim_end();
    before.ends_with(name.as_str()).then_some(before.len() as u32)
}

/// The clone that the finding is about.
fn site<'a>(cx: &Context<'a>, finding: &Finding) -> Option<Site<'a>> {
    for body in cx.bodies(finding.at.file) {
        let hir = cx.analysis.program.body(body);
        if !hir.expr(hir.root).span.contains(finding.at.span) {
            continue;
        }
        let tree = Tree::new(hir);
        let found = tree.ids().find_map(|id| match &hir.expr(id).kind {
            ExprKind::Method { recv, name, name_span, args, .. } if args.is_empty() => {
                let clones =
                    matches!(name.as_str(), "clone" | "cloned" | "to_owned" | "to_vec" | "to_string");
                let here = hir.expr(id).span == finding.at.span || *name_span == finding.at.span;
                (clones && here).then_some((id, *recv))
            }
            _ => None,
        });
        if let Some((call, of)) = found {
            return Some(Site { body, hir, tree, call, of });
        }
    }
    None
}

/// Makes the loop around the clone take its items by value.
fn by_value(cx: &Context<'_>, finding: &Finding, site: &Site<'_>) -> Result<Vec<Edit>, &'static str> {
    let ExprKind::Local(item) = site.hir.expr(site.of).kind else {
        return Err("the clone is written in a way that is not understood");
    };
    let (source, pat) = source(site, item).ok_or("the loop is written in a way that is not understood")?;
    if !matches!(site.hir.pat(pat).kind, PatKind::Bind { local, sub: None } if local == item) {
        return Err("the item is taken apart by a pattern");
    }
    for one in site.tree.uses(item) {
        let same_by_value = match site.tree.parent_kind(one) {
            Some((_, ExprKind::Method { recv, .. })) => *recv == one,
            Some((_, ExprKind::Field { .. })) => true,
            _ => false,
        };
        if !same_by_value {
            return Err("the item is also used as a reference");
        }
    }
    let file = finding.at.file;
    match &site.hir.expr(source).kind {
        ExprKind::Ref { mutable: false, expr } => {
            let whole = site.hir.expr(source).span;
            Ok(vec![cx.edit(file, Span::new(whole.lo, site.hir.expr(*expr).span.lo), "")])
        }
        ExprKind::Method { name, name_span, args, .. } if name.as_str() == "iter" && args.is_empty() => {
            Ok(vec![cx.edit(file, *name_span, "into_iter")])
        }
        _ => Err("the loop is written in a way that is not understood"),
    }
}

/// What the loop or adaptor that binds the item goes over, and the pattern that binds it.
fn source(site: &Site<'_>, item: LocalId) -> Option<(ExprId, PatId)> {
    let binds = |pat: PatId| matches!(site.hir.pat(pat).kind, PatKind::Bind { local, .. } if local == item);
    let mut here = site.call;
    while let Some((parent, kind)) = site.tree.parent_kind(here) {
        match kind {
            ExprKind::For { pat, iter, .. } if binds(*pat) => return Some((*iter, *pat)),
            ExprKind::Closure(closure) => {
                if let Some(param) = closure.params.iter().find(|p| binds(p.pat)) {
                    let (_, ExprKind::Method { recv, .. }) = site.tree.parent_kind(parent)? else {
                        return None;
                    };
                    return Some((*recv, param.pat));
                }
            }
            _ => {}
        }
        here = parent;
    }
    None
}
