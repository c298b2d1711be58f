//! Threads that wait for each other.

mod companions;
mod ending;
pub mod lock_across_await;
pub mod lock_across_io;
pub mod lock_order_cycle;
pub mod lock_reacquired;
pub(crate) mod map_alias;
mod map_wrapper;
pub mod shard_guard_reentry;
pub mod shared_map_lock;
mod split_update;
mod stripes;

use crate::finding::Finding;
use crate::hir::ExprId;
use crate::rules::held::{Guard, Unit};
use crate::source::Span;

/// What a fixer that ends a guard's region begins with: the guard's variable, its acquisition, and the event before which
/// it should end.
fn facts(unit: Unit<'_>, guard: Guard<'_>, event: ExprId, finding: &mut Finding) {
    let body = unit.a.program.body(unit.body);
    let mut add = |name: &str, span: Span| finding.facts.push((name.to_owned(), ending::text(span)));
    if let [local] = guard.flow.locals[..] {
        add("guard_span", body.local(local).span);
    }
    add("event_span", body.expr(event).span);
    if let Some(site) = guard.lock.site {
        add("acquire_span", body.expr(site).span);
    }
    if let [local] = guard.flow.locals[..] {
        finding.fact("guard", body.local(local).name.as_str());
    }
}
