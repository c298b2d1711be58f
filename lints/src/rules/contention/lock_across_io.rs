//! Finds a lock that stays held while the thread waits: for a file, a socket, a process, a database, another thread, or
//! the clock. The call may be many functions away; the finding names every hop.
//!
//! ## Why it is bad
//!
//! All that need the lock wait for the disk or the network as well. One slow fsync stops every reader; throughput drops
//! to one operation a wait, however many cores there are.
//!
//! ## Example
//!
//! ```rust
//! fn checkpoint(&self) -> io::Result<()> {
//!     let pages = self.pages.lock().unwrap();
//!     std::fs::write(&self.path, pages.encode())
//! }
//! ```
//!
//! ## Use instead
//!
//! Copy out what the I/O needs, end the guard, then wait:
//!
//! ```rust
//! fn checkpoint(&self) -> io::Result<()> {
//!     let bytes = self.pages.lock().unwrap().encode();
//!     std::fs::write(&self.path, bytes)
//! }
//! ```
//!
//! Think before doing so where the lock is what orders the I/O (two checkpoints at once, a `seek` before a `write`).
//!
//! ## Not reported
//!
//! The guarded value is itself the file, socket, process or database handle, or a type that owns one, and the operation
//! is its own (`Mutex<File>`, `Mutex<Connection>`, `RwLock<PageManager>`). A guard already dropped or lent back
//! (`unlocked`, a condition variable's wait). What a function below runs once in the life of the process
//! (`OnceLock::get_or_init`). What only a spawned thread or task does. Readers and writers in memory.
//! `print!`, logging. A lock around nothing (`Mutex<()>`) is there to be held while one thing is done: what is done under it
//! is of low confidence.
//!
//! ## Known limits
//!
//! A trait object's method counts for all implementations in the workspace; where only some block the confidence is
//! medium. What a function of a crate outside does is known only where the knowledge files tell.

use rustc_hash::FxHashSet;

use super::ending::{self, Cx, Ending};
use super::lock_across_await;
use crate::Analysis;
use crate::effects::{EventEffect, Key, Object};
use crate::finding::{Applicability, Confidence, Finding, Level, Related, Severity};
use crate::flow::{Held, HeldEvent, IoClass};
use crate::hir::ExprId;
use crate::infer::Callee;
use crate::knowledge::{Blocking, Container};
use crate::rule::{Group, Rule};
use crate::rules::held::{Guard, Unit, Waited, blocks_on, callee_name, units};
use crate::rules::making::is_part_of_new;
use crate::ty::Ty;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "lock-across-io",
    group: Group::Contention,
    level: Level::Warn,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a lock held while the thread waits for I/O, another thread or the clock",
    source: include_str!("lock_across_io.rs"),
    check,
};

struct Hit<'a> {
    event: &'a HeldEvent,
    effect: EventEffect,
    blocking: Blocking,
}

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    let waited = Waited::of(a);
    for unit in units(a) {
        let mut hits: Vec<Vec<Hit<'_>>> = Vec::new();
        hits.resize_with(a.flow.regions(unit.ix).tokens.len(), Vec::new);
        for event in unit.events() {
            let mut effects = unit.effects().at(unit.ix, event.expr);
            let given: Vec<_> = effects.iter().flat_map(|e| given(unit, e)).collect();
            effects.extend(given);
            for effect in effects {
                let Key::Block(blocking, object) = effect.key else { continue };
                let inside = event
                    .moved
                    .iter()
                    .filter(|&&(arg, _)| unit.alive_inside(event, arg, &effect))
                    .map(|m| m.1);
                let mut seen = FxHashSet::default();
                for token in event.held.iter().copied().chain(inside) {
                    let guard = unit.guard(token);
                    if guard.lock.void
                        || guard.lock.site.is_none()
                        || guard.lock.held == Held::Cell
                        || !seen.insert(token)
                        || waited.by_nobody(guard)
                        || guard
                            .lock
                            .place
                            .as_ref()
                            .is_some_and(|p| unit.cx().is_own(p) || is_part_of_new(a, unit.ix, p))
                        || lock_across_await::reports(unit, guard, event)
                        || own_io(unit, guard, &effect, object)
                    {
                        continue;
                    }
                    hits[token as usize].push(Hit { event, effect: effect.clone(), blocking });
                }
            }
        }
        for (token, hits) in hits.iter().enumerate() {
            if !hits.is_empty() {
                out.push(report(unit, unit.guard(token as u32), hits));
            }
        }
    }
}

/// What the closures do that callers give to be run here, except to what they are given themselves: that is the guarded
/// value or a part of it.
fn given(unit: Unit<'_>, calls: &EventEffect) -> Vec<EventEffect> {
    let mut found = unit.effects().given(unit.ix, calls);
    found.retain(|e| matches!(e.key, Key::Block(_, Object::Other)));
    found
}

/// Whether the operation is one of the guarded value's own: the lock is there for that.
fn own_io(unit: Unit<'_>, guard: Guard<'_>, effect: &EventEffect, object: Object) -> bool {
    let facts = unit.cx().facts;
    let guarded = guard.lock.guarded;
    // A map of handles guards the map, not the handles.
    let is_map = guard.lock.held == Held::Shard
        || unit.a.program.knowledge.of(guarded.peel_refs()).is_some_and(|i| {
            matches!(
                i.container,
                Some(Container::Map | Container::OrderedMap | Container::Set | Container::OrderedSet)
            )
        });
    if is_map || matches!(facts.io_class(guarded), IoClass::Memory) {
        return false;
    }
    if let Object::Local(local) | Object::Generic(local) = object
        && guard.flow.locals.contains(&local)
    {
        return true;
    }
    // Opening what the lock is there to guard.
    if effect.through.is_none()
        && let Callee::Ext(path) = unit.a.types[unit.body.0 as usize].callee(effect.call)
        && let Some((ty, _)) = path.as_str().rsplit_once("::")
        && guarded.any(&mut |t| t.is_ext(ty))
    {
        return true;
    }
    let io_typed = |arg| facts.io_class(unit.a.types[unit.body.0 as usize].expr(arg)) != IoClass::Memory;
    let args = unit.arguments(effect.call);
    args.iter().any(|&arg| io_typed(arg) && unit.lies_within(guard, arg))
}

/// Calls after which it is less sure that the way is ever gone.
const FAR: u16 = 6;

/// Whether how long it takes is up to other threads.
fn waits_for_others(blocking: Blocking) -> bool {
    matches!(blocking, Blocking::Wait | Blocking::Park | Blocking::Recv | Blocking::Send | Blocking::Join)
}

fn report(unit: Unit<'_>, guard: Guard<'_>, hits: &[Hit<'_>]) -> Finding {
    // The surest and nearest first.
    let best = hits
        .iter()
        .min_by_key(|h| (h.effect.maybe, h.blocking == Blocking::Stdio, h.effect.distance))
        .unwrap_or(&hits[0]);
    let lock = unit.lock_name(guard);
    let (body, cause) = unit.effects().cause(unit.ix, &best.effect);
    let source = callee_name(unit.a, body, cause);
    let mut f = unit.finding(&RULE, unit.acquired_at(guard), &lock);
    let what = blocks_on(best.blocking);
    let here = unit.callee_name(unit.body, best.effect.call);
    f.message = if best.effect.through.is_none() || best.effect.distance == 0 {
        format!("`{lock}` stays locked while `{source}` {what}")
    } else {
        format!("`{lock}` stays locked while `{here}` runs, which {what} in `{source}`")
    };
    f.label = "guard taken here".to_owned();
    f.help = match guard.lock.held {
        Held::Shard => "copy out what the call needs and let the map's reference go before it".to_owned(),
        _ => "copy out what the call needs and end the guard before it, or take the lock after it".to_owned(),
    };
    let unsure = best.effect.maybe || best.blocking == Blocking::Stdio;
    // A lock around nothing is there to order what is done under it, I/O most of all.
    let orders = guard.lock.guarded == Ty::UNIT;
    let far = guard.lock.place.is_none() || best.effect.distance > FAR;
    // A choice among implementations somewhere on a long way makes the whole way a guess, and so does what is waited
    // for under a condition that this caller may never meet.
    let guess = best.effect.maybe && best.effect.distance > 4
        || best.effect.distance > FAR && waits_for_others(best.blocking)
        || orders
        || unit.made_locked(guard);
    f.confidence = f.confidence.min(match (guess, unsure || far) {
        (true, _) => Confidence::Low,
        (_, true) => Confidence::Medium,
        _ => Confidence::High,
    });
    f.chain = unit.chain(&best.effect, &format!("`{source}` {what}"));
    let mut shown = FxHashSet::default();
    shown.insert(f.at);
    for hit in std::iter::once(best).chain(hits) {
        let at = unit.call_at(hit.effect.call);
        if shown.len() < 8 && shown.insert(at) {
            let label = if std::ptr::eq(hit, best) {
                "while it is held".to_owned()
            } else {
                blocks_on(hit.blocking).to_owned()
            };
            f.related.push(Related { at, label });
        }
    }
    if let Some((origin_body, origin)) = guard.lock.origin {
        let at = unit.one_line(unit.effects().call_location(origin_body, origin));
        f.related.push(Related { at, label: format!("`{lock}` is acquired here") });
    }
    super::facts(unit, guard, best.event.expr, &mut f);
    f.facts.push(("effect".to_owned(), source));
    let mut events: Vec<ExprId> = hits.iter().map(|h| h.event.expr).collect();
    events.dedup();
    fix(unit, guard, &events, orders, &mut f);
    f
}

fn fix(unit: Unit<'_>, guard: Guard<'_>, events: &[ExprId], orders: bool, f: &mut Finding) {
    if orders {
        let reason = "the lock guards no data: it orders what is done under it";
        return ending::refuse(ending::Obstacle { reason, at: None }, f);
    }
    let cx = match Cx::new(unit, guard) {
        Ok(cx) => cx,
        Err(obstacle) => return ending::refuse(obstacle, f),
    };
    let grade = |found: &Ending| {
        if cx.private(found) {
            (Applicability::Safe, None)
        } else {
            (
                Applicability::Unsafe,
                Some("the lock no longer orders what is done without it: two threads may do it at once"),
            )
        }
    };
    ending::note(cx.end(events), grade, f);
}
