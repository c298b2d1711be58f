//! The second half of `lock-reacquired`: one change made in two regions, the second acting on what the first saw.

use rustc_hash::FxHashSet;

use crate::finding::{Confidence, Finding, Level, Related, Severity};
use crate::flow::{Held, Place, Root, walk};
use crate::hir::{BinaryOp, Block, Body, ExprId, ExprKind, LocalId, MacroKind, Stmt};
use crate::infer::{Callee, SelfMode};
use crate::knowledge::Op;
use crate::name::{Name, well_known};
use crate::rules::held::{Guard, Unit, grade};

/// How the second region depends on the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    /// Writes a value made from what was read: a change in between is lost.
    WriteBack,
    /// The same, where awaited work made the new value: it may have looked at more than what was read.
    AnswerBack,
    /// Changes on a condition that was looked at before.
    CheckThenAct,
    /// Puts in what was found missing.
    FillOnMiss,
}

/// Reports pairs of regions of one lock in a unit that do not overlap and belong together.
pub(super) fn check(unit: Unit<'_>, out: &mut Vec<Finding>) {
    let guards: Vec<Guard<'_>> = unit
        .guards()
        .filter(|g| matches!(g.lock.held, Held::Lock | Held::AsyncLock) && g.lock.site.is_some())
        .collect();
    if guards.len() < 2 || by_mut_self(unit) {
        return;
    }
    let body = unit.a.program.body(unit.body);
    // One look, several changes (the steps of a state machine): one finding.
    let mut told: Vec<(u32, Split, Finding)> = Vec::new();
    for &second in &guards {
        let Some(site) = second.lock.site.filter(|_| second.lock.mode.exclusive) else { continue };
        let first = guards
            .iter()
            .filter(|g| g.ix != second.ix && same_place(unit, **g, second) && before(unit, **g, second))
            .filter(|g| !overlap(unit, g.ix, site) && !gated(unit, **g, second))
            .find_map(|&g| Some((g, depends(unit, body, g, second)?)));
        let Some((first, split)) = first else { continue };
        match told.iter_mut().find(|t| t.0 == first.ix && t.1 == split) {
            Some((_, _, finding)) => {
                let label = "and here".to_owned();
                finding.related.push(Related { at: unit.acquired_at(second), label });
            }
            None => told.push((first.ix, split, report(unit, first, second, split))),
        }
    }
    out.extend(told.into_iter().map(|t| t.2));
}

/// `&mut self`: nobody else is there.
fn by_mut_self(unit: Unit<'_>) -> bool {
    unit.a
        .program
        .fn_item(unit.owner)
        .is_some_and(|f| matches!(f.self_param, Some(crate::hir::SelfParam::RefMut)))
}

fn same_place(unit: Unit<'_>, a: Guard<'_>, b: Guard<'_>) -> bool {
    let stable = |place: &Place| {
        place.is_exact()
            && !unit.cx().is_own(place)
            && match place.root {
                Root::Local(body, local) => !unit.a.flow.origins.get(&unit.a.program, body).varies(local),
                Root::Static(_) => true,
                _ => false,
            }
    };
    match (&a.lock.place, &b.lock.place) {
        (Some(a), Some(b)) => a == b && stable(a),
        _ => false,
    }
}

fn before(unit: Unit<'_>, a: Guard<'_>, b: Guard<'_>) -> bool {
    let body = unit.a.program.body(unit.body);
    match (a.lock.site, b.lock.site) {
        (Some(a), Some(b)) => body.expr(a).span.hi <= body.expr(b).span.lo && reaches(body, a, b),
        _ => false,
    }
}

/// Whether the way from `a` can lead on to `b`, which stands below it: not where `a` is in another arm, or in a block
/// that leaves.
fn reaches(body: &Body, a: ExprId, b: ExprId) -> bool {
    let (a, b) = (body.expr(a).span, body.expr(b).span);
    let holds = |e: ExprId, at| body.expr(e).span.contains(at);
    !(0..body.exprs.len() as u32).map(ExprId).any(|id| match &body.expr(id).kind {
        ExprKind::If { then, els: Some(els), .. } => holds(*then, a) && holds(*els, b),
        ExprKind::Match { arms, .. } => {
            let arm = |at| arms.iter().position(|arm| holds(arm.body, at));
            matches!((arm(a), arm(b)), (Some(x), Some(y)) if x != y)
        }
        ExprKind::Block(_) => holds(id, a) && !holds(id, b) && leaves(body, id),
        _ => false,
    })
}

fn overlap(unit: Unit<'_>, first: u32, second_site: ExprId) -> bool {
    unit.events().iter().any(|e| e.expr == second_site && e.held.contains(&first))
}

/// Whether another guard keeps others out from before the first region until after the second.
fn gated(unit: Unit<'_>, first: Guard<'_>, second: Guard<'_>) -> bool {
    let held = |site: Option<ExprId>| {
        let event = unit.events().iter().find(|e| Some(e.expr) == site);
        event.map_or(&[][..], |e| &e.held[..])
    };
    let before = held(first.lock.site);
    held(second.lock.site).iter().any(|t| before.contains(t) && unit.guard(*t).lock.mode.exclusive)
}

fn depends(unit: Unit<'_>, body: &Body, first: Guard<'_>, second: Guard<'_>) -> Option<Split> {
    let seen = seen_values(unit, body, first);
    let mentions = |root: ExprId| {
        let mut found = false;
        let mut asked_with = Vec::new();
        walk::for_each_below(body, root, &mut |id| {
            match &body.expr(id).kind {
                // A closure that awaited work gets is no part of what it answers.
                ExprKind::Await(e) => match &body.expr(*e).kind {
                    ExprKind::Call { args, .. } | ExprKind::Method { args, .. } => asked_with.extend(args),
                    _ => {}
                },
                ExprKind::Closure(_) if asked_with.contains(&id) => return false,
                _ => {}
            }
            found |= match body.expr(id).kind {
                ExprKind::Local(local) => seen.contains(&local) || first.flow.locals.contains(&local),
                _ => Some(id) == first.lock.site,
            };
            !found
        });
        found
    };
    let acts = acts(unit, body, second);
    if acts.is_empty() || rechecks(unit, body, second) {
        return None;
    }
    let read = paths_read(unit, body, first);
    // What a function makes with all of it at hand is no value that was there: `insert(name, build(&*registry.read()))`.
    let lent = is_lent(unit, body, first);
    for act in acts.iter().filter(|act| !(act.inserts && lent)) {
        // A part that was read and the whole that is replaced are not the same value.
        let same = act.inserts || act.target.is_none_or(|t| depth(body, t) >= read_depth(unit, body, first));
        if act.overwrites
            && same
            && overlaps(&act.path, &read)
            && act.operands.iter().any(|&e| !seen.is_empty() && mentions(e))
        {
            return Some(match act.operands.iter().any(|&e| answered(unit, body, e, first)) {
                true => Split::AnswerBack,
                false => Split::WriteBack,
            });
        }
    }
    let site = second.lock.site?;
    // `if new != seen { *lock = new }` comes out the same whatever others did in between.
    let mentions = |cond: ExprId| mentions(cond) && !sets_if_changed(body, cond, &acts);
    // What the first region changed it owns: a state that it entered and now leaves.
    if !decided_by(body, site, &mentions) || changes(unit, body, first) {
        return None;
    }
    // Filling a gap twice costs work, not data.
    let fills = acts.iter().all(|a| a.inserts || a.overwrites && a.fills);
    Some(if fills { Split::FillOnMiss } else { Split::CheckThenAct })
}

/// Whether a region changes what it guards, or takes something out of it.
fn changes(unit: Unit<'_>, body: &Body, guard: Guard<'_>) -> bool {
    const LOOKS: [&str; 10] = [
        "get_mut",
        "iter_mut",
        "values_mut",
        "first_mut",
        "last_mut",
        "entry",
        "as_mut",
        "as_deref_mut",
        "deref_mut",
        "lock",
    ];
    let types = &unit.a.types[unit.body.0 as usize];
    let takes = |id: ExprId| match &body.expr(id).kind {
        ExprKind::Method { recv, name, .. } => {
            types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::RefMut)
                && !LOOKS.contains(&name.as_str())
                && unit.derives(guard, *recv)
        }
        _ => false,
    };
    !acts(unit, body, guard).is_empty() || (0..body.exprs.len() as u32).map(ExprId).any(takes)
}

/// Variables that hold data got from under the first guard.
fn seen_values(unit: Unit<'_>, body: &Body, first: Guard<'_>) -> Vec<LocalId> {
    let origins = unit.a.flow.origins.get(&unit.a.program, unit.body);
    (0..body.locals.len() as u32)
        .map(LocalId)
        .filter(|&l| !first.flow.locals.contains(&l))
        .filter(|&l| origins.source(l).is_some_and(|source| contains_or_derives(unit, body, source, first)))
        .collect()
}

/// Whether awaited work stands between what was read under the guard and a value.
fn answered(unit: Unit<'_>, body: &Body, value: ExprId, first: Guard<'_>) -> bool {
    let origins = unit.a.flow.origins.get(&unit.a.program, unit.body);
    let mut work = vec![value];
    let mut seen = FxHashSet::default();
    let mut found = false;
    while let Some(root) = work.pop().filter(|_| !found) {
        walk::for_each_below(body, root, &mut |id| {
            match &body.expr(id).kind {
                ExprKind::Await(e) => found |= Some(*e) != first.lock.site,
                ExprKind::Local(local) if seen.insert(*local) && !first.flow.locals.contains(local) => {
                    work.extend(origins.source(*local));
                }
                _ => {}
            }
            !found
        });
    }
    found
}

fn contains_or_derives(unit: Unit<'_>, body: &Body, source: ExprId, first: Guard<'_>) -> bool {
    !unit.cx().facts.holds_guard(unit.a.types[unit.body.0 as usize].expr(source))
        && value_has(body, source, first)
}

/// Whether a value has something of a guard in it: of a block only what it ends in counts, not what it does before.
fn value_has(body: &Body, value: ExprId, guard: Guard<'_>) -> bool {
    let mut found = false;
    walk::for_each_below(body, value, &mut |id| {
        match &body.expr(id).kind {
            ExprKind::Local(l) => found |= guard.flow.locals.contains(l),
            ExprKind::Block(block) => {
                found |= block.tail.is_some_and(|tail| value_has(body, tail, guard));
                return false;
            }
            ExprKind::Closure(_) => return false,
            // What an awaited answer was asked with is no part of it.
            ExprKind::Await(e) if Some(*e) != guard.lock.site => match &body.expr(*e).kind {
                ExprKind::Method { recv, .. } => {
                    found |= value_has(body, *recv, guard);
                    return false;
                }
                ExprKind::Call { .. } => return false,
                _ => {}
            },
            _ => found |= Some(id) == guard.lock.site,
        }
        !found
    });
    found
}

/// A change made through the second guard.
struct Act {
    /// What was there is replaced.
    overwrites: bool,
    /// Adds an entry.
    inserts: bool,
    /// Puts `Some` there.
    fills: bool,
    /// What is assigned to.
    target: Option<ExprId>,
    operands: Vec<ExprId>,
    /// The fields from the guard to it.
    path: Vec<Name>,
}

/// The fields that an expression goes into from a guard.
fn path_in(body: &Body, mut id: ExprId, guard: Guard<'_>) -> Vec<Name> {
    let mut fields = Vec::new();
    while Some(id) != guard.lock.site {
        id = match &body.expr(id).kind {
            ExprKind::Field { base, name, .. } => {
                fields.push(*name);
                *base
            }
            ExprKind::Method { recv: base, .. } | ExprKind::Index { base, .. } => *base,
            ExprKind::Deref(e)
            | ExprKind::Ref { expr: e, .. }
            | ExprKind::Cast { expr: e, .. }
            | ExprKind::Try(e)
            | ExprKind::Await(e) => *e,
            _ => break,
        };
    }
    fields.reverse();
    fields
}

/// The paths of what is read through a guard.
fn paths_read(unit: Unit<'_>, body: &Body, guard: Guard<'_>) -> Vec<Vec<Name>> {
    let ids = || (0..body.exprs.len() as u32).map(ExprId);
    let mut inner = FxHashSet::default();
    for id in ids() {
        if let ExprKind::Field { base, .. } | ExprKind::Method { recv: base, .. } | ExprKind::Deref(base) =
            &body.expr(id).kind
        {
            inner.insert(*base);
        }
    }
    let whole = |id: &ExprId| {
        matches!(
            body.expr(*id).kind,
            ExprKind::Local(_) | ExprKind::Field { .. } | ExprKind::Method { .. } | ExprKind::Deref(_)
        ) && !inner.contains(id)
    };
    ids().filter(whole).filter(|&id| unit.derives(guard, id)).map(|id| path_in(body, id, guard)).collect()
}

/// Whether a guard without a name lends the whole to a function.
fn is_lent(unit: Unit<'_>, body: &Body, guard: Guard<'_>) -> bool {
    let types = &unit.a.types[unit.body.0 as usize];
    let whole = |arg: ExprId| {
        let ExprKind::Ref { expr: mut id, .. } = body.expr(arg).kind else { return false };
        while Some(id) != guard.lock.site {
            id = match body.expr(id).kind {
                ExprKind::Deref(e) | ExprKind::Try(e) | ExprKind::Await(e) => e,
                // `unwrap()` of a guard is the guard.
                ExprKind::Method { recv, .. } if unit.cx().facts.holds_guard(types.expr(id)) => recv,
                _ => return false,
            };
        }
        true
    };
    guard.flow.locals.is_empty()
        && body.exprs.iter().any(|expr| match &expr.kind {
            ExprKind::Call { args, .. } | ExprKind::Method { args, .. } => args.iter().any(|&arg| whole(arg)),
            _ => false,
        })
}

/// Whether one of the paths is a part of the other.
fn overlaps(path: &[Name], read: &[Vec<Name>]) -> bool {
    read.is_empty() || read.iter().any(|r| r.iter().zip(path).all(|(a, b)| a == b))
}

/// Whether a condition compares with what all acts then set.
fn sets_if_changed(body: &Body, cond: ExprId, acts: &[Act]) -> bool {
    let ExprKind::Binary { op: BinaryOp::Eq | BinaryOp::Ne, lhs, rhs } = body.expr(cond).kind else {
        return false;
    };
    let local = |id: ExprId| match body.expr(id).kind {
        ExprKind::Local(local) => Some(local),
        _ => None,
    };
    acts.iter().all(|act| {
        let set = act.operands.first().and_then(|&e| local(e));
        act.overwrites && set.is_some() && (set == local(lhs) || set == local(rhs))
    })
}

fn acts(unit: Unit<'_>, body: &Body, second: Guard<'_>) -> Vec<Act> {
    let types = &unit.a.types[unit.body.0 as usize];
    let mut found = Vec::new();
    for (id, expr) in body.exprs.iter().enumerate() {
        let id = ExprId(id as u32);
        match &expr.kind {
            ExprKind::Assign { lhs, rhs } if unit.derives(second, *lhs) => {
                let fills = matches!(&body.expr(*rhs).kind, ExprKind::Call { callee, .. }
                    if matches!(&body.expr(*callee).kind, ExprKind::Path(p)
                        if p.segments.last().is_some_and(|s| s.name == well_known::SOME)));
                found.push(Act {
                    overwrites: true,
                    inserts: false,
                    fills,
                    target: Some(*lhs),
                    operands: vec![*rhs],
                    path: path_in(body, *lhs, second),
                });
            }
            // A count of one more or less depends on what it was; adding up does not.
            ExprKind::AssignOp { lhs, rhs, .. }
                if matches!(body.expr(*rhs).kind, ExprKind::Lit(_)) && unit.derives(second, *lhs) =>
            {
                found.push(Act {
                    overwrites: false,
                    inserts: false,
                    fills: false,
                    target: Some(*lhs),
                    operands: Vec::new(),
                    path: path_in(body, *lhs, second),
                });
            }
            ExprKind::Method { recv, name, args, .. } => {
                let by_mut = types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::RefMut);
                if !by_mut || !unit.derives(second, *recv) {
                    continue;
                }
                let op = match types.callee(id) {
                    Callee::Ext(path) => unit.cx().facts.tags(path).and_then(|t| t.op),
                    _ => None,
                };
                // What takes away or looks again tells by its result how it found things.
                if matches!(op, Some(Op::Insert)) {
                    found.push(Act {
                        // What is added beside the rest takes nothing away.
                        overwrites: !["extend", "push", "append"]
                            .iter()
                            .any(|p| name.as_str().starts_with(p)),
                        inserts: true,
                        fills: true,
                        target: None,
                        operands: args.to_vec(),
                        path: path_in(body, *recv, second),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether the second region looks before it acts: a condition, `entry`, `get_or_insert`, a lookup.
fn rechecks(unit: Unit<'_>, body: &Body, second: Guard<'_>) -> bool {
    body.exprs.iter().enumerate().any(|(id, expr)| match &expr.kind {
        ExprKind::If { cond, .. } | ExprKind::While { cond, .. } => reads(unit, body, *cond, second),
        ExprKind::Match { scrutinee, .. } | ExprKind::Let { scrutinee, .. } => {
            reads(unit, body, *scrutinee, second)
        }
        ExprKind::Method { recv, name, .. } => {
            let types = &unit.a.types[unit.body.0 as usize];
            let id = ExprId(id as u32);
            let looks = types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::Ref);
            let checks = matches!(
                name.as_str(),
                "entry" | "get_or_insert" | "get_or_insert_with" | "get_mut" | "take"
            );
            (looks || checks) && second.lock.site != Some(id) && unit.derives(second, *recv)
        }
        ExprKind::Assign { lhs, rhs } if unit.derives(second, *lhs) => reads(unit, body, *rhs, second),
        _ => false,
    })
}

/// How many fields an expression goes into.
fn depth(body: &Body, mut id: ExprId) -> usize {
    let mut fields = 0;
    loop {
        match body.expr(id).kind {
            ExprKind::Field { base, .. } => {
                fields += 1;
                id = base;
            }
            ExprKind::Deref(base) => id = base,
            _ => return fields,
        }
    }
}

/// The least number of fields that reads through a guard go into.
fn read_depth(unit: Unit<'_>, body: &Body, guard: Guard<'_>) -> usize {
    let parents = |id: ExprId| matches!(body.expr(id).kind, ExprKind::Field { .. } | ExprKind::Deref(_));
    (0..body.exprs.len() as u32)
        .map(ExprId)
        .filter(|&id| parents(id) && unit.derives(guard, id))
        .map(|id| depth(body, id))
        .max()
        .unwrap_or(0)
}

fn reads(unit: Unit<'_>, body: &Body, root: ExprId, second: Guard<'_>) -> bool {
    let mut found = false;
    walk::for_each_below(body, root, &mut |id| {
        found |= Some(id) == second.lock.site
            || matches!(body.expr(id).kind, ExprKind::Local(_)) && unit.derives(second, id);
        !found
    });
    found
}

/// Whether a condition that mentions what was seen decides if `site` is reached: it lies in a branch, or after a branch
/// that leaves.
fn decided_by(body: &Body, site: ExprId, mentions: &dyn Fn(ExprId) -> bool) -> bool {
    let at = body.expr(site).span;
    let inside = |e: ExprId| body.expr(e).span.contains(at);
    body.exprs.iter().any(|expr| match &expr.kind {
        ExprKind::If { cond, then, els } => (inside(*then) || els.is_some_and(inside)) && mentions(*cond),
        ExprKind::Match { scrutinee, arms } => {
            arms.iter().any(|arm| inside(arm.body)) && mentions(*scrutinee)
        }
        ExprKind::Block(block) => leaves_before(body, block, at, mentions),
        _ => false,
    })
}

fn leaves_before(
    body: &Body,
    block: &Block,
    at: crate::source::Span,
    mentions: &dyn Fn(ExprId) -> bool,
) -> bool {
    let mut left = false;
    for stmt in &block.stmts {
        let span = match stmt {
            Stmt::Let { span, .. } | Stmt::Expr { span, .. } => *span,
        };
        if span.contains(at) {
            return left;
        }
        if span.lo > at.hi {
            return false;
        }
        if let Stmt::Expr { expr, .. } = stmt
            && let ExprKind::If { cond, then, els: None } = &body.expr(*expr).kind
            && leaves(body, *then)
            && mentions(*cond)
        {
            left = true;
        }
    }
    left && block.tail.is_some_and(|t| body.expr(t).span.contains(at))
}

/// Whether a block ends by leaving the function or loop.
fn leaves(body: &Body, id: ExprId) -> bool {
    match &body.expr(id).kind {
        ExprKind::Return(_) | ExprKind::Break { .. } | ExprKind::Continue { .. } => true,
        ExprKind::Macro(m) => m.kind == MacroKind::Diverge,
        ExprKind::Block(b) => match (b.tail, b.stmts.last()) {
            (Some(tail), _) => leaves(body, tail),
            (None, Some(Stmt::Expr { expr, .. })) => leaves(body, *expr),
            _ => false,
        },
        _ => false,
    }
}

fn report(unit: Unit<'_>, first: Guard<'_>, second: Guard<'_>, split: Split) -> Finding {
    let name = unit.lock_name(second);
    let mut f = unit.finding(&super::lock_reacquired::RULE, unit.acquired_at(second), &name);
    let (confidence, message) = match split {
        Split::WriteBack | Split::AnswerBack => (
            if split == Split::WriteBack { Confidence::High } else { Confidence::Medium },
            format!(
                "`{name}` is written back from a value read under an earlier lock of it: changes in between are lost"
            ),
        ),
        Split::CheckThenAct => (
            Confidence::Medium,
            format!(
                "`{name}` is changed on a condition that was checked under an earlier lock of it: it may hold no longer"
            ),
        ),
        Split::FillOnMiss => (
            Confidence::Low,
            format!(
                "`{name}` is filled after a miss seen under an earlier lock of it: two threads may both fill it"
            ),
        ),
    };
    grade(&mut f, Level::Warn, Severity::High, confidence);
    f.message = message;
    f.label = "acts on what the first lock saw".to_owned();
    f.help = "do both under one lock, or check again under the second (`entry`, a compare)".to_owned();
    f.related.push(Related { at: unit.acquired_at(first), label: "looked at here".to_owned() });
    super::facts(unit, first, second.lock.site.unwrap_or(ExprId(0)), &mut f);
    match super::ending::merge_split(unit, first, second) {
        Ok(merging) => merging.note(&mut f),
        Err(obstacle) => super::ending::refuse(obstacle, &mut f),
    }
    f
}
