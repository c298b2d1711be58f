//! Who owns what around a clone: whether a local may be moved, a collection taken apart, a parameter lent.

use super::clone_in_loop::Judge;
use crate::Analysis;
use crate::clone_sites::{Frame, bound_by, has_drop, local_path};
use crate::flow::borrows::mentioned;
use crate::flow::walk::bound_below;
use crate::flow::walk::for_each_below;
use crate::hir::{BlockKind, Body, ExprId, ExprKind, LocalId, MacroKind};
use crate::infer::SelfMode;
use crate::knowledge::Container;
use crate::program::DefId;
use crate::ty::{Ty, TyKind};

impl Judge<'_> {
    /// Whether a local holds a value of its own.
    pub(super) fn owns(&self, local: LocalId) -> bool {
        self.owned(self.types.local(local))
    }

    pub(super) fn owned(&self, ty: Ty) -> bool {
        !ty.is_unknown() && !matches!(ty.kind(), TyKind::Ref(..) | TyKind::Ptr(_) | TyKind::Param(_))
    }

    /// `x.a.b` where each step is a plain field of an owned struct without `Drop`.
    pub(super) fn movable_path(&self, id: ExprId) -> bool {
        let mut here = id;
        while let ExprKind::Field { base, .. } = self.body.expr(here).kind {
            let ty = self.types.expr(base);
            if !matches!(ty.kind(), TyKind::Adt(..) | TyKind::Tuple(_)) || has_drop(self.program, ty) {
                return false;
            }
            if let (TyKind::Adt(def, _), ExprKind::Field { name, .. }) =
                (ty.kind(), &self.body.expr(here).kind)
                && self.program.decls.field(*def, *name).is_none()
            {
                return false;
            }
            here = base;
        }
        true
    }

    /// Whether a local is bound inside the loop: by its pattern, or by a `let` or pattern in its body.
    pub(super) fn bound_inside(&self, local: LocalId, frame: Frame) -> bool {
        let (root, pats): (ExprId, Vec<_>) = match frame {
            Frame::Loop(id) => match &self.body.expr(id).kind {
                ExprKind::For { pat, body, .. } => (*body, vec![*pat]),
                ExprKind::Loop { body, .. } => (*body, vec![]),
                ExprKind::While { cond, body, .. } => {
                    if binds(self.body, *cond, local) {
                        return true;
                    }
                    (*body, vec![])
                }
                _ => return false,
            },
            Frame::Adaptor { closure, .. } => match &self.body.expr(closure).kind {
                ExprKind::Closure(c) => (c.body, c.params.iter().map(|p| p.pat).collect()),
                _ => return false,
            },
            Frame::Closure(_) => return false,
        };
        pats.iter().any(|&p| bound_by(self.body, p).contains(&local)) || binds(self.body, root, local)
    }

    /// Whether the local is bound inside the innermost closure around the site (or there is none).
    pub(super) fn same_closure(&self, local: LocalId, frames: &[Frame]) -> bool {
        let closure = frames.iter().rev().find_map(|f| match f {
            Frame::Closure(id) => Some(*id),
            Frame::Adaptor { closure, .. } => Some(*closure),
            Frame::Loop(_) => None,
        });
        match closure.map(|id| (id, &self.body.expr(id).kind)) {
            None => true,
            Some((_, ExprKind::Closure(c))) => {
                c.params.iter().any(|p| bound_by(self.body, p.pat).contains(&local))
                    || binds(self.body, c.body, local)
            }
            Some((id, _)) => binds(self.body, id, local),
        }
    }

    /// The collection at the bottom of `iter()`, `&x`, if it is owned here and dead once `done` is. `inside`: the clone,
    /// for the check that the loop's body does not name the collection.
    pub(super) fn dead_source(&self, source: ExprId, done: ExprId, inside: Option<ExprId>) -> Option<String> {
        let mut here = source;
        loop {
            match &self.body.expr(here).kind {
                ExprKind::Ref { mutable: false, expr } => here = *expr,
                ExprKind::Method { recv, name, args, .. } => match name.as_str() {
                    "iter" if args.is_empty() => here = *recv,
                    "enumerate" | "rev" | "skip" | "take" | "step_by" => here = *recv,
                    _ => return None,
                },
                ExprKind::Local(_) => break,
                _ => return None,
            }
        }
        if here == source {
            return None;
        }
        let ExprKind::Local(local) = self.body.expr(here).kind else { return None };
        let ty = self.types.local(local);
        let container = self.program.knowledge.of(ty).and_then(|i| i.container);
        if !matches!(
            container,
            Some(
                Container::Vec | Container::Deque | Container::Set | Container::OrderedSet | Container::Heap
            )
        ) {
            return None;
        }
        if self.liveness.live_after(done, local) {
            return None;
        }
        if inside.is_some() {
            // Named in the loop's own body: still needed there.
            let mut named = 0;
            for_each_below(self.body, done, &mut |id| {
                named += usize::from(matches!(self.body.expr(id).kind, ExprKind::Local(l) if l == local));
                true
            });
            if named > 1 {
                return None;
            }
        }
        // Captured from outside a closure: not this code's to consume.
        if let Some(site) = inside
            && !self.bound_in_same_closure(local, site)
        {
            return None;
        }
        Some(self.body.local(local).name.to_string())
    }

    pub(super) fn bound_in_same_closure(&self, local: LocalId, site: ExprId) -> bool {
        // The closures around the site that also contain the loop over the collection must bind it.
        let mut ok = true;
        for_each_below(self.body, self.body.root, &mut |id| {
            if let ExprKind::Closure(c) = &self.body.expr(id).kind {
                let mut holds_site = false;
                let mut holds_use = false;
                for_each_below(self.body, c.body, &mut |x| {
                    holds_site |= x == site;
                    holds_use |= matches!(self.body.expr(x).kind, ExprKind::Local(l) if l == local);
                    true
                });
                if holds_site && holds_use {
                    ok &= c.params.iter().any(|p| bound_by(self.body, p.pat).contains(&local))
                        || binds(self.body, c.body, local);
                }
            }
            true
        });
        ok
    }

    /// Whether a call may change what `local` holds while it runs: through its receiver or a `&mut` argument.
    pub(super) fn changes(&self, call: ExprId, local: LocalId) -> bool {
        let (recv, args): (Option<ExprId>, &[ExprId]) = match &self.body.expr(call).kind {
            ExprKind::Method { recv, args, .. } => (Some(*recv), args),
            ExprKind::Call { args, .. } => (None, args),
            _ => return true,
        };
        if let Some(recv) = recv
            && mentioned(self.body, recv).contains(&local)
            && self.types.receivers.get(&call).is_none_or(|r| r.mode != SelfMode::Ref)
        {
            return true;
        }
        args.iter().any(|&a| {
            matches!(self.body.expr(a).kind, ExprKind::Ref { mutable: true, .. })
                && mentioned(self.body, a).contains(&local)
        })
    }

    pub(super) fn assigned_inside(&self, local: LocalId, frame: Frame) -> bool {
        let root = match frame {
            Frame::Loop(id) | Frame::Adaptor { closure: id, .. } | Frame::Closure(id) => id,
        };
        let mut assigned = false;
        for_each_below(self.body, root, &mut |id| {
            match &self.body.expr(id).kind {
                ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. } => {
                    assigned |= local_path(self.body, *lhs).is_some_and(|(l, _)| l == local);
                }
                ExprKind::Ref { mutable: true, expr } => {
                    assigned |= local_path(self.body, *expr).is_some_and(|(l, _)| l == local);
                }
                ExprKind::Method { recv, .. } => {
                    assigned |= local_path(self.body, *recv).is_some_and(|(l, _)| l == local)
                        && self.types.receivers.get(&id).is_none_or(|r| r.mode != SelfMode::Ref);
                }
                _ => {}
            }
            true
        });
        assigned
    }
}

/// Whether a pattern below `root` binds the local.
pub(super) fn binds(body: &Body, root: ExprId, local: LocalId) -> bool {
    bound_below(body, root).contains(&local)
}

/// The outermost method call of the chain that a call is the receiver of (`a.iter().map(..).collect()`).
pub(super) fn outermost_chain(body: &Body, call: ExprId) -> ExprId {
    let mut here = call;
    loop {
        let next = body.exprs.iter().enumerate().find_map(|(i, e)| match &e.kind {
            ExprKind::Method { recv, .. } if *recv == here => Some(ExprId(i as u32)),
            ExprKind::Try(inner) | ExprKind::Await(inner) if *inner == here => Some(ExprId(i as u32)),
            _ => None,
        });
        match next {
            Some(next) => here = next,
            None => return here,
        }
    }
}

/// Whether a function only reads the parameter it takes by value.
pub(super) fn only_reads(cx: &Analysis, def: DefId, position: usize) -> bool {
    let program = &cx.program;
    let Some(&ix) = program.body_of.get(&def) else { return false };
    // What a trait dictates cannot take a reference instead.
    if let Some(parent) = program.def(def).parent
        && program.decls.impl_trait.contains_key(&parent)
    {
        return false;
    }
    let body = program.body(ix);
    let types = &cx.types[ix.0 as usize];
    let Some(param) = body.params.get(position) else { return false };
    let [local] = bound_by(body, param.pat)[..] else { return false };
    if matches!(types.local(local).kind(), TyKind::Ref(..) | TyKind::Opaque(_) | TyKind::Param(_)) {
        return false;
    }
    // What is returned may hold the reference.
    let keeps = |ty: Ty| {
        ty.any(&mut |t| {
            matches!(t.kind(), TyKind::Opaque(_) | TyKind::Dyn(_) | TyKind::Future(_) | TyKind::Closure(..))
        })
    };
    if program.decls.sigs.get(&def).is_none_or(|sig| keeps(sig.ret)) {
        return false;
    }
    let mut total = 0;
    let mut reads = 0;
    for_each_below(body, body.root, &mut |id| {
        let is = |e: ExprId| matches!(body.expr(e).kind, ExprKind::Local(l) if l == local);
        match &body.expr(id).kind {
            ExprKind::Local(l) if *l == local => total += 1,
            ExprKind::Ref { mutable: false, expr } if is(*expr) => reads += 1,
            ExprKind::Method { recv, .. } if is(*recv) => {
                reads += usize::from(types.receivers.get(&id).is_some_and(|r| r.mode == SelfMode::Ref));
            }
            ExprKind::Binary { lhs, rhs, op } if is(*lhs) || is(*rhs) => {
                use crate::hir::BinaryOp as B;
                if matches!(op, B::Eq | B::Ne | B::Lt | B::Le | B::Gt | B::Ge) {
                    reads += usize::from(is(*lhs)) + usize::from(is(*rhs));
                }
            }
            ExprKind::Macro(m) if matches!(m.kind, MacroKind::Format | MacroKind::Log) => {
                reads += m.args.iter().filter(|a| is(**a)).count();
            }
            // Captured by a closure, a block that runs later, or a macro that may make one: it may outlive the call.
            ExprKind::Closure(c) if mentioned(body, c.body).contains(&local) => total += 1_000,
            ExprKind::Block(b)
                if matches!(b.kind, BlockKind::Async { .. }) && mentioned(body, id).contains(&local) =>
            {
                total += 1_000;
            }
            ExprKind::Macro(m)
                if matches!(m.kind, MacroKind::Guess | MacroKind::Opaque)
                    && mentioned(body, id).contains(&local) =>
            {
                total += 1_000;
            }
            _ => {}
        }
        true
    });
    total > 0 && total == reads
}
