//! Finds locks that are taken in different orders: A is acquired while B is held in one place and B while A is held in
//! another, or a longer ring of such. One finding a ring, with all its edges.
//!
//! ## Why it is bad
//!
//! Two threads, one in each place, each hold what the other waits for. Nothing in either place is wrong by itself, so
//! tests do not find it; load does.
//!
//! ## Example
//!
//! ```rust
//! fn deposit(&self) {
//!     let accounts = self.accounts.lock().unwrap();
//!     self.audit.lock().unwrap().push(accounts.len());
//! }
//! fn report(&self) {
//!     let audit = self.audit.lock().unwrap();
//!     println!("{} {}", audit.len(), self.accounts.lock().unwrap().len());
//! }
//! ```
//!
//! ## Use instead
//!
//! One order everywhere, written down where the locks are declared; or end the first guard before the second; or one lock
//! for both.
//!
//! ## Not reported
//!
//! Orders that a common exclusive lock serialises, second acquisitions by `try_lock`, orders seen only in tests, functions
//! that compare before they choose which to lock first, or that all callers give the same two things for the same two
//! parameters. Rings of reads alone count only where each lock is written too.
//!
//! ## Known limits
//!
//! A lock is known by the field or static that declares it: two instances of one struct count as one lock unless both
//! are taken in one function.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::Analysis;
use crate::effects::{EventEffect, Key, Kind};
use crate::finding::{Confidence, Finding, Hop, Level, Related, Severity};
use crate::flow::locks::arguments;
use crate::flow::{Class, ClassOf, Held, Place, Root, Step, UnitIx, UnitKind, walk};
use crate::hir::{BinaryOp, ExprKind, LocalId};
use crate::rule::{Group, Rule};
use crate::rules::held::{Guard, Unit, units};
use crate::source::Location;
use crate::ty::TyKind;

/// The declaration.
pub const RULE: Rule = Rule {
    id: "lock-order-cycle",
    group: Group::Contention,
    level: Level::Deny,
    severity: Severity::High,
    since: "0.1.0",
    fix: None,
    summary: "locks taken in different orders in different places",
    source: include_str!("lock_order_cycle.rs"),
    check,
};

/// One place where `to` is acquired while `from` is held.
struct Site<'a> {
    unit: Unit<'a>,
    guard: Guard<'a>,
    effect: EventEffect,
    first_exclusive: bool,
    second_exclusive: bool,
    /// Other locks held exclusively there.
    gates: FxHashSet<Class>,
    shard: bool,
}

type Edges<'a> = FxHashMap<(Class, Class), Vec<Site<'a>>>;

fn check(a: &Analysis, out: &mut Vec<Finding>) {
    let mut edges: Edges<'_> = FxHashMap::default();
    for unit in units(a) {
        if a.program.def(unit.owner).in_test || a.program.crate_of(unit.owner).is_test {
            continue;
        }
        collect(unit, &mut edges);
    }
    leave_out_new(&mut edges);
    let mut nodes: Vec<Class> = edges.keys().flat_map(|&(a, b)| [a, b]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let written = a.effects.written_classes(&a.program);
    for ring in components(&nodes, &edges) {
        if let Some(finding) = report(a, &ring, &edges, &written) {
            out.push(finding);
        }
    }
}

fn collect<'a>(unit: Unit<'a>, edges: &mut Edges<'a>) {
    for event in unit.events() {
        if event.held.is_empty() {
            continue;
        }
        for effect in unit.effects().at(unit.ix, event.expr) {
            let Key::Acquire(_, mode, kind) = effect.key else { continue };
            let Some(second) = &effect.place else { continue };
            if mode.is_try || (mode.recursive && !mode.exclusive) {
                continue;
            }
            let Some(to) = node(unit, second) else { continue };
            for &token in &event.held {
                let guard = unit.guard(token);
                let (Some(first), false) = (&guard.lock.place, guard.lock.void) else { continue };
                if guard.lock.held == Held::Cell || unit.cx().is_own(first) || unit.cx().is_own(second) {
                    continue;
                }
                let Some(from) = node(unit, first) else { continue };
                if from == to && !two_instances(unit, first, second) {
                    continue;
                }
                let gates = event
                    .held
                    .iter()
                    .filter(|&&t| t != token)
                    .map(|&t| unit.guard(t).lock)
                    .filter(|l| l.mode.exclusive && !l.void)
                    .filter_map(|l| l.place.as_ref()?.class(&unit.a.program))
                    .filter(|&c| c != from && c != to)
                    .collect();
                edges.entry((from, to)).or_default().push(Site {
                    unit,
                    guard,
                    effect: effect.clone(),
                    first_exclusive: guard.lock.mode.exclusive,
                    second_exclusive: mode.exclusive,
                    gates,
                    shard: kind == Kind::Map || guard.lock.held == Held::Shard,
                });
            }
        }
    }
}

/// Takes out locks that a function makes in each call and that only it orders: the other thread of a ring would need the
/// very lock that this call made.
fn leave_out_new(edges: &mut Edges<'_>) {
    let mut only_in: FxHashMap<Class, Option<UnitIx>> = FxHashMap::default();
    for (&(from, to), sites) in edges.iter() {
        for class in [from, to] {
            for site in sites.iter().filter(|_| matches!(class.what, ClassOf::Local(..))) {
                let own = site.unit.a.flow.units.get(site.unit.ix).kind == UnitKind::Item;
                let here = own.then_some(site.unit.ix);
                only_in
                    .entry(class)
                    .and_modify(|unit| *unit = unit.filter(|&u| Some(u) == here))
                    .or_insert(here);
            }
        }
    }
    let new = |class: &Class| only_in.get(class).is_some_and(Option::is_some);
    edges.retain(|(from, to), _| !new(from) && !new(to));
}

/// The node of a place: locks that only a parameter names are nobody's yet.
fn node(unit: Unit<'_>, place: &Place) -> Option<Class> {
    let class = place.class(&unit.a.program)?;
    if let ClassOf::Local(body, local) = class.what
        && unit.a.flow.origins.get(&unit.a.program, body).is_param(local)
    {
        return None;
    }
    Some(class)
}

/// Two instances of one lock, taken in an order that only the caller's arguments decide.
fn two_instances(unit: Unit<'_>, first: &Place, second: &Place) -> bool {
    let origins = unit.a.flow.origins.get(&unit.a.program, unit.body);
    let (Root::Local(_, a), Root::Local(_, b)) = (first.root, second.root) else { return false };
    // Elements, parents and children have an order of their own more often than not.
    let plain = |p: &Place| !p.steps.iter().any(|s| matches!(s, Step::Elem | Step::At(_) | Step::Guarded));
    let types = &unit.a.types[unit.body.0 as usize];
    // What came in by value nobody else has.
    let shared = |l: LocalId| origins.is_param(l) && !matches!(types.local(l).kind(), TyKind::Adt(..));
    a != b
        && plain(first)
        && plain(second)
        && first.steps == second.steps
        && shared(a)
        && shared(b)
        && !compares(unit)
        && !has_roles(unit, a, b)
}

/// Whether all callers give the same two different things for the parameters `a` and `b`: these have their parts to play
/// then, and change them nowhere.
fn has_roles(unit: Unit<'_>, a: LocalId, b: LocalId) -> bool {
    let cx = unit.cx();
    let target = unit.a.flow.units.of_body(unit.body);
    let (Some(a), Some(b)) = (cx.param_index(unit.body, a), cx.param_index(unit.body, b)) else {
        return false;
    };
    let mut given: FxHashSet<(Class, Class)> = FxHashSet::default();
    for edge in unit.a.effects.calls_to(target) {
        let caller = unit.a.flow.units.get(edge.caller).body;
        let args = arguments(cx, caller, edge.call);
        let class = |i: usize| {
            let class = cx.place(caller, *args.get(i)?)?.class(&unit.a.program)?;
            (!class.elem && !matches!(class.what, ClassOf::Local(..))).then_some(class)
        };
        match (class(a), class(b)) {
            (Some(a), Some(b)) if a != b => given.insert((a, b)),
            _ => return false,
        };
    }
    !given.is_empty() && !given.iter().any(|&(a, b)| given.contains(&(b, a)))
}

/// Whether the code compares something to choose an order.
fn compares(unit: Unit<'_>) -> bool {
    let body = unit.a.program.body(unit.body);
    let mut found = false;
    walk::for_each_below(body, body.root, &mut |id| {
        found |= match &body.expr(id).kind {
            ExprKind::Binary { op, .. } => {
                matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
            }
            ExprKind::Method { name, .. } => {
                matches!(
                    name.as_str(),
                    "cmp" | "partial_cmp" | "sort" | "sort_by" | "sort_by_key" | "min" | "max"
                )
            }
            _ => false,
        };
        !found
    });
    found
}

/// Strongly connected components with an inner edge (Tarjan 1972, iterative), in a fixed order.
fn components(nodes: &[Class], edges: &Edges<'_>) -> Vec<Vec<Class>> {
    let at: FxHashMap<Class, usize> = nodes.iter().enumerate().map(|(i, &c)| (c, i)).collect();
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (from, to) in edges.keys() {
        next[at[from]].push(at[to]);
    }
    next.iter_mut().for_each(|l| l.sort_unstable());
    let (mut index, mut low) = (vec![usize::MAX; nodes.len()], vec![0; nodes.len()]);
    let mut on_stack = vec![false; nodes.len()];
    let (mut stack, mut counter, mut found) = (Vec::new(), 0, Vec::new());
    for start in 0..nodes.len() {
        if index[start] != usize::MAX {
            continue;
        }
        let mut work = vec![(start, 0usize)];
        while let Some(&(v, i)) = work.last() {
            if i == 0 {
                index[v] = counter;
                low[v] = counter;
                counter += 1;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some(&w) = next[v].get(i) {
                if let Some(top) = work.last_mut() {
                    top.1 += 1;
                }
                if index[w] == usize::MAX {
                    work.push((w, 0));
                } else if on_stack[w] {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            work.pop();
            if let Some(&(parent, _)) = work.last() {
                low[parent] = low[parent].min(low[v]);
            }
            if low[v] == index[v] {
                let mut ring = Vec::new();
                while let Some(w) = stack.pop() {
                    on_stack[w] = false;
                    ring.push(nodes[w]);
                    if w == v {
                        break;
                    }
                }
                ring.sort_unstable();
                if ring.len() > 1 || edges.contains_key(&(ring[0], ring[0])) {
                    found.push(ring);
                }
            }
        }
    }
    found
}

fn report(a: &Analysis, ring: &[Class], edges: &Edges<'_>, written: &FxHashSet<Class>) -> Option<Finding> {
    let inside = |c: &Class| ring.contains(c);
    let mut used: Vec<(&(Class, Class), &Site<'_>)> = edges
        .iter()
        .filter(|((x, y), _)| inside(x) && inside(y) && (x != y || ring.len() == 1))
        .filter_map(|(edge, sites)| {
            // The site that proves most: least guarded by others, surest, nearest.
            let best = sites
                .iter()
                .min_by_key(|s| (s.gates.len(), s.effect.maybe, s.effect.distance, location(s)))?;
            Some((edge, best))
        })
        .collect();
    // One call can close several edges: then the guards tell them apart, or what is acquired.
    used.sort_by_cached_key(|(_, s)| {
        let taken = s.effect.place.as_ref().map(|p| s.unit.cx().display(p));
        (location(s), s.unit.acquired_at(s.guard), taken)
    });
    let common = used.iter().map(|(_, s)| &s.gates).fold(None::<FxHashSet<Class>>, |all, gates| match all {
        None => Some(gates.clone()),
        Some(all) => Some(all.intersection(gates).copied().collect()),
    });
    if common.is_some_and(|gates| !gates.is_empty()) {
        return None;
    }
    let reads_only = used.iter().all(|(_, s)| !s.first_exclusive && !s.second_exclusive);
    if reads_only && !ring.iter().all(|c| written.contains(c) || written.contains(&c.declared())) {
        return None;
    }
    let (_, first) = *used.first()?;
    let unit = first.unit;
    let name = |place: &Option<Place>| place.as_ref().map_or_else(String::new, |p| unit.cx().display(p));
    let (held, taken) = (name(&first.guard.lock.place), name(&first.effect.place));
    let mut f = unit.finding(&RULE, unit.call_at(first.effect.call), &held);
    let mut names: Vec<String> =
        used.iter().flat_map(|(_, s)| [name(&s.guard.lock.place), name(&s.effect.place)]).collect();
    names.sort();
    names.dedup();
    f.message = if ring.len() == 1 {
        format!(
            "two instances of `{held}` are locked in the order of the arguments: with the arguments swapped in another thread both wait for ever"
        )
    } else if ring.len() == 2 {
        format!(
            "`{taken}` is acquired while `{held}` is held, and elsewhere `{held}` while `{taken}` is held: two threads can wait for each other for ever"
        )
    } else {
        let list: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
        format!(
            "{} are acquired in orders that form a ring: threads can wait for each other for ever",
            list.join(", ")
        )
    };
    f.label = format!("acquires `{taken}` while `{held}` is held");
    f.help = "take the locks in one order everywhere, or end the first guard before the second".to_owned();
    if reads_only || used.iter().any(|(_, s)| s.shard || s.effect.maybe) {
        f.confidence = f.confidence.min(Confidence::Medium);
    }
    // Which implementations meet at run time is a guess of its own at each edge.
    if used.iter().all(|(_, s)| s.effect.maybe) {
        f.confidence = Confidence::Low;
    }
    f.key = names.join("/");
    for (i, (_, site)) in used.iter().enumerate() {
        let (from, to) = (name(&site.guard.lock.place), name(&site.effect.place));
        f.related.push(Related {
            at: site.unit.acquired_at(site.guard),
            label: format!("`{from}` is acquired here…"),
        });
        if i > 0 {
            f.related.push(Related {
                at: site.unit.call_at(site.effect.call),
                label: format!("…and `{to}` while it is held"),
            });
        }
        f.chain.push(Hop {
            at: site.unit.acquired_at(site.guard),
            label: format!("`{}` acquires `{from}`", a.program.display(site.unit.owner)),
        });
        let inner = site.unit.chain(&site.effect, &format!("acquires `{to}`"));
        if inner.is_empty() {
            f.chain.push(Hop {
                at: site.unit.call_at(site.effect.call),
                label: format!("then acquires `{to}`"),
            });
        } else {
            f.chain.extend(inner);
        }
    }
    Some(f)
}

fn location(site: &Site<'_>) -> Location {
    site.unit.call_at(site.effect.call)
}
