//! `lock-unwrap`: recover the guard of a poisoned lock, return an error, or use a lock that does not poison.

mod parking_lot;
mod propagate;

use uncork_lints::config::Poison;
use uncork_lints::finding::{Applicability, Finding};
use uncork_lints::hir::{Expr, ExprId, ExprKind, PatKind, Stmt};
use uncork_lints::program::BodyIx;
use uncork_lints::source::{Location, Span};
use uncork_lints::ty::{Ty, TyKind};

use super::Context;
use super::tree::Tree;
use crate::change::{Change, Plan, Refusal};

const RECOVER: &str = "unwrap_or_else(std::sync::PoisonError::into_inner)";

pub(super) fn plan(cx: &mut Context<'_>, findings: &[&Finding], plan: &mut Plan) {
    if cx.options.lock_unwrap.poison == Poison::ParkingLot {
        return parking_lot::plan(cx, findings, plan);
    }
    for finding in findings {
        match one(cx, finding) {
            Ok(change) => plan.changes.push(change),
            Err(refusal) => plan.refused.push(refusal),
        }
    }
}

/// A panic on poison, as written.
struct Panic<'a> {
    tree: Tree<'a>,
    body: BodyIx,
    /// The call that yields the `LockResult`.
    result: ExprId,
    form: Form,
}

enum Form {
    /// `.unwrap()`, `.expect(…)`: from the method's name to its end.
    Method(Span),
    /// `let Ok(g) = … else { … };`: the pattern around `g` and what to keep of it, the `else` part.
    LetElse { pattern: Span, inner: Span, els: Span },
}

fn one(cx: &Context<'_>, finding: &Finding) -> Result<Change, Refusal> {
    let panic = find(cx, finding)
        .ok_or_else(|| cx.refuse(finding, "the call is written in a way that is not understood", None))?;
    let body = panic.tree.body;
    let types = &cx.analysis.types[panic.body.0 as usize];
    let result = body.expr(panic.result);
    if is_try(types.expr(panic.result), result) {
        let at = Location { file: finding.at.file, span: result.span };
        return Err(cx.refuse(finding, "a `try_` call also fails when the lock is merely taken", Some(at)));
    }
    match cx.options.lock_unwrap.poison {
        Poison::Propagate => propagate(cx, finding, &panic),
        // The lock is migrated as a whole, elsewhere.
        Poison::Recover | Poison::ParkingLot => Ok(recover(cx, finding, &panic)),
    }
}

fn find<'a>(cx: &Context<'a>, finding: &Finding) -> Option<Panic<'a>> {
    let file = finding.at.file;
    for body in cx.bodies(file) {
        let tree = Tree::new(cx.analysis.program.body(body));
        let root = tree.body.expr(tree.body.root).span;
        if !root.contains(finding.at.span) {
            continue;
        }
        if let Some(call) = method_at(&tree, finding.at.span)
            && let Expr { kind: ExprKind::Method { recv, name_span, .. }, span } = tree.body.expr(call)
        {
            let form = Form::Method(Span::new(name_span.lo, span.hi));
            return Some(Panic { result: *recv, form, body, tree });
        }
        if let Some((result, form)) = let_else(&tree, finding.at.span) {
            return Some(Panic { result, form, body, tree });
        }
    }
    None
}

/// The `unwrap` or `expect` whose name, or whose text from the name on, is the span.
fn method_at(tree: &Tree<'_>, at: Span) -> Option<ExprId> {
    let panics = |name: &str| matches!(name, "unwrap" | "expect");
    tree.ids().find(|&id| match &tree.body.expr(id) {
        Expr { kind: ExprKind::Method { name, name_span, .. }, span } => {
            panics(name.as_str())
                && span.hi >= at.lo
                && (name_span.contains(at) || (name_span.lo == at.lo && at.hi <= span.hi))
        }
        _ => false,
    })
}

fn let_else(tree: &Tree<'_>, at: Span) -> Option<(ExprId, Form)> {
    for id in tree.ids() {
        let ExprKind::Block(block) = &tree.body.expr(id).kind else { continue };
        for stmt in &block.stmts {
            let Stmt::Let { pat, init: Some(init), els: Some(els), span, .. } = stmt else { continue };
            if !span.contains(at) {
                continue;
            }
            let PatKind::TupleStruct { path, pats } = &tree.body.pat(*pat).kind else { continue };
            let ok = path.segments.last().is_some_and(|s| s.name.as_str() == "Ok");
            let ([inner], true) = (&pats[..], ok) else { continue };
            let init_end = tree.body.expr(*init).span.hi;
            let form = Form::LetElse {
                pattern: tree.body.pat(*pat).span,
                inner: tree.body.pat(*inner).span,
                els: Span::new(init_end, tree.body.expr(*els).span.hi),
            };
            return Some((*init, form));
        }
    }
    None
}

/// Whether the result is a `TryLockResult`, which has no guard to give when the lock is taken.
fn is_try(ty: Ty, expr: &Expr) -> bool {
    if let TyKind::Ext(_, args) = ty.kind()
        && let Some(error) = args.last()
        && error.is_ext("std::sync::TryLockError")
    {
        return true;
    }
    matches!(&expr.kind, ExprKind::Method { name, .. } if name.as_str().starts_with("try_"))
}

fn replace(cx: &Context<'_>, finding: &Finding, panic: &Panic<'_>, call: &str, change: &mut Change) {
    let file = finding.at.file;
    match panic.form {
        Form::Method(span) => change.edits.push(cx.edit(file, span, call)),
        Form::LetElse { pattern, inner, els } => {
            change.edits.push(cx.edit(file, pattern, cx.slice(file, inner)));
            change.edits.push(cx.edit(file, els, format!(".{call}")));
        }
    }
}

fn recover(cx: &Context<'_>, finding: &Finding, panic: &Panic<'_>) -> Change {
    let title = format!("recover the guard of a poisoned lock at {}", cx.at_line(finding.at));
    let mut change = cx.change(finding, title, Applicability::Unsafe);
    change.caveat = Some(
        "after a panic in another thread this one goes on with what that thread left, in place of panicking too"
            .into(),
    );
    replace(cx, finding, panic, RECOVER, &mut change);
    change
}

fn propagate(cx: &Context<'_>, finding: &Finding, panic: &Panic<'_>) -> Result<Change, Refusal> {
    let (call, becomes) =
        propagate::conversion(cx, panic).map_err(|(why, at)| cx.refuse(finding, why, at))?;
    let title = format!("return an error for a poisoned lock at {}", cx.at_line(finding.at));
    let mut change = cx.change(finding, title, Applicability::Unsafe);
    let mut caveat = String::from(
        "after a panic in another thread this function returns an error in place of panicking too",
    );
    if let Some(kind) = becomes {
        caveat += &format!(", as {kind}");
    }
    change.caveat = Some(caveat);
    match panic.form {
        // `?` follows without a dot.
        Form::Method(span) if call == "?" => {
            let file = finding.at.file;
            let dot = panic.tree.body.expr(panic.result).span.hi;
            change.edits.push(cx.edit(file, Span::new(dot, span.hi), "?"));
        }
        _ => replace(cx, finding, panic, &call, &mut change),
    }
    Ok(change)
}
