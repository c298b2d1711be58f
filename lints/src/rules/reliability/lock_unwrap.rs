//! Finds `unwrap()` and `expect(..)` on the result of a lock that poisons: `lock`, `read`, `write`, their `try_` forms,
//! `into_inner`, `get_mut`, a condition variable's wait; and `let Ok(g) = … else { panic!() }`, which is the same.
//!
//! ## Why it is bad
//!
//! A thread that panics with the guard alive poisons the lock. From then on every `unwrap` of it panics as well: one
//! failed request takes down all others, one after the other.
//!
//! ## Example
//!
//! ```rust
//! let mut sessions = self.sessions.lock().unwrap();
//! ```
//!
//! ## Use instead
//!
//! Recover, where the data is sound at every step:
//!
//! ```rust
//! let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
//! ```
//!
//! or give the error to the caller, or take a lock that does not poison (`parking_lot`).
//!
//! ## Not reported
//!
//! Locks that do not poison, test code, helpers that recover.
//!
//! ## Known limits
//!
//! Severity is high where code under the guard can be seen to panic (`unwrap`, `expect`, `assert!`, `panic!`), or in
//! `Drop`; what functions called there do is not looked into.

use crate::Analysis;
use crate::finding::{Applicability, Finding, Level, Severity};
use crate::flow::cfg::EventKind;
use crate::hir::{Body, ExprId, ExprKind, MacroKind, PatKind, Stmt};
use crate::infer::Callee;
use crate::name::well_known;
use crate::program::BodyIx;
use crate::rule::{Group, Rule};
use crate::rules::held::Unit;
use crate::source::Span;
use crate::ty::Ty;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "lock-unwrap",
    group: Group::Reliability,
    level: Level::Warn,
    severity: Severity::Medium,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "unwrap or expect on the result of a lock that poisons",
    source: include_str!("lock_unwrap.rs"),
    check,
};

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    for (i, types) in a.types.iter().enumerate() {
        let ix = BodyIx(i as u32);
        let body = a.program.body(ix);
        if !types.exprs.iter().any(|&t| is_lock_result(t)) {
            continue;
        }
        for (id, expr) in body.exprs.iter().enumerate() {
            let id = ExprId(id as u32);
            match &expr.kind {
                ExprKind::Method { recv, name, name_span, .. }
                    if (*name == well_known::UNWRAP || *name == well_known::EXPECT)
                        && is_lock_result(types.expr(*recv)) =>
                {
                    report(a, ix, *recv, *name_span, name.as_str(), Some(id), out);
                }
                ExprKind::Block(block) => {
                    for stmt in &block.stmts {
                        if let Stmt::Let { pat, init: Some(init), els: Some(els), .. } = stmt
                            && is_lock_result(types.expr(*init))
                            && is_ok(body, *pat)
                            && panics(body, *els)
                        {
                            let span = body.pat(*pat).span;
                            report(a, ix, *init, span, "let-else", None, out);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// `LockResult`, `TryLockResult`.
fn is_lock_result(ty: Ty) -> bool {
    let Some((path, [_, error])) = ty.as_ext() else { return false };
    path.as_str() == "std::result::Result"
        && (error.is_ext("std::sync::PoisonError") || error.is_ext("std::sync::TryLockError"))
}

fn is_ok(body: &Body, pat: crate::hir::PatId) -> bool {
    match &body.pat(pat).kind {
        PatKind::TupleStruct { path, .. } => path.segments.last().is_some_and(|s| s.name == well_known::OK),
        _ => false,
    }
}

/// Whether a block does nothing but panic.
fn panics(body: &Body, id: ExprId) -> bool {
    match &body.expr(id).kind {
        ExprKind::Macro(m) => {
            m.kind == MacroKind::Diverge && m.path.segments.last().is_some_and(|s| s.name.as_str() != "bail")
        }
        ExprKind::Block(b) => match (&b.stmts[..], b.tail) {
            ([], Some(tail)) => panics(body, tail),
            ([Stmt::Expr { expr, .. }], None) => panics(body, *expr),
            _ => false,
        },
        _ => false,
    }
}

fn report(
    a: &Analysis,
    ix: BodyIx,
    source: ExprId,
    span: Span,
    how: &str,
    unwrap: Option<ExprId>,
    out: &mut Vec<Finding>,
) {
    let unit = Unit { a, ix: a.flow.units.of_body(ix), body: ix, owner: a.program.body_info(ix).owner };
    let taken = acquisition(unit, source);
    let target = unit.arguments(taken).first().copied().unwrap_or(taken);
    let lock = a.places().name_of(a.places().place(ix, target).as_ref(), ix, target);
    let operation = match unit.expr(taken) {
        ExprKind::Method { name, .. } => name.to_string(),
        _ => "lock".to_owned(),
    };
    let mut f = unit.finding(&RULE, a.program.at(ix, span), &lock);
    // Whoever owns the lock or has it by `&mut` is alone with it.
    let who = if matches!(operation.as_str(), "into_inner" | "get_mut") { "" } else { " in every thread" };
    let how_it_ends = if how == "let-else" { String::new() } else { format!(".{how}()") };
    f.message = format!(
        "`{lock}.{operation}(){how_it_ends}` panics{who} once one thread has panicked under this lock"
    );
    f.label = "panics on a poisoned lock".to_owned();
    f.help = "recover with `unwrap_or_else(PoisonError::into_inner)`, return the error, or use a lock that does not \
              poison"
        .to_owned();
    f.fix = unwrap.map(|_| Applicability::Unsafe);
    if in_drop(unit) || panics_under(unit, taken) {
        f.severity = Severity::High;
    }
    f.facts.push(("operation".to_owned(), operation));
    f.facts.push(("how".to_owned(), how.to_owned()));
    if let Some(id) = unwrap {
        let body = a.program.body(ix);
        let (whole, recv) = (body.expr(id).span, body.expr(source).span);
        f.facts.push(("unwrap_span".to_owned(), format!("{}..{}", recv.hi, whole.hi)));
    }
    out.push(f);
}

/// The call whose result is unwrapped: `let guard = lock.lock(); … guard.unwrap()`.
fn acquisition(unit: Unit<'_>, source: ExprId) -> ExprId {
    let origins = unit.a.flow.origins.get(&unit.a.program, unit.body);
    let mut at = source;
    for _ in 0..8 {
        at = match unit.expr(at) {
            ExprKind::Local(local) => match origins.init(*local) {
                Some(init) => init,
                None => return source,
            },
            ExprKind::Await(inner) => *inner,
            _ => return at,
        };
    }
    source
}

fn in_drop(unit: Unit<'_>) -> bool {
    let program = &unit.a.program;
    let Some(parent) = program.def(unit.owner).parent else { return false };
    program.decls.impl_trait.get(&parent).is_some_and(|b| match b.trait_ {
        crate::ty::TraitRef::Ext(path) => path.as_str() == "std::ops::Drop",
        crate::ty::TraitRef::Local(_) => false,
    })
}

/// Whether something under the guard can be seen to panic.
fn panics_under(unit: Unit<'_>, site: ExprId) -> bool {
    let a = unit.a;
    a.flow.units.in_body(unit.body).any(|ix| {
        let regions = a.flow.regions(ix);
        let Some(token) = a.flow.locks[ix.0 as usize].iter().position(|l| l.site == Some(site)) else {
            return false;
        };
        regions.events.iter().any(|e| e.held.contains(&(token as u32)) && can_panic(unit, e.expr, e.kind))
    })
}

fn can_panic(unit: Unit<'_>, id: ExprId, kind: EventKind) -> bool {
    match (kind, unit.expr(id)) {
        (EventKind::Macro, ExprKind::Macro(m)) => m.kind == MacroKind::Assert,
        (EventKind::Call, ExprKind::Method { name, recv, .. }) => {
            let types = &unit.a.types[unit.body.0 as usize];
            (*name == well_known::UNWRAP || *name == well_known::EXPECT)
                && !matches!(types.callee(id), Callee::Fn(_))
                && !is_lock_result(types.expr(*recv))
        }
        _ => false,
    }
}
