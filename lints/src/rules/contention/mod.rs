//! Threads that wait for each other.

mod companions;
pub mod lock_across_await;
pub mod lock_across_io;
pub mod lock_order_cycle;
pub mod lock_reacquired;
pub(crate) mod map_alias;
pub mod shard_guard_reentry;
pub mod shared_map_lock;
mod split_update;

use crate::finding::Finding;
use crate::hir::{ExprId, ExprKind};
use crate::rules::held::{Guard, Unit};
use crate::ty::TyKind;

/// What a fixer that ends a guard's region needs: the guard's variable, the event before which it should end, and whether
/// the guard, or something borrowed from it, is named after that (an explicit `drop` counts).
fn facts(unit: Unit<'_>, guard: Guard<'_>, event: ExprId, finding: &mut Finding) {
    let body = unit.a.program.body(unit.body);
    let mut add = |name: &str, text: String| finding.facts.push((name.to_owned(), text));
    if let Some(&local) = guard.flow.locals.last() {
        let local = body.local(local);
        add("guard", local.name.to_string());
        add("guard_span", format!("{}..{}", local.span.lo, local.span.hi));
    }
    let span = body.expr(event).span;
    add("event_span", format!("{}..{}", span.lo, span.hi));
    if let Some(site) = guard.lock.site {
        let span = body.expr(site).span;
        add("acquire_span", format!("{}..{}", span.lo, span.hi));
    }
    let (mut used, mut borrowed) = (false, false);
    for (id, expr) in body.exprs.iter().enumerate() {
        let ExprKind::Local(local) = expr.kind else { continue };
        if expr.span.lo < span.hi {
            continue;
        }
        if guard.flow.locals.contains(&local) {
            used = true;
        } else {
            let borrows = unit.a.types[unit.body.0 as usize]
                .local(local)
                .any(&mut |t| matches!(t.kind(), TyKind::Ref(..)));
            borrowed |= borrows && unit.derives(guard, ExprId(id as u32));
        }
    }
    let yes = |b: bool| if b { "yes" } else { "no" }.to_owned();
    add("guard_used_after", yes(used));
    add("borrow_used_after", yes(borrowed));
}
