//! Finds a guard of a blocking lock (std, parking_lot, spin) or a `RefCell` borrow that is alive at an `.await`, a
//! `select!` or a `join!`; and a guard of an async lock that is alive while I/O or something without bound is awaited.
//!
//! ## Why it is bad
//!
//! The task may stand still at the await for as long as it likes, and holds the lock all the while. A thread of the
//! runtime that then blocks on the lock can be the very thread that the task needs to go on: the program stops. A
//! `RefCell` borrow panics in the next task that borrows.
//!
//! ## Example
//!
//! ```rust
//! async fn refresh(&self) {
//!     let mut table = self.table.lock().unwrap();
//!     let rows = fetch().await;
//!     table.extend(rows);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```rust
//! async fn refresh(&self) {
//!     let rows = fetch().await;
//!     self.table.lock().unwrap().extend(rows);
//! }
//! ```
//!
//! ## Not reported
//!
//! A guard that was dropped or moved away before the await, on every way that leads there. Awaits inside an `async`
//! block that is only made there. Async locks around the very thing that is awaited (`Mutex<TcpStream>`).
//!
//! ## Known limits
//!
//! References into a concurrent map are reported by `shard-guard-reentry`. Under an async lock, awaiting what a crate
//! outside does counts only where the knowledge files name it, or where it is given a database or socket to work on.

use rustc_hash::FxHashSet;

use super::ending::{self, Cx, Ending};
use crate::Analysis;
use crate::effects::{EventEffect, Key, Object};
use crate::finding::{Applicability, Confidence, Finding, Level, Related, Severity};
use crate::flow::cfg::EventKind;
use crate::flow::{Held, HeldEvent, IoClass};
use crate::hir::ExprId;
use crate::rule::{Group, Rule};
use crate::rules::held::{Guard, Unit, Waited, callee_name, grade, units};
use crate::ty::Ty;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "lock-across-await",
    group: Group::Contention,
    level: Level::Deny,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a blocking lock's guard, or a RefCell borrow, alive at an await",
    source: include_str!("lock_across_await.rs"),
    check,
};

/// Calls after which a choice among implementations on the way makes the whole way a guess.
const FAR: u16 = 4;

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    let waited = Waited::of(a);
    for unit in units(a) {
        for guard in unit.guards() {
            let awaits: Vec<_> = unit
                .events()
                .iter()
                .filter(|e| e.kind == EventKind::Await && e.held.contains(&guard.ix))
                .collect();
            match guard.lock.held {
                Held::Lock | Held::Cell => {
                    if let Some(first) = awaits.first() {
                        out.push(blocking(unit, guard, first, &awaits));
                    }
                }
                Held::AsyncLock if waited.by_nobody(guard) => {}
                Held::AsyncLock => {
                    let found = awaits.iter().find_map(|e| Some((*e, slow(unit, guard, e)?)));
                    if let Some((event, effect)) = found {
                        out.push(asynchronous(unit, guard, event, &effect));
                    }
                }
                Held::Shard => {}
            }
        }
    }
}

fn blocking(unit: Unit<'_>, guard: Guard<'_>, first: &HeldEvent, awaits: &[&HeldEvent]) -> Finding {
    let lock = unit.lock_name(guard);
    let mut f = unit.finding(&RULE, unit.acquired_at(guard), &lock);
    let what = if guard.lock.held == Held::Cell { "stays borrowed" } else { "stays locked" };
    f.message = format!("`{lock}` {what} across an `.await`");
    f.label = if guard.lock.held == Held::Cell { "borrowed here" } else { "guard taken here" }.to_owned();
    f.help = "end the guard before the await (a block of its own, or `drop`), or use an async lock if it must be held"
        .to_owned();
    let mut shown = FxHashSet::default();
    for event in awaits.iter().take(6) {
        let at = unit.call_at(event.expr);
        if shown.insert(at) {
            f.related.push(Related { at, label: "awaits while it is held".to_owned() });
        }
    }
    super::facts(unit, guard, first.expr, &mut f);
    fix(unit, guard, awaits, true, &mut f);
    f
}

fn fix(unit: Unit<'_>, guard: Guard<'_>, awaits: &[&HeldEvent], blocks: bool, f: &mut Finding) {
    let awaits: Vec<ExprId> = awaits.iter().map(|e| e.expr).collect();
    let found = Cx::new(unit, guard).and_then(|cx| cx.end(&awaits));
    let grade = |ending: &Ending| match ending.moved {
        Some(_) => (
            Applicability::Unsafe,
            Some("others may take the lock while it is awaited, and be seen afterwards"),
        ),
        None if blocks => (Applicability::Safe, None),
        None => (
            Applicability::Unsafe,
            Some("the lock no longer orders what is awaited: two tasks may do it at once"),
        ),
    };
    ending::note(found, grade, f);
}

/// Whether what an await under an async lock waits for is reported here.
pub(super) fn reports(unit: Unit<'_>, guard: Guard<'_>, event: &HeldEvent) -> bool {
    guard.lock.held == Held::AsyncLock
        && event.kind == EventKind::Await
        && slow(unit, guard, event).is_some_and(|effect| sure(unit, guard, &effect) > Confidence::Low)
}

/// The I/O that an await under an async lock waits for, unless it is the guarded value's own.
fn slow(unit: Unit<'_>, guard: Guard<'_>, event: &HeldEvent) -> Option<EventEffect> {
    guard.lock.site?;
    unit.effects()
        .at(unit.ix, event.expr)
        .into_iter()
        .filter(|e| match e.key {
            Key::AwaitIo(object) => !own(unit, guard, e, object),
            _ => false,
        })
        .min_by_key(|e| (e.maybe, e.distance))
}

fn own(unit: Unit<'_>, guard: Guard<'_>, effect: &EventEffect, object: Object) -> bool {
    let facts = unit.cx().facts;
    if let Object::Local(local) | Object::Generic(local) = object
        && guard.flow.locals.contains(&local)
    {
        return true;
    }
    // A sender, a signal: the lock is there for the one call.
    let on = unit.arguments(effect.call).first().copied().unwrap_or(effect.call);
    if effect.through.is_none() && unit.derives(guard, on) {
        return true;
    }
    facts.io_class(guard.lock.guarded) != IoClass::Memory
        && unit.arguments(effect.call).iter().any(|&arg| unit.lies_within(guard, arg))
}

fn sure(unit: Unit<'_>, guard: Guard<'_>, effect: &EventEffect) -> Confidence {
    // A lock around nothing is there to be held while one thing is done, and so is one that was made locked.
    if guard.lock.guarded == Ty::UNIT || unit.made_locked(guard) || effect.maybe && effect.distance > FAR {
        Confidence::Low
    } else if effect.maybe || guard.lock.place.is_none() {
        Confidence::Medium
    } else {
        Confidence::High
    }
}

fn asynchronous(unit: Unit<'_>, guard: Guard<'_>, event: &HeldEvent, effect: &EventEffect) -> Finding {
    let lock = unit.lock_name(guard);
    let (body, cause) = unit.effects().cause(unit.ix, effect);
    let source = callee_name(unit.a, body, cause);
    let mut f = unit.finding(&RULE, unit.acquired_at(guard), &lock);
    grade(&mut f, Level::Warn, Severity::High, sure(unit, guard, effect));
    f.message =
        format!("`{lock}` stays locked while `{source}` is awaited, which waits for I/O or without bound");
    f.label = "guard taken here".to_owned();
    f.help = "copy out what the awaited work needs and end the guard before it".to_owned();
    f.chain = unit.chain(effect, &format!("`{source}` waits here"));
    f.related.push(Related { at: unit.call_at(event.expr), label: "awaits while it is held".to_owned() });
    super::facts(unit, guard, event.expr, &mut f);
    let awaits: Vec<_> = unit
        .events()
        .iter()
        .filter(|e| {
            e.kind == EventKind::Await && e.held.contains(&guard.ix) && slow(unit, guard, e).is_some()
        })
        .collect();
    fix(unit, guard, &awaits, false, &mut f);
    f
}
