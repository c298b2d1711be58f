//! Threads that wait for each other.

pub mod lock_across_await;
pub mod lock_across_io;
pub mod lock_order_cycle;
pub mod lock_reacquired;
pub mod shard_guard_reentry;
pub mod shared_map_lock;
mod split_update;

use crate::finding::Finding;
use crate::hir::ExprId;
use crate::rules::held::{Guard, Unit};

/// What a fixer that ends a guard's region needs: the guard's variable, the event before which it should end, the last
/// use of the guard.
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
}
