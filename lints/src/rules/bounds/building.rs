//! Whether a map is filled only while the value that has it is still a local of whoever makes it: a statement being
//! parsed, a report being drawn up.

use rustc_hash::FxHashSet;

use super::callers::Callers;
use super::scopes::waits;
use crate::Analysis;
use crate::flow::locks::arguments;
use crate::flow::walk::for_each_below;
use crate::hir::{Body, ExprId, ExprKind};
use crate::places::Use;
use crate::program::{BodyIx, DefId};
use crate::ty::{Ty, TyKind};

/// How far up callers are followed.
const DEPTH: u32 = 12;

/// Whose something is that a function changes.
enum Owner {
    /// Lent or given by the caller, as the parameter of this index.
    Given(usize),
    /// A variable of the function.
    Local,
}

/// What is asked about one use.
pub(super) struct Building<'a> {
    cx: &'a Analysis,
    callers: &'a Callers,
    seen: FxHashSet<(DefId, usize)>,
}

impl<'a> Building<'a> {
    /// Whether a use changes what is still a local of some function that does not go round until the end.
    pub(super) fn only(cx: &'a Analysis, callers: &'a Callers, one: &Use) -> bool {
        let ExprKind::Method { recv, .. } = &cx.program.body(one.body).expr(one.expr).kind else {
            return false;
        };
        let mut building = Building { cx, callers, seen: FxHashSet::default() };
        building.at(one.body, *recv, one.expr, DEPTH)
    }

    fn at(&mut self, ix: BodyIx, changed: ExprId, call: ExprId, depth: u32) -> bool {
        if goes_round(self.cx.program.body(ix), call) {
            return false;
        }
        let function = self.cx.program.body_info(ix).owner;
        match self.owner(ix, changed) {
            // What a program has from its start it has until its end.
            Some(Owner::Local) => !self.callers.runs_once(self.cx, function, depth),
            Some(Owner::Given(param)) => self.given(function, param, depth),
            None => false,
        }
    }

    fn given(&mut self, function: DefId, param: usize, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        if !self.seen.insert((function, param)) {
            return true;
        }
        let sites = self.callers.sites(function);
        !sites.is_empty()
            && sites.iter().all(|site| {
                let args = arguments(self.cx.places(), site.body, site.call);
                args.get(param).is_some_and(|&arg| self.at(site.body, arg, site.call, depth))
            })
    }

    /// Whose value an expression is a part of. `None` behind locks, cells and handles.
    fn owner(&self, ix: BodyIx, changed: ExprId) -> Option<Owner> {
        let body = self.cx.program.body(ix);
        let types = &self.cx.types[ix.0 as usize];
        let origins = self.cx.flow.origins.get(&self.cx.program, ix);
        let made = |id: ExprId| matches!(body.expr(id).kind, ExprKind::Call { .. } | ExprKind::Struct { .. });
        let mut id = changed;
        loop {
            id = match &body.expr(id).kind {
                // A reference, handle or lock that a value has in it leads to what is somebody else's.
                ExprKind::Field { base: e, .. }
                    if owned(types.expr(id))
                        || id == changed && !matches!(types.expr(id).kind(), TyKind::Ref(..)) =>
                {
                    *e
                }
                ExprKind::Ref { expr: e, .. } => *e,
                ExprKind::Deref(e) if matches!(types.expr(*e).kind(), TyKind::Ref(..)) => *e,
                ExprKind::Local(local) => {
                    let ty = types.local(*local);
                    let lent = matches!(ty.kind(), TyKind::Ref(..));
                    if origins.is_param(*local) {
                        let index = self.cx.places().param_index(ix, *local)?;
                        return (lent || owned(ty)).then_some(Owner::Given(index));
                    }
                    let source = origins.source(*local)?;
                    // A copy of what is kept elsewhere may be put back.
                    if !lent {
                        return (owned(ty) && made(source)).then_some(Owner::Local);
                    }
                    source
                }
                _ => return None,
            };
        }
    }
}

fn owned(ty: Ty) -> bool {
    matches!(ty.kind(), TyKind::Adt(..))
}

/// Whether a call lies in a loop that may have no end: `loop`, or one that waits for what comes next.
fn goes_round(body: &Body, call: ExprId) -> bool {
    let at = body.expr(call).span;
    let holds = |e: ExprId| body.expr(e).span.contains(at);
    let awaits = |root: ExprId| {
        let mut found = false;
        for_each_below(body, root, &mut |id| {
            found |= matches!(body.expr(id).kind, ExprKind::Await(_));
            !found
        });
        found
    };
    body.exprs.iter().any(|expr| match &expr.kind {
        ExprKind::Loop { body: turn, .. } => holds(*turn),
        ExprKind::While { cond, body: turn, .. } => {
            holds(*turn) && (waits(body, *cond) || waits(body, *turn) || awaits(*cond))
        }
        ExprKind::For { iter, body: turn, .. } => holds(*turn) && waits(body, *iter),
        _ => false,
    })
}
