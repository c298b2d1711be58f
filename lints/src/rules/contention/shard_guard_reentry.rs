//! Finds a reference into a concurrent map (`dashmap`'s `Ref`, `RefMut`, `Entry`, or an iterator's item) that is alive
//! while the same map is used again, or across an `.await`; and closures given to `retain`, `alter` and the like that
//! use the map they run in.
//!
//! ## Why it is bad
//!
//! The reference holds the lock of its shard. A second use that needs the same shard waits for the first to end, which is
//! the same thread: it waits for ever. Whether two keys share a shard depends on their hashes, so it happens in
//! production and not in the test.
//!
//! ## Example
//!
//! ```rust
//! if let Some(old) = self.accounts.get(&from) {
//!     self.accounts.insert(to, old.clone());
//! }
//! ```
//!
//! ## Use instead
//!
//! ```rust
//! let old = self.accounts.get(&from).map(|r| r.value().clone());
//! if let Some(old) = old {
//!     self.accounts.insert(to, old);
//! }
//! ```
//!
//! ## Not reported
//!
//! The arm of a miss (`None`, the `else` of an `if let Some`), where no reference lives; `try_get` and the like.
//!
//! ## Known limits
//!
//! Two different maps behind one name (elements of a collection of maps) are taken to be different.

use rustc_hash::FxHashSet;

use super::ending::{self, Cx};
use crate::Analysis;
use crate::effects::{EventEffect, Key, Kind};
use crate::finding::{Applicability, Confidence, Finding, Level, Related, Severity};
use crate::flow::cfg::EventKind;
use crate::flow::{Held, HeldEvent};
use crate::hir::{ExprId, ExprKind};
use crate::rule::{Group, Rule};
use crate::rules::held::{Guard, Unit, units};

/// The declaration.
pub const RULE: Rule = Rule {
    id: "shard-guard-reentry",
    group: Group::Contention,
    level: Level::Deny,
    severity: Severity::Critical,
    since: "0.1.0",
    fix: Some(Applicability::Safe),
    summary: "a reference into a concurrent map alive while the same map is used again, or across an await",
    source: include_str!("shard_guard_reentry.rs"),
    check,
};

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    for unit in units(a) {
        let mut reported = FxHashSet::default();
        for event in unit.events() {
            if event.kind == EventKind::Await {
                across_await(unit, event, &mut reported, out);
            }
            let effects = unit.effects().at(unit.ix, event.expr);
            for effect in &effects {
                let Key::Acquire(_, mode, Kind::Map) = effect.key else { continue };
                if mode.is_try {
                    continue;
                }
                let inside = event
                    .moved
                    .iter()
                    .filter(|&&(arg, _)| unit.alive_inside(event, arg, effect))
                    .map(|m| m.1);
                for token in event.held.iter().copied().chain(inside) {
                    let guard = unit.guard(token);
                    if guard.lock.void || guard.lock.held != Held::Shard || !same(guard, effect) {
                        continue;
                    }
                    if reported.insert((token, effect.call)) {
                        out.push(reentry(unit, guard, event, effect, mode.exclusive));
                    }
                }
            }
        }
    }
    closures(a, out);
}

fn same(guard: Guard<'_>, effect: &EventEffect) -> bool {
    match (&guard.lock.place, &effect.place) {
        (Some(a), Some(b)) => a == b && a.is_exact(),
        _ => false,
    }
}

fn across_await(
    unit: Unit<'_>,
    event: &HeldEvent,
    reported: &mut FxHashSet<(u32, ExprId)>,
    out: &mut Vec<Finding>,
) {
    for &token in &event.held {
        let guard = unit.guard(token);
        let once = ExprId(u32::MAX);
        if guard.lock.void || guard.lock.held != Held::Shard || !reported.insert((token, once)) {
            continue;
        }
        if is_alone(unit, guard) {
            continue;
        }
        let map = unit.lock_name(guard);
        let mut f = unit.finding(&RULE, unit.acquired_at(guard), &map);
        f.message = format!("a reference into `{map}` stays alive across an `.await`");
        f.label = "its shard is locked here".to_owned();
        f.help = "copy out what is needed and let the reference go before the await".to_owned();
        f.related.push(Related { at: unit.call_at(event.expr), label: "awaits while it is held".to_owned() });
        super::facts(unit, guard, event.expr, &mut f);
        let awaits: Vec<_> = unit
            .events()
            .iter()
            .filter(|e| e.kind == EventKind::Await && e.held.contains(&token))
            .map(|e| e.expr)
            .collect();
        fix(unit, guard, &awaits, &mut f);
        out.push(f);
    }
}

/// Whether no other task can have the map: it is this function's own, or made on the spot (`map.clone().iter()`).
fn is_alone(unit: Unit<'_>, guard: Guard<'_>) -> bool {
    if let Some(place) = &guard.lock.place {
        return unit.cx().is_own(place);
    }
    let map = guard.lock.site.and_then(|site| unit.arguments(site).first().copied());
    map.is_some_and(|map| {
        let ty = unit.a.types[unit.body.0 as usize].expr(map);
        let made = matches!(unit.expr(map), ExprKind::Method { .. } | ExprKind::Call { .. });
        made && unit.a.program.knowledge.of(ty).is_some_and(|i| i.concurrent_map && !i.shared)
    })
}

fn reentry(
    unit: Unit<'_>,
    guard: Guard<'_>,
    event: &HeldEvent,
    effect: &EventEffect,
    writes: bool,
) -> Finding {
    let map = unit.lock_name(guard);
    let mut f = unit.finding(&RULE, unit.call_at(effect.call), &map);
    f.message = format!(
        "`{map}` is used again while a reference into it is alive: a deadlock when both need one shard"
    );
    f.label = "this waits for the shard".to_owned();
    f.help = "copy out what is needed and let the reference go first".to_owned();
    f.confidence = f.confidence.min(if effect.maybe || !(writes || guard.lock.mode.exclusive) {
        Confidence::Medium
    } else {
        Confidence::High
    });
    f.related.push(Related { at: unit.acquired_at(guard), label: "the reference is taken here".to_owned() });
    f.chain = unit.chain(effect, &format!("`{map}` is used"));
    super::facts(unit, guard, event.expr, &mut f);
    fix(unit, guard, &[event.expr], &mut f);
    f
}

fn fix(unit: Unit<'_>, guard: Guard<'_>, events: &[ExprId], f: &mut Finding) {
    let found = Cx::new(unit, guard).and_then(|cx| cx.end(events));
    ending::note(found, |_| (Applicability::Safe, None), f);
}

/// `map.retain(|..| map.len() > 0)`: the call itself holds shards while its closure runs.
fn closures(a: &Analysis, out: &mut Vec<Finding>) {
    for (ix, u) in a.flow.units.iter() {
        let unit = Unit { a, ix, body: u.body, owner: a.program.body_info(u.body).owner };
        for call in a.effects.own_map_calls(ix) {
            let effects = unit.effects().at(ix, call);
            let own = effects.iter().filter(|e| e.through.is_none()).find_map(|e| {
                matches!(e.key, Key::Acquire(_, _, Kind::Map)).then(|| e.place.clone()).flatten()
            });
            let Some(own) = own.filter(|p| p.is_exact()) else { continue };
            let inner = effects.iter().find(|e| {
                Unit::through_closure(e)
                    && matches!(e.key, Key::Acquire(_, m, Kind::Map) if !m.is_try)
                    && e.place.as_ref() == Some(&own)
            });
            let Some(inner) = inner else { continue };
            let map = unit.acquired_name(inner);
            let (body, cause) = unit.effects().cause(ix, inner);
            let mut f = unit.finding(&RULE, unit.effects().call_location(body, cause), &map);
            f.message = format!("`{map}` is used inside a closure that it runs with a shard locked");
            f.label = "this waits for the shard".to_owned();
            f.help = "collect what the closure needs before the call".to_owned();
            f.related
                .push(Related { at: unit.call_at(call), label: "the closure runs in this call".to_owned() });
            f.chain = unit.chain(inner, &format!("`{map}` is used"));
            out.push(f);
        }
    }
}
