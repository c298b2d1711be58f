//! Finds a lock that is acquired again while its own guard is alive, in one function or through the calls it makes
//! (level deny); and one change split over two locks of the same thing, where the second writes back or acts on what the
//! first saw (level warn).
//!
//! ## Why it is bad
//!
//! The thread waits for itself. A mutex taken twice never returns; so does a read-write lock of which the thread already
//! holds either side, when it wants to write. Two reads by one thread stand still as well as soon as a writer has queued
//! between them, which happens under load and not in a test. Between the two halves of a split change another thread
//! may make its own, which is then lost.
//!
//! ## Example
//!
//! ```rust
//! fn rename(&self, id: Id, name: String) {
//!     let mut users = self.users.lock().unwrap();
//!     if let Some(user) = users.get_mut(&id) {
//!         user.name = name;
//!         self.bump();
//!     }
//! }
//! fn bump(&self) {
//!     self.users.lock().unwrap().version += 1;
//! }
//! ```
//!
//! ## Use instead
//!
//! End the guard first, or give the callee what the guard guards (`fn bump(users: &mut Users)`).
//!
//! ## Not reported
//!
//! Different locks, different elements of a sharded structure, `try_lock` and the like under one's own guard, locks that
//! may be taken again (`ReentrantMutex`, `read_recursive`). Two reads of a lock that nothing writes. Double-checked
//! locking that looks again under the second lock; methods by `&mut self`.
//!
//! ## Known limits
//!
//! Two variables that lead to one lock by ways not seen here are taken to be two locks.

use rustc_hash::FxHashSet;

use super::ending::{self, Cx};
use crate::Analysis;
use crate::effects::{EventEffect, Key, Kind, Through};
use crate::finding::{Applicability, Confidence, Finding, Level, Related, Severity};
use crate::flow::locks::arguments;
use crate::flow::{Class, ClassOf, Held, HeldEvent, LockInfo, Place, Root};
use crate::hir::ExprId;
use crate::knowledge::Acquire;
use crate::rule::{Group, Rule};
use crate::rules::held::{Guard, Unit, grade, units};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "lock-reacquired",
    group: Group::Contention,
    level: Level::Warn,
    severity: Severity::High,
    since: "0.1.0",
    fix: Some(Applicability::Unsafe),
    summary: "a lock acquired again while its own guard is alive",
    source: include_str!("lock_reacquired.rs"),
    check,
};

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    let written = a.effects.written_classes(&a.program);
    for unit in units(a) {
        super::split_update::check(unit, out);
        let mut reported = FxHashSet::default();
        for event in unit.events() {
            let mut effects = unit.effects().at(unit.ix, event.expr);
            effects.sort_by_key(|e| (e.maybe, e.distance));
            for effect in &effects {
                if let Key::Calls(_) = effect.key {
                    in_given_closure(unit, event, effect, &written, &mut reported, out);
                }
                let Key::Acquire(_, mode, Kind::Lock | Kind::AsyncLock) = effect.key else { continue };
                let Some(place) = &effect.place else { continue };
                let inside = event
                    .moved
                    .iter()
                    .filter(|&&(arg, _)| unit.alive_inside(event, arg, effect))
                    .map(|m| m.1);
                for token in event.held.iter().copied().chain(inside) {
                    let guard = unit.guard(token);
                    if waits_for_itself(unit, guard, place, mode, &written)
                        && !event.suspended.contains(&token)
                        && reported.insert((token, effect.call))
                    {
                        let mut f = report(unit, guard, effect, mode);
                        fix(unit, guard, effect.call, &mut f);
                        out.push(f);
                    }
                }
            }
        }
    }
}

/// `with(|x| …)`: the lock that `with` holds, taken again by the closure that it runs.
fn in_given_closure(
    unit: Unit<'_>,
    event: &HeldEvent,
    calls: &EventEffect,
    written: &FxHashSet<Class>,
    reported: &mut FxHashSet<(u32, ExprId)>,
    out: &mut Vec<Finding>,
) {
    for effect in unit.effects().given(unit.ix, calls) {
        let Key::Acquire(_, mode, Kind::Lock | Kind::AsyncLock) = effect.key else { continue };
        let (Some(place), Some(Through { edge, .. })) = (&effect.place, effect.through) else { continue };
        let giver = unit.a.flow.units.get(edge.caller).body;
        for &token in &event.held {
            let guard = unit.guard(token);
            let args = arguments(unit.cx(), giver, edge.call);
            let own =
                guard.lock.place.as_ref().and_then(|p| {
                    unit.cx().substitute(unit.body, p, |i| unit.cx().place(giver, *args.get(i)?))
                });
            let same = LockInfo { place: own, ..guard.lock.clone() };
            let there = Guard { lock: &same, ..guard };
            if waits_for_itself(unit, there, place, mode, written) && reported.insert((token, effect.call)) {
                let mut f = report(unit, guard, &effect, mode);
                let (body, call) = unit.effects().cause(unit.ix, &effect);
                f.at = unit.one_line(unit.effects().call_location(body, call));
                let reason = "the lock is acquired again in a closure that a caller gives";
                f.facts.retain(|(name, _)| name == "lock");
                ending::refuse(ending::Obstacle { reason, at: None }, &mut f);
                out.push(f);
            }
        }
    }
}

fn waits_for_itself(
    unit: Unit<'_>,
    guard: Guard<'_>,
    place: &Place,
    mode: Acquire,
    written: &FxHashSet<Class>,
) -> bool {
    let lock = guard.lock;
    if lock.void || !matches!(lock.held, Held::Lock | Held::AsyncLock) {
        return false;
    }
    if mode.is_try || (mode.recursive && !lock.mode.exclusive) || (mode.recursive && lock.mode.recursive) {
        return false;
    }
    if lock.place.as_ref() != Some(place) || !stable(unit, place) {
        return false;
    }
    // Readers get in each other's way only if a writer can queue between them.
    lock.mode.exclusive
        || mode.exclusive
        || match place.class(&unit.a.program) {
            // Nothing is known of who else has a lock that came in as an argument.
            Some(Class { what: ClassOf::Local(body, local), .. })
                if unit.a.flow.origins.get(&unit.a.program, body).is_param(local) =>
            {
                true
            }
            Some(class) => written.contains(&class) || written.contains(&class.declared()),
            None => false,
        }
}

/// Whether a place means the same lock at both sites.
fn stable(unit: Unit<'_>, place: &Place) -> bool {
    place.is_exact()
        && match place.root {
            Root::Local(body, local) => !unit.a.flow.origins.get(&unit.a.program, body).varies(local),
            Root::Static(_) => true,
            Root::Value(..) | Root::Unknown => false,
        }
}

fn report(unit: Unit<'_>, guard: Guard<'_>, effect: &EventEffect, mode: Acquire) -> Finding {
    let name = unit.lock_name(guard);
    let mut f = unit.finding(&RULE, unit.call_at(effect.call), &name);
    let both_read = !mode.exclusive && !guard.lock.mode.exclusive;
    grade(
        &mut f,
        Level::Deny,
        Severity::High,
        if effect.maybe { Confidence::Medium } else { Confidence::High },
    );
    f.message = if both_read {
        format!(
            "`{name}` is read-locked again while this thread holds it: a deadlock once a writer queues between"
        )
    } else {
        format!("`{name}` is acquired again while this thread holds it: it waits for itself")
    };
    f.label = if effect.through.is_some() { "this call acquires it again" } else { "acquired again here" }
        .to_owned();
    f.help = "end the first guard before, or pass on what it guards".to_owned();
    f.related.push(Related { at: unit.acquired_at(guard), label: "first acquired here".to_owned() });
    f.chain = unit.chain(effect, &format!("acquires `{name}`"));
    super::facts(unit, guard, effect.call, &mut f);
    f
}

fn fix(unit: Unit<'_>, guard: Guard<'_>, again: ExprId, f: &mut Finding) {
    // To let go first is the smaller change; else one guard serves for both.
    match Cx::new(unit, guard).and_then(|cx| cx.end(&[again])) {
        Ok(ending) if ending.moved.is_none() => {
            let caveat = "another thread may take the lock between the two";
            ending::note(Ok(ending), |_| (Applicability::Unsafe, Some(caveat)), f);
        }
        first => match ending::merge_held(unit, guard, again) {
            Ok(merging) => merging.note(f),
            Err(second) => ending::refuse(first.err().unwrap_or(second), f),
        },
    }
}
