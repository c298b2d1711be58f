//! The guard is used only after what it should not span: take it later.

use super::{Bound, Cx, Ending, Obstacle, Pos, obstacle};
use crate::flow::walk;
use crate::hir::{ExprId, ExprKind, LocalId, PatKind, Stmt};
use crate::infer::SelfMode;
use crate::source::Span;
use crate::ty::TyKind;

impl Cx<'_> {
    /// Moves the statement that takes the guard down to the first that uses it. `Err(None)`: this is not such a case.
    pub(super) fn take_later(
        &self,
        local: LocalId,
        decl: Pos,
        hazards: &[ExprId],
    ) -> Result<Ending, Option<Obstacle>> {
        let mentions = self.mentions(local);
        let Some(first) = mentions.iter().map(|&m| self.span(m).lo).min() else { return Err(None) };
        let Some(target) = self.pos_in(decl.block, first) else { return Err(None) };
        let mut ending = Ending::default();
        let before = |h: &ExprId| self.span(*h).hi <= target.span.lo;
        let rest: Vec<ExprId> = hazards.iter().copied().filter(|h| !before(h)).collect();
        if target.index == decl.index + 1 && rest.len() == hazards.len() && rest.is_empty() {
            return Err(None);
        }
        if !rest.is_empty() {
            let inside = |h: &ExprId| target.span.contains(self.span(*h));
            if !rest.iter().all(inside) {
                return Err(None);
            }
            ending.bound.push(self.waits_first(local, target, &rest).ok_or(None)?);
        }
        self.movable(decl, target).map_err(Some)?;
        ending.moved = Some((decl.span, target.span));
        ending.exposed = self.tree.evaluated(decl.block, decl.index + 1, target.index);
        ending.exposed.extend(rest);
        Ok(ending)
    }

    /// The statement of a block around an offset.
    fn pos_in(&self, block: ExprId, offset: u32) -> Option<Pos> {
        let ExprKind::Block(b) = self.tree.kind(block) else { return None };
        let mut all: Vec<Pos> = Vec::new();
        for (index, stmt) in b.stmts.iter().enumerate() {
            let (expr, span) = match stmt {
                Stmt::Let { init, span, .. } => ((*init)?, *span),
                Stmt::Expr { expr, span, .. } => (*expr, *span),
            };
            all.push(Pos { block, index, span, expr });
            if span.lo <= offset && offset < span.hi {
                return all.pop();
            }
        }
        let tail = b.tail?;
        let span = self.span(tail);
        (span.lo <= offset && offset < span.hi).then_some(Pos {
            block,
            index: b.stmts.len(),
            span,
            expr: tail,
        })
    }

    /// `*guard += wait()`, `guard.push(wait())`: the wait, which can be done and bound first.
    fn waits_first(&self, local: LocalId, target: Pos, hazards: &[ExprId]) -> Option<Bound> {
        let (&hazard, more) = hazards.split_first()?;
        let mut value = None;
        let mut here = hazard;
        while self.tree.stmt_of(here) != Some(target) {
            let uses =
                self.tree.below(here).iter().any(|&id| self.body.expr(id).kind == ExprKind::Local(local));
            if uses {
                break;
            }
            if more.iter().all(|&h| self.tree.within(h, here)) && self.owned(self.types.expr(here)) {
                value = Some(here);
            }
            let parent = self.tree.parent(here)?;
            match self.tree.kind(parent) {
                ExprKind::Assign { rhs, .. } | ExprKind::AssignOp { rhs, .. } if *rhs == here => break,
                ExprKind::Method { recv, .. } if *recv == here => {}
                ExprKind::Method { args, .. } if args.contains(&here) => {}
                ExprKind::Call { args, .. } if args.contains(&here) => {}
                ExprKind::Try(_) | ExprKind::Await(_) | ExprKind::Field { .. } | ExprKind::Cast { .. } => {}
                ExprKind::Binary { op, .. }
                    if !matches!(op, crate::hir::BinaryOp::And | crate::hir::BinaryOp::Or) => {}
                _ => return None,
            }
            here = parent;
        }
        let value = value?;
        if self.types.expr(value) == crate::ty::Ty::UNIT {
            return None;
        }
        let parent = self.tree.parent(value)?;
        let place = |e: ExprId| {
            matches!(self.tree.kind(e), ExprKind::Local(_) | ExprKind::Field { .. } | ExprKind::Deref(_))
        };
        let fine = match self.tree.kind(parent) {
            ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. } => place(*lhs),
            ExprKind::Method { recv, args, .. } => place(*recv) && args.first() == Some(&value),
            _ => false,
        };
        if !fine || self.tree.stmt_of(parent) != Some(target) {
            return None;
        }
        let mut bound = self.bound(value, &[]).ok()?;
        bound.before = Some(target.span);
        Some(bound)
    }

    /// Whether what takes the guard means the same further down.
    fn movable(&self, decl: Pos, target: Pos) -> Result<(), Obstacle> {
        let Some(Stmt::Let { init: Some(init), els: None, .. }) = self.stmt(decl) else {
            return obstacle("the guard is bound in a way that is not understood", decl.span);
        };
        if self.guard.lock.mode.is_try {
            return obstacle("what was tried early cannot be tried late", decl.span);
        }
        let between = Span::new(decl.span.hi, target.span.lo);
        let mut names = Vec::new();
        for id in self.tree.below(*init) {
            match self.tree.kind(id) {
                ExprKind::Try(_) | ExprKind::Return(_) | ExprKind::Index { .. } => {
                    return obstacle("taking the guard may fail, and would fail later", self.span(id));
                }
                ExprKind::Local(local) => names.push(*local),
                ExprKind::Method { recv, .. } if id != self.site && self.tree.within(self.site, *recv) => {}
                ExprKind::Method { .. } | ExprKind::Call { .. } if id != self.site => {
                    return obstacle("what finds the lock may do more than that", self.span(id));
                }
                _ => {}
            }
        }
        for &name in &names {
            self.unchanged(name, between)?;
        }
        // A lock taken in between would then be taken first.
        let other = self
            .unit
            .guards()
            .filter(|g| g.ix != self.guard.ix)
            .filter_map(|g| g.lock.site)
            .find(|&s| between.contains(self.span(s)));
        match other {
            Some(site) => obstacle("another lock is taken in between", self.span(site)),
            None => Ok(()),
        }
    }

    /// Whether a variable is the same after a stretch of code, and its name still means it.
    fn unchanged(&self, local: LocalId, between: Span) -> Result<(), Obstacle> {
        let name = self.body.local(local).name;
        let shared = matches!(self.types.local(local).kind(), TyKind::Ref(false, _));
        for pat in &self.body.pats {
            if let PatKind::Bind { local: other, .. } = pat.kind
                && between.contains(pat.span)
                && self.body.local(other).name == name
            {
                return obstacle("a name that finds the lock means something else further down", pat.span);
            }
        }
        for id in self.mentions(local) {
            let span = self.span(id);
            if !between.contains(span) {
                continue;
            }
            let harmless = match self.tree.parent(id).map(|p| (p, self.tree.kind(p))) {
                Some((_, ExprKind::Assign { lhs, .. } | ExprKind::AssignOp { lhs, .. })) => *lhs != id,
                Some((
                    _,
                    ExprKind::Field { .. } | ExprKind::Ref { mutable: false, .. } | ExprKind::Macro(_),
                )) => true,
                Some((call, ExprKind::Method { recv, .. })) if *recv == id => {
                    shared || self.types.receivers.get(&call).is_some_and(|r| r.mode != SelfMode::Value)
                }
                _ => shared,
            };
            if !harmless {
                return obstacle("what finds the lock is changed or moved in between", span);
            }
        }
        let assigned = self.body.exprs.iter().any(|e| match e.kind {
            ExprKind::Assign { lhs, .. } => {
                between.contains(e.span) && walk::is_place(self.body, lhs) && self.rooted(lhs, local)
            }
            _ => false,
        });
        if assigned { obstacle("what finds the lock is changed in between", between) } else { Ok(()) }
    }

    fn rooted(&self, mut id: ExprId, local: LocalId) -> bool {
        loop {
            match self.tree.kind(id) {
                ExprKind::Local(l) => return *l == local,
                ExprKind::Field { base: e, .. } | ExprKind::Deref(e) | ExprKind::Index { base: e, .. } => {
                    id = *e
                }
                _ => return false,
            }
        }
    }
}
