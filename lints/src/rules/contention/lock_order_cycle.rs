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
//! parameters. Where a thread reads what the next only wants to read, a ring counts only if somebody writes that lock too.
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
use crate::rules::making::is_part_of_new;
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
    /// The two locks belong to two values.
    crosses: bool,
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
            // A choice among implementations that leads back in here: of another value, which this one cannot contain.
            if effect.maybe && unit.effects().comes_back(unit.ix, &effect) {
                continue;
            }
            let Some(to) = node(unit, second) else { continue };
            for &token in &event.held {
                let guard = unit.guard(token);
                let (Some(first), false) = (&guard.lock.place, guard.lock.void) else { continue };
                let nobody_waits = |place| unit.cx().is_own(place) || is_part_of_new(unit.a, unit.ix, place);
                if guard.lock.held == Held::Cell || nobody_waits(first) || nobody_waits(second) {
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
                    crosses: of_two_values(first, second),
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

/// Whether two fields are those of two values, in two variables.
fn of_two_values(first: &Place, second: &Place) -> bool {
    let plain = |p: &Place| matches!(p.steps[..], [Step::Field(Some(_), _)]);
    let apart = matches!((first.root, second.root), (Root::Local(_, a), Root::Local(_, b)) if a != b);
    apart && plain(first) && plain(second)
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

/// The site that stands for an edge: least guarded by others, surest, nearest.
fn best<'s, 'a>(sites: &'s [Site<'a>]) -> Option<&'s Site<'a>> {
    let reads = |s: &Site<'_>| u8::from(!s.first_exclusive) + u8::from(!s.second_exclusive);
    sites
        .iter()
        .min_by_key(|s| (s.crosses, s.gates.len(), s.effect.maybe, reads(s), s.effect.distance, location(s)))
}

/// Edges that lead from a lock back to it, each with the site that stands for it.
type Cycle<'s, 'a> = Vec<(Class, Class, &'s Site<'a>)>;

/// The cycle of a component that shows best that threads can wait for each other: of sure edges, short, near.
fn shortest<'s, 'a>(
    inner: &[(Class, Class, &'s Site<'a>)],
    written: &FxHashSet<Class>,
) -> Option<Cycle<'s, 'a>> {
    let sure: Vec<_> = inner.iter().copied().filter(|e| !unsure(e.2)).collect();
    let mut found: Vec<Cycle<'s, 'a>> = Vec::new();
    for edges in [&sure[..], inner] {
        for &first in edges {
            let cycle = way(edges, first.1, first.0).map(|back| {
                let mut cycle = vec![first];
                cycle.extend(back);
                cycle
            });
            found.extend(cycle.filter(|c| waits(c, written)));
        }
    }
    let mut best = found.into_iter().min_by_key(|cycle| {
        let unsure = reads_only(cycle) || cycle.iter().any(|e| unsure(e.2));
        let queues = queues(cycle).count();
        let far: u32 = cycle.iter().map(|e| u32::from(e.2.effect.distance)).sum();
        (unsure, queues, cycle.len(), far, location(cycle[0].2))
    })?;
    let first = (0..best.len()).min_by_key(|&i| order(best[i].2))?;
    best.rotate_left(first);
    Some(best)
}

/// A shortest way from one lock to another, breadth first; empty if they are one.
fn way<'s, 'a>(edges: &[(Class, Class, &'s Site<'a>)], from: Class, to: Class) -> Option<Cycle<'s, 'a>> {
    let mut came: FxHashMap<Class, usize> = FxHashMap::default();
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let mut back = Vec::new();
            let mut at = to;
            while at != from {
                let edge = edges[*came.get(&at)?];
                back.push(edge);
                at = edge.0;
            }
            back.reverse();
            return Some(back);
        }
        for (i, edge) in edges.iter().enumerate().filter(|(_, e)| e.0 == at) {
            if edge.1 != from && !came.contains_key(&edge.1) {
                came.insert(edge.1, i);
                queue.push_back(edge.1);
            }
        }
    }
    None
}

/// Whether a shard is one of many, or the way goes through a choice among implementations.
fn unsure(site: &Site<'_>) -> bool {
    site.shard || site.effect.maybe
}

/// Whether threads in a cycle can keep each other waiting: no lock keeps all but one out, and none is only read by a
/// thread and the next where nobody writes it.
fn waits(cycle: &[(Class, Class, &Site<'_>)], written: &FxHashSet<Class>) -> bool {
    let mut gates = cycle.iter().map(|e| &e.2.gates);
    let first = gates.next().cloned().unwrap_or_default();
    let common = gates.fold(first, |all, gates| all.intersection(gates).copied().collect());
    // Who goes over from one value to another of its kind and does not come back has left the ring.
    let fields = |c: &Class| match c.what {
        ClassOf::Field(owner, _) => Some(owner),
        _ => None,
    };
    let of_one_type = cycle.iter().all(|e| fields(&e.0).is_some() && fields(&e.0) == fields(&cycle[0].0));
    if of_one_type && cycle.len() > 1 && cycle.iter().filter(|e| e.2.crosses).count() == 1 {
        return false;
    }
    let is_written = |c: &Class| written.contains(c) || written.contains(&c.declared());
    common.is_empty() && queues(cycle).all(|i| is_written(&cycle[i].0))
}

/// The locks of a cycle that one thread reads and the next only wants to read, as edges that lead from them: it waits
/// where a writer has queued in between.
fn queues<'c>(cycle: &'c [(Class, Class, &Site<'_>)]) -> impl Iterator<Item = usize> + use<'c> {
    let before = |i: usize| cycle[(i + cycle.len() - 1) % cycle.len()].2;
    (0..cycle.len()).filter(move |&i| !cycle[i].2.first_exclusive && !before(i).second_exclusive)
}

fn reads_only(cycle: &[(Class, Class, &Site<'_>)]) -> bool {
    cycle.iter().all(|e| !e.2.first_exclusive && !e.2.second_exclusive)
}

/// What comes first in the code. One call can close several edges: then the guards tell them apart, or what is acquired.
fn order(site: &Site<'_>) -> (Location, Location, String) {
    (location(site), site.unit.acquired_at(site.guard), site.taken())
}

impl Site<'_> {
    fn held(&self) -> String {
        self.unit.lock_name(self.guard)
    }

    fn taken(&self) -> String {
        self.unit.acquired_name(&self.effect)
    }
}

fn report(a: &Analysis, ring: &[Class], edges: &Edges<'_>, written: &FxHashSet<Class>) -> Option<Finding> {
    let inside = |c: &Class| ring.contains(c);
    let mut inner: Vec<(Class, Class, &Site<'_>)> = edges
        .iter()
        .filter(|((x, y), _)| inside(x) && inside(y) && (x != y || ring.len() == 1))
        .filter_map(|(&(x, y), sites)| Some((x, y, best(sites)?)))
        .collect();
    inner.sort_by_cached_key(|e| order(e.2));
    let cycle = shortest(&inner, written)?;
    let site = cycle[0].2;
    let (held, taken) = (site.held(), site.taken());
    let mut f = site.unit.finding(&RULE, location(site), &held);
    f.message = message(&cycle, ring.len());
    f.label = format!("acquires `{taken}` while `{held}` is held");
    f.help = "take the locks in one order everywhere, or end the first guard before the second".to_owned();
    if reads_only(&cycle) || cycle.iter().any(|e| unsure(e.2)) {
        f.confidence = f.confidence.min(Confidence::Medium);
    }
    // Which implementations meet at run time is a guess of its own at each edge.
    if cycle.iter().all(|e| e.2.effect.maybe) {
        f.confidence = Confidence::Low;
    }
    let mut names: Vec<String> = inner.iter().flat_map(|e| [e.2.held(), e.2.taken()]).collect();
    names.sort();
    names.dedup();
    f.key = names.join("/");
    for (i, &(_, _, site)) in cycle.iter().enumerate() {
        let (from, to) = (site.held(), site.taken());
        f.related.push(Related {
            at: site.unit.acquired_at(site.guard),
            label: format!("`{from}` is acquired here…"),
        });
        if i > 0 {
            f.related.push(Related { at: location(site), label: format!("…and `{to}` while it is held") });
        }
        f.chain.push(Hop {
            at: site.unit.acquired_at(site.guard),
            label: format!("`{}` acquires `{from}`", a.program.display(site.unit.owner)),
        });
        let way = site.unit.chain(&site.effect, &format!("acquires `{to}`"));
        if way.is_empty() {
            f.chain.push(Hop { at: location(site), label: format!("then acquires `{to}`") });
        } else {
            f.chain.extend(way);
        }
    }
    let shown = |e: &(Class, Class, &Site<'_>)| cycle.iter().any(|c| (c.0, c.1) == (e.0, e.1));
    for (_, _, site) in inner.iter().filter(|e| !shown(e)) {
        let label = format!("`{}` is acquired here while `{}` is held", site.taken(), site.held());
        f.related.push(Related { at: location(site), label });
    }
    Some(f)
}

fn message(cycle: &[(Class, Class, &Site<'_>)], locks: usize) -> String {
    let names: Vec<(String, String)> = cycle.iter().map(|e| (e.2.held(), e.2.taken())).collect();
    let (held, taken) = &names[0];
    // Readers keep nobody out but writers, and these the next readers.
    let queues: Vec<usize> = queues(cycle).collect();
    if cycle.len() == 1 {
        return match queues.is_empty() {
            false => format!(
                "two instances of `{held}` are read-locked in the order of the arguments: with the arguments swapped in another thread, and a writer queued for each, all wait for ever"
            ),
            true => format!(
                "two instances of `{held}` are locked in the order of the arguments: with the arguments swapped in another thread both wait for ever"
            ),
        };
    }
    let mut text = format!("`{taken}` is acquired while `{held}` is held, and elsewhere ");
    if cycle.len() == 2 {
        text += &format!("`{held}` while `{taken}` is held: two threads can wait for each other for ever");
    } else {
        let rest: Vec<String> =
            names[1..].iter().map(|(held, taken)| format!("`{taken}` while `{held}` is held")).collect();
        let last = rest.len() - 1;
        text += &format!(
            "{} and {}: threads can wait for each other for ever",
            rest[..last].join(", "),
            rest[last]
        );
    }
    if queues.len() == cycle.len() {
        text += " once a writer queues for each";
    } else if let [first, more @ ..] = &queues[..] {
        text += &format!(" once a writer queues for `{}`", names[*first].0);
        for &i in more {
            text += &format!(" and one for `{}`", names[i].0);
        }
    }
    match locks - cycle.len() {
        0 => {}
        1 => text += " (one more lock is taken in orders that cross these)",
        more => text += &format!(" ({more} more locks are taken in orders that cross these)"),
    }
    text
}

fn location(site: &Site<'_>) -> Location {
    site.unit.call_at(site.effect.call)
}
