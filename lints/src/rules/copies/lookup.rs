//! What is around a clone: a look-up that decides whether it is inserted, an `.await` on the call it is given to.

use crate::clone_sites::{CloneSite, local_path};
use crate::flow::walk::{for_each_below, for_each_child};
use crate::hir::{Body, ExprId, ExprKind, LocalId};
use crate::infer::{BodyTypes, Callee};
use crate::knowledge::{ClosureUse, Container, Op};
use crate::program::Program;

/// A look-up and the map it is in.
pub(super) struct Found {
    pub(super) lookup: ExprId,
    pub(super) map: ExprId,
}

/// Whether the clone of the local `key` is what `insert` puts into a map on a branch that depends on a look-up of the
/// same key in the same map, and the key serves for nothing after it but such look-ups. `root`: the loop around.
pub(super) fn before_insert(
    program: &Program,
    body: &Body,
    types: &BodyTypes,
    root: ExprId,
    site: &CloneSite,
    key: LocalId,
) -> Option<Found> {
    let (call, 1, false) = site.argument? else { return None };
    let map = map_of(program, body, types, call, Op::Insert)?;
    let path = ancestors(body, root, call);
    let asks = |id: ExprId| {
        [Op::Get, Op::GetMut, Op::Contains].into_iter().any(|op| {
            map_of(program, body, types, id, op).is_some_and(|m| same_path(body, m, map))
                && is_key(body, id, key)
        })
    };
    let mut lookup = None;
    for pair in path.windows(2) {
        let decides = match &body.expr(pair[0]).kind {
            ExprKind::If { cond, .. } if *cond != pair[1] => *cond,
            ExprKind::Match { scrutinee, .. } if *scrutinee != pair[1] => *scrutinee,
            _ => continue,
        };
        for_each_below(body, decides, &mut |id| {
            if asks(id) {
                lookup = Some(id);
            }
            lookup.is_none()
        });
    }
    let lookup = lookup?;
    let after = body.expr(site.expr).span.hi;
    let mut only_asked = true;
    for_each_below(body, root, &mut |id| {
        if id == call || asks(id) {
            return false;
        }
        only_asked &=
            !matches!(body.expr(id).kind, ExprKind::Local(l) if l == key && body.expr(id).span.lo >= after);
        only_asked
    });
    only_asked.then_some(Found { lookup, map })
}

/// The map that a call does `op` to, if that is what it does.
fn map_of(program: &Program, body: &Body, types: &BodyTypes, call: ExprId, op: Op) -> Option<ExprId> {
    let ExprKind::Method { recv, .. } = body.expr(call).kind else { return None };
    let Callee::Ext(path) = types.callee(call) else { return None };
    let on = program.knowledge.of(types.receivers.get(&call)?.ty)?;
    let keyed = matches!(on.container, Some(Container::Map | Container::OrderedMap)) && !on.concurrent_map;
    let does = program.knowledge.callee(path)?.tags.op == Some(op);
    (keyed && does).then_some(recv)
}

/// `map.get(&key)`
fn is_key(body: &Body, call: ExprId, key: LocalId) -> bool {
    let ExprKind::Method { args, .. } = &body.expr(call).kind else { return false };
    let [arg, ..] = args[..] else { return false };
    match body.expr(arg).kind {
        ExprKind::Ref { expr, .. } => matches!(body.expr(expr).kind, ExprKind::Local(l) if l == key),
        _ => false,
    }
}

/// Whether two expressions are one path of fields from one local.
fn same_path(body: &Body, a: ExprId, b: ExprId) -> bool {
    if local_path(body, a).is_none() {
        return false;
    }
    match (&body.expr(a).kind, &body.expr(b).kind) {
        (ExprKind::Local(a), ExprKind::Local(b)) => a == b,
        (ExprKind::Field { base: x, name: m, .. }, ExprKind::Field { base: y, name: n, .. }) => {
            m == n && same_path(body, *x, *y)
        }
        _ => false,
    }
}

/// Whether the future that a call returns is awaited in the same expression, and no call on the way keeps it.
pub(super) fn awaited(program: &Program, body: &Body, types: &BodyTypes, call: ExprId) -> bool {
    let path = ancestors(body, body.root, call);
    for pair in path.windows(2).rev() {
        match &body.expr(pair[0]).kind {
            ExprKind::Await(_) => return true,
            ExprKind::Call { .. } | ExprKind::Method { .. } => {
                let Callee::Ext(callee) = types.callee(pair[0]) else { return false };
                let tags = program.knowledge.callee(callee).map(|f| &f.tags);
                if tags.is_none_or(|t| t.spawns_future || t.closure == ClosureUse::Spawn) {
                    return false;
                }
            }
            ExprKind::Ref { .. } | ExprKind::Try(_) => {}
            ExprKind::Block(block) if block.tail == Some(pair[1]) => {}
            _ => return false,
        }
    }
    false
}

/// The expressions around `target`, from `root` inwards, itself last. O(expressions below `root`).
fn ancestors(body: &Body, root: ExprId, target: ExprId) -> Vec<ExprId> {
    let mut parents: Vec<(ExprId, ExprId)> = Vec::new();
    for_each_below(body, root, &mut |id| {
        for_each_child(body, id, &mut |child| parents.push((child, id)));
        true
    });
    let mut path = vec![target];
    while let Some(&here) = path.last()
        && here != root
        && let Some(&(_, parent)) = parents.iter().find(|(child, _)| *child == here)
    {
        path.push(parent);
    }
    path.reverse();
    path
}
